"""What belongs to one site or one board does not travel; where it goes it is made anew."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sbctui.engine.boot.loaders import LOADERS
from sbctui.engine.engine import Engine
from sbctui.engine.events import Event, Note
from sbctui.engine.model import requests as ask
from sbctui.engine.model.overlay import RECORD
from tests.archives.place import do, export, import_of, make_root, make_site
from tests.boot.initrds import VERSION, whole_for
from tests.boot.kits import kit_bytes, plant

MAC = "dc:a6:32:00:00:01"
LEAF = MAC.replace(":", "-")


@pytest.fixture
def here(tmp_path: Path) -> Engine:
    return make_site(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Engine:
    return make_site(tmp_path / "there")


def boot(engine: Engine, name: str) -> Path:
    return engine.path / "nodes" / name / "boot"


def for_pc(engine: Engine, name: str) -> None:
    """A root for PCs, whose firmware loads boot programs of the distribution."""
    folder = make_root(engine, name)
    kernel = bytearray(8192)
    kernel[0x1FE:0x200], kernel[0x202:0x206] = b"\x55\xaa", b"HdrS"
    (folder / "boot" / "vmlinuz-6.1").write_bytes(bytes(kernel))
    loads(engine, name, arch="x86")


def loads(engine: Engine, name: str, **boot: str) -> None:
    path = engine.path / "nodes" / name / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"boot": config["boot"] | boot}))


def leaf(engine: Engine, root: str) -> None:
    do(engine, ask.CreateLeaves(root=root, leaves=(ask.LeafSpec(mac=MAC),)))


def export_leaf(engine: Engine, file: Path) -> None:
    do(engine, ask.ExportLeaf(name=LEAF, target=engine.target(str(file))))


def taken(engine: Engine, file: Path, name: str = "new", **more: object) -> list[str]:
    """Import; what was said."""
    said: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Note) and event.level == "warning":
            said.append(event.text)

    report = engine.apply(engine.plan(import_of(engine, file, name, **more)), hear)
    assert report.code == 0, report
    return said


def wrong(engine: Engine) -> list[str]:
    return [one.title for one in engine.audit() if one.id != "services:services"]


def test_links_to_a_pcs_boot_programs_are_made_anew(
    here: Engine, there: Engine, tmp_path: Path
) -> None:
    for_pc(here, "pc")
    here = Engine(here.path)
    leaf(here, "pc")
    assert {name: os.readlink(boot(here, LEAF) / name) for name in LOADERS} == dict(LOADERS)
    export_leaf(here, tmp_path / "leaf.tar.zst")
    assert taken(there, tmp_path / "leaf.tar.zst") == []
    assert not [name for name in LOADERS if os.path.lexists(boot(there, "new") / name)]
    leaf(there, "new")
    assert {name: os.readlink(boot(there, LEAF) / name) for name in LOADERS} == dict(LOADERS)


def test_a_tar_of_a_leafs_folder_is_taken(there: Engine, tmp_path: Path) -> None:
    """Made by another tool: with its links, and with the record of what was laid over its disk."""
    here = make_site(tmp_path / "copies", "copy")
    for_pc(here, "pc")
    here = Engine(here.path)
    leaf(here, "pc")
    folder = here.path / "nodes" / LEAF
    (folder / RECORD).write_text('{"schema": 1, "files": {"etc/motd": ""}}')
    subprocess.run(["tar", "-C", folder, "-cSf", tmp_path / "leaf.tar", "."], check=True)
    taken(there, tmp_path / "leaf.tar", unverified=True)
    assert set(os.listdir(there.path / "nodes" / "new")) == {"config.json", "boot", "root.img"}


def test_a_link_made_by_hand_is_left_out_and_named(here: Engine, tmp_path: Path) -> None:
    make_root(here, "pi")
    (boot(here, "pi") / "kernel\x1b").symlink_to("/etc/shadow")
    said: list[str] = []
    request = ask.ExportRoot(name="pi", target=here.target(str(tmp_path / "pi.tar.zst")))
    report = here.apply(
        here.plan(request), lambda e: said.append(e.text) if isinstance(e, Note) else None
    )
    assert report.code == 0
    assert any("is a link" in text and "\x1b" not in text for text in said)
    listed = subprocess.run(
        ["tar", "--zstd", "-tf", tmp_path / "pi.tar.zst"], check=True, capture_output=True
    ).stdout
    assert b"kernel" not in listed


def kitted(engine: Engine, name: str) -> None:
    """A root that loads its site's own initramfs."""
    folder = make_root(engine, name)
    for old in ("vmlinuz-6.1", "initrd.img-6.1"):
        old_path = folder / "boot" / old
        new_name = old.replace("6.1", VERSION)
        old_path.rename(old_path.with_name(new_name))
    (folder / "boot" / f"initrd.img-{VERSION}").write_bytes(whole_for(VERSION))
    own = {"kernel": f"vmlinuz-{VERSION}", "initramfs": f"initrd.img-{VERSION}", "arch": "arm64"}
    loads(engine, name, **own)
    plant(engine.path, "here")
    fresh = Engine(engine.path)
    do(fresh, ask.UseInitramfs(name=name, initramfs="bootkit"))


def test_the_sites_own_initramfs_becomes_that_of_the_other_site(
    here: Engine, there: Engine, tmp_path: Path
) -> None:
    kitted(here, "pi")
    export(Engine(here.path), "pi", tmp_path / "pi.tar.zst")
    built = plant(there.path, "there")
    assert taken(there, tmp_path / "pi.tar.zst") == []
    name = there.site().nodes["new"].config.boot.initramfs
    assert name == f"bootkit-{VERSION}.img"
    assert os.path.samefile(boot(there, "new") / name, built)
    assert wrong(there) == []


def test_without_one_there_it_loads_what_came_with_it(
    here: Engine, there: Engine, tmp_path: Path
) -> None:
    kitted(here, "pi")
    export(Engine(here.path), "pi", tmp_path / "pi.tar.zst")
    (said,) = taken(there, tmp_path / "pi.tar.zst")
    assert "sbctui boot use new --initramfs bootkit" in said
    name = there.site().nodes["new"].config.boot.initramfs
    assert (boot(there, "new") / name).read_bytes() == kit_bytes("here")
    leaf(there, "new")
    assert (boot(there, LEAF) / name).read_bytes() == kit_bytes("here")
    assert wrong(there) == []


def test_without_any_it_loads_the_images_own(here: Engine, there: Engine, tmp_path: Path) -> None:
    kitted(here, "pi")
    (boot(here, "pi") / f"bootkit-{VERSION}.img").unlink()
    export(Engine(here.path), "pi", tmp_path / "pi.tar.zst")
    (said,) = taken(there, tmp_path / "pi.tar.zst")
    assert "without the initramfs" in said
    assert there.site().nodes["new"].config.boot.initramfs == f"initrd.img-{VERSION}"
