"""A healthy site of its own for every test, copied from one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.audit import lab_site
from tests.audit.lab_site import LabSite


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "site"
    path.parent.chmod(0o755)
    lab_site.make(path)
    return path


@pytest.fixture
def lab(healthy: Path, tmp_path: Path) -> LabSite:
    tmp_path.chmod(0o755)
    shutil.copytree(healthy, tmp_path / "site", symlinks=True)
    return LabSite(tmp_path / "site")
