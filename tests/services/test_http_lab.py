"""Boot files by HTTP in a private network: to each board its own, and nothing else to anybody."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine.model.settings import Settings
from sbctui.engine.services.http_daemon import HttpDaemon
from sbctui.engine.services.http_tree import board_at
from tests.lab import Board, Lab, needs, until
from tests.services.dhcp_world import mac
from tests.system.world import Serving, kill, serving, together

pytestmark = pytest.mark.lab
SERVER = "10.77.0.1"
KERNEL = os.urandom(4 << 20)
FORTY = 40


class Served:
    """The server alone, on a tree as the engine derives it."""

    def __init__(self, lab: Lab, site: Path) -> None:
        self.lab = lab
        self.site = site
        self.tree = site / "derived/tftp"
        self.tree.mkdir(parents=True)
        given = {"interface": lab.interface, "subnet": str(lab.subnet), "http": True}
        network = Settings.model_validate({"network": given}).network
        self.daemon = HttpDaemon(site, network, (0, 0), [IPv4Address(SERVER)])
        self.log = site / "http.log"
        with self.log.open("wb") as out, lab.server.inside():
            assert self.daemon.off() == ""
            lab.server.start(self.daemon.argv(), stderr=out)
            until(lambda: not self.daemon.healthy(), 5, "it answers")

    def board(self, number: int) -> Board:
        """A board with an address and a boot folder."""
        board = self.lab.board(mac(number))
        boot = self.site / "nodes" / board.dashed / "boot"
        if not boot.exists():
            board.use(f"10.77.0.{number + 50}")
            (boot / "overlays").mkdir(parents=True)
            (boot / "vmlinuz").write_bytes(KERNEL)
            (boot / "name").write_text(board.mac)
            (boot / "empty").write_bytes(b"")
            (boot / "overlays/one.dtbo").write_bytes(b"tree")
            (self.tree / board.dashed).symlink_to(f"../../nodes/{board.dashed}/boot")
        return board

    def said(self, words: str) -> None:
        until(lambda: words in self.log.read_text(), 3, f"{words!r} in {self.log.read_text()}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Lab() as lab:
        yield Served(lab, tmp_path_factory.mktemp("http") / "site")


def get(board: Board, path: str, verb: str = "GET", server: str = SERVER) -> tuple[int, bytes]:
    """Status and body."""
    with board.inside():
        asking = http.client.HTTPConnection(server, 80, timeout=20)
        asking.connect()
    try:
        asking.putrequest(verb, path, skip_host=False)
        asking.endheaders()
        answer = asking.getresponse()
        return answer.status, answer.read()
    finally:
        asking.close()


def test_a_board_gets_its_own_files_whole(served: Served) -> None:
    board = served.board(1)
    for prefix in ("/", f"/{board.dashed}/"):
        assert get(board, f"{prefix}vmlinuz") == (200, KERNEL)
        assert get(board, f"{prefix}overlays/one.dtbo") == (200, b"tree")
    assert get(board, "/empty") == (200, b"")
    assert get(board, "/name", "HEAD") == (200, b"")
    assert get(board, "/overl%61ys/one.dtbo?x=y") == (200, b"tree")
    served.said(f" sent {board.dashed} 10.77.0.51 {len(KERNEL)} ")


def test_nobody_gets_anothers_files_or_any_other(served: Served) -> None:
    one, two = served.board(1), served.board(2)
    assert get(two, "/name") == (200, two.mac.encode())
    boot = served.site / "nodes" / two.dashed / "boot"
    (served.site / "secret").write_text("s")
    (boot / "link").symlink_to("../../../secret")
    (boot / "undionly.kpxe").symlink_to("../../../secret")
    (boot / "up").symlink_to("../..")
    (boot / ".config.txt.1.tmp").write_text("half")
    os.mkfifo(boot / "pipe")
    for path in (f"/{one.dashed}/name", f"/../{one.dashed}/name", f"/%2e%2e/{one.dashed}/name",
                 "/", "/overlays", "/overlays/", "/link", "/up/secret", "/pipe", "/nothing",
                 "/undionly.kpxe", "/.config.txt.1.tmp", "//", "/name/more", "/" + "a" * 3000,
                 "/name%00", "/" + "d/" * 40, "/nodes", f"/{two.dashed}"):  # fmt: skip
        assert get(two, path)[0] == 404, path
    assert get(two, "/name%ff")[0] == 400
    assert get(two, "/name", "PUT")[0] == 501
    served.said(f" missing {two.dashed} 10.77.0.52 nothing\n")


def test_a_stranger_gets_nothing(served: Served) -> None:
    one, stranger = served.board(1), served.lab.board(mac(9))
    stranger.use("10.77.0.59")
    for path in ("/", "/name", f"/{one.dashed}/name"):
        assert get(stranger, path)[0] == 404
    served.said(" refused 10.77.0.59: no board of this site")


def test_it_is_there_on_the_labs_address_alone(served: Served) -> None:
    board = served.board(1)
    served.lab.server.run(["ip", "address", "add", "10.77.0.9/24", "dev", served.lab.interface])
    with pytest.raises(ConnectionRefusedError):
        get(board, "/name", server="10.77.0.9")


def test_what_is_no_request_disturbs_nobody(served: Served) -> None:
    board = served.board(1)
    many = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 300 + b"\r\n"
    for junk in (b"\0" * 70000, b"GET\r\n\r\n", b"GET /name HTTP/9.9\r\n\r\n", many,
                 b"\xff\xfe / \r\n", b"GET /name HTTP/1.1"):  # fmt: skip
        with board.inside():
            sock = socket.create_connection((SERVER, 80), timeout=5)
        with sock:
            sock.sendall(junk)
            sock.shutdown(socket.SHUT_WR)
    assert get(board, "/name") == (200, board.mac.encode())
    with served.lab.server.inside():
        assert served.daemon.healthy() == ""
    assert "Traceback" not in served.log.read_text()


def test_one_that_hangs_up_in_the_middle_is_told(served: Served) -> None:
    board = served.board(1)
    with board.inside():
        sock = socket.create_connection((SERVER, 80), timeout=5)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.sendall(b"GET /vmlinuz HTTP/1.0\r\n\r\n")
    sock.recv(1000)
    sock.close()
    served.said(f" broken {board.dashed} 10.77.0.51 vmlinuz: ")


def test_forty_at_once_all_get_theirs(served: Served) -> None:
    boards = [served.board(number) for number in range(1, FORTY + 1)]
    begun = threading.Barrier(FORTY)
    wanted = hashlib.sha256(KERNEL).digest()

    def boot(board: Board) -> None:
        begun.wait(20)
        status, data = get(board, "/vmlinuz")
        assert (status, hashlib.sha256(data).digest()) == (200, wanted)

    together([lambda board=board: boot(board) for board in boards])  # type: ignore[misc]


def test_an_address_is_known_only_while_the_kernel_knows_its_mac(tmp_path: Path) -> None:
    table = tmp_path / "arp"
    head = "IP address       HW type     Flags       HW address            Mask     Device\n"
    table.write_text(
        f"{head}10.77.0.51 0x1 0x2 dc:a6:32:00:00:01 * lab0\n"
        "10.77.0.52 0x1 0x0 00:00:00:00:00:00 * lab0\n"
    )
    known = {last: board_at(IPv4Address(f"10.77.0.{last}"), table) for last in (51, 52, 5)}
    assert known == {51: "dc-a6-32-00-00-01", 52: "", 5: ""}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Serving]:
    needs("dnsmasq", "qemu-storage-daemon", "mke2fs")
    with serving() as made:
        (tmp_path / "tree/boot").mkdir(parents=True)
        (tmp_path / "tree/boot/vmlinuz-6.1").write_bytes(bytes(56) + b"ARM\x64" + KERNEL)
        (tmp_path / "tree/boot/initrd.img-6.1").write_bytes(KERNEL[:1000])
        made.sbctui(
            "root", "create", "base", "--from", str(tmp_path / "tree"), "--size", "64M", "--yes"
        )
        made.sbctui("leaf", "create", "base", f"{mac(7)},pi-07", "--yes")
        yield made


def turn(site: Serving, http: str) -> None:
    settings = site.path / "site.toml"
    lines = [line for line in settings.read_text().splitlines() if not line.startswith("http")]
    lines.insert(lines.index("[network]") + 1, f"http = {http}")
    settings.write_text("\n".join(lines) + "\n")


def test_a_site_that_wants_it_has_it_beside_its_disks(site: Serving) -> None:
    board = site.lab.board(mac(7))
    assert site.services()["http"]["state"] == "off"
    lease = board.dhcp()
    assert lease is not None
    with site.disk(board) as disk:
        _on_and_off(site, board)
        disk.write(0, b"\1" * 512)


def _on_and_off(site: Serving, board: Board) -> None:
    first = site.pids()
    turn(site, "true")
    until(lambda: site.services()["http"]["state"] == "running", 10, "HTTP is on")
    another_dnsmasq(site, first["dnsmasq"])
    site.sbctui("services", "apply", "--yes")
    script = board.tftp("boot.scr").decode(errors="replace")
    assert f'sbctui_http "http://{SERVER}"' in script
    kernel = site.ask("node", "show", "pi-07")["node"]["boot"]["kernel"]
    status, data = get(board, f"/{kernel}")
    assert (status, data) == (200, board.tftp(kernel))

    before = site.pids()
    kill(before["http"])
    until(lambda: site.pids().get("http", 0) not in (0, before["http"]), 5, "it is back")
    until(lambda: site.services()["http"]["state"] == "running", 5, "it answers")
    assert get(board, f"/{kernel}")[0] == 200

    def ways() -> list[str]:
        boots = site.ask("board", "timeline", "pi-07")["boots"]
        return [f["by"] for boot in boots for f in boot["files"] if f["path"] == kernel]

    until(lambda: ways() == ["tftp", "http"], 5, f"both ways are told: {ways()}")

    turn(site, "false")
    until(lambda: site.services()["http"]["state"] == "off", 10, "HTTP is off")
    with pytest.raises(ConnectionRefusedError):
        get(board, f"/{kernel}")
    another_dnsmasq(site, before["dnsmasq"])
    assert [site.pids()[name] for name in ("gate", "storage")] == [first["gate"], first["storage"]]


def another_dnsmasq(site: Serving, before: int) -> None:
    """One that tells UEFI's HTTP boot what holds now: it reads that as it starts."""
    until(lambda: site.pids().get("dnsmasq", 0) not in (0, before), 10, "another dnsmasq")
    until(lambda: site.services()["dnsmasq"]["state"] == "running", 10, "it answers")
