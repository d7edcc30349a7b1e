"""A lab's site on a bad morning: what goes wrong, all at once, and jobs that ended in every way."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateLeaves, CreateRoot, DeleteLeaves
from tests.ui.conftest import MIB, do, specs
from tests.ui.test_audit_screen import unlist


def trouble(site: Path, leaves: int = 12) -> Path:
    """Make ``small_site`` troubled: orphan, broken, strays, trash, failed and interrupted jobs."""
    do(
        site,
        CreateRoot(name="noble", size=16 * MIB),
        CreateLeaves(root="noble", leaves=specs(leaves, 64, "desk")),
        DeleteLeaves(root="noble", macs=(specs(1, 64)[0].mac,)),
    )
    unlist(site, "dc:a6:32:0a:00:02")
    (site / "nodes/cutoff").mkdir()
    (site / "nodes/cutoff/config.json").write_text('{"schema": 1, "kin')
    (site / "nodes/notes.txt").write_text("call Ann about the fan\n")
    (site / "nodes/.new-dc-a6-32-ff-ff-01").mkdir()
    (site / "old-images").mkdir()
    debian = json.loads((site / "nodes/debian12/config.json").read_text())
    debian["notes"] = "the lab's image; kernel 6.1"
    (site / "nodes/debian12/config.json").write_text(json.dumps(debian))
    failed_job(site)
    interrupted_job(site)
    return site


def failed_job(site: Path) -> str:
    """A job of three of which one step failed; its id."""
    engine = Engine(site)
    in_the_way = site / "nodes" / "dc-a6-32-0a-00-51"
    plan = engine.plan(CreateLeaves(root="golden", leaves=specs(3, 0x50, "rack")))
    in_the_way.mkdir()
    (in_the_way / "x").write_text("x")
    report = engine.apply(plan)
    assert report.code == 7, report
    shutil.rmtree(in_the_way)
    return report.job


def interrupted_job(site: Path) -> str:
    """A job whose process died, as after a power cut; its id."""
    engine = Engine(site)
    report = engine.apply(engine.plan(CreateLeaves(root="golden", leaves=specs(2, 0x60, "cut"))))
    folder = site / "jobs" / report.job
    (folder / "result.json").unlink()
    os.utime(folder / "plan.json", (0, os.stat(folder / "plan.json").st_mtime - 60))
    return report.job
