"""The real program on real terminals: other kinds of them, torn, stopped, resized, taken away."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateLeaves, EditNode
from tests.lab import needs, until
from tests.ui.conftest import do, specs
from tests.ui.terminal import ENV, Pty, open_pty

FORTY = "".join(f"b8:27:eb:0c:00:{n:02x}\n" for n in range(1, 41))
TERMS = ("linux", "screen", "screen-256color", "xterm-256color", "vt100")


def steady(text: str) -> str:
    """The screen without what the rest of the machine changes: clocks and free space."""
    return re.sub(r"disk .*|\[#.*|\d\d:\d\d:\d\d|\d+[smh]\b", "", text)


def leave(tui: Pty) -> None:
    """Quit from home once no job runs, and see that the terminal is given back."""
    tui.until_gone("running", within=60)
    tui.send("q")
    assert tui.ended() == 0
    assert tui.screen.shown, "the cursor stays hidden"
    assert b"\x1b[?1049l" in tui.raw, "the other screen is not left"


def plan_and_start(tui: Pty, count: int) -> None:
    """From the bulk screen with good lines in it to the end of its job, and home."""
    tui.until(f"{count} ok")
    tui.send("\r")
    tui.until("The plan", f"create {count} leaves of debian12", "$ sbctui leaf create")
    tui.read(0.5)
    tui.send("y")
    tui.until(f"create {count} leaves", "ok   ", within=60)
    tui.send("\x1b")
    tui.until(f"{count + 3} leaves")


@pytest.mark.parametrize("term", TERMS)
def test_forty_leaves_on_other_terminals(small_site: Path, term: str) -> None:
    """Typed by a terminal that knows no bracketed paste: the keys come at once."""
    with open_pty(small_site, TERM=term) as tui:
        tui.until("3 leaves", "services stopped")
        tui.send(FORTY.replace("\n", "\r"))
        plan_and_start(tui, 40)
        assert not tui.screen.unknown, tui.screen.unknown
        leave(tui)
    assert len(Engine(small_site).site().leaves) == 43


def test_a_bracketed_paste(small_site: Path) -> None:
    with open_pty(small_site) as tui:
        tui.until("3 leaves")
        tui.paste(FORTY)
        plan_and_start(tui, 40)
        leave(tui)
    assert len(Engine(small_site).site().leaves) == 43


@pytest.mark.parametrize(
    "env", [{"NO_COLOR": "1"}, {"LANG": "C"}, {"LANG": "C", "TERM": "linux"}, {"COLORTERM": ""}]
)
def test_poor_surroundings(small_site: Path, env: dict[str, str]) -> None:
    with open_pty(small_site, **env) as tui:
        tui.until("3 leaves", "services stopped", "pi-01")
        tui.send("b")
        tui.until("Bulk leaves")
        for char in "dc:a6:32:00:00:0":
            tui.send(char)
            tui.read(0.06)
        tui.until("bad")
        tui.send("1\r")
        tui.until("1 ok")
        tui.send("\x1b")
        tui.until("1 Tree")
        looks = {look for row in tui.screen.cells for _, look in row}
        colours = [part for look in looks for part in look.split() if part[0] in "fb"]
        assert any("a7" in look.split() for look in looks), "no cursor is seen"
        assert bool(colours) != ("NO_COLOR" in env), colours
        leave(tui)


def test_what_is_typed_ahead_goes_where_it_would_have_gone(small_site: Path) -> None:
    """A slow line sends keys together: none may be taken for another pane's command."""
    with open_pty(small_site) as tui:
        tui.until("3 leaves", "services stopped")
        tui.send("/pi-0D2nz\r")
        tui.until("/pi-0D2nz ")
        tui.send("\x1b")
        tui.until_gone("/pi-0D2nz")
        tui.send("nDzoab-12")
        tui.until("Create a root", "Dzoab-12")
        tui.send("\x1b")
        tui.until_gone("Create a root")
        tui.send("?")
        tui.until("Keys")
        tui.send("\x1b")
        tui.until_gone("Keys")
        leave(tui)


