"""``--read-only``: what looks works, what changes is refused, and nothing is written."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.rules import READ_ONLY
from tests.cli.program import MAC, Program, environment

LOOKS: tuple[tuple[str, ...], ...] = (
    ("site", "show"),
    ("root", "list"),
    ("leaf", "list"),
    ("node", "show", "debian12"),
    ("trash", "list"),
    ("job", "list"),
    ("services", "status"),
    ("repo", "list"),
    ("repo", "check"),
    ("repo", "env"),
    ("repo", "transfers"),
    ("doctor",),
    ("audit",),
)
CHANGES: tuple[tuple[str, ...], ...] = (
    ("root", "create", "fresh", "--size", "32M", "-y"),
    ("root", "clone", "spare", "other", "-y"),
    ("root", "allocate", "spare", "--mac", MAC.format(77), "-y"),
    ("root", "resize", "spare", "64M", "-y"),
    ("root", "delete", "spare", "-y"),
    ("leaf", "create", "debian12", MAC.format(78), "-y"),
    ("leaf", "delete", "debian12", "--all", "-y"),
    ("leaf", "edit", "pi-01", "--notes", "x", "-y"),
    ("undo", "-y"),
    ("trash", "purge", "--all", "-y"),
    ("audit", "--fix", "-y"),
    ("repo", "add", "nas", "nfs", "nas:/images", "-y"),
    ("repo", "index", "-y"),
    ("repo", "sidefiles", "--all", "-y"),
    ("services", "start"),
    ("services", "stop", "-y"),
    ("services", "apply", "-y"),
    ("site", "init", "--server", "10.77.0.2", "-y"),
    ("supervise",),
    ("job", "cancel", "20260101T000000-aaaa"),
    ("job", "run", "20260101T000000-aaaa"),
)


def marks(folder: Path) -> Iterator[str]:
    """Everything that a write would change, of everything in a folder."""
    for path in sorted((folder, *folder.rglob("*"))):
        about = path.lstat()
        body = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        digest = hashlib.sha256(body).hexdigest()
        yield f"{path} {about.st_mode} {about.st_ino} {about.st_mtime_ns} {digest}"


def refused(program: Program, words: tuple[str, ...]) -> bool:
    ran = program("--read-only", *words)
    assert ran.code == 3, (words, ran)
    assert ran.sentence == READ_ONLY, words
    return True


def test_what_changes_is_refused_and_what_looks_writes_nothing(sbctui: Program) -> None:
    before = list(marks(sbctui.site))
    for words in CHANGES:
        assert refused(sbctui, words)
    for words in LOOKS:
        assert sbctui("--read-only", *words).code in (0, 8), words
    assert list(marks(sbctui.site)) == before


def test_without_the_option_the_same_words_act(sbctui: Program) -> None:
    assert sbctui("leaf", "edit", "pi-01", "--notes", "x", "-y").code == 0


def test_no_site_is_made_where_there_is_none(fresh: Program) -> None:
    assert refused(fresh, ("root", "create", "x", "--size", "32M", "-y"))
    assert refused(fresh, ("site", "init", "-y"))
    assert not fresh.site.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_site_on_a_read_only_mount_can_be_looked_at(sbctui: Program) -> None:
    before = list(marks(sbctui.site))
    lines = [f'"$0" -m sbctui --site {sbctui.site} {" ".join(words)}' for words in LOOKS]
    script = f"""
        mount --bind {sbctui.site} {sbctui.site} || exit 77
        mount -o remount,bind,ro {sbctui.site} || exit 77
        touch {sbctui.site}/x 2>/dev/null && exit 78
        {"; ".join(f"{line} >/dev/null || [ $? = 8 ] || exit 1" for line in lines)}
    """
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, sys.executable],
        capture_output=True, text=True, check=False, env=environment(sbctui.site.parent),
    )  # fmt: skip
    if ran.returncode == 77:
        pytest.skip(f"no mounts here: {ran.stderr}")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(marks(sbctui.site)) == before
