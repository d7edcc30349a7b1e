"""The services through the command line: started, seen, applied, stopped, supervised."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import MAC, Program, until
from tests.nbdclient import board


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def served(fresh: Program) -> Iterator[Program]:
    """A site on the loopback interface's own subnet, stopped at the end whatever happens."""
    words = ("--subnet", "127.0.0.0/8", "--pool", "127.9.0.1-127.9.0.99", "--server", "127.0.0.1")
    fresh.ok("site", "init", *words)
    settings = fresh.site / "site.toml"
    text = settings.read_text().replace("[network]\n", f"[network]\nnbd_port = {free_port()}\n")
    settings.write_text(text)
    fresh.ok("root", "create", "one", "--size", "32M", "-y")
    yield fresh
    fresh("services", "stop", "--cut", "-y")


def states(sbctui: Program) -> dict[str, str]:
    found = sbctui("services", "status", "--json").json["services"]
    return {one["name"]: one["state"] for one in found}


def test_they_start_serve_and_stop(served: Program) -> None:
    served.ok("services", "start")
    off = {"dnsmasq": "off", "http": "off"}
    assert states(served) == {"storage": "running", "gate": "running", **off}
    served.ok("services", "start")
    served.ok("root", "allocate", "one", "--mac", MAC.format(1), "-y")
    assert served.ok("services", "apply", "-y").out.startswith("apply the services: 1 done")
    assert "running" in served.ok("site", "show").out
    audit = served("audit", "--json")
    assert audit.json == {"findings": []}
    assert audit.code == 0
    declined = served("services", "stop")
    assert declined.code == 1
    assert "--yes" in declined.err
    assert states(served)["gate"] == "running"
    served.ok("services", "stop", "-y")
    assert set(states(served).values()) <= {"stopped", "off"}
    served.ok("services", "stop")


def test_a_port_in_use_is_6_and_names_it(served: Program) -> None:
    line = next(x for x in (served.site / "site.toml").read_text().splitlines() if "nbd" in x)
    port = int(line.split("=")[1])
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        ran = served("services", "start")
        assert ran.code == 6, ran
        assert str(port) in ran.sentence
        assert served("services", "status").code == 6


def test_a_bad_site_toml_is_3_and_starts_nothing(served: Program) -> None:
    (served.site / "site.toml").write_text("frob = 1\n")
    assert served("services", "start").code == 3
    assert set(states(served).values()) <= {"stopped", "off"}


def test_supervise_runs_until_told_to_stop_and_leaves_the_daemons_up(
    served: Program, tmp_path: Path
) -> None:
    process = served.start("supervise")
    until(lambda: states(served)["gate"] == "running", 30)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    served.ok("services", "start")
    assert states(served)["storage"] == "running"


def test_a_root_is_cloned_and_the_services_begun_anew_under_its_board(served: Program) -> None:
    """Whatever the file system can: what is promised of the copy is said before and recorded."""
    served.ok("services", "start")
    served.ok("root", "allocate", "one", "--mac", MAC.format(1), "-y")
    ip = served("node", "show", "one", "--json").json["node"]["ip"]
    line = next(x for x in (served.site / "site.toml").read_text().splitlines() if "nbd" in x)
    port = int(line.rpartition(" ")[2])
    with board(port, MAC.format(1).replace(":", "-"), ip) as connected:
        plan = served.ok("root", "clone", "one", "copy", "--dry-run").out
        assert "crash-consistent" in plan
        before = served("services", "status", "--json").json["services"]
        assert "restart the services" in served.ok("services", "restart", "--dry-run").out
        served.ok("services", "restart", "gate")
        after = served("services", "status", "--json").json["services"]
        changed = [a["name"] for b, a in zip(before, after, strict=True) if a["pid"] != b["pid"]]
        assert changed == ["gate"]
        served.ok("root", "clone", "one", "copy", "-y")
        assert connected.read(1024 + 56, 2) == b"\x53\xef"  # ext4 (kernel, fs/ext4/ext4.h)
    copy = served("node", "show", "copy", "--json").json["node"]
    assert copy["promise"] == "crash-consistent"
    assert "crash-consistent" in served.ok("node", "show", "copy").out
    assert '"promise": "crash-consistent"' in (served.site / "nodes/copy/config.json").read_text()
    assert served("audit", "--json").json == {"findings": []}


def test_a_service_that_is_none_is_2(served: Program) -> None:
    assert served("services", "restart", "nothing").code == 2
