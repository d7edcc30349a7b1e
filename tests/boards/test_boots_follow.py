"""Following the logs: live, rotated, cut in half, after a restart, with the clock set back."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sbctui.engine.boards.history import NAME, History
from sbctui.engine.model.boots import Boot
from sbctui.engine.services.boots import BootFollower
from sbctui.engine.services.hosts import hosts_dir, log_file
from sbctui.engine.services.ssh_probe import SshProbe
from tests.lab import until

MAC = "dc:a6:32:00:00:01"
DASHED = "dc-a6-32-00-00-01"
IP = "127.0.0.1"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    hosts_dir(tmp_path).mkdir(parents=True)
    (hosts_dir(tmp_path) / DASHED).write_text(f"{MAC},{IP}\n")
    boot = tmp_path / "derived" / "tftp" / DASHED
    boot.mkdir(parents=True)
    (boot / "vmlinuz").write_bytes(b"k" * 12345)
    log_file(tmp_path).parent.mkdir()
    log_file(tmp_path).touch()
    return tmp_path


def stamp(at: float) -> str:
    return time.strftime("%b %e %H:%M:%S", time.localtime(at))


def dhcp(words: str, at: float | None = None) -> str:
    return f"{stamp(at or time.time())} dnsmasq-dhcp[9]: 7 {words}\n"


def tftp(site: Path, words: str, path: str, at: float | None = None) -> str:
    file = site / "derived" / "tftp" / DASHED / path
    first, _, last = words.partition("*")
    return f"{stamp(at or time.time())} dnsmasq-tftp[9]: {first}{file}{last}\n"


def gate(words: str, at: float | None = None, why: str = "") -> str:
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at or time.time()))
    return f"{when} {words} {DASHED} {IP}:5000{why}\n"


def address(at: float | None = None) -> str:
    return "".join(
        dhcp(f"{what}(lab0) {ip}{MAC} ", at)
        for what, ip in (("DHCPDISCOVER", ""), ("DHCPOFFER", f"{IP} "), ("DHCPACK", f"{IP} "))
    )


def add(site: Path, text: str, name: str = "dnsmasq.log") -> None:
    with (log_file(site).parent / name).open("a") as file:
        file.write(text)


@contextmanager
def following(site: Path, port: int = 1) -> Iterator[BootFollower]:
    follower = BootFollower(site, probe=lambda: SshProbe(port))
    follower.begin()
    try:
        yield follower
    finally:
        follower.close()


def newest(follower: BootFollower) -> Boot | None:
    found = [boot for boot in follower.news(0).boots if boot.mac == MAC]
    return found[-1] if found else None


def test_a_boot_is_followed_live_with_sizes_until_its_ssh_port_answers(site: Path) -> None:
    with socket.create_server((IP, 0)) as ssh, following(site, ssh.getsockname()[1]) as follower:
        began = time.time()
        add(site, address())
        until(lambda: newest(follower), 2, "the board asks")
        add(site, tftp(site, "sent * to " + IP, "vmlinuz"))
        until(lambda: newest(follower).files, 2, "the file is known")
        (file,) = newest(follower).files
        assert (file.path, file.size, file.outcome) == ("vmlinuz", 12345, "sent")
        assert began <= file.at <= time.time()
        assert newest(follower).up is None
        add(site, gate("admitted"), "gate.log")
        add(site, gate("wrote"), "gate.log")
        until(lambda: newest(follower).up, 5, "the ssh port answers")
        assert newest(follower).write


def test_a_board_that_refuses_ssh_is_not_up_and_is_left_alone_once_it_is_gone(site: Path) -> None:
    with socket.create_server((IP, 0)) as taken:
        port = taken.getsockname()[1]
    with following(site, port) as follower:
        add(site, address() + tftp(site, "sent * to " + IP, "vmlinuz"))
        add(site, gate("admitted"), "gate.log")
        until(lambda: newest(follower) and newest(follower).disk, 3, "it has its disk")
        until(lambda: follower._probe.due(), 3, "it is asked by ssh")
        add(site, gate("ended", why=": connection lost"), "gate.log")
        until(lambda: not follower._probe.due(), 5, "nobody asks it any more")
        assert newest(follower).up is None


def test_it_goes_on_where_the_one_before_was_killed(site: Path) -> None:
    with following(site) as follower:
        add(site, address())
        until(lambda: newest(follower), 2, "the board asks")
    add(site, tftp(site, "sent * to " + IP, "vmlinuz"))
    log = log_file(site)
    log.rename(log.with_name("dnsmasq.log.1"))
    log.write_text(tftp(site, "file * not found for " + IP, "initrd.img"))
    with following(site) as follower:
        until(lambda: len(newest(follower).files) == 2, 2, "both logs are read")
        boot = newest(follower)
        assert [(f.path, f.times) for f in boot.files] == [("vmlinuz", 1), ("initrd.img", 1)]
        assert boot.tries == 1
    assert History(site / "state").load()[0].of(MAC) == (boot,)


def test_what_was_not_written_down_is_read_again_and_what_was_is_not(site: Path) -> None:
    first = BootFollower(site)
    add(site, address())
    first.look()
    first._save()
    add(site, dhcp(f"DHCPDISCOVER(lab0) {MAC} "))
    first.look()
    second = BootFollower(site)
    second.look()
    assert newest(second).tries == newest(first).tries == 2
    for one in (first, second):
        one.close()


def test_two_boots_read_at_once_from_both_logs_are_two_in_order(site: Path) -> None:
    t = time.time() - 3000
    for begun in (t, t + 600):
        add(site, address(begun) + tftp(site, "sent * to " + IP, "vmlinuz", begun + 2))
        add(site, gate("admitted", begun + 9) + gate("wrote", begun + 10), "gate.log")
    with following(site) as follower:
        until(lambda: len(follower.news(0).boots) == 2, 2, "two boots")
        first, second = follower.news(0).boots
        assert [round(one.disk - one.began) for one in (first, second)] == [9, 9]
        assert round(second.began - first.began) == 600


def test_rotation_truncation_and_half_lines_lose_nothing(site: Path) -> None:
    with following(site) as follower:
        line = address()
        add(site, line[:40])
        add(site, line[40:])
        until(lambda: newest(follower), 2, "a line in two halves is one")
        log = log_file(site)
        log.rename(log.with_name("dnsmasq.log.1"))
        add(site, tftp(site, "sent * to " + IP, "vmlinuz"))
        until(lambda: newest(follower).files, 2, "the new log is read")
        gates = log.with_name("gate.log")
        add(site, "x" * 200 + "\n", "gate.log")
        until(lambda: follower._tails["gate"].mark()[1] == 201, 2, "the gate's log is read")
        os.truncate(gates, 0)
        add(site, gate("admitted"), "gate.log")
        until(lambda: newest(follower).disk, 2, "the shortened log is read from its beginning")


def test_a_clock_that_is_set_back_or_ahead_makes_no_nonsense(site: Path) -> None:
    follower = BootFollower(site)
    add(site, address(time.time() + 86000))
    add(site, tftp(site, "sent * to " + IP, "vmlinuz", time.time() - 86000))
    add(site, gate("admitted", 0.5), "gate.log")
    add(site, "Foo 99 99:99:99 dnsmasq-dhcp[9]: 7 DHCPDISCOVER(lab0) dc:a6:32:00:00:01 \n")
    follower.look()
    boot = newest(follower)
    assert boot is not None
    assert all(file.seconds is None or file.seconds >= 0 for file in boot.files)
    follower.close()


def test_strangers_make_no_boots(site: Path) -> None:
    follower = BootFollower(site)
    other = "02-00-00-00-00-09"
    path = f"{site}/derived/tftp/{other}/x"
    add(site, f"{stamp(time.time())} dnsmasq-tftp[9]: file {path} not found for 10.0.0.9\n")
    add(site, "".join(dhcp(f"DHCPDISCOVER(lab0) 02:00:00:00:00:{n:02x} ") for n in range(99)))
    add(site, gate("admitted").replace(DASHED, other), "gate.log")
    follower.look()
    assert follower.news(0).boots == ()
    follower.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) - 30],
        lambda data: data + b'{"boots": [{"mac": 5}]}\n',
        lambda data: data + b"\xff\0\xfe\n{}\n",
        lambda data: b"\n\n" + data + b"[]",
    ],
)
def test_a_damaged_history_costs_what_is_damaged_and_can_be_added_to(
    site: Path, damage: object
) -> None:
    path = log_file(site).parent / NAME
    history = History(path.parent)
    boots = [Boot(MAC, float(n), float(n)) for n in (1, 2)]
    for boot in boots:
        history.append([boot], {"dnsmasq": (1, 2)})
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert boots[0] in History(site / "state").load()[0].of(MAC)
    history.append([Boot(MAC, 3.0, 3.0)], {})
    assert History(site / "state").load()[0].of(MAC)[-1].began == 3.0


def test_a_history_that_is_a_link_is_neither_read_nor_written(site: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("precious")
    (log_file(site).parent / NAME).symlink_to(target)
    with following(site) as follower:
        add(site, address())
        until(lambda: newest(follower), 2, "it follows all the same")
    assert target.read_text() == "precious"


def test_the_history_is_written_anew_before_it_grows_without_end(site: Path) -> None:
    follower = BootFollower(site)
    path = log_file(site).parent / NAME
    for n in range(30):
        add(site, "".join(tftp(site, "file * not found for " + IP, f"{n}-{k}-{'x' * 150}")
                          for k in range(40)) * 2)  # fmt: skip
        follower.look()
        for _ in range(6):
            follower._boots.put(newest(follower))
            follower._save()
    assert path.stat().st_size < 3 << 20
    assert json.loads(path.read_bytes().splitlines()[0])["boots"]
    follower.close()
    assert History(site / "state").load()[0].of(MAC)


def test_with_nothing_to_follow_it_does_nothing(site: Path) -> None:
    with following(site):
        before = resource.getrusage(resource.RUSAGE_SELF)
        time.sleep(1.0)
        after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 0.02
    assert after.ru_nvcsw - before.ru_nvcsw < 20
