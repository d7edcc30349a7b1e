"""Looking into an initramfs: every packing, several archives in a row, damage and attacks."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sbctui.engine.boot.contents import Contents, read_contents
from sbctui.engine.errors import BadInput
from tests.boot.initrds import EXT4, FOLDER, JBD2, NBD, VERSION, WHOLE, cpio, packed, without

PACKINGS = ("plain", "gzip", "xz", "lzma", "bzip2", "zstd", "lz4")


def read(folder: Path, data: bytes) -> Contents:
    path = folder / "initrd.img"
    path.write_bytes(data)
    return read_contents(path)


def is_whole(found: Contents) -> bool:
    lacks = [found.lacks(VERSION, module, frozenset()) for module in ("nbd", "ext4")]
    return found.client and found.script == "initramfs-tools" and lacks == [(), ()]


@pytest.mark.parametrize("how", PACKINGS)
def test_every_packing_is_read(tmp_path: Path, how: str) -> None:
    assert is_whole(read(tmp_path, packed(cpio(WHOLE), how)))


@pytest.mark.parametrize("how", PACKINGS)
def test_what_comes_after_an_early_archive_is_read_as_well(tmp_path: Path, how: str) -> None:
    early = cpio({"kernel/x86/microcode/GenuineIntel.bin": b"m" * 5001})
    assert is_whole(read(tmp_path, early + early + packed(cpio(WHOLE), how)))


@pytest.mark.parametrize("how", ["gzip", "xz", "zstd"])
def test_several_packed_archives_in_a_row_are_one_initramfs(tmp_path: Path, how: str) -> None:
    first = packed(cpio({NBD: b"module"}), how)
    rest = packed(cpio(without(NBD)), how)
    assert is_whole(read(tmp_path, first + rest))


def test_names_with_a_dot_and_a_slash_before_them_are_the_same(tmp_path: Path) -> None:
    dotted = {f"./{name}": data for name, data in WHOLE.items()}
    assert is_whole(read(tmp_path, cpio(dotted)))


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("scripts/local-top/nbd", "initramfs-tools"),
        ("usr/sbin/nbdroot", "dracut"),
        ("var/lib/dracut/hooks/cmdline/01-parse-nbdroot.sh", "dracut"),
        ("hooks/nbd", "mkinitcpio"),
        ("etc/nbdtab", ""),
    ],
)
def test_who_looks_for_the_root(tmp_path: Path, name: str, script: str) -> None:
    files = {**without("scripts/local-top/nbd"), name: b"#!/bin/sh\n"}
    assert read(tmp_path, cpio(files)).script == script


@pytest.mark.parametrize("client", ["usr/sbin/nbd-client", "bin/nbdlink"])
def test_an_init_that_calls_the_client_itself_will_do(tmp_path: Path, client: str) -> None:
    init = f"#!/bin/sh\nexec {Path(client).name} $server\n".encode()
    files = without("scripts/local-top/nbd", "usr/sbin/nbd-client", init=init)
    found = read(tmp_path, cpio({**files, client: b"ELF"}))
    assert found.client
    assert found.script == "init"


@pytest.mark.parametrize(
    ("gone", "module", "lacks"),
    [
        (NBD, "nbd", ("nbd",)),
        (EXT4, "ext4", ("ext4",)),
        (JBD2, "ext4", ("jbd2",)),
        ("init", "ext4", ()),
    ],
)
def test_a_module_and_what_it_needs(
    tmp_path: Path, gone: str, module: str, lacks: tuple[str, ...]
) -> None:
    found = read(tmp_path, cpio(without(gone)))
    assert found.lacks(VERSION, module, frozenset()) == lacks
    assert found.lacks(VERSION, module, frozenset(lacks)) == ()
    assert found.lacks("6.1.0-9-arm64", module, frozenset()) == (module,)


def test_what_the_kernel_has_built_in_is_not_missing(tmp_path: Path) -> None:
    builtin = b"kernel/drivers/block/nbd.ko\nkernel/fs/jbd2/jbd2.ko\n"
    files = without(NBD, JBD2, **{f"{FOLDER}/modules.builtin": builtin})
    assert is_whole(read(tmp_path, cpio(files)))


@pytest.mark.parametrize("how", PACKINGS)
def test_one_that_is_cut_off_is_said_to_be(tmp_path: Path, how: str) -> None:
    data = packed(cpio({**WHOLE, "more": bytes(range(256)) * 400}), how)
    with pytest.raises(BadInput, match=r"initrd\.img is (damaged|cut off)"):
        read(tmp_path, data[: len(data) * 2 // 3])


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 900, b"hello", b"\x1f\x8b" + b"x" * 90, b"070701" + b"zz" * 90,
     gzip.compress(b"no archive at all"), b"070701" + b"F" * 104 + b"x" * 9000],
    ids=["nothing", "zeros", "text", "no gzip", "no numbers", "no archive", "a long name"],
)  # fmt: skip
def test_what_is_no_initramfs_is_refused_in_one_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadInput, match=r"^initrd\.img is ") as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)
