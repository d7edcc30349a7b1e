"""Archives that want to do harm, or were damaged: each with what the refusal has to name."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.archives import tars
from tests.archives.tars import (
    END,
    MIB,
    RECORD,
    block,
    config,
    disk,
    field,
    gz,
    member,
    pax,
    raw_pax,
    record,
    sparse,
    tar,
    xz,
    zstd,
)

Case = tuple[str, bytes, str]
"""Its own name, the archive, and a part of the refusal."""
TIB = 1024**4


def cases() -> Iterator[Case]:
    yield from names()
    yield from kinds()
    yield from twice()
    yield from lying_maps()
    yield from sizes()
    yield from bombs()
    yield from headers()
    yield from packing()
    yield from manifests()


def names() -> Iterator[Case]:
    for number, name in enumerate(
        (
            "/etc/passwd",
            "//etc/passwd",
            "../root.img",
            "../../sentinel",
            "boot/../../sentinel",
            "boot/../root.img",
            "boot/..",
            "web/../../sentinel",
            "./../sentinel",
            "boot//../x",
            "boot//x",
            "boot/a\nb",
            "boot/a\x1b[31mb",
            "boot/\x1b]0;title\x07",
            "boot/a\rb",
            "boot/a\tb",
            "boot/a\x7fb",
            "boot/a\u202eb",
            "boot/a\u200bb",
            "boot/a\u2028b",
            "boot/\ufeffx",
            "boot/a\\..\\b",
            "C:\\root.img",
            "notes.txt",
            "root.img.bak",
            "nodes/web/root.img",
            "boot",
            "config.json/x",
            "root.img/x",
            ".config.json.renamed",
            "boot/" + "/".join("abcdefghijkl"),
            "lost+found/x",
        )
    ):
        told = "x0a" if "\n" in name else "member"
        yield f"name {number}", tar(pax({"path": name}), member("x", b"x"), disk()), told
    yield "name of bytes", tar(member(b"boot/\xff\xfe", b"x"), disk()), "boot/"
    yield (
        "name with a byte of its own in pax",
        tar(pax({"path": b"boot/\xff"}), member("x", b"x"), disk()),
        "boot/",
    )
    yield "empty name", tar(member(b"", b"x"), disk()), "leads elsewhere"
    yield "dot as a file", tar(member(b".", b"x"), disk()), "'.'"
    yield "long part", tar(pax({"path": "boot/" + "a" * 300}), member("x"), disk()), "too long"
    yield (
        "long name by GNU",
        tar(member("././@LongLink", b"../../sentinel\0", b"L"), member("x", b"x"), disk()),
        "sentinel",
    )
    yield "prefix leads out", tar(member("sentinel", b"x", prefix=b"../.."), disk()), "sentinel"
    yield (
        "sparse name leads out",
        tar(sparse([1, 0, 512], b"x" * 512, 512, name="../../sentinel")),
        "sentinel",
    )
    yield (
        "two leading folders",
        tar(member("web/boot/k", b"x"), disk(name="else/root.img")),
        "else",
    )
    yield "folder above", tar(member("../", b"", b"5"), disk()), "'../'"
    yield "folder outside", tar(member("/tmp/x/", b"", b"5"), disk()), "/tmp/x/"
    yield "strange folder", tar(disk(), member("etc/", b"", b"5")), "etc"
    yield "NUL hides an end", tar(pax({"path": "boot/a\0b"}), member("x", b"x"), disk()), "boot/a"


def kinds() -> Iterator[Case]:
    for kind in (b"1", b"2", b"3", b"4", b"6", b"D", b"M", b"V", b"Z", b"\xff"):
        for name in ("boot/vmlinuz", "root.img", "config.json"):
            wrong = block(name.encode(), kind=kind, link=b"/etc/passwd")
            yield f"{name} of the type {kind!r}", tar(wrong, disk()), name
        yield f"a stranger of the type {kind!r}", tar(block(b"x", kind=kind), disk()), "'x'"
    out = b"../../../sentinel"
    for name in ("boot/boot.scr", "boot/pxelinux.cfg", "boot/dc-a6-32-00-00-01"):
        for kind in (b"1", b"2"):
            yield (
                f"link out by {name} {kind!r}",
                tar(block(name.encode(), kind=kind, link=out), disk()),
                name,
            )
    yield (
        "file through a link",
        tar(block(b"boot/x", kind=b"2", link=b"../.."), member("boot/x/sentinel", b"x"), disk()),
        "boot/x",
    )
    yield (
        "link over a file",
        tar(member("boot/x", b"x"), block(b"boot/x", kind=b"2", link=b"."), disk()),
        "boot/x",
    )
    yield "disk is a folder", tar(member("root.img/", b"", b"5")), "root.img"


def twice() -> Iterator[Case]:
    yield "two disks", tar(disk(), disk()), "root.img"
    yield "two disks by other names", tar(disk(), disk(name="./root.img")), "root.img"
    yield "two configs", tar(config(), config(), disk()), "config.json"
    yield "two boot files", tar(member("boot/k"), member("boot/./k"), disk()), "boot/./k"
    yield "file then folder", tar(member("boot/k"), member("boot/k/", b"", b"5"), disk()), "boot/k"
    yield "folder then file", tar(member("boot/k/", b"", b"5"), member("boot/k"), disk()), "boot/k"
    yield "below a file", tar(member("boot/k"), member("boot/k/x"), disk()), "boot/k/x"
    yield "both disks", tar(disk(), disk(name="root.diff")), "root.diff"
    yield "an overlay", tar(disk(name="root.qcow2")), "root.qcow2"
    yield "no disk", tar(config()), "no disk"
    yield "a difference alone", tar(disk(name="root.diff")), "root.diff"
    yield (
        "too many",
        tar(*(member(f"boot/{number}") for number in range(10_001)), disk()),
        "more than",
    )


def lying_maps() -> Iterator[Case]:
    data = b"x" * 512
    where = "root.img"
    yield "map goes back", tar(sparse([2, 4096, 512, 0, 512], data * 2, 8192)), where
    yield "map overlaps", tar(sparse([2, 0, 512, 256, 512], data * 2, 8192)), where
    yield "map beyond the end", tar(sparse([1, 8192, 512], data, 8192)), where
    yield "map reaches over the end", tar(sparse([1, 0, 1024], data * 2, 600)), where
    yield "map has more than there is", tar(sparse([1, 0, 4096], data, 8192)), where
    yield "map has less than there is", tar(sparse([1, 0, 512], data * 4, 8192)), where
    yield "map is cut off", tar(sparse([5, 0, 512], data, 8192)), where
    yield "map without an end", tar(sparse(b"1", b"", 8192)), where
    yield "map counts wrong", tar(sparse([10**9, 0, 512], data, 8192)), where
    yield "map counts below zero", tar(sparse(b"-1\n0\n512\n", data, 8192)), where
    yield "map below zero", tar(sparse(b"1\n-512\n512\n", data, 8192)), where
    yield "map of words", tar(sparse(b"one\n0\n512\n", data, 8192)), where
    yield "map of other digits", tar(sparse("1\n٠\n512\n".encode(), data, 8192)), where
    yield "map overflows", tar(sparse([1, 2**64, 512], data, 8192)), where
    yield "map overflows by its sum", tar(sparse([1, 2**63 - 1, 2**63 - 1], data, 8192)), where
    yield "map of one long line", tar(sparse(b"1" * 4096, data, 8192)), where
    yield "real size below zero", tar(sparse([1, 0, 512], data, -1)), where
    yield "real size overflows", tar(sparse([1, 0, 512], data, 2**70)), where
    yield (
        "no real size",
        tar(
            pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": where})
            + member("x", padded_map([1, 0, 512]) + data)
        ),
        where,
    )
    yield (
        "unknown version",
        tar(
            pax({"GNU.sparse.major": "2", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "512"})
            + member(where, data)
        ),
        where,
    )
    yield (
        "0.1 that lies",
        tar(
            pax({"GNU.sparse.size": "512", "GNU.sparse.map": "0,512,512,512"}) + member(where, data)
        ),
        where,
    )
    yield (
        "0.1 that is odd",
        tar(pax({"GNU.sparse.size": "512", "GNU.sparse.map": "0,512,7"}) + member(where, data)),
        where,
    )
    yield (
        "0.0 that is odd",
        tar(
            raw_pax(record("GNU.sparse.size", "9") + record("GNU.sparse.offset", "0"))
            + member(where, data)
        ),
        where,
    )
    yield "old GNU that lies", tar(old_gnu([(0, 512), (256, 512)], 1024, 1024), data * 2), where
    yield "old GNU beyond", tar(old_gnu([(2**60, 512)], 1024, 512), data), where
    yield "old GNU without an end", old_gnu([(0, 512)], 1024, 512, more=True), "cut off"
    yield (
        "old GNU of endless blocks",
        tar(old_gnu([(0, 512)], 1024, 512, more=True) + endless() * 50_000),
        where,
    )


def padded_map(lines: list[int]) -> bytes:
    return tars.padded(b"".join(b"%d\n" % line for line in lines))


def old_gnu(ranges: list[tuple[int, int]], real: int, size: int, *, more: bool = False) -> bytes:
    """The header of an old GNU sparse file."""
    tail = bytes(41) + b"".join(field(a, 12) + field(b, 12) for a, b in ranges).ljust(96, b"\0")
    tail += (b"\1" if more else b"\0") + field(real, 12)
    return block(
        b"root.img", field(size, 12), b"S", magic=b"ustar  \0", tail=tail.ljust(155, b"\0")
    )


def endless() -> bytes:
    """A block of 21 more ranges that says that there are more."""
    return (b"".join(field(512, 12) + field(0, 12) for _ in range(21)) + b"\1").ljust(512, b"\0")


def binary(number: int) -> bytes:
    return b"\x80" + number.to_bytes(11, "big")


def sizes() -> Iterator[Case]:
    for number, size in enumerate(
        (
            binary(2**80),
            binary(2**63),
            binary(65 * TIB),
            b"\xff" * 12,
            b"\xff" + b"\0" * 11,
            b"-0000000001\0",
            b"0000000000x\0",
            b"99999999999\0",
            b"0x100000000\0",
            "٠".encode().ljust(12, b"\0"),
        )
    ):
        yield f"size {number}", tar(block(b"root.img", size)), "root.img"
    for number, said in enumerate(("-1", "1e9", "", " 12", "0x10", str(2**70), "1" * 400, "٣")):
        yield f"size by pax {number}", tar(pax({"size": said}), member("root.img")), "root.img"
    yield "size of all others", tar(pax({"size": "1"}, b"g"), disk()), "size"
    yield "name of all others", tar(pax({"path": "boot/x"}, b"g"), disk()), "path"
    yield "map of all others", tar(pax({"GNU.sparse.size": "1"}, b"g"), disk()), "GNU.sparse"


def bombs() -> Iterator[Case]:
    zeros = bytes(4 * MIB)
    for pack in (zstd, gz, xz):
        yield (
            f"10 TiB of zeros, {pack.__name__}",
            pack(block(b"root.img", binary(10 * TIB)) + zeros),
            "root.img",
        )
    yield "10 TiB of boot file", zstd(block(b"boot/k", binary(10 * TIB)) + zeros), "boot/k"
    yield "10 TiB of config", zstd(block(b"config.json", binary(10 * TIB)) + zeros), "config.json"
    yield (
        "10 TiB of manifest",
        zstd(block(b"manifest.json", binary(10 * TIB)) + zeros),
        "manifest.json",
    )
    yield "10 TiB of a pax header", zstd(block(b"x", binary(10 * TIB), b"x") + zeros), "too long"
    yield "10 TiB of a name", zstd(block(b"x", binary(10 * TIB), b"L") + zeros), "too long"
    yield "60 TiB of hole", tar(sparse([1, 0, 512], b"x" * 512, 60 * TIB)), "root.img"
    yield "zeros behind the end", zstd(tar(disk()) + bytes(64 * MIB)), "behind its end"
    yield (
        "boot files without end",
        tar(*(block(b"boot/%d" % n, binary(MIB * 1024)) for n in range(1)), b""),
        "cut off",
    )
    yield "boot files too large", tar(block(b"boot/k", binary(3 * 1024 * MIB))), "boot/k"
    yield (
        "config too large",
        tar(block(b"config.json", field(5 * MIB, 12)), bytes(5 * MIB)),
        ("config.json"),
    )


def headers() -> Iterator[Case]:
    yield "wrong checksum", tar(block(b"boot/k", wrong=True), disk()), "boot/k"
    yield "checksum of words", tar(broken_sum(disk())), "root.img"
    for number, data in enumerate(
        (
            b"x",
            b"9999 path=x\n",
            b"0 path=x\n",
            b"-5 path=x\n",
            b"12 path boot\n",
            b"11 path=ab",
            b"3 \n",
            b"05 a=b\n",
            "٩ path=x\n".encode(),
            b"99999999999999999999999 path=x\n",
        )
    ):
        yield f"pax of nonsense {number}", tar(raw_pax(data), disk()), "pax header"
    yield (
        "pax says it twice",
        tar(raw_pax(record("path", "boot/a") + record("path", "../b")), member("x"), disk()),
        "twice",
    )
    yield "pax at the end", tar(disk(), pax({"path": "boot/x"})), "ends"
    yield "one block of end", disk() + bytes(RECORD), "cut off"
    yield "no end", disk(), "cut off"
    yield "half a header", disk() + b"root", "cut off"
    yield "half the data", disk(b"x" * 8192)[:4096], "cut off"
    yield "something behind the end", tar(disk()) + b"#!/bin/sh\n", "behind its end"
    yield "nothing", b"", "cut off"
    yield "zeros", bytes(10240), "no disk"
    yield "a text", b"hello, world\n" * 100, "root create NAME --from"
    yield "a disk image", bytes(8192) + b"ext4" * 2048, "root create NAME --from"
    yield "ones", b"\xff" * 10240, "no archive of a node"


def broken_sum(data: bytes) -> bytes:
    return data[:148] + b"checksum" + data[156:]


def packing() -> Iterator[Case]:
    whole = tar(config(), member("boot/k", bytes(range(256)) * 40), disk(b"data" * 40_000))
    for pack in (zstd, gz, xz):
        packed = pack(whole)
        for part in (1, 2, 3, 5, 9):
            cut = packed[: len(packed) * part // 10]
            yield f"{pack.__name__} cut at {part} tenths", cut, "hostile.tar"
        yield f"{pack.__name__} but the last byte", packed[:-1], "hostile.tar"
        yield f"{pack.__name__} and more", packed + b"more", "hostile.tar"
    yield "zstd in zstd", zstd(zstd(whole)), "no archive"
    yield "wide window", window(whole), "damaged"


def window(data: bytes) -> bytes:
    """A frame that says it looks back two GiB."""
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3]) + b"\x01\x00\x00" + data[:0]


def manifests() -> Iterator[Case]:
    right = {
        "format": 1,
        "product": "sbctui",
        "made": "2026-11-21T00:00:00Z",
        "name": "web",
        "kind": "root",
        "disk": {"size": 4096, "data": 4096},
        "members": [],
    }
    texts: dict[str, object] = {
        "empty": b"",
        "no JSON": b"{",
        "a list": [],
        "nested": b"[" * 100_000,
        "format of words": {**right, "format": "one"},
        "format 0": {**right, "format": 0},
        "names nothing": right,
        "names what is not there": {
            **right, "members": [{"name": "boot/k", "size": 1, "sha256": "0" * 64}],
        },
        "wrong hash": {
            **right, "members": [{"name": "root.img", "size": 4096, "sha256": "0" * 64}],
        },
        "hash of words": {
            **right, "members": [{"name": "root.img", "size": 4096, "sha256": "x"}],
        },
        "size below zero": {**right, "disk": {"size": -1, "data": 0}},
        "other disk": {**right, "disk": {"file": "../root.img", "size": 1, "data": 1}},
        "a base for a whole disk": {
            **right, "disk": {"size": 4096, "data": 4096, "base": {
                "root": "web", "size": 4096, "sha256": "0" * 64}},
        },
    }  # fmt: skip
    for name, text in texts.items():
        data = text if isinstance(text, bytes) else json.dumps(text).encode()
        told = "root.img" if name in ("names nothing", "wrong hash") else "manifest"
        told = "boot/k" if "not there" in name else told
        told = "" if name == "a base for a whole disk" else told
        yield f"manifest: {name}", tar(disk(), member("manifest.json", data)), told
    yield (
        "newer manifest",
        tar(disk(), member("manifest.json", json.dumps({**right, "format": 2}).encode())),
        "newer",
    )


assert END
