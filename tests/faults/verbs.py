"""Every mutating verb, on a small site with one of everything."""

from __future__ import annotations

import json
import os
import shutil
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from sbctui.engine.bootkit import build
from sbctui.engine.bootkit.kits import Manifest
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model import requests as ask
from sbctui.engine.model.distribution import Offer
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.repository import SIDE_FILES, parse_address
from sbctui.engine.model.settings import Settings
from sbctui.engine.plan import Report
from sbctui.engine.repository import multicast, sidefiles, torrent
from tests.boot.initrds import whole_for
from tests.boot.kits import kit_bytes, plant

MIB = 1024**2
NETWORK = {
    "interface": "lab0",
    "subnet": "10.77.0.0/24",
    "pool": {"first": "10.77.0.50", "last": "10.77.0.250"},
    "server": "10.77.0.1",
}
OFF = {"hostname": False, "machine_id": False, "ssh_host_key": False}


KERNEL = "6.1"
SERVICES = "services:services"
"""What the audit finds on every site that is not served."""


def mac(number: int) -> str:
    return f"dc:a6:32:00:00:{number:02x}"


@dataclass(frozen=True)
class Verb:
    """``whole`` = one unit: all of it or nothing. ``spoil`` prepares what the verb mends.

    ``checks`` = it checks a file system, and so may change its dates even when undone.
    ``settled`` tells what is wrong beside the nodes when it was done again (True), or at all.
    """

    name: str
    asks: Callable[[Engine], ask.Request]
    whole: bool = True
    personal: bool = False
    checks: bool = False
    spoil: Callable[[Path], None] | None = None
    settled: Callable[[Path, bool], list[str]] | None = None


def do(engine: Engine, request: ask.Request) -> Report:
    report = engine.apply(engine.plan(request))
    assert report.code == 0, report
    return report


def make_source(path: Path) -> Path:
    """A root file system of three files, a kernel for arm64 among them and its initramfs."""
    kernel = struct.pack("<IIQQQQQQ4sI", 0, 0, 0, 4096, 0, 0, 0, 0, b"ARM\x64", 0)
    (path / "boot").mkdir(parents=True)
    (path / "etc").mkdir()
    (path / "boot" / "vmlinuz-6.1").write_bytes(kernel.ljust(4096, b"\0"))
    (path / "boot" / "initrd.img-6.1").write_bytes(whole_for(KERNEL))
    (path / "etc" / "hostname").write_text("debian\n")
    return path


def make_site(path: Path, source: Path, *, personal: bool, size: int = 4 * MIB) -> Path:
    """Roots full (two leaves), bare and lent (allocated); a root and a leaf in the trash."""
    settings = {"network": NETWORK, "personalise": {} if personal else OFF, "disk_kind": "auto"}
    init_site(path, Settings.model_validate(settings))
    engine = Engine(path)
    do(engine, ask.CreateRoot(name="full", size=size, source=engine.source(source)))
    for name in ("bare", "lent", "gone"):
        do(engine, ask.CreateRoot(name=name, size=size))
    leaves = tuple(ask.LeafSpec(mac=mac(n)) for n in (1, 2, 3))
    do(engine, ask.CreateLeaves(root="full", leaves=leaves))
    do(engine, ask.AllocateRoot(name="lent", mac=mac(9)))
    do(engine, ask.DeleteLeaves(root="full", macs=(mac(3),)))
    do(engine, ask.DeleteRoot(name="gone"))
    return path


def _leaves(*numbers: int) -> tuple[ask.LeafSpec, ...]:
    return tuple(ask.LeafSpec(mac=mac(n)) for n in numbers)


def _trash(engine: Engine) -> tuple[str, ...]:
    return tuple(entry.folder for entry in engine.site().trash)


def _orphan(site: Path) -> None:
    """A leaf whose root forgot it, with everything derived again."""
    path = site / "nodes" / "full" / "config.json"
    raw = json.loads(path.read_bytes())
    del raw["children"][mac(1)]
    path.write_text(json.dumps(raw))
    do(Engine(site), ask.ApplyServices())


def _orphan_of_bare(site: Path) -> None:
    """A leaf that no root lists and that remembers another."""
    path = site / "nodes" / mac(1).replace(":", "-") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"parent": "bare"}))
    _orphan(site)


def _faults(site: Path) -> None:
    _orphan(site)
    (site / "nodes" / "notes.txt").write_text("x")
    (site / "derived" / "tftp" / mac(2).replace(":", "-")).unlink()


