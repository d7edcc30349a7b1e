"""Every action on every kind of row: possible, or a sentence with the thing and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui import actions
from sbctui.engine.model.node import BootSpec, DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Broken, Disk, Facts, Node, Seen, Site, Stamp, Stray, Trashed
from sbctui.screens.reasons import why_not

MAC = "dc:a6:32:00:00:0{}"
NAME = "dc-a6-32-00-00-0{}"


def _node(**fields: object) -> Node:
    config = NodeConfig.model_validate({"disk": DiskSpec(size=1 << 30), **fields})
    return Node(config, Disk(1 << 30, 4096, 0.0), Stamp(1, 1, 1))


def _leaf(number: int, alias: str) -> Node:
    mac, name = MAC.format(number), NAME.format(number)
    return _node(kind="leaf", name=name, mac=mac, alias=alias, boot=BOOT)


def _site(*nodes: Node, trash: tuple[Trashed, ...] = (), **facts: object) -> Site:
    return Site(
        Path("/srv/lab"),
        Settings(),
        nodes={n.name: n for n in nodes},
        broken={"bad": Broken("bad", "its config.json is empty", 0, 0.0)},
        strays=(Stray("nodes/old.tar", "file", 0, 0.0),),
        trash=trash,
        facts=Facts(seen=(Seen(MAC.format(9), 0, 0, 1),), **facts),  # type: ignore[arg-type]
    )


BOOT = BootSpec(kernel="vmlinuz-6.1", initramfs="initrd.img-6.1", arch="arm64")
GOLDEN = _node(kind="root", name="golden", boot=BOOT)
CHILDREN = {MAC.format(1): NAME.format(1)}
DEBIAN = _node(kind="root", name="debian12", boot=BOOT, children=CHILDREN)
RESCUE = _node(kind="root", name="rescue", mac=MAC.format(5))
PARENT = _node(kind="root", name="parent", children={MAC.format(3): NAME.format(3)})
NODES = (GOLDEN, DEBIAN, RESCUE, PARENT, _leaf(1, "pi-1"), _leaf(2, "lost"), _leaf(3, "pi-3"))
SITE = _site(*NODES)
ROWS = {
    "root": (["golden"], "root:golden"),
    "parent": (["debian12"], "root:debian12"),
    "allocated": (["rescue"], "root:rescue"),
    "leaf": ([NAME.format(1)], f"leaf:{NAME.format(1)}"),
    "orphan": ([NAME.format(2)], f"leaf:{NAME.format(2)}"),
    "two roots": (["golden", "debian12"], "root:golden"),
    "two leaves": ([NAME.format(1), NAME.format(3)], f"leaf:{NAME.format(1)}"),
    "broken": ([], "broken:bad"),
    "stray": ([], "stray:nodes/old.tar"),
    "board": ([], f"seen:{MAC.format(9)}"),
    "heading": ([], "group:orphans"),
    "nothing": ([], ""),
}
WHYS: dict[str, dict[str, str | None]] = {
    "create": dict.fromkeys(ROWS),
    "clone": {
        "root": None, "parent": None, "allocated": None,
        "leaf": "pi-1 is a leaf and this is for roots; put the cursor on debian12",
        "orphan": "lost is a leaf and this is for roots; put the cursor on a root",
        "two roots": "roots are cloned one at a time and 2 nodes are marked; U unmarks",
        "two leaves": "roots are cloned one at a time", "broken": "bad is broken: its config.json",
        "stray": "nodes/old.tar is no node; o opens the audit",
        "board": f"{MAC.format(9)} has no node yet; L makes a leaf for it",
        "heading": "only the heading of the orphans; choose one", "nothing": "put the cursor on it",
    },
    "bulk": {
        **dict.fromkeys(ROWS),
        "allocated": "rescue is allocated to dc:a6:32:00:00:05; first: sbctui root deallocate",
    },
    "leaf": {**dict.fromkeys(ROWS), "allocated": "rescue is allocated"},
    "allocate": {
        "root": None, "parent": "debian12 has 1 leaf; delete them first",
        "allocated": "rescue is allocated to", "leaf": "pi-1 is a leaf and this is for roots",
        "two roots": "one at a time", "broken": "bad is broken", "board": "has no node yet",
    },
    "deallocate": {
        "root": "golden is not allocated, so there is nothing to take away; a allocates it",
        "allocated": None, "leaf": "pi-1 is a leaf", "nothing": "there is a root to choose first",
    },
    "edit": {
        "root": None, "parent": None, "allocated": None, "leaf": None, "orphan": None,
        "two leaves": "nodes are edited one at a time and 2 are marked; U unmarks",
        "broken": "o opens the audit", "heading": "choose one under it",
    },
    "rename": {
        "root": None, "parent": "debian12 has 1 leaf", "allocated": "rescue is allocated",
        "leaf": None, "orphan": None, "two roots": "renamed one at a time",
    },
    "resize": {"root": None, "parent": "debian12 has 1 leaf", "allocated": "rescue is allocated"},
    "initramfs": {
        "root": None, "parent": None, "leaf": None,
        "allocated": "rescue has no kernel, so no initramfs either; n with an OS image",
        "two leaves": "given another initramfs one at a time", "broken": "o opens the audit",
        "nothing": "a root or a leaf to choose first",
    },
    "bootkit": dict.fromkeys(ROWS),
    "attach": {
        "root": "golden is a root and this is for orphans: leaves that no root lists",
        "leaf": "pi-1 is no orphan: debian12 lists it", "orphan": None,
        "two leaves": "orphans are attached one at a time", "stray": "is no node",
    },
    "delete": {
        "root": None, "leaf": None,
        "parent": "debian12 has 1 leaf; delete them first",
        "allocated": "rescue is allocated to dc:a6:32:00:00:05; first: sbctui root deallocate",
        "orphan": "lost belongs to no root; T attaches it, o opens the audit to trash it",
        "two roots": "golden is a root and 2 nodes are marked; roots go alone: U unmarks",
        "two leaves":
            "the marks span 2 roots (debian12, parent); delete one root's leaves at a time",
        "broken": "bad is broken", "stray": "o opens the audit", "board": "has no node yet",
        "heading": "choose one under it", "nothing": "a root or a leaf to choose first",
    },
    "delete_all": {
        "root": "golden has no leaves to delete; b makes some", "parent": None,
        "leaf": "put the cursor on debian12", "two roots": "roots are emptied one at a time",
    },
    "export": {
        **dict.fromkeys(ROWS),
        "broken": "bad is broken", "stray": "nodes/old.tar is no node",
        "board": "has no node yet", "heading": "choose one under it",
        "nothing": "a root or a leaf to choose first",
    },
    "import": dict.fromkeys(ROWS),
    "undo": dict.fromkeys(ROWS, "there is nothing to undo: the trash is empty"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "row"), [(action, row) for action, rows in WHYS.items() for row in rows]
)
def test_on_every_row(action: str, row: str) -> None:
    wanted = WHYS[action][row]
    reason = why_not(action, SITE, *ROWS[row])
    assert (reason is None) == (wanted is None), reason
    assert wanted is None or wanted in (reason or "")


@pytest.mark.parametrize("action", sorted(WHYS))
@pytest.mark.parametrize("row", sorted(ROWS))
def test_a_sentence_is_one_with_a_remedy(action: str, row: str) -> None:
    reason = why_not(action, SITE, *ROWS[row])
    if reason is not None:
        assert any(mark in reason for mark in (";", ":")), reason
        assert "\n" not in reason
        assert "None" not in reason


@pytest.mark.parametrize("action", sorted(WHYS))
def test_nothing_changes_a_site_that_can_not_be_written(action: str) -> None:
    site = _site(*NODES, trash=(), writable=False)
    names, row = ROWS["root"]
    assert why_not(action, site, names, row) is not None
    assert why_not(action, None, names, row) == "the site has not been read yet; wait a moment"


def test_without_a_root_there_are_no_leaves() -> None:
    for action in ("bulk", "leaf"):
        assert why_not(action, _site(), [], "") == (
            "there is no root to make leaves of; n creates one"
        )


def test_every_change_of_home_has_its_row_here() -> None:
    ours = {a.id for a in actions.of_scope("home") if a.changes}
    assert ours - set(WHYS) <= {"stop_job", "resume_job"}
