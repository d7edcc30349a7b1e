"""The verbs as a console runs them: nothing printed, nothing asked, nothing done behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sbctui.cli.inside import Inside
from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateRoot, Request
from sbctui.engine.rules import READ_ONLY
from sbctui.port import Told
from tests.ui.conftest import do, empty_site, small_site, specs

__all__ = ["empty_site", "small_site"]


class Desk:
    """A console: a real engine, and a note of what was handed over and what was asked."""

    columns = 76

    def __init__(self, path: Path, *, read_only: bool = False, answer: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.requests: list[Request] = []
        self.asked: list[tuple[str, str]] = []
        self._engine = Engine(path, read_only=read_only)
        self._answer = answer

    def engine(self) -> Engine:
        return self._engine

    def offer(self, make: Callable[[Engine], Request]) -> None:
        self.requests.append(make(self._engine))

    def ask(self, title: str, lines: Sequence[str], word: str) -> bool:
        self.asked.append((title, word))
        return self._answer


def run(desk: Desk, line: str) -> Told:
    return Inside().run(line.split(), desk)


def test_what_is_read_is_caught(small_site: Path, capfd: pytest.CaptureFixture[str]) -> None:
    desk = Desk(small_site)
    told = run(desk, "root list")
    assert told.code == 0
    assert "debian12" in told.text
    assert max(map(len, told.text.splitlines())) <= 76
    assert '"roots"' in run(desk, "root list -o json").text
    assert capfd.readouterr() == ("", "")


def test_what_changes_is_handed_over(small_site: Path) -> None:
    desk = Desk(small_site)
    assert run(desk, "root create new --size 16M --yes") == Told(0, "", "")
    (request,) = desk.requests
    assert isinstance(request, CreateRoot)
    assert request.name == "new"
    assert not (small_site / "nodes/new").exists()


def test_a_dry_run_is_only_shown(small_site: Path) -> None:
    desk = Desk(small_site)
    told = run(desk, "root create new --size 16M --dry-run")
    assert "dry run: nothing was changed" in told.text
    assert not desk.requests


def test_fixes_are_handed_over(small_site: Path) -> None:
    do(small_site, CreateRoot(name="gone", size=16 * 1024**2))
    (small_site / "nodes/gone/config.json").unlink()
    desk = Desk(small_site)
    assert run(desk, "audit").code == 8
    finding = next(f.id for f in desk.engine().audit() if f.fix is not None)
    assert run(desk, f"audit --fix {finding}").code == 0
    assert len(desk.requests) == 1


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("root create x", 2, "give --size"),
        ("root crate x", 2, "No such command 'crate'"),
        ("rot list", 2, "No such command 'rot'"),
        ("node show nobody", 4, "there is no node 'nobody'"),
        ("--site /elsewhere root list", 2, "leave it with q and start: sbctui --site DIR"),
        ("--version", 2, "this console has"),
        ("supervise", 3, "services start"),
        ("job follow j1", 3, "the console follows every job"),
        ("job run j1", 3, "started by their plans"),
        ("leaf create debian12 -", 2, "a console has no stdin"),
        ("leaf create debian12 --macs -", 2, "a console has no stdin"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    small_site: Path, line: str, code: int, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    told = run(Desk(small_site), line)
    assert sentence in told.error
    assert told.code == code
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("line", ["root --help", "root create -h", "leaf create x --help"])
def test_help_is_caught(small_site: Path, line: str, capfd: pytest.CaptureFixture[str]) -> None:
    told = run(Desk(small_site), line)
    assert told.code == 0
    assert told.text.startswith(f"Usage: sbctui {' '.join(line.split()[:-1]).removesuffix(' x')}")
    assert capfd.readouterr() == ("", "")


def test_services_are_asked_about(small_site: Path) -> None:
    desk = Desk(small_site)
    told = run(desk, "services start --yes")
    assert desk.asked == [("start the services", "")]
    assert "not done: start the services was declined" in told.error
    assert run(desk, "site init --server 10.77.0.2 --yes").code == 1
    assert len(desk.asked) == 2


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


FILLED = {
    "site init": "--server 10.77.0.2",
    "root allocate": "golden --mac dc:a6:32:55:55:55",
    "root clone": "golden other",
    "root create": "new --size 16M",
    "root deallocate": "rescue-07",
    "root delete": "golden",
    "root rename": "golden other",
    "root resize": "golden 32M",
    "leaf attach": "pi-01 golden",
    "leaf create": "debian12 dc:a6:32:55:55:56",
    "leaf delete": "debian12 pi-01",
    "leaf edit": "pi-01 --alias other",
    "trash purge": "--all",
    "trash restore": "pi-03",
    "job cancel": "j1",
}


def test_a_console_that_only_looks_changes_nothing(small_site: Path) -> None:
    from sbctui.engine.model.requests import DeleteLeaves

    do(small_site, DeleteLeaves(root="debian12", macs=(specs(3)[2].mac,)))
    before = snapshot(small_site)
    desk = Desk(small_site, read_only=True, answer=True)
    changing = [verb.words for verb in Inside().known() if verb.changes]
    assert set(FILLED) <= set(changing)
    for words in changing:
        told = run(desk, f"{words} {FILLED.get(words, '')}")
        assert told.error == READ_ONLY, words
    assert run(desk, "root list").code == 0
    assert not desk.requests
    assert not desk.asked
    assert snapshot(small_site) == before
