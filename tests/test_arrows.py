"""Imports run one way: the layers of pyproject.toml hold, and every module stands in one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
ENGINE = REPO / "sbctui" / "engine"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    start = "from importlinter.cli import lint_imports_command as main; main()"
    return subprocess.run(
        [sys.executable, "-c", start, "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def layers() -> list[str]:
    """Every module that the engine's contract names."""
    config = tomllib.loads((REPO / "pyproject.toml").read_text())
    for contract in config["tool"]["importlinter"]["contracts"]:
        if contract.get("containers") == ["sbctui.engine"]:
            return [name.strip() for line in contract["layers"] for name in re.split("[:|]", line)]
    raise AssertionError("pyproject.toml has no layers for sbctui.engine")


def modules() -> set[str]:
    files = (path.relative_to(ENGINE).with_suffix("") for path in ENGINE.rglob("*.py"))
    return {".".join(path.parts) for path in files if path.name != "__init__"}


def test_the_arrows_run_one_way() -> None:
    result = lint(REPO)
    broken = result.stdout.partition("Broken contracts")[2]
    assert result.returncode == 0, (
        "an import runs against the layers of [tool.importlinter] in pyproject.toml; "
        f"move the code down, or the module up:{broken or result.stdout + result.stderr}"
    )


def test_every_module_of_the_engine_says_where_it_belongs() -> None:
    homeless = sorted(modules() - set(layers()))
    assert not homeless, (
        f"new in the engine: {', '.join(homeless)}. Write each into one of the layers of "
        "[tool.importlinter] in pyproject.toml, as low as its imports allow; what plans stands "
        'below "commands" and "files"'
    )


def test_the_layers_name_each_module_once_and_none_that_is_gone() -> None:
    names = layers()
    assert sorted(set(names) - modules()) == []
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_rooms_packages_hold_no_code_of_their_own() -> None:
    """An ``__init__`` stands in no layer, so it may import nothing."""
    for path in ENGINE.rglob("__init__.py"):
        assert "import" not in path.read_text(), path


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("nodes/plan_root.py", "from sbctui.engine import commands"),
        ("audit/plan.py", "from sbctui.engine.store import Store"),
        ("boot/render.py", "from sbctui.engine.files import write_atomic"),
        ("derive.py", "import sbctui.engine.services.hosts"),
        ("model/site.py", "from sbctui.engine import rules"),
        ("store.py", "import subprocess"),
        ("rules.py", "import rich.text"),
        ("engine.py", "from textual.app import App"),
        ("jobs.py", "import sbctui.format"),
    ],
)
def test_an_arrow_the_wrong_way_is_found(tmp_path: Path, module: str, line: str) -> None:
    shutil.copytree(REPO / "sbctui", tmp_path / "sbctui")
    shutil.copy2(REPO / "pyproject.toml", tmp_path)
    with (tmp_path / "sbctui" / "engine" / module).open("a") as file:
        file.write(f"\n{line}\n")
    assert lint(tmp_path).returncode == 1
