"""What every test stands on: a fixed clock zone and look, and a site to work in."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sbctui.engine.disks.fuse import let_go
from tests import lab

for _name in ("NO_COLOR", "FORCE_COLOR", "TEXTUAL_THEME", "SBCTUI_SITE", "XDG_RUNTIME_DIR"):
    os.environ.pop(_name, None)
os.environ.update(TEXTUAL_ANIMATIONS="none", TZ="UTC", LC_ALL="C.UTF-8")
time.tzset()
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # programs inherit it where a runner ignores it
_NAME = 60
"""Characters of a parameter that stands in a test's name as it is."""
settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("here")


def pytest_report_header() -> str:
    """What this kernel and user can do, probed once; tests that need more are skipped."""
    user = subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False)
    found = {
        "private networks": lab.unable() or "yes",
        "loop devices": "yes" if os.access("/dev/loop-control", os.W_OK) else "no",
        "FUSE": "yes" if os.access("/dev/fuse", os.W_OK) else "no",
        "user namespaces": "no" if user.returncode else "yes",
    }
    return "abilities: " + ", ".join(f"{what}: {how}" for what, how in found.items())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why a test was run again, though it passed then."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"RERUN {report.nodeid}")
        terminalreporter.line(report.longreprtext)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Test data of some length is no name."""
    long = isinstance(val, (str, bytes)) and len(val) > _NAME
    return f"{argname} of {len(val)}" if long else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share its fixtures, so they run in one worker, unless they say else."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session", autouse=True)
def no_mount_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests kill what shows a disk; the view it leaves would keep its folder from being removed.

    One that was killed as its daemon began leaves that as well, which would spin for ever.
    """
    yield
    below = f"{tmp_path_factory.getbasetemp()}/"
    with open("/proc/self/mounts") as mounts:
        left = [line.split()[1] for line in mounts]
    for target in reversed([one for one in left if one.startswith(below)]):
        let_go(Path(target).parent)
        subprocess.run(["umount", "-l", target], check=False)


@pytest.fixture
def site_path(tmp_path: Path) -> Path:
    """Where a test may make its site: short enough for the unix sockets below it."""
    return tmp_path / "site"
