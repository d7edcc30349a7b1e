"""The facade on a real site: plans, jobs, undo and what two engines see of each other."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from sbctui.engine import files
from sbctui.engine.commands import run
from sbctui.engine.disks import fuse
from sbctui.engine.disks.qcow2 import block_node
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.errors import Locked, NoSuchNode, PlanChanged, Refused
from sbctui.engine.lockfile import SiteLock
from sbctui.engine.model import requests as ask
from sbctui.engine.model.node import State
from sbctui.engine.model.settings import Settings
from tests import lab
from tests.nodes.sites import mac

MIB = 1024**2
SETTINGS = Settings.model_validate(
    {
        "network": {
            "subnet": "10.77.0.0/24",
            "pool": {"first": "10.77.0.50", "last": "10.77.0.250"},
            "server": "10.77.0.1",
        },
        "personalise": {"hostname": False, "machine_id": False, "ssh_host_key": False},
    }
)


@pytest.fixture
def engine(tmp_path):
    tmp_path.chmod(0o755)
    init_site(tmp_path / "site", SETTINGS)
    return Engine(tmp_path / "site")


def do(engine, request):
    return engine.apply(engine.plan(request))


def leaves(*numbers, root="r"):
    specs = tuple(ask.LeafSpec(mac=mac(n)) for n in numbers)
    return ask.CreateLeaves(root=root, leaves=specs)


@pytest.fixture
def family(engine):
    assert do(engine, ask.CreateRoot(name="r", size=16 * MIB)).code == 0
    assert do(engine, leaves(1, 2, 3)).code == 0
    return engine


def test_the_main_line_from_nothing_to_leaves_and_back(family):
    site = family.site()
    assert site.state("r") is State.PARENT
    assert [site.state(n.name) for n in site.leaves] == [State.LEAF] * 3
    assert do(family, ask.DeleteLeaves(root="r")).code == 0
    assert do(family, ask.DeleteRoot(name="r")).code == 0
    assert family.site().nodes == {}
    assert do(family, family.undo()).code == 0
    assert do(family, family.undo()).code == 0
    assert set(family.site().nodes) == set(site.nodes)
    assert family.audit() == () or [f.group for f in family.audit()] == ["service"]


def test_no_operation_inflates_a_sparse_disk(family):
    do(family, ask.CloneRoot(source="r", name="copy"))
    do(family, ask.ResizeRoot(name="copy", size=64 * MIB))
    disk = family.site().nodes["copy"].disk
    assert disk.apparent == 64 * MIB
    assert disk.allocated < 4 * MIB


def test_a_plan_of_yesterday_is_not_run_on_the_site_of_today(family):
    plan = family.plan(ask.CloneRoot(source="r", name="copy"))
    other = Engine(family.path)
    do(other, ask.CreateRoot(name="copy", size=16 * MIB))
    with pytest.raises((PlanChanged, Refused)):
        family.apply(plan)
    stale = family.plan(ask.DeleteLeaves(root="r"))
    do(other, leaves(9))
    with pytest.raises(PlanChanged, match="nothing was done"):
        family.apply(stale)
    assert len(family.site().leaves) == 4


def test_an_unrelated_change_does_not_spoil_a_plan(family):
    plan = family.plan(ask.CloneRoot(source="r", name="copy"))
    do(Engine(family.path), ask.CreateRoot(name="other", size=16 * MIB))
    assert family.apply(plan).code == 0


def test_another_engine_sees_a_change_without_looking_at_everything(family, monkeypatch):
    other = Engine(family.path)
    other.site()
    import sbctui.engine.store as module

    read = []
    real = module.read_node
    monkeypatch.setattr(module, "read_node", lambda p, *a, **k: read.append(p) or real(p, *a, **k))
    do(family, ask.EditNode(name="r", notes="hello"))
    read.clear()
    assert other.site().nodes["r"].config.notes == "hello"
    assert len(read) == 1


def test_a_busy_site_names_who_holds_it(family):
    plan = family.plan(ask.EditNode(name="r", notes="x"))
    family._running._lock.wait = 0.1
    with SiteLock(family.path, "clone of debian12").held(), pytest.raises(Locked, match="debian12"):
        family.apply(plan)


def test_one_failing_leaf_costs_one_leaf(engine, monkeypatch):
    do(engine, ask.CreateRoot(name="r", size=16 * MIB))
    count = 0

    def third(step):
        nonlocal count
        if step == "publish.fsync":
            count += 1
            if count == 5:
                raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "failpoint", third)
    report = do(engine, leaves(1, 2, 3, 4))
    monkeypatch.setattr(files, "failpoint", None)
    assert report.code == 7
    assert [r.code for r in report.of("failed")] == [9]
    site = engine.site(full=True)
    assert len(site.leaves) == 3
    assert len(site.nodes["r"].config.children) == 3
    assert not site.strays
    again = do(engine, leaves(1, 2, 3, 4))
    assert (again.code, len(engine.site().leaves)) == (0, 4)


def test_cancel_keeps_what_is_done_and_settles_the_rest(engine):
    do(engine, ask.CreateRoot(name="r", size=16 * MIB))
    stop = threading.Event()

    def emit(event):
        if event.kind == "unit-finished" and event.index == 2:
            stop.set()

    report = engine.apply(engine.plan(leaves(*range(1, 11))), emit, stop)
    assert report.code == 130
    site = engine.site(full=True)
    assert len(site.leaves) == len(site.nodes["r"].config.children) == 2
    assert not site.strays


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        threading.Event().wait(0.02)
    raise AssertionError("it did not come true in time")


def test_a_job_runs_in_a_session_of_its_own_and_is_found_again(family):
    job = family.start(family.plan(ask.CloneRoot(source="r", name="copy")))
    kinds = [event.kind for event in family.events(job, threading.Event())]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert wait_for(lambda: family.report(job)).code == 0
    assert "copy" in family.site().nodes
    assert Engine(family.path).jobs()[0].id == job
    pid = int((family.path / "jobs" / job / "run").read_text())
    assert pid != os.getpid()


def test_a_killed_job_is_said_to_be_interrupted_and_its_mess_is_cleared(family):
    plan = family.plan(ask.CloneRoot(source="r", name="copy"))
    pid = os.fork()
    if pid == 0:
        files.failpoint = lambda step: os._exit(9) if step == "rename" else None
        family.apply(plan)
        os._exit(0)
    os.waitpid(pid, 0)
    engine = Engine(family.path)
    assert [s.kind for s in engine.site().strays] == ["staging"]
    job = engine.jobs()[0].id
    os.utime(family.path / "jobs" / job / "plan.json", (0, 0))
    assert engine.jobs()[0].state == "interrupted"
    do(engine, ask.EditNode(name="r", notes="next"))
    assert not engine.site(full=True).strays
    assert "interrupted" in engine.report(job).error
    assert do(engine, ask.CloneRoot(source="r", name="copy")).code == 0


def test_expired_trash_goes_with_the_next_job(family):
    do(family, ask.DeleteLeaves(root="r", macs=(mac(1),)))
    trash = family.path / "trash"
    (old,) = os.listdir(trash)
    (trash / old).rename(trash / ("20200101T000000000Z" + old[19:]))
    do(family, ask.EditNode(name="r", notes="x"))
    assert os.listdir(trash) == []


def test_an_expired_image_takes_its_side_files_along(family):
    images = family.path / "repo/images"
    images.mkdir(parents=True)
    for name in ("old.img", "old.img.sha256", "old.img.torrent"):
        (images / name).write_bytes(b"x")
    do(family, ask.DeleteImages(images=("old.img",)))
    trash = family.path / "trash"
    assert len(os.listdir(trash)) == 3
    for old in os.listdir(trash):
        (trash / old).rename(trash / ("20200101T000000000Z" + old[19:]))
    do(family, ask.EditNode(name="r", notes="x"))
    assert os.listdir(trash) == []


def test_undo_with_an_empty_trash_says_so(engine):
    with pytest.raises(Refused, match="nothing to undo"):
        engine.undo()


def test_unknown_jobs_are_said(engine):
    for name in ("nope", "../nodes", ".."):
        with pytest.raises(NoSuchNode):
            engine.report(name)


def test_a_view_that_outlived_its_maker_is_ended_with_the_half_made_leaf(family):
    """Its daemon is bound to its maker a moment after it began; here that maker died before."""
    if fuse.unavailable():
        pytest.skip(fuse.unavailable())
    half = family.path / "nodes/.new-late"
    half.mkdir()
    base = family.path / "nodes/r/root.img"
    run(["qemu-img", "create", "-q", "-f", "qcow2", half / "root.qcow2", str(16 * MIB)])
    view = half / ".view-0badcafe"
    view.touch(0o600)
    export = {"type": "fuse", "id": "view", "node-name": "disk", "mountpoint": str(view),
              "writable": True, "allow-other": "off"}  # fmt: skip
    node = json.dumps(block_node(half / "root.qcow2", base, name="disk"))
    argv = ["qemu-storage-daemon", "--blockdev", node, "--export", json.dumps(export)]
    daemon = subprocess.Popen(argv)
    try:
        lab.until(lambda: view.stat().st_size == 16 * MIB, 20, "it shows the disk")
        engine = Engine(family.path)
        (found,) = (one.id for one in engine.audit() if ".new-late" in one.id)
        assert do(engine, ask.FixFindings(findings=(found,))).code == 0
        daemon.wait(10)
        assert not half.exists()
        assert str(view) not in Path("/proc/self/mounts").read_text()
    finally:
        daemon.kill()
        daemon.wait()