def _findings(engine: Engine) -> ask.FixFindings:
    found = engine.audit()
    return ask.FixFindings(findings=tuple(one.id for one in found if one.fix is not None))


def _trashable(engine: Engine) -> ask.TrashFindings:
    found = engine.audit()
    return ask.TrashFindings(findings=tuple(one.id for one in found if one.trash is not None))


def _kept(site: Path) -> None:
    do(Engine(site), ask.KeepFindings(findings=(SERVICES,), note="no boards yet"))


def _out(engine: Engine) -> ask.Target:
    """A file beside the site, new or from another case."""
    return engine.target(str(engine.path.parent / "out.tar.zst"))


def _exported(site: Path) -> None:
    """The root bare as an archive beside the site."""
    file = site.parent / "in.tar.zst"
    file.unlink(missing_ok=True)
    engine = Engine(site)
    do(engine, ask.ExportRoot(name="bare", target=engine.target(str(file))))


def _imaged(site: Path) -> None:
    """An image with its side files in the repository."""
    image = site / "repo" / "images" / "lab" / "bare.img"
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(b"an image")
    do(Engine(site), ask.MakeSideFiles(images=("lab/bare.img",)))


def _incoming(engine: Engine) -> ask.Incoming:
    return engine.archive(str(engine.path.parent / "in.tar.zst"))


def _cached(site: Path) -> None:
    """A cache beside the site: the root bare, which is not here any more, a board of it, a file."""
    cache, engine = site.parent / "cache", Engine(site)
    shutil.rmtree(cache, ignore_errors=True)
    for folder in ("images", "boards", "groups/kitchen/bare/etc"):
        (cache / folder).mkdir(parents=True)
    (cache / "groups/kitchen/bare/etc/motd").write_text("kitchen\n")
    board = f"{mac(4)},pi-4,kitchen,10.77.0.94"
    (cache / "boards/bare.csv").write_text(f"mac,alias,group,ip\n{board}\n")
    do(engine, ask.ExportRoot(name="bare", target=engine.target(f"{cache}/images/b.tar.zst")))
    do(engine, ask.DeleteRoot(name="bare"))
    place = Configured(kind="cache", place=str(cache))
    do(engine, ask.AddRepository(name="cache", repository=place))


def _overlaid(site: Path) -> None:
    """Files for a group that a leaf is in, and for that leaf alone."""
    leaf = mac(1).replace(":", "-")
    for place, name in (("groups/kitchen", "motd"), (f"clients/{leaf}", "issue")):
        folder = site / "repo" / place / "full" / "etc"
        folder.mkdir(parents=True)
        (folder / name).write_text(f"{name}\n")
    do(Engine(site), ask.SetGroup(names=(leaf,), group="kitchen"))


def _overlaid_and_deleted(site: Path) -> None:
    _overlaid(site)
    do(Engine(site), ask.DeleteLeaves(root="full", macs=(mac(1),)))


def _kept_elsewhere(site: Path) -> None:
    """A root that boards get by default and that has a template."""
    text = (site / "site.toml").read_text()
    models = '[models]  # by hand\n"Some board" = "bare"\n"Another" = "full"\n'
    (site / "site.toml").write_text(f"{text}\n{models}")
    (site / "templates/roots/bare").mkdir(parents=True)
    (site / "templates/roots/bare/boot.cmd").write_text("echo {{name}}\n")


def _kit(site: Path) -> None:
    plant(site, version=KERNEL)


def _build(engine: Engine) -> ask.BuildBootkit:
    """A build whose packing is left out: what it packs is tested where packages are."""
    data = kit_bytes("built")
    about = Manifest(arch="arm64", kernel=KERNEL, of="a test", epoch=0, size=len(data),
                     sha256=sha256(data).hexdigest(), packages=(), modules=("nbd",))  # fmt: skip
    build.Archive.refresh = lambda archive: ""  # type: ignore[method-assign]
    build._make = lambda *_: (data, about)
    return ask.BuildBootkit(arch="arm64", kernel=KERNEL)


IMAGE = "lab/bare.tar.zst"


def _image_by_hand(site: Path) -> None:
    (site / "repo/images/lab").mkdir(parents=True)
    (site / "repo/images" / IMAGE).write_bytes(b"an image" * 999)


def _image(site: Path, done: bool) -> list[str]:
    """An image has its side files; taken back nothing else lies there."""
    folder = site / "repo/images/lab"
    names = set(os.listdir(folder)) if folder.exists() else set()
    wanted = {"bare.tar.zst" + ending for ending in ("", *SIDE_FILES)}
    wrong = names ^ wanted if done else names - wanted
    lacking = [one.lacking for one in sidefiles.images(site)] if done else []
    return [str(one) for one in (wrong, *lacking) if one]


