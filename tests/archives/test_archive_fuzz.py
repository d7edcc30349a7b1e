"""Archives that nobody thought of: they are taken or refused, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.archives import tars
from tests.archives.fuzz import breed, judge, mutated, seeds

FEW, MANY = 1500, 100_000
NAMES = some.sampled_from(
    ["root.img", "boot/k", "boot/", "boot/k/x", "config.json", "x/root.img", "x/boot/a", "..", "/"]
) | some.text(max_size=12)
SIZES = some.integers(-1, 2**40) | some.sampled_from([0, 512, 2**33, 2**63, 2**64])


@some.composite
def members(draw: some.DrawFn) -> bytes:
    """A member whose parts agree, or not."""
    name = draw(NAMES)
    data = draw(some.binary(max_size=1500))
    records = draw(
        some.dictionaries(
            some.sampled_from(
                ["path", "size", "linkpath", "GNU.sparse.major", "GNU.sparse.minor",
                 "GNU.sparse.name", "GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.map"]
            ),
            NAMES | SIZES.map(str) | some.sampled_from(["1", "0", "0,512", "0,1,5,7"]),
            max_size=4,
        )
    )  # fmt: skip
    kind = draw(some.sampled_from([b"0", b"\0", b"1", b"2", b"5", b"S", b"7", b"x"]))
    raw = name.encode("utf-8", "surrogatepass")[:100]
    head = (
        tars.pax({k: v.encode("utf-8", "surrogatepass") for k, v in records.items()})
        if records
        else b""
    )
    return head + tars.member(raw, data, kind)


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(some.lists(members(), max_size=5), some.sampled_from([bytes, tars.gz, tars.zstd]))
def test_members_of_any_shape(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], pack: type[bytes]
) -> None:
    judge(pack(tars.tar(*parts)), tmp_path_factory.mktemp("any"))


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(some.sampled_from(seeds()), some.sampled_from(seeds()), some.randoms(use_true_random=False))
def test_children_of_known_ones(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, other: bytes, dice: object
) -> None:
    judge(mutated(data, other, dice), tmp_path_factory.mktemp("any"))  # type: ignore[arg-type]


def test_some_bred_ones(tmp_path: Path) -> None:
    tried, kept, lines = breed(tmp_path, 7, lambda tried: tried >= FEW)
    assert tried == FEW
    assert kept > len(seeds())
    assert lines > 300


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_bred_ones(tmp_path: Path) -> None:
    assert breed(tmp_path, 11, lambda tried: tried >= MANY)[0] == MANY
