"""The QMP client against a peer that is silent, hostile or gone."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from sbctui.engine.services.qmp import Qmp, QmpError, QmpGone
from tests.services import nbd_place

GREETING = b'{"QMP": {}}\r\n'


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sbc-") as folder:
        yield Path(folder) / "qmp"


def peer(path: Path, talk: Callable[[socket.socket], None]) -> None:
    """A daemon that says what ``talk`` says to its first client."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener, suppress(OSError):
            client, _ = listener.accept()
            with client:
                client.settimeout(5)
                talk(client)

    threading.Thread(target=serve, daemon=True).start()


def greeted(*answers: bytes) -> Callable[[socket.socket], None]:
    def talk(client: socket.socket) -> None:
        client.sendall(GREETING)
        for answer in (b'{"return": {}}\n', *answers):
            client.recv(4096)
            client.sendall(answer)
        client.recv(4096)

    return talk


def test_events_between_are_skipped_and_kept(path: Path) -> None:
    peer(path, greeted(b'{"event": "A", "data": {"id": "x"}}\n{"return": [1]}\n'))
    qmp = Qmp(path)
    qmp.connect()
    assert qmp.execute("any") == [1]
    assert qmp.wait_for("A", 0.1, id="x")
    assert not qmp.wait_for("A", 0.1, id="x")
    qmp.close()


def test_a_refusal_is_the_daemons_own_line_made_safe(path: Path) -> None:
    peer(path, greeted(b'{"error": {"class": "GenericError", "desc": "no \\u001b[2J"}}\n'))
    qmp = Qmp(path)
    qmp.connect()
    with pytest.raises(QmpError, match=r"^no \\x1b\[2J$"):
        qmp.execute("any")
    assert qmp.connected
    qmp.close()


def test_silence_ends_the_connection(path: Path) -> None:
    peer(path, greeted(b""))
    qmp = Qmp(path)
    qmp.connect()
    began = monotonic()
    with pytest.raises(QmpGone, match=r"no answer to any within 0\.2 s"):
        qmp.execute("any", timeout=0.2)
    assert monotonic() - began < 1
    assert not qmp.connected
    with pytest.raises(QmpGone):
        qmp.execute("any")


@pytest.mark.parametrize(
    "words", [b"", b"\xff\xfe\n", b"[]\n", b"{}\n", b'"QMP"\n', b"{" * 70000, b'{"QMP": {}}\n{']
)
def test_who_does_not_speak_qmp_is_left(path: Path, words: bytes) -> None:
    peer(path, lambda client: client.sendall(words))
    qmp = Qmp(path)
    with pytest.raises(QmpGone):
        qmp.connect(0.5)
    assert not qmp.connected


def test_nobody_there(path: Path) -> None:
    with pytest.raises(QmpGone, match="no daemon"):
        Qmp(path).connect()


def test_a_second_client_gets_no_greeting_and_says_so() -> None:
    with nbd_place.place(start=False) as here:
        here.start(here.storage)
        qmp = Qmp(here.run / "storage.qmp")
        with pytest.raises(QmpGone, match="another program is connected"):
            qmp.connect(0.3)
        here.storage.close()
        qmp.connect()
        qmp.close()