SIDED = {IMAGE.rpartition("/")[2] + ending for ending in ("", *SIDE_FILES)}
OLDER, CAME = b"the older one" * 777, b"what came" * 999


def _offered(site: Path) -> None:
    """Side files of an image that another server has, beside the site."""
    image = site.parent / "offered" / "bare.tar.zst"
    image.parent.mkdir(exist_ok=True)
    _side(image, CAME)


def _side(image: Path, data: bytes) -> None:
    image.write_bytes(data)
    digest = sidefiles.read(image, image.name, threading.Event(), lambda done, total: None)
    sidefiles.write(image, digest)


def _offered_to_a_cache(site: Path) -> None:
    """The same, and a cache in the site's folder that has an older one."""
    _offered(site)
    folder = site / "cache/images/lab"
    folder.mkdir(parents=True)
    _side(folder / "bare.tar.zst", OLDER)
    place = Configured(kind="cache", place=str(site.parent / "case" / "cache"))
    do(Engine(site), ask.AddRepository(name="cache", repository=place))


def _receive(engine: Engine, by: Literal["multicast", "torrent"], cache: str) -> ask.ReceiveImage:
    """From a network that is left out: what it brings is tested where there is one."""

    def multicast_(write: Callable[[bytes], None], offer: Offer, *_: object) -> tuple[None, Offer]:
        write(CAME)
        return None, offer

    multicast.receive = multicast_  # type: ignore[assignment]
    torrent.receive = lambda offered, part, *_: part.write_bytes(CAME)  # type: ignore[assignment]
    torrent.acknowledge = lambda *_: None
    origin = str(engine.path.parent / "offered" / "bare.tar.zst")
    return ask.ReceiveImage(image=IMAGE, cache=cache, by=by, origin=origin, interface="lo")


def _came(site: Path, done: bool) -> list[str]:
    """The image is there with its side files; or taken back, nothing of it."""
    folder = site / "repo/images/lab"
    names = set(os.listdir(folder)) if folder.exists() else set()
    whole = bool(names) and (folder / "bare.tar.zst").read_bytes() == CAME
    return _image(site, done) if done or whole else sorted(names)


def _came_to_a_cache(site: Path, done: bool) -> list[str]:
    """It is there and the older one kept, as a cache keeps them; or the older one is as it was."""
    folder = site / "cache/images/lab"
    image, names = folder / "bare.tar.zst", set(os.listdir(folder))
    kept = {".bare.tar.zst.lock", ".bare.tar.zst.previous", ".bare.tar.zst.previous.chunks"}
    found = sorted(names ^ (SIDED | kept) if done else names - SIDED - kept)
    data = image.read_bytes()
    if data != CAME and (done or data != OLDER):
        found.append("neither image is there")
    faults = Engine(site).check_images(parse_address("cache"), threading.Event())
    bare = {"it has no hash beside it"} if data == CAME and not done else set()
    found += [one.what for one in faults if one.what not in bare]
    previous = folder / ".bare.tar.zst.previous"
    if done and previous.exists() and previous.read_bytes() != OLDER:
        found.append("the former version is another one")
    return found


