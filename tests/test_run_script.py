"""The checkout's door: set-up once, silence afterwards, one plain command when it can't.

A small checkout with empty locks stands in for the real one, so that no test needs a network;
the shell, the interpreter and the environment are real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sbctui.engine.programs import PACKAGES

REPO = Path(__file__).resolve().parent.parent
PROGRAM = "import sys\nprint('ARGS', sys.argv[1:], sys.dont_write_bytecode)\n"
MAKING = "making the Python environment"
Ran = subprocess.CompletedProcess[str]
Runner = Callable[..., Ran]


def stand_in(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def stand_in_checkout(folder: Path) -> Path:
    """A checkout whose program prints its arguments."""
    (folder / "sbctui").mkdir(parents=True)
    (folder / "sbctui" / "__init__.py").write_text("")
    (folder / "sbctui" / "__main__.py").write_text(PROGRAM)
    shutil.copy2(REPO / "run", folder / "run")
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (folder / lock).write_text("# nothing\n")
    return folder


def listed(name: str) -> dict[str, str]:
    """One of the script's lists: what it looks for → the Debian package that has it."""
    words = (REPO / "run").read_text().partition(f"{name}='")[2].partition("'")[0].split()
    return {tool: package for tool, _, package in (word.partition(":") for word in words)}


def stand_in_tools(folder: Path) -> Path:
    """What a bare Debian and the packages have, as far as the script looks; no apt-get."""
    folder.mkdir()
    for tool in {**listed("run_tools"), **listed("test_tools")}:
        if not tool.startswith("/"):
            stand_in(folder / tool, "exit 0")
    for tool in ("readlink", "cmp", "flock", "id", "rm", "cp", "mv", "sed", "env", "true"):
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    return folder


