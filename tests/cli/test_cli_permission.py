"""What the user may not read: one sentence that says where, and exit code 5, whatever the verb."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sbctui.cli.main import run
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model import requests as ask
from sbctui.engine.model.settings import Settings
from tests.archives.place import make_root
from tests.faults import harness
from tests.repository.conftest import add, done

NOBODY = 65534
PERMISSION = 5
OWN, ELSEWHERE = "s/repo", "lab"
KITCHEN = f"{OWN}/groups/kitchen"


@dataclass(frozen=True)
class Place:
    """A folder that an ordinary user owns, and in it his site ``s``."""

    folder: Path
    user: int | None

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a verb, as that user, in a child of ours."""
        said = harness.in_child(lambda: self._said(words))
        assert said is not None
        code, out = json.loads(said)
        return code, out

    def _said(self, words: tuple[str, ...]) -> tuple[int, str]:
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = run(["--site", str(self.folder / "s"), *words])
        return code, out.getvalue()


@pytest.fixture(scope="module")
def furnished() -> Iterator[Place]:
    """Images in the site's own repository, in a folder, and in a cache."""
    with tempfile.TemporaryDirectory(prefix="permission-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        init_site(folder / "s", Settings())
        engine = Engine(folder / "s")
        make_root(engine, "pi")
        for repository, kind in (("lab", "folder"), ("disk", "cache")):
            (folder / repository).mkdir()
            add(engine, repository, kind=kind, place=str(folder / repository))
        done(engine, ask.ExportRoot(name="pi", target=engine.target("repo:d/pi.tar.zst")))
        (folder / KITCHEN / "pi").mkdir(parents=True)
        (folder / KITCHEN / "pi/motd").write_text("laid\n")
        (folder / "macs.csv").write_text("dc:a6:32:00:00:01,,kitchen\n")
        spec = ask.LeafSpec(mac="dc:a6:32:00:00:02", alias="pi-02", group="kitchen")
        done(engine, ask.CreateLeaves(root="pi", leaves=(spec,)))
        shutil.copytree(folder / OWN, folder / "lab", dirs_exist_ok=True)
        done(engine, ask.UpdateCache(repository="lab", path="", cache="disk"))
        user = None
        if os.geteuid() == 0:
            user = NOBODY
            subprocess.run(["chown", "-R", f"{user}:{user}", folder], check=True)
        yield Place(folder, user)


@pytest.fixture
def closed(furnished: Place, request: pytest.FixtureRequest) -> Iterator[Place]:
    """One folder or file of it may not be read now."""
    path = furnished.folder / request.param
    mode = path.stat().st_mode & 0o7777
    path.chmod(0)
    try:
        yield furnished
    finally:
        path.chmod(mode)


IMAGE = "images/d/pi.tar.zst"
TABLE = [
    (OWN, "repo tree"),
    (OWN, "repo check"),
    (OWN, "repo sidefiles"),
    (OWN, "repo index -y"),
    (OWN, "archive list repo:d/pi.tar.zst"),
    (OWN, "root import repo:d/pi.tar.zst --name again -y"),
    (OWN, "root export pi repo:d/new.tar.zst -y"),
    (OWN, "cache update repo -y"),
    (f"{OWN}/images", "repo tree"),
    (f"{OWN}/images/d", "repo tree"),
    (f"{OWN}/{IMAGE}", "repo check"),
    (f"{OWN}/{IMAGE}", "repo sidefiles --check"),
    (ELSEWHERE, "repo tree lab"),
    (ELSEWHERE, "repo check lab"),
    (ELSEWHERE, "cache update lab -y"),
    (ELSEWHERE, "archive list lab:d/pi.tar.zst"),
    (f"{ELSEWHERE}/images/d", "repo tree lab"),
    (KITCHEN, "leaf create pi --macs {folder}/macs.csv -y"),
    (f"{OWN}/groups", "leaf create pi --macs {folder}/macs.csv -y"),
    (KITCHEN, "overlay apply pi-02 -y"),
    ("disk", "cache verify"),
    ("disk", "cache update lab -y"),
    ("disk", "cache serve -y"),
    ("disk", "cache restore cache:d/pi.tar.zst -y"),
    (f"disk/{IMAGE}", "cache verify"),
]


@pytest.mark.parametrize(("closed", "words"), TABLE, indirect=["closed"])
def test_it_is_said_with_exit_code_5(closed: Place, words: str) -> None:
    code, said = closed.run(*words.format(folder=closed.folder).split(), "--json")
    assert code == PERMISSION, (code, said)
    told = json.dumps(json.loads(said))
    assert "permission denied" in told or "may not be read" in told


@pytest.mark.parametrize("closed", [OWN, ELSEWHERE, "disk"], indirect=True)
def test_a_list_of_all_tells_which(closed: Place) -> None:
    code, said = closed.run("repo", "list", "--json")
    (shut,) = [one for one in json.loads(said)["repositories"] if one["state"] != "ready"]
    assert "permission denied" in shut["told"]
    assert code == 0


@pytest.mark.parametrize("closed", [KITCHEN], indirect=True)
def test_an_overlay_that_may_not_be_read_is_no_empty_one(closed: Place) -> None:
    code, said = closed.run("audit", "--json")
    (found,) = [one for one in json.loads(said)["findings"] if "kitchen" in one["id"]]
    assert found["id"] == "overlay-fault:repo/groups/kitchen"
    code, said = closed.run("overlay", "show", "pi-02", "--json")
    assert (code, "may not be read" in said) == (8, True)