def verbs(source: Path) -> tuple[Verb, ...]:
    """The table; ``source`` is a directory to fill a root from."""
    return (
        Verb("root create", lambda e: ask.CreateRoot(name="new", size=4 * MIB)),
        Verb(
            "root create from a directory",
            lambda e: ask.CreateRoot(name="new", size=4 * MIB, source=e.source(source)),
        ),
        Verb("root clone", lambda e: ask.CloneRoot(source="full", name="new")),
        Verb(
            "root export",
            lambda e: ask.ExportRoot(name="full", target=_out(e), replace=True),
        ),
        Verb(
            "leaf export",
            lambda e: ask.ExportLeaf(
                name=mac(1).replace(":", "-"), target=_out(e), replace=True, difference=True
            ),
        ),
        Verb(
            "archive export",
            lambda e: ask.ExportMany(
                names=("full", mac(1).replace(":", "-")),
                targets=(_out(e), e.target(str(e.path.parent / "leaf.tar.zst"))),
                replace=True,
            ),
            whole=False,
        ),
        Verb("repo delete", lambda e: ask.DeleteImages(images=("lab/bare.img",)), spoil=_imaged),
        Verb(
            "root import",
            lambda e: ask.ImportRoot(name="new", archive=_incoming(e)),
            spoil=_exported,
        ),
        Verb(
            "leaf import",
            lambda e: ask.ImportLeaf(archive=_incoming(e), mac=mac(4), root="full"),
            whole=False,
            spoil=_exported,
        ),
        Verb(
            "root export to the repository",
            lambda e: ask.ExportRoot(name="bare", target=e.target(f"repo:{IMAGE}"), replace=True),
            spoil=lambda site: None,
            settled=_image,
        ),
        Verb(
            "repo sidefiles",
            lambda e: ask.MakeSideFiles(anew=True),
            spoil=_image_by_hand,
            settled=_image,
        ),
        Verb(
            "repo receive",
            lambda e: _receive(e, "multicast", ""),
            spoil=_offered,
            settled=_came,
        ),
        Verb(
            "repo receive into a cache",
            lambda e: _receive(e, "torrent", "cache"),
            spoil=_offered_to_a_cache,
            settled=_came_to_a_cache,
        ),
        Verb("cache serve", lambda e: ask.ServeCache(), whole=False, spoil=_cached),
        Verb("root allocate", lambda e: ask.AllocateRoot(name="bare", mac=mac(8))),
        Verb("root deallocate", lambda e: ask.DeallocateRoot(name="lent", reboot=False)),
        Verb("root resize", lambda e: ask.ResizeRoot(name="bare", size=8 * MIB), checks=True),
        Verb("root rename", lambda e: ask.RenameRoot(name="bare", to="nude")),
        Verb(
            "root rename with an orphan",
            lambda e: ask.RenameRoot(name="bare", to="nude"),
            whole=False,
            spoil=_orphan_of_bare,
        ),
        Verb(
            "root rename with what is kept under its name",
            lambda e: ask.RenameRoot(name="bare", to="nude"),
            whole=False,
            spoil=_kept_elsewhere,
        ),
        Verb("root delete", lambda e: ask.DeleteRoot(name="bare")),
        Verb(
            "leaf create",
            lambda e: ask.CreateLeaves(root="full", leaves=_leaves(4, 5)),
            whole=False,
        ),
        Verb(
            "leaf create personalised",
            lambda e: ask.CreateLeaves(
                root="full", leaves=(ask.LeafSpec(mac=mac(4), alias="pi-4"),)
            ),
            personal=True,
        ),
        Verb("leaf delete", lambda e: ask.DeleteLeaves(root="full"), whole=False),
        Verb("leaf edit", lambda e: ask.EditNode(name=mac(1).replace(":", "-"), alias="pi-one")),
        Verb(
            "leaf attach",
            lambda e: ask.AttachLeaf(name=mac(1).replace(":", "-"), root="full"),
            spoil=_orphan,
        ),
        Verb("trash restore", lambda e: ask.RestoreTrash(folders=_trash(e)), whole=False),
        Verb("trash purge", lambda e: ask.PurgeTrash(folders=_trash(e)), whole=False),
        Verb("audit fix", _findings, whole=False, spoil=_faults),
        Verb("audit trash", _trashable, whole=False, spoil=_faults),
        Verb(
            "overlay add",
            lambda e: ask.AddOverlay(
                source=str(source / "etc"), target="etc", image="full", group="kitchen", owner="7"
            ),
            spoil=_overlaid,
        ),
        Verb(
            "overlay apply",
            lambda e: ask.ApplyOverlays(group="kitchen"),
            checks=True,
            spoil=_overlaid,
        ),
        Verb(
            "group rename",
            lambda e: ask.RenameGroup(name="kitchen", to="hall", merge=True),
            whole=False,
            spoil=_overlaid,
        ),
        Verb(
            "leaf delete with its overlay",
            lambda e: ask.DeleteLeaves(root="full"),
            whole=False,
            spoil=_overlaid,
        ),
        Verb(
            "undo with its overlay",
            lambda e: ask.RestoreTrash(folders=_trash(e)),
            whole=False,
            spoil=_overlaid_and_deleted,
        ),
        Verb("audit keep", lambda e: ask.KeepFindings(findings=(SERVICES,), note="no boards yet")),
        Verb(
            "boot use",
            lambda e: ask.UseInitramfs(name="full", initramfs="bootkit"),
            whole=False,
            spoil=_kit,
        ),
        Verb("bootkit build", _build, spoil=_kit),
        Verb("audit unkeep", lambda e: ask.UnkeepFindings(findings=(SERVICES,)), spoil=_kept),
    )
