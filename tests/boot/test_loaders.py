"""iPXE for PCs: links to the distribution's, for PCs alone, and the admin's own stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.boot.loaders import BIOS, LOADERS, UEFI
from tests.boot.initrds import whole_for
from tests.cli.conftest import NETWORK
from tests.cli.program import MAC, Program

PC = bytes(510) + b"\x55\xaa" + b"HdrS" + bytes(4000)
"""A kernel for x86 by its boot sector's mark and its header's."""


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    boot = tmp_path / "tree/boot"
    boot.mkdir(parents=True)
    data = bytearray(PC)
    data[0x202:0x206] = b"HdrS"
    (boot / "vmlinuz-6.1").write_bytes(bytes(data))
    (boot / "initrd.img-6.1").write_bytes(whole_for("6.1"))
    made = Program(tmp_path / "site", capsys)
    made.ok("site", "init", *NETWORK)
    given = ("--from", str(tmp_path / "tree"), "--size", "64M", "-y")
    made.ok("root", "create", "pc", *given)
    made.ok("leaf", "create", "pc", f"{MAC.format(1)},pc-01", "-y")
    return made


def folder(program: Program) -> Path:
    return program.site / "nodes" / MAC.format(1).replace(":", "-") / "boot"


def off(program: Program) -> list[str]:
    found = program("audit", "--json").json["findings"]
    return [one["title"] for one in found if one["group"] != "service"]


def test_a_pcs_folder_leads_to_ipxe_and_the_links_come_back(program: Program) -> None:
    links = {name: str((folder(program) / name).readlink()) for name in LOADERS}
    assert links == dict(LOADERS)
    assert off(program) == []
    (folder(program) / BIOS).unlink()
    assert len(off(program)) == 1
    program.ok("services", "apply", "-y")
    assert off(program) == []
    assert str((folder(program) / BIOS).readlink()) == LOADERS[BIOS]


def test_what_the_admin_puts_in_their_place_stays(program: Program) -> None:
    for name in (BIOS, UEFI):
        (folder(program) / name).unlink()
    (folder(program) / BIOS).write_bytes(b"mine")
    (folder(program) / UEFI).symlink_to("mine.efi")
    program.ok("services", "apply", "-y")
    assert (folder(program) / BIOS).read_bytes() == b"mine"
    assert str((folder(program) / UEFI).readlink()) == "mine.efi"
    assert off(program) == []


def test_where_it_is_not_installed_the_package_is_named(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = dict.fromkeys(LOADERS, "/nowhere/program")
    for user in ("boot.check", "boot.served", "doctor"):
        monkeypatch.setattr(f"sbctui.engine.{user}.LOADERS", missing)
    (folder(program) / BIOS).unlink()
    (folder(program) / BIOS).symlink_to("/nowhere/program")
    lacks = program("boot", "check", "pc-01", "--json").json["check"]["lacks"]
    (lack,) = [one for one in lacks if one["part"] == "boot program"]
    assert (lack["file"], lack["remedy"], lack["stops"]) == (BIOS, "apt-get install ipxe", False)
    checks = program("doctor", "--json").json["checks"]
    (check,) = [one for one in checks if one["name"] == "pc boot"]
    assert check["verdict"] == "warn"
    assert check["remedy"].endswith("apt-get install ipxe")