def test_the_stock_driver_leaves_the_same_screen(small_site: Path) -> None:
    texts = []
    for env in ({}, {"SBCTUI_DRIVER": "stock"}):
        with open_pty(small_site, **env) as tui:
            tui.until("3 leaves", "services stopped")
            for key in "jjkl2jj1Ghg":
                tui.send(key)
                tui.read(0.1)
            tui.send("?")
            tui.until("Keys")
            tui.send("\x1b")
            tui.until_gone("Keys")
            tui.quiet()
            texts.append(steady(tui.screen.text))
            leave(tui)
    assert texts[0] == texts[1]


def test_resize_storms_end_in_a_whole_screen(small_site: Path) -> None:
    with open_pty(small_site) as tui:
        tui.until("3 leaves", "services stopped")
        for size in ((100, 30), (61, 17), (200, 60), (59, 15), (132, 43), (81, 25)) * 3:
            tui.resize(*size)
            tui.read(0.03)
        tui.resize(100, 30)
        tui.until("services stopped", "2 Allocations", "pi-03", "? Help")
        tui.quiet()
        by_storm = tui.screen.text
        tui.resize(100, 30)
        tui.send("\x0c")
        tui.until("services stopped", "? Help")
        tui.quiet()
        assert steady(tui.screen.text) == steady(by_storm)
        tui.resize(40, 10)
        tui.until("needs 60x16")
        tui.resize(80, 24)
        tui.until("pi-03")
        leave(tui)


def test_wide_glyphs_keep_every_column_in_its_place(small_site: Path) -> None:
    with open_pty(small_site, (160, 48)) as tui:
        tui.until("3 leaves", "services stopped")
        do(small_site, EditNode(name="debian12", notes="日本語 e\u0301 한국어 | end"))
        tui.until("日本語", within=20)
        tui.send("?")
        tui.until("Keys")
        tui.send("\x1b")
        tui.until_gone("Keys")
        tui.quiet()
        before = tui.screen.text
        tui.resize(160, 48)
        tui.send("\x0c")
        tui.until("日本語", "? Help")
        tui.quiet()
        assert steady(tui.screen.text) == steady(before)
        leave(tui)


