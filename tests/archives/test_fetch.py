"""An archive's file is held as long as somebody reads it."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path

from sbctui.engine.archive.fetch import fetched
from tests.nbdclient import until


def test_a_file_is_not_let_go_while_a_thread_reads_it(tmp_path: Path) -> None:
    """Else the thread reads from whatever gets the file's number next."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    holds = ExitStack()
    read = holds.enter_context(fetched(str(pipe), stop=threading.Event()))
    reader = threading.Thread(target=read, args=(10,))
    reader.start()
    asked = Path(f"/proc/self/task/{reader.native_id}/syscall")
    assert until(lambda: asked.read_text().startswith("0 "))
    leaver = threading.Thread(target=holds.close)
    leaver.start()
    leaver.join(0.2)
    held = leaver.is_alive()
    os.write(writer, bytes(10))
    reader.join()
    leaver.join()
    os.close(writer)
    assert held
