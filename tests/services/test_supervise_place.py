"""Logs that stay short and are never somebody else's file; times; what a daemon runs with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from sbctui.engine.errors import NotPermitted
from sbctui.engine.services import supervise_place
from sbctui.engine.services.processes import last_line
from sbctui.engine.services.supervise_place import (
    Pace,
    open_log,
    prepare_state,
    shorten_log,
    version_of,
)

ME = (os.geteuid(), os.getegid())


def test_a_log_is_shortened_under_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise_place, "_LOG_BYTES", 1000)
    log = tmp_path / "gate.log"
    writer = open_log(log, ME)
    try:
        os.write(writer, b"early line\n" * 50)
        assert not shorten_log(log, ME)
        os.write(writer, b"later line\n" * 50)
        assert shorten_log(log, ME)
        os.write(writer, b"newest\n")
    finally:
        os.close(writer)
    assert log.read_bytes() == b"newest\n"
    old = (tmp_path / "gate.log.1").read_bytes()
    assert len(old) == 1000
    assert old.endswith(b"later line\n")
    assert not shorten_log(tmp_path / "none.log", ME)


def test_a_log_that_is_a_link_is_never_written(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * (9 << 20))
    (tmp_path / "gate.log").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        open_log(tmp_path / "gate.log", ME)
    assert not shorten_log(tmp_path / "gate.log", ME)
    assert victim.stat().st_size == 9 << 20
    (tmp_path / "state").symlink_to(tmp_path)
    with pytest.raises(NotPermitted):
        prepare_state(tmp_path, ME)


def test_what_never_worked_waits_longer_than_what_died() -> None:
    pace = Pace()
    assert pace.delay(0, healthy=False) == 0
    broken = [pace.delay(tries, healthy=False) for tries in range(1, 12)]
    assert broken[:3] == [0.1, 0.2, 0.4]
    assert broken == sorted(broken)
    assert broken[-1] == pace.delay(10**6, healthy=False) == 30
    assert max(pace.delay(tries, healthy=True) for tries in range(100)) == 1


class Program:
    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments

    def argv(self) -> Sequence[str]:
        return ("program", *self.arguments)


def test_a_version_is_the_arguments_and_the_files_they_name(tmp_path: Path) -> None:
    config = tmp_path / "conf"
    config.write_text("one")
    first = version_of(Program(f"--conf-file={config}"))  # type: ignore[arg-type]
    assert version_of(Program(f"--conf-file={config}")) == first  # type: ignore[arg-type]
    config.write_text("two")
    assert version_of(Program(f"--conf-file={config}")) != first  # type: ignore[arg-type]
    assert version_of(Program("--port", "1")) != version_of(Program("--port", "2"))  # type: ignore[arg-type]


def test_the_last_line_is_one_safe_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old complaint\n")
    size = log.stat().st_size
    assert last_line(log) == "old complaint"
    assert last_line(log, size) == ""
    with log.open("ab") as file:
        file.write(b"bad \x1b[31m line\xff\n\n  \n")
    found = last_line(log, size)
    assert found.startswith("bad \\x1b[31m line")
    assert found.isprintable()
    assert last_line(tmp_path / "none") == ""
