"""What is printed: safe to show, fit for a pipe and for 80 columns."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from sbctui.cli import failing, output
from sbctui.cli.main import cli, run
from tests.cli.program import MAC, Program, Terminal

HOSTILE = "x\x1b[2J\x07\u202e\u2028\udcff]0;y"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]")


def test_hostile_text_in_a_node_is_shown_as_escapes(sbctui: Program) -> None:
    config = sbctui.site / "nodes" / "spare" / "config.json"
    raw = json.loads(config.read_text())
    raw["notes"] = HOSTILE[:-4].replace("\udcff", "")
    raw["boot"]["kernel"] = "vmlinuz\x1b[31m"
    config.write_text(json.dumps(raw))
    (sbctui.site / "nodes" / "evil\x1b[2Jname").mkdir()
    for words in (("node", "show", "spare"), ("root", "list"), ("audit",), ("leaf", "list")):
        ran = sbctui(*words)
        assert not CONTROL.search(ran.out), words
        assert not CONTROL.search(ran.err), words
    assert r"\x1b" in sbctui.ok("node", "show", "spare").out
    assert sbctui.ok("root", "list", "--json").out.isascii()


def test_names_are_cut_only_where_that_makes_all_rows_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    output.table(("NAME", "SIZE"), [("n" * 60, "1G")])
    output.table(("MAC", "NOW"), [(MAC, "a sentence that is longer than the whole line")])
    cut, whole = (
        line for line in capsys.readouterr().out.splitlines() if "~" in line or MAC in line
    )
    assert len(cut) <= 40
    assert whole.startswith(MAC)


def test_there_are_no_colours_even_on_a_terminal(sbctui: Program, home: Path) -> None:
    terminal = Terminal(sbctui.argv("root", "list"), home)
    assert terminal.end() == 0
    assert "\x1b" not in terminal.shown
    assert "debian12" in terminal.shown


def test_a_table_fits_the_terminal_and_a_pipe_gets_all_of_it(sbctui: Program, home: Path) -> None:
    name = "a-very-long-name-that-would-push-the-other-columns-off-the-screen"[:63].strip("-")
    sbctui.ok("root", "create", name, "--size", "32M", "-y")
    sbctui.ok("root", "allocate", name, "--mac", MAC.format(9), "-y")
    assert name in sbctui.ok("root", "list").out
    terminal = Terminal(sbctui.argv("root", "list"), home)
    assert terminal.end() == 0
    assert all(len(line) <= 80 for line in terminal.shown.splitlines())
    assert MAC.format(9) in terminal.shown


def test_a_reader_that_leaves_early_is_no_error(sbctui: Program, home: Path) -> None:
    command = " ".join(f"'{word}'" for word in sbctui.argv("node", "show", "pi-01", "--json"))
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(home)},
        check=False,
    )
    assert done.stdout == "0\n"
    assert done.stderr == ""


def test_a_full_disk_under_the_output_is_9(sbctui: Program, home: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            sbctui.argv("root", "list"), stdout=full, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "HOME": str(home)}, check=False,
        )  # fmt: skip
    assert done.returncode == 9
    assert done.stderr.startswith("sbctui: ")
    assert len(done.stderr.splitlines()) == 1


def test_an_encoding_without_the_characters_is_no_error(sbctui: Program) -> None:
    ran = sbctui.alone("root", "create", "a" * 300, "--size", "1G", PYTHONIOENCODING="ascii")
    assert ran.code == 2
    assert r"\u2026" in ran.err


def test_a_fault_of_ours_is_saved_and_said_in_one_sentence(
    sbctui: Program, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret detail")

    monkeypatch.setattr(cli, "main", broken)
    assert run(["root", "list"]) == 1
    sentence = capsys.readouterr().err
    assert "ZeroDivisionError" in sentence
    saved = list((home / ".local" / "state" / "sbctui").iterdir())
    assert len(saved) == 1
    assert str(saved[0]) in sentence
    assert "the secret detail" in saved[0].read_text()
    assert saved[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("number", "code"), [(13, 5), (1, 5), (30, 5), (28, 9), (122, 9), (5, 1)])
def test_errors_of_the_operating_system_have_their_codes(
    number: int, code: int, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "/srv/lab/file")
    assert failing.told(error, json=False, home=home) == code
    assert "/srv/lab/file" in capsys.readouterr().err
