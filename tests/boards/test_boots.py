"""From log lines to a judged timeline: pure, so every case is a list of lines."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbctui.engine.boards import happening
from sbctui.engine.boards.happening import Happening
from sbctui.engine.boards.progress import MOST_FILES
from sbctui.engine.boards.table import KEPT_EACH, MOST_BOARDS, Boots
from sbctui.engine.boards.timeline import judge
from sbctui.engine.model.boots import STAGES, Boot, Timeline

MAC = "dc:a6:32:01:36:c2"
DASHED = "dc-a6-32-01-36-c2"
ROOT = "/srv/lab/derived/tftp/"
IP = "10.77.0.51"
T = 1_800_000_000.0


def dhcp(what: str, at: float, ip: str = "", rest: str = " ") -> Happening | None:
    return happening.dhcp(f"77 {what}(lab0) {ip + ' ' if ip else ''}{MAC}{rest}", T + at)


def address(at: float = 0.0) -> list[Happening | None]:
    return [dhcp("DHCPDISCOVER", at), dhcp("DHCPOFFER", at + 0.1, IP),
            dhcp("DHCPACK", at + 0.2, IP, " pi-07")]  # fmt: skip


def sent(path: str, at: float) -> Happening | None:
    return happening.tftp(f"sent {ROOT}{DASHED}/{path} to {IP}", T + at, ROOT)


def missing(path: str, at: float) -> Happening | None:
    return happening.tftp(f"file {ROOT}{DASHED}/{path} not found for {IP}", T + at, ROOT)


def gate(words: str, at: float, why: str = "") -> Happening | None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T + at))
    return happening.gate(f"{stamp} {words} {DASHED} {IP}:50000{why}")


def http(words: str, at: float) -> Happening | None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T + at))
    return happening.http(f"{stamp} {words}")


def boots(what: Iterable[Happening | None]) -> tuple[Boot, ...]:
    table = Boots()
    for one in what:
        assert one is not None
        table.take(one)
    return table.of(MAC)


def told(what: Iterable[Happening | None], at: float) -> Timeline:
    return judge(boots(what)[-1], T + at, DASHED, "pi-07")


def states(line: Timeline) -> str:
    return " ".join(f"{stage.name}:{stage.state}" for stage in line.stages)


UBOOT = [*address(), sent("boot.scr.uimg", 1), sent("vmlinuz", 2.5), sent("initrd.img", 4)]
RUNS = [*UBOOT, gate("admitted", 10), gate("wrote", 12)]
UP = [*RUNS, Happening("up", T + 20, MAC)]


def test_a_whole_boot_has_every_stage_done_with_what_it_took() -> None:
    line = told(UP, 100)
    assert (line.state, line.stage, line.reason, line.ip) == ("up", "up", "", IP)
    assert {stage.state for stage in line.stages} == {"done"}
    assert [round(stage.seconds or 0, 1) for stage in line.stages] == [0, 0.2, 3.8, 6, 2, 8]
    assert line.seconds == 20
    assert [(f.path, f.outcome) for f in line.files] == [
        ("boot.scr.uimg", "sent"), ("vmlinuz", "sent"), ("initrd.img", "sent")]  # fmt: skip
    assert [round(f.seconds or 0, 1) for f in line.files] == [0.8, 1.5, 1.5]


@pytest.mark.parametrize(
    ("what", "at", "state", "stage", "words"),
    [
        (UBOOT[:1], 2, "booting", "offered", "asked for an address, waits for an answer"),
        (UBOOT[:1], 30, "stopped", "offered", "was not answered"),
        (UBOOT[:3], 60, "stopped", "files", f"has {IP} and asks for no file"),
        (UBOOT, 20, "booting", "disk", "is starting its kernel; the last file was initrd.img"),
        (UBOOT, 400, "stopped", "disk", "has not opened its disk; the last file was initrd.img"),
        (RUNS[:-1], 20, "booting", "write", "is mounting it"),
        (RUNS[:-1], 400, "stopped", "write", "its root may be read-only"),
        (RUNS, 20, "running", "up", "does not answer by ssh yet"),
        (RUNS, 4000, "running", "up", "does not answer by ssh yet"),
        ([*UP, gate("ended", 90, ": disconnected, read 1, written 2 bytes")], 99, "off", "up",
         "let go of its disk: disconnected"),
        ([*RUNS[:-1], gate("ended", 11, ": connection lost")], 99, "stopped", "write",
         "lost its disk at once: connection lost"),
    ],
)  # fmt: skip
def test_where_it_stands_and_why(
    what: list[Happening | None], at: float, state: str, stage: str, words: str
) -> None:
    line = told(what, at)
    assert (line.state, line.stage) == (state, stage)
    assert words in line.reason
    here = STAGES.index(line.stage)
    assert {stage.state for stage in line.stages[:here]} <= {"done"}
    assert {stage.state for stage in line.stages[here + 1 :]} <= {"waiting"}


def test_a_pi_without_firmware_is_told_as_such() -> None:
    probes = [f"{DASHED}/start4.elf", "config.txt", "pieeprom.sig", "recover4.elf", "start.elf"]
    line = told([*address(), *(missing(path, 1 + n) for n, path in enumerate(probes))], 60)
    assert (line.state, line.stage) == ("stopped", "files")
    assert line.reason == f"asked for {DASHED}/start4.elf, not there: the root has no Pi firmware"
    assert "files:failed" in states(line)


def test_what_a_pi_looks_for_in_vain_is_no_fault_once_it_goes_on() -> None:
    line = told([*address(), missing("recovery.elf", 1), missing("x/start4.elf", 1),
                 sent("start4.elf", 2), missing("dt-blob.bin", 3)], 40)  # fmt: skip
    assert (line.state, line.stage) == ("booting", "disk")
    kernel = told([*address(), sent("start4.elf", 2), missing("kernel8.img", 3)], 60)
    assert kernel.reason == "asked for kernel8.img, not there: the root has no kernel of that name"


def test_a_pi_with_secure_boot_is_told_what_it_waits_for() -> None:
    asked = [*address(), sent("config.txt", 1), missing("boot.sig", 2), missing("boot.img", 3)]
    line = told(asked, 60)
    assert (line.state, line.stage) == ("stopped", "files")
    assert line.reason.startswith("asked for boot.sig, not there: a Pi wants it with secure boot")
    assert told([*asked, sent("start4.elf", 4)], 60).stage == "disk", "one that goes on needs none"
    beside = told([*asked, missing("start4.elf", 5)], 60)
    assert "the root has no Pi firmware" in beside.reason


@pytest.mark.parametrize("arch", ["arm64", "riscv64"])
def test_a_uefi_that_there_is_no_ipxe_for_is_told_what_to_do(arch: str) -> None:
    line = told([*address(), missing(f"ipxe-{arch}.efi", 1)], 60)
    assert line.reason == (
        f"asked for ipxe-{arch}.efi, not there: its firmware wants iPXE for {arch}, and the "
        "package ipxe has none: put one of that name into its boot folder, or let U-Boot start it"
    )


def test_a_transfer_that_breaks_off_says_so() -> None:
    broken = happening.tftp(f"failed sending {ROOT}{DASHED}/vmlinuz to {IP}", T + 3, ROOT)
    denied = happening.tftp(f"cannot access {ROOT}{DASHED}/vmlinuz: Permission denied", T + 3, ROOT)
    assert "the transfer broke off" in told([*address(), broken], 60).reason
    assert "Permission denied" in told([*address(), denied], 60).reason


def test_the_gates_refusal_is_the_reason_where_there_is_one() -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T + 6))
    refused = happening.gate(f"{stamp} refused {IP}:4000: not an export for {IP}")
    line = told([*UBOOT, refused], 7)
    assert (line.state, line.stage) == ("stopped", "disk")
    assert f"the gate refuses it, not an export for {IP}" in line.reason
    assert told([*UBOOT, refused, gate("admitted", 9)], 10).stage == "write"


def test_a_system_that_asks_again_is_the_same_boot_and_a_file_makes_the_next() -> None:
    again = [*UP, *address(30)]
    assert len(boots(again)) == 1
    assert told(again, 40).state == "up"
    both = boots([*again, sent("boot.scr.uimg", 31)])
    assert [boot.began - T for boot in both] == [0, 30]
    assert (both[1].asked, both[1].disk, both[1].ip) == (T + 30, None, IP)
    off = [*UP, gate("ended", 50), *address(55)]
    assert len(boots(off)) == 2


def test_an_initramfs_that_asks_again_is_the_same_boot() -> None:
    (boot,) = boots([*UBOOT, *address(8), gate("admitted", 10)])
    assert boot.began == T


def test_a_board_that_begins_over_has_a_new_boot_if_it_had_come_anywhere() -> None:
    assert len(boots([*UBOOT, *address(60), sent("boot.scr.uimg", 61)])) == 2
    tries = [one for n in range(50) for one in (*address(n * 9), missing("boot.scr.uimg", n * 9))]
    (boot,) = boots(tries)
    assert boot.files[0].times == 50


def test_a_lease_renewed_by_a_board_that_runs_makes_no_boot() -> None:
    assert boots(address()[1:]) == ()


def test_a_session_that_replaces_another_is_no_end() -> None:
    (boot,) = boots([*RUNS, gate("admitted", 30), gate("ended", 30, f": replaced by {IP}:1")])
    assert (boot.ended, boot.connections) == (None, 2)


def test_a_proxy_boot_begins_when_it_is_told_what_to_boot() -> None:
    proxied = happening.dhcp(f"77 PXE(lab0) {MAC} proxy", T)
    line = told([proxied, sent("start4.elf", 1)], 2)
    assert states(line).startswith("asked:done offered:done files:done disk:now")


def test_another_address_cannot_speak_for_a_board() -> None:
    forged = happening.tftp(f"sent {ROOT}{DASHED}/evil to 10.77.0.99", T + 2, ROOT)
    (boot,) = boots([*address(), forged])
    assert boot.files == ()


@pytest.mark.parametrize(
    "line",
    [
        f"77 DHCPDISCOVER(lab0) {MAC} ignored",
        f"77 DHCPDISCOVER(lab0) {MAC} no address available",
        f"77 PXE(lab0) {MAC} proxy-ignored",
        f"77 client provides name: 5 DHCPDISCOVER(lab0) {MAC} ",
        f"77 vendor class: 5 DHCPDISCOVER(lab0) {MAC} ",
        "77 sent size: 14 option: 67 bootfile-name  boot.scr.uimg",
        "77 DHCPDISCOVER(lab0) dc:a6:32 ",
        "",
    ],
)
def test_what_says_nothing_of_a_known_board_is_nothing(line: str) -> None:
    assert happening.dhcp(line, T) is None


def test_paths_are_what_the_board_named_and_hostile_ones_are_text() -> None:
    odd = happening.tftp(f"file {ROOT}{DASHED}/a to b\x1b[2J not found for {IP}", T, ROOT)
    assert odd is not None
    assert (odd.mac, odd.ip, odd.text) == (MAC, IP, "a to b\\x1b[2J")
    shared = happening.tftp(f"file {ROOT}start.elf not found for {IP}", T, ROOT)
    assert shared is not None
    assert (shared.mac, shared.text) == ("", "start.elf")
    for line in (f"sent /etc/passwd to {IP}", f"sent {ROOT}{DASHED}/x to nobody", "sent  to "):
        assert happening.tftp(line, T, ROOT) is None


def test_everything_is_bounded() -> None:
    many = [*address(), sent("first", 1), *(missing(f"f{n}", 2) for n in range(200)), sent("z", 3)]
    (boot,) = boots(many)
    assert len(boot.files) == MOST_FILES
    assert (boot.files[0].path, boot.files[-1].path) == ("first", "z")
    assert boot.left_out == 202 - MOST_FILES
    table = Boots()
    for n in range(KEPT_EACH + 4):
        for one in (*address(n * 2000), sent("boot.scr", n * 2000 + 1)):
            assert one is not None
            table.take(one)
    assert len(table.of(MAC)) == KEPT_EACH
    for n in range(MOST_BOARDS + 10):
        table.take(Happening("asked", T, f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}"))
    assert len(table) == MOST_BOARDS
    assert table.of(MAC) == ()


HAPPENINGS = st.lists(
    st.builds(
        Happening,
        kind=st.sampled_from(
            ["asked", "offered", "proxied", "leased", "sent", "missing", "failed", "admitted",
             "refused", "written", "ended", "up"]
        ),
        at=st.floats(-1e6, 1e6).map(lambda at: T + at),
        mac=st.sampled_from([MAC, "02:00:00:00:00:01", ""]),
        ip=st.sampled_from(["", IP, "10.77.0.52"]),
        text=st.sampled_from(["boot.scr", "start4.elf", "x\0broke", "", "replaced by you"]),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(HAPPENINGS, st.floats(-2e6, 2e6))
def test_no_order_and_no_clock_makes_a_timeline_that_contradicts_itself(
    what: list[Happening], now: float
) -> None:
    one, two = Boots(), Boots()
    for happened in what:
        one.take(happened)
        two.take(happened)
    assert one.newest() == two.newest()
    for boot in one.since(0).boots:
        assert boot.began <= boot.last or boot.began == boot.asked
        line = judge(boot, T + now)
        assert [stage.name for stage in line.stages] == list(STAGES)
        assert min(line.seconds, line.silent) >= 0
        assert all(stage.seconds is None or stage.seconds >= 0 for stage in line.stages)
        assert all(file.seconds is None or file.seconds >= 0 for file in line.files)
        failed = [stage.name for stage in line.stages if stage.state == "failed"]
        assert failed == ([line.stage] if line.state == "stopped" else [])
        assert bool(line.reason) is (line.state != "up")
        shown = [stage.state for stage in line.stages]
        assert shown == sorted(shown, key=["done", "now", "failed", "waiting"].index)


WORDS = st.sampled_from(
    ["sent ", "file ", " not found for ", " to ", "failed sending ", "cannot read ", ": ", ROOT,
     DASHED, "/", MAC, IP, "DHCPACK(lab0) ", "DHCPDISCOVER(x) ", "7 ", "PXE(", "admitted ",
     "2026-11-21T16:00:00Z ", "9999-99-99T99:99:99Z ", "refused ", ":5", "\0", "\x1b[2J", "\u202e"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=12).map("".join))
def test_no_line_of_a_log_raises_or_drives_a_terminal(line: str) -> None:
    for what in (happening.dhcp(line, T), happening.tftp(line, T, ROOT), happening.gate(line)):
        if what is not None:
            assert "\x1b" not in what.text
            assert "\u202e" not in what.text
            assert len(what.text) < 2500
            Boots().take(what)


def test_only_what_changed_is_told_again() -> None:
    table = Boots(version=1000)
    table.take(Happening("asked", T, MAC))
    first = table.since(0)
    assert [boot.mac for boot in first.boots] == [MAC]
    assert table.since(first.version).boots == ()
    table.take(Happening("asked", T, "02:00:00:00:00:01"))
    assert [boot.mac for boot in table.since(first.version).boots] == ["02:00:00:00:00:01"]
    assert len(table.since(5).boots) == 2
    assert len(table.since(10**15).boots) == 2


def test_files_by_http_are_told_with_size_and_time() -> None:
    line = told(
        [
            *address(),
            sent("boot.scr.uimg", 1),
            http(f"sent {DASHED} {IP} 8000000 0.125 vmlinuz-6.1", 2),
            http(f"missing {DASHED} {IP} dtbs/b%C3%A4d%1b.dtb", 3),
            http(f"broken {DASHED} {IP} initrd.img: Connection reset by peer", 4),
        ],
        5,
    )
    script, kernel, tree, initrd = line.files
    assert (script.by, kernel.by, kernel.size, kernel.seconds) == ("tftp", "http", 8_000_000, 0.125)
    assert (tree.outcome, tree.path, tree.size) == ("missing", "dtbs/bäd\\x1b.dtb", None)
    assert (initrd.outcome, initrd.why) == ("failed", "Connection reset by peer")
    assert line.reason.startswith("asked for initrd.img and did not get it")


@pytest.mark.parametrize(
    "words",
    [
        f"sent {DASHED} {IP} vmlinuz",
        f"missing {DASHED} {IP} 5 0.100 vmlinuz",
        f"sent no-mac {IP} 5 0.100 vmlinuz",
        f"refused {IP}: no board of this site",
        "listening on 10.77.0.1:80",
        f"sent {DASHED} {IP} 5 0.100 a b",
        "",
    ],
)
def test_other_lines_of_http_say_nothing(words: str) -> None:
    assert http(words, 1) is None