def in_a_shell(site: Path) -> Pty:
    """The console as the job of a shell that can stop it and bring it back."""
    env = {**ENV, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PS1": "shell> ", "ENV": ""}
    env |= {"XDG_STATE_HOME": str(site.parent / "home"), "XDG_CONFIG_HOME": str(site.parent)}
    return Pty(["sh", "-i", "-m"], env, (80, 24), site.parent)


def test_ctrl_z_gives_the_shell_back_and_fg_the_whole_screen(small_site: Path) -> None:
    with in_a_shell(small_site) as shell:
        shell.until("shell>")
        shell.send(f"{sys.executable} -m sbctui --site {small_site}\r")
        shell.until("3 leaves", "services stopped")
        shell.quiet()
        before = steady(shell.screen.text)
        shell.send("\x1a")
        shell.until("shell>")
        assert shell.screen.shown
        shell.send("echo it is $((20 + 3))\r")
        shell.until("it is 23")
        shell.send("fg\r")
        shell.until("services stopped", "? Help")
        shell.quiet()
        assert steady(shell.screen.text) == before
        shell.send("?")
        shell.until("Keys")
        shell.send("\x1b")
        shell.until_gone("Keys")
        shell.send("q")
        shell.until("shell>")
        shell.send("echo left with $?\r")
        shell.until("left with 0")


def test_a_stop_it_was_not_told_of_is_outlived(small_site: Path) -> None:
    with open_pty(small_site) as tui:
        tui.until("3 leaves", "services stopped")
        tui.quiet()
        before = steady(tui.screen.text)
        os.kill(tui.process.pid, signal.SIGSTOP)
        tui.read(0.3)
        tui.resize(80, 24)
        os.kill(tui.process.pid, signal.SIGCONT)
        tui.until("services stopped", "? Help")
        tui.quiet()
        assert steady(tui.screen.text) == before
        tasks = Path(f"/proc/{tui.process.pid}/task")
        readers = [t for t in tasks.iterdir() if (t / "comm").read_text().startswith("textual-in")]
        assert len(readers) <= 1
        tui.send("jj?")
        tui.until("Keys")
        tui.send("\x1b")
        tui.until_gone("Keys")
        leave(tui)


@pytest.mark.parametrize("how", ["signal", "line"])
def test_a_dropped_line_leaves_the_job_running(small_site: Path, how: str) -> None:
    with open_pty(small_site) as tui:
        tui.until("3 leaves", "services stopped")
        tui.paste("dc:a6:32:66:[0000-01ff]\n")
        tui.until("512 ok")
        tui.send("\r")
        tui.until("create 512 leaves")
        tui.read(0.5)
        tui.send("y")
        tui.until("running", "create 512 leaves")
        if how == "signal":
            os.kill(tui.process.pid, signal.SIGHUP)
        else:
            tui.hang_up()
        assert tui.process.wait(20) != 0
    engine = Engine(small_site)
    (job,) = (j for j in engine.jobs() if "512" in j.title)
    with open_pty(small_site) as tui:
        tui.until("create 512 leaves")
        until(lambda: engine.report(job.id), 90, "the job never ended")
        tui.until("515 leaves")
        leave(tui)
    report = engine.report(job.id)
    assert report is not None
    assert report.code == 0


def test_a_planted_fault_is_told_with_its_file_and_the_console_goes_on(small_site: Path) -> None:
    """A fault in a source of the console, planted by a program that runs the same app."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sbctui.app import run_app, SbcApp\n"
        "def broken(self): raise ZeroDivisionError('planted \\x1b]0;x\\x07 fault')\n"
        "SbcApp.do_redraw = broken\n"
        "sys.exit(run_app(Path(sys.argv[1])))\n"
    )
    argv = [sys.executable, "-c", program, str(small_site)]
    with TemporaryDirectory() as short:  # so that the notice has room for the file in one line
        home = Path(short)
        env = {**ENV, "TERM": "xterm-256color", "LANG": "C.UTF-8", "XDG_STATE_HOME": short}
        _meets_a_fault(Pty(argv, env, (80, 24), Path.cwd()), home)


def _meets_a_fault(console: Pty, home: Path) -> None:
    with console as tui:
        tui.until("3 leaves")
        tui.send("\x0c")
        tui.until("a fault in sbctui; it goes on", "ZeroDivisionError", "fault-")
        assert not tui.screen.commands, "the fault's text reached the terminal raw"
        (saved,) = (home / "sbctui").iterdir()
        assert "planted" in saved.read_text()
        assert saved.stat().st_mode & 0o077 == 0
        tui.send("jb")
        tui.until("Bulk leaves")
        tui.send("\x1b")
        tui.until("1 Tree")
        leave(tui)


class Tmux:
    """A server of our own, with one window."""

    def __init__(self, site: Path) -> None:
        self._socket = site.parent / f"tmux-{uuid.uuid4().hex[:6]}"
        self("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30",
             f"{sys.executable} -m sbctui --site {site}")  # fmt: skip

    def __call__(self, *arguments: str) -> str:
        env = {**ENV, "LANG": "C.UTF-8", "XDG_STATE_HOME": str(self._socket.parent / "home")}
        argv = ["tmux", "-S", str(self._socket), "-u", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True, env=env).stdout

    def until(self, word: str) -> None:
        end = time.monotonic() + 40
        while word not in (text := self("capture-pane", "-p")):
            assert time.monotonic() < end, f"never in tmux: {word}\n{text}"


@pytest.fixture
def tmux(small_site: Path) -> Iterator[Tmux]:
    needs("tmux")
    server = Tmux(small_site)
    try:
        yield server
    finally:
        subprocess.run(["tmux", "-S", str(server._socket), "kill-server"], check=False)


def test_the_bulk_flow_in_tmux(small_site: Path, tmux: Tmux) -> None:
    assert shutil.which("tmux")
    tmux.until("3 leaves")
    tmux("set-buffer", FORTY)
    tmux("paste-buffer", "-p")
    tmux.until("40 ok")
    tmux("send-keys", "Enter")
    tmux.until("create 40 leaves of debian12")
    time.sleep(0.5)  # the plan ignores keys that come with its appearance
    tmux("send-keys", "y")
    engine = Engine(small_site)
    until(lambda: len(engine.site().leaves) == 43, 60, "y starts nothing")
    tmux.until("0 ok")
    tmux("send-keys", "Escape")
    tmux.until("43 leaves")
    assert "pi-01" in tmux("capture-pane", "-p")


def test_a_job_started_elsewhere_is_seen(small_site: Path) -> None:
    with open_pty(small_site) as tui:
        tui.until("3 leaves")
        engine = Engine(small_site)
        engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(60, 100))))
        tui.until("create 60 leaves of golden", "63 leaves", within=60)
        leave(tui)
