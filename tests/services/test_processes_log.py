"""What a daemon's log is quoted with when it has ended."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.services.processes import last_line


def test_the_last_line_is_the_one_that_says_why(tmp_path: Path) -> None:
    log = tmp_path / "dnsmasq.log"
    log.write_text(
        "Nov 21 07:00:00 dnsmasq[1]: failed to create listening socket: Address in use\n"
        "Nov 21 07:00:00 dnsmasq[1]: FAILED to start up\n\n"
    )
    assert last_line(log).endswith("Address in use")


def test_only_what_came_since_is_quoted_and_nothing_drives_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "gate.log"
    log.write_bytes(b"old\nnew \x1b[31mred\n")
    assert last_line(log, 4) == "new \\x1b[31mred"
    assert last_line(log, 100) == ""
    assert last_line(tmp_path / "missing") == ""
