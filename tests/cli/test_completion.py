"""The Tab key: what is offered at the cursor, that it hurts nothing, and the three shells."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sbctui.cli.completing import complete
from sbctui.cli.main import cli
from sbctui.cli.place import Place
from sbctui.engine.lockfile import SiteLock
from tests.cli.program import MAC, Program, Terminal, environment, tree

FIRST, SECOND = MAC.format(1), MAC.format(2)


def values(site: Path, line: str) -> list[str]:
    """What is offered at the end of a line, whose last word is being typed."""
    *words, typed = line.split(" ")
    return [value for value, _ in complete(words, typed, Place(str(site)))]


def about(site: Path, line: str) -> dict[str, str]:
    *words, typed = line.split(" ")
    return dict(complete(words, typed, Place(str(site))))


def test_nouns_verbs_and_options_come_from_the_table(sbctui: Program) -> None:
    context = click.Context(cli)
    assert values(sbctui.site, "") == cli.list_commands(context)
    assert values(sbctui.site, "ro") == ["root"]
    for noun in cli.list_commands(context):
        command = cli.get_command(context, noun)
        if isinstance(command, click.Group):
            verbs = {name for name, verb in command.commands.items() if not verb.hidden}
            assert set(values(sbctui.site, f"{noun} ")) == verbs
            for verb in verbs:
                shown = [
                    p for p in command.commands[verb].params if not getattr(p, "hidden", False)
                ]
                options = {o for p in shown for o in p.opts if o[:2] == "--"}
                assert set(values(sbctui.site, f"{noun} {verb} --")) == options | {"--help"}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("root clone ", ["debian12", "spare"]),
        ("root clone s", ["spare"]),
        ("repo tree ", ["repo:"]),
        ("repo remove ", []),
        ("root clone spare ", []),
        ("root delete x", []),
        ("leaf list ", ["debian12", "spare"]),
        ("leaf delete debian12 ", ["pi-01", "pi-02"]),
        ("leaf delete spare ", []),
        ("leaf delete debian12 pi-01 ", ["pi-02"]),
        ("leaf delete debian12 dc:a6", [FIRST, SECOND]),
        ("leaf delete debian12 dc-a6", [FIRST.replace(":", "-"), SECOND.replace(":", "-")]),
        ("leaf attach ", []),
        ("node show ", ["debian12", "spare", "pi-01", "pi-02"]),
        ("leaf edit pi-01 --group ", ["room-b"]),
        ("group set pi-01 pi-02 ", ["debian12", "spare", "pi-02", "room-b"]),
        ("group set pi-01 ro", ["room-b"]),
        ("leaf edit pi-01 --group=r", ["--group=room-b"]),
        ("root list -o ", ["table", "json"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("trash restore ", []),
    ],
)
def test_names_are_offered_where_they_can_stand(
    sbctui: Program, line: str, offered: list[str]
) -> None:
    assert values(sbctui.site, line) == offered


def test_each_name_says_what_it_is(sbctui: Program) -> None:
    said = about(sbctui.site, "node show ")
    assert said["debian12"] == "root, 2 leaves"
    assert said["pi-01"] == f"{FIRST}, leaf of debian12, group room-b"


def test_the_trash_and_the_jobs_are_offered(sbctui: Program) -> None:
    sbctui.ok("leaf", "delete", "debian12", "pi-02", "-y")
    folder = os.listdir(sbctui.site / "trash")[0]
    assert values(sbctui.site, "trash restore ") == ["pi-02"]
    assert values(sbctui.site, f"trash purge {folder[:4]}") == [folder]
    jobs = sorted(os.listdir(sbctui.site / "jobs"), reverse=True)
    assert values(sbctui.site, "job show ") == jobs
    assert about(sbctui.site, "job show ")[jobs[0]] == "delete 1 leaf of debian12"


def test_only_orphans_are_offered_to_attach(sbctui: Program) -> None:
    path = sbctui.site / "nodes" / "debian12" / "config.json"
    config = json.loads(path.read_text())
    del config["children"][SECOND]
    path.write_text(json.dumps(config))
    assert values(sbctui.site, "leaf attach ") == ["pi-02"]
    assert values(sbctui.site, "leaf delete debian12 ") == ["pi-01"]


def test_paths_are_offered_whole(sbctui: Program, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "two boards.csv").touch()
    (tmp_path / "lists" / "\x1b[2J").touch()
    (tmp_path / "lists" / ".hidden").touch()
    begun = f"leaf create debian12 --macs {tmp_path}/li"
    assert values(sbctui.site, begun) == [f"{tmp_path}/lists/"]
    assert values(sbctui.site, f"{begun}sts/") == [f"{tmp_path}/lists/two boards.csv"]
    assert values(sbctui.site, f"--site {tmp_path}/lists/") == []
    assert values(sbctui.site, f"root create x --from={tmp_path}/li") == [
        f"--from={tmp_path}/lists/"
    ]


def test_it_writes_nothing_and_waits_for_no_lock(sbctui: Program) -> None:
    before = tree(sbctui.site)
    with SiteLock(sbctui.site).held():
        during = tree(sbctui.site)
        assert values(sbctui.site, "root clone ") == ["debian12", "spare"]
        assert values(sbctui.site, "leaf delete debian12 ") == ["pi-01", "pi-02"]
        assert tree(sbctui.site) == during
    assert before.keys() <= tree(sbctui.site).keys()


@pytest.mark.parametrize(
    "hostile", ["$(reboot)", "`id`", "a b", "a;b", "*", "\x1b[2J", "a\nb", "-rf", "'", "ü", "a\tb"]
)
def test_a_name_that_a_shell_could_read_otherwise_is_not_offered(
    sbctui: Program, hostile: str
) -> None:
    path = sbctui.site / "nodes" / FIRST.replace(":", "-") / "config.json"
    path.write_text(path.read_text().replace('"pi-01"', json.dumps(hostile)))
    (sbctui.site / "nodes" / hostile).mkdir(exist_ok=True)
    assert values(sbctui.site, "node show ") == ["debian12", "spare", "pi-02"]


def test_what_cannot_be_read_is_left_out_in_silence(
    sbctui: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = sbctui.site / "nodes"
    config = nodes / FIRST.replace(":", "-") / "config.json"
    for ruin in (lambda: config.write_text("{"), config.unlink, lambda: os.mkfifo(config)):
        ruin()
        assert values(sbctui.site, "leaf delete debian12 ") == [FIRST, "pi-02"]
    (nodes / "spare" / "config.json").write_text("[" * 100_000)
    assert values(sbctui.site, "root clone ") == ["debian12", "spare"]
    (sbctui.site / "jobs" / "x").mkdir()
    assert "x" in values(sbctui.site, "job show ")
    capsys.readouterr()
    for place in ("/nowhere", "\0", str(config)):
        assert complete(["node", "show"], "", Place(place)) == []
    assert complete(["nonsense", "--site"], "\0") == []
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def thousand(sbctui: Program) -> Program:
    """A thousand leaves more, as far as their names go."""
    nodes = sbctui.site / "nodes"
    pattern = (nodes / FIRST.replace(":", "-") / "config.json").read_text()
    for number in range(1000):
        mac = f"dc:a6:33:00:{number >> 8:02x}:{number & 255:02x}"
        folder = nodes / mac.replace(":", "-")
        folder.mkdir()
        text = pattern.replace(FIRST, mac).replace(FIRST.replace(":", "-"), folder.name)
        (folder / "config.json").write_text(text.replace("pi-01", f"rack-{number:04}"))
    return sbctui


def test_a_thousand_leaves_take_a_tenth_of_a_second(thousand: Program) -> None:
    """Measured: 0.06 s of processor time, of which 0.03 are the start of Python."""
    line = "sbctui node show rack-012"
    env = environment(thousand.site.parent) | {"_SBCTUI_COMPLETE": "bash", "_SBCTUI_LINE": line}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(thousand.argv(), env=env | {"SBCTUI_SITE": str(thousand.site)},
                          capture_output=True, text=True, check=True)  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert [row.split("\t")[1] for row in done.stdout.splitlines()] == [
        f"rack-{n:04}" for n in range(120, 130)
    ]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.2


def test_names_are_found_without_the_models() -> None:
    code = (
        "import sys; from sbctui.cli.completing import complete; complete(['node', 'show'], 'x');"
        "print([m for m in ('pydantic', 'textual', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def installed(sbctui: Program, tmp_path: Path) -> dict[str, str]:
    """An environment in which ``sbctui`` is this program, on the furnished site."""
    place = tmp_path / "bin"
    place.mkdir()
    program = place / "sbctui"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sbctui "$@"\n')
    program.chmod(0o755)
    return environment(tmp_path) | {
        "PATH": f"{place}:{os.environ['PATH']}",
        "SBCTUI_SITE": str(sbctui.site),
    }


def shell(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


TYPED = [
    ("sbctui ro", "sbctui root"),
    ("sbctui root clone sp", "sbctui root clone spare"),
    ("sbctui leaf edit dc:a6:32:01:02:01 --gr", "sbctui leaf edit dc:a6:32:01:02:01 --group"),
    ("sbctui leaf delete debian12 dc:a6", "sbctui leaf delete debian12 dc:a6:32:01:02:0"),
    ("sbctui leaf delete debian12 dc-a6", "sbctui leaf delete debian12 dc-a6-32-01-02-0"),
    ("sbctui leaf edit pi-01 --group=r", "sbctui leaf edit pi-01 --group=room-b"),
    ("sbctui leaf create spare --macs /etc/hostn", "sbctui leaf create spare --macs /etc/hostname"),
    ("sbctui root create x --from=/etc/hostn", "sbctui root create x --from=/etc/hostname"),
    ("sbctui --site /etc/apt/trus", "sbctui --site /etc/apt/trusted.gpg.d"),
    ("sbctui node show nothing-like-it", "sbctui node show nothing-like-it"),
]
"""What is typed before the Tab key, and the line after it."""


@pytest.mark.parametrize(
    ("name", "argv", "ready"),
    [
        ("bash", ["--norc", "-i"], ""),
        ("zsh", ["-f", "-i"], "bindkey -e; autoload -U compinit; compinit -D; "),
    ],
)
def test_the_tab_key_in_a_shell(
    installed: dict[str, str], tmp_path: Path, name: str, argv: list[str], ready: str
) -> None:
    terminal = Terminal([shell(name), *argv], tmp_path, **installed)
    terminal.type(f"{ready}PS1='>'; eval \"$(sbctui completion {name})\"; echo rea''dy\n")
    terminal.expect("ready\n")
    for typed, completed in TYPED:
        terminal.type(f"{typed}\t\x01echo '=>' \n")
        terminal.expect(f"=> {completed}")
    terminal.type("exit\n")
    terminal.end()


@pytest.mark.parametrize(("typed", "completed"), TYPED[:-1])
def test_the_tab_key_in_fish(
    installed: dict[str, str], tmp_path: Path, typed: str, completed: str
) -> None:
    asked = f"sbctui completion fish | source; complete -C {shlex.quote(typed)}"
    done = subprocess.run([shell("fish"), "--no-config", "-c", asked], env=installed, cwd=tmp_path,
                          capture_output=True, text=True, check=False)  # fmt: skip
    offered = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert offered, done.stderr
    assert all(value.startswith(completed.split()[-1]) for value in offered)