def go(checkout: Path, tools: Path, *arguments: str, cwd: str = "/", **env: str) -> Ran:
    return subprocess.run(
        ["/bin/sh", str(checkout / "run"), *arguments],
        cwd=cwd,
        env={"PATH": str(tools), "HOME": "/nonexistent", **env},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script made once, for tests that begin after that."""
    folder = tmp_path_factory.mktemp("made")
    made = stand_in_checkout(folder / "checkout")
    ran = go(made, stand_in_tools(folder / "tools"), "sbctui")
    assert ran.stdout == "ARGS [] False\n", ran.stderr
    return made / ".venv"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return stand_in_checkout(tmp_path / "a checkout")


@pytest.fixture
def ready(checkout: Path, environment: Path) -> Path:
    """A checkout that has been started before."""
    shutil.copytree(environment, checkout / ".venv", symlinks=True)
    return checkout


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    return stand_in_tools(tmp_path / "tools")


@pytest.fixture
def run(checkout: Path, tools: Path) -> Runner:
    def here(*arguments: str, **options: str) -> Ran:
        return go(checkout, tools, *arguments, **options)

    return here


def test_the_shell_finds_no_fault_with_it() -> None:
    scripts = [REPO / "run", REPO / ".ci" / "run"]
    subprocess.run(["dash", "-n", scripts[0]], check=True)
    subprocess.run(["bash", "-n", scripts[1]], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", *scripts], check=True)


@pytest.mark.slow
def test_the_first_start_sets_up_and_the_next_is_silent(run: Runner) -> None:
    first = run("sbctui", "root", "a b", "*")
    assert first.stdout == "ARGS ['root', 'a b', '*'] False\n"
    assert MAKING in first.stderr
    again = run(PYTHONDONTWRITEBYTECODE="1", PYTHONPATH="/nonexistent")
    assert (again.stdout, again.stderr, again.returncode) == ("ARGS ['--or-lab'] False\n", "", 0)


def test_children_of_the_program_find_it_wherever_they_start(ready: Path) -> None:
    child = subprocess.run(
        [ready / ".venv" / "bin" / "python", "-m", "sbctui", "job"],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.startswith("ARGS ['job']")


def test_a_tab_press_sets_nothing_up(run: Runner, checkout: Path) -> None:
    assert run("sbctui", _SBCTUI_COMPLETE="bash").returncode != 0
    assert not (checkout / ".venv").exists()


def test_modules_in_the_users_folder_are_not_taken(
    run: Runner, ready: Path, tmp_path: Path
) -> None:
    (tmp_path / "sbctui.py").write_text("raise SystemExit('the wrong one')")
    assert run("sbctui", cwd=str(tmp_path)).stdout == "ARGS [] False\n"
    assert ready.exists()


@pytest.mark.slow
def test_a_half_made_environment_is_made_again(run: Runner, ready: Path) -> None:
    (ready / ".venv" / "requirements.lock").unlink()
    leftover = ready / ".venv" / "leftover"
    leftover.touch()
    assert MAKING in run("sbctui").stderr
    assert not leftover.exists()


@pytest.mark.slow
def test_an_environment_whose_python_went_away_is_made_again(run: Runner, ready: Path) -> None:
    (ready / ".venv" / "bin" / "python").unlink()
    assert run("sbctui").stdout == "ARGS [] False\n"


@pytest.mark.slow
def test_a_changed_lock_makes_the_environment_again(run: Runner, ready: Path) -> None:
    (ready / "requirements.lock").write_text("# another nothing\n")
    assert MAKING in run("sbctui").stderr
    assert run("sbctui").stderr == ""


def test_what_pip_refuses_is_told_and_leaves_no_stamp(run: Runner, ready: Path) -> None:
    (ready / "requirements.lock").write_text("nothing==1.0\n")
    failed = run("sbctui", PIP_NO_INDEX="1")
    assert failed.returncode == 6
    assert "nothing==1.0" in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("run: pip could not install requirements.lock")
    assert not (ready / ".venv" / "requirements.lock").exists()


@pytest.mark.slow
def test_two_at_once_make_one_environment(run: Runner) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: run("sbctui"), range(2)))
    assert [one.stdout for one in both] == ["ARGS [] False\n"] * 2
    assert sum(MAKING in one.stderr for one in both) == 1


@pytest.mark.parametrize("has_sudo", [True, False])
def test_without_rights_the_command_is_printed_and_nothing_happens(
    run: Runner, checkout: Path, tools: Path, has_sudo: bool
) -> None:
    for tool in ("zstd", "fakeroot", "id"):
        (tools / tool).unlink()
    stand_in(tools / "id", "echo 1000")
    stand_in(tools / "apt-get", "echo installed >&2; exit 1")
    if has_sudo:
        stand_in(tools / "sudo", "echo a password is required >&2; exit 1")
    refused = run("sbctui", "--version")
    assert (refused.returncode, refused.stdout) == (6, "")
    install = "apt-get install -y --no-install-recommends fakeroot zstd"
    command = f"sudo apt-get update && sudo {install}"
    if not has_sudo:
        command = f"su -c 'apt-get update && {install}'"
    assert refused.stderr.splitlines()[1:] == [command]
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("user", ["0", "1000"])
def test_with_rights_what_the_verb_lacks_is_installed_and_no_more(
    run: Runner, ready: Path, tools: Path, tmp_path: Path, user: str
) -> None:
    for tool in ("zstd", "strace", "id"):
        (tools / tool).unlink()
    asked = tmp_path / "asked"
    stand_in(tools / "id", f"echo {user}")
    stand_in(tools / "sudo", '[ "$1" = -n ] && shift && exec "$@"')
    stand_in(
        tools / "apt-get",
        f'echo "$DEBIAN_FRONTEND $*" >>"{asked}"; echo chatter\n'
        f'case "$*" in *install*) cp "{tools}/tar" "{tools}/zstd";; esac',
    )
    assert run("sbctui", "--version").stdout == "ARGS ['--version'] False\n"
    update, install = asked.read_text().splitlines()
    assert update.endswith(" update")
    assert install.startswith("noninteractive ")
    assert install.endswith(" install -y --no-install-recommends zstd")
    assert ready.exists()


def test_a_failing_apt_get_is_told(run: Runner, tools: Path) -> None:
    (tools / "zstd").unlink()
    (tools / "id").unlink()
    stand_in(tools / "id", "echo 0")
    stand_in(tools / "apt-get", "echo E: no network >&2; exit 100")
    failed = run("sbctui")
    assert failed.returncode == 6
    assert failed.stderr.splitlines()[1:] == [
        "E: no network",
        "run: apt-get update failed; its own lines above say why",
    ]


def test_what_the_engine_starts_is_installed_but_never_dnsmasqs_own_service() -> None:
    packages = set(listed("run_tools").values())
    always_there = {"apt", "coreutils", "dpkg", "libc-bin", "passwd"}
    assert set(PACKAGES.values()) - always_there <= packages
    assert "dnsmasq-base" in packages
    assert "dnsmasq" not in packages


@pytest.mark.parametrize("arguments", [["tset"], ["--site", "x"]])
def test_an_unknown_verb_gets_the_usage(run: Runner, checkout: Path, arguments: list[str]) -> None:
    refused = run(*arguments)
    assert refused.returncode == 2
    assert "./run sbctui ARGS..." in refused.stderr
    assert not (checkout / ".venv").exists()


def test_the_committed_locks_have_hashes_and_name_no_package_index() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (REPO / lock).read_text()
        assert text.count("==") <= text.count("--hash=sha256:")
        assert "://" not in text


def test_the_tests_of_a_file_run_in_one_worker(request: pytest.FixtureRequest) -> None:
    """They share what is slow to make, and some of it there may be only once."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("one process, or no --dist loadgroup")
    assert request.node.nodeid.endswith("@test_run_script")
