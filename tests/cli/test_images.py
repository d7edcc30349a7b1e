"""The folder of images, and default roots by board model."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.errors import BadInput
from sbctui.engine.images import images
from sbctui.engine.model.boardmodel import default_root, root_for
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Facts, Seen, Site
from sbctui.engine.store import read_settings
from tests.cli.program import Program
from tests.images import MIB, ext4, noise, run

SIZE = 16 * MIB
PI = "Raspberry Pi 4B, 4 GB"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it grows with the years."""
    made = tmp_path_factory.mktemp("kept")
    scratch = tmp_path_factory.mktemp("scratch")
    tree = scratch / "tree"
    for name in ("etc", "usr", "boot"):
        (tree / name).mkdir(parents=True)
    (tree / "etc/hostname").write_text("board\n")
    ext4(made / "armbian.img", tree, SIZE)
    run("xz", "-1", "-k", made / "armbian.img")
    run("tar", "-C", tree, "-czf", made / "arch.tar.gz", ".")
    whole = (made / "armbian.img").read_bytes()
    (made / "cut.img.gz").write_bytes(gzip.compress(whole[:MIB], 1)[:900])
    (made / "short.img").write_bytes(whole[: 4 * MIB])
    (made / "noise.img").write_bytes(noise(MIB))
    (made / "empty.img").touch()
    (made / "README.txt").write_text("not an image")
    (made / ".hidden.img").write_bytes(whole[:MIB])
    (made / "gone.img").symlink_to("nowhere")
    (made / "debootstrap" / "etc").mkdir(parents=True)
    (made / "debootstrap" / "usr").mkdir()
    (made / "just a folder").mkdir()
    return made


def test_each_image_is_told_or_why_it_is_none(folder: Path) -> None:
    found = {one.name: one for one in images(folder)}
    kinds = {name: one.kind for name, one in found.items()}
    assert kinds == {
        "arch.tar.gz": "tar", "armbian.img": "image", "armbian.img.xz": "image",
        "cut.img.gz": "", "debootstrap": "directory", "empty.img": "", "gone.img": "",
        "noise.img": "", "short.img": "",
    }  # fmt: skip
    assert found["armbian.img.xz"].disk == found["armbian.img"].disk == SIZE
    assert (found["armbian.img.xz"].packed, found["armbian.img"].filesystem) == ("xz", "ext4")
    assert "cut off" in found["short.img"].fault
    assert "neither a disk image nor a tar" in found["noise.img"].fault
    assert "empty" in found["empty.img"].fault
    assert all(one.fault for one in found.values() if not one.kind)


def test_the_folder_is_set_listed_and_completed(sbctui: Program, folder: Path) -> None:
    assert "image folder PATH" in sbctui("image", "list").sentence
    assert sbctui("image", "folder", "/nowhere", "-y").code == 2
    plan = sbctui.ok("image", "folder", str(folder), "--dry-run", "-o", "json").json["plan"]
    assert plan["settings"] == {"images": str(folder)}
    assert sbctui("image", "list").code == 3
    sbctui.ok("image", "folder", str(folder), "-y")
    listed = sbctui.ok("image", "list", "-o", "json").json
    assert listed["folder"] == str(folder)
    by_name = {one["name"]: one for one in listed["images"]}
    assert by_name["armbian.img"]["size"] == SIZE
    assert by_name["short.img"]["kind"] is None
    assert "short.img" in sbctui.ok("image", "list").out
    assert str(folder) in sbctui.ok("site", "show").out
    from sbctui.cli.completing import complete
    from sbctui.cli.place import Place

    place = Place(str(sbctui.site))
    found = [value for value, _ in complete(["root", "create", "x", "--from"], "", place)]
    assert f"{folder}/armbian.img" in found
    assert not any("README" in value for value in found)
    sbctui.ok("image", "folder", "--none", "-y")
    assert sbctui("image", "list").code == 3


def test_a_model_gets_a_default_root(sbctui: Program) -> None:
    assert sbctui("image", "model", PI, "no-such-root", "-y").code == 4
    assert sbctui("image", "model", "x\ny", "spare", "-y").code == 2
    assert sbctui("image", "model", PI, "--none", "-y").code == 3
    sbctui.ok("image", "model", "Raspberry Pi 4*", "spare", "-y")
    sbctui.ok("image", "model", "raspberry pi 4B*", "debian12", "-y")
    found = sbctui.ok("image", "models", "-o", "json").json["models"]
    assert found[0] == {"model": "Raspberry Pi 4*", "root": "spare", "there": True}
    settings = read_settings(sbctui.site)
    assert default_root(settings, PI) == "debian12"
    assert default_root(settings, "Raspberry Pi 400") == "spare"
    assert default_root(settings, "Raspberry Pi 5") is None
    assert "Raspberry Pi 4*: spare" in sbctui.ok("site", "show").out
    sbctui.ok("image", "model", "raspberry pi 4B*", "--none", "-y")
    assert default_root(read_settings(sbctui.site), PI) == "spare"


def test_a_leaf_without_a_root_wants_a_known_model(sbctui: Program) -> None:
    ran = sbctui("leaf", "create", "dc:a6:32:09:09:09", "-y")
    assert ran.code == 2
    assert "the model of dc:a6:32:09:09:09 is not known" in ran.sentence


def site(*seen: Seen, **models: str) -> Site:
    settings = Settings.model_validate(
        {"models": {k.replace("_", " "): v for k, v in models.items()}}
    )
    return replace(Site(Path("/x"), settings), facts=Facts(seen=seen))


def heard(mac: str, model: str) -> Seen:
    return Seen(mac, 0.0, 0.0, 1, model=model)


def test_boards_that_asked_share_a_root_or_are_refused() -> None:
    one, two = heard("02:00:00:00:00:01", PI), heard("02:00:00:00:00:02", "Rock 5")
    both = site(one, two, **{"Raspberry_Pi*": "debian", "Rock*": "armbian"})
    assert root_for(both, [one.mac]) == "debian"
    with pytest.raises(BadInput, match=r"several default roots: debian .*armbian"):
        root_for(both, [one.mac, two.mac])
    with pytest.raises(BadInput, match="no default root"):
        root_for(site(one), [one.mac])


@given(st.text(max_size=80))
def test_any_text_is_a_model_or_not_and_harms_nothing(text: str) -> None:
    settings = Settings.model_validate({"models": {"*": "debian"}})
    assert default_root(settings, text) == ("debian" if text else None)
