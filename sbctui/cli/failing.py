"""Whatever goes wrong: one clear sentence on stderr, JSON when asked for, a stable exit code."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from sbctui.cli import output
from sbctui.engine.errors import BadInput, Cancelled, SbcError, from_os
from sbctui.engine.model.text import clean

_JSON = re.compile(r"--json|(-o|--output=)json")


class Failed(SbcError):
    """A report's outcome as an error: its own exit code, with the report for JSON."""

    def __init__(self, message: str, code: int, document: dict[str, Any]) -> None:
        super().__init__(message)
        self.exit_code = code
        self.document = document


class Declined(SbcError):
    """The admin said no, or could not be asked."""

    code = 1


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, judged without parsing it."""
    following = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        _JSON.fullmatch(word) or (word in ("-o", "--output") and after == "json")
        for word, after in following
    )


def told(error: BaseException, *, json: bool, home: Path) -> int:
    """Say what went wrong and return the exit code for it."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    found = ours(error, home)
    code = found.exit_code if isinstance(found, Failed) else found.code
    if json:
        extra = found.document if isinstance(found, Failed) else {}
        with suppress(OSError):
            output.document({**extra, "error": as_json(found, code)})
    with suppress(OSError):
        output.say(str(found))
    return code


def as_json(error: SbcError, code: int) -> dict[str, Any]:
    """The ``error`` object of docs/cli.md."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    return {"code": code, "kind": name, "message": clean(str(error))}


def ours(error: BaseException, home: Path) -> SbcError:
    """The error as one of ours; what nobody expected is saved, and the sentence says where."""
    if isinstance(error, SbcError):
        return error
    if isinstance(error, click.ClickException):
        return BadInput(_usage(error))
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Cancelled("interrupted; nothing more was done")
    if isinstance(error, OSError):
        return from_os(error, "the operating system refused")
    return SbcError(_internal(error, home))


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message.rstrip('.')}; see: {error.ctx.command_path} --help"
    return message


def _internal(error: BaseException, home: Path) -> str:
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    kind = type(error).__name__
    for folder in (_state(home), Path(tempfile.gettempdir())):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return f"a fault of this program ({kind}); please report it with what is in {path}"
    return f"a fault of this program ({kind}: {error}); please report it"


def _state(home: Path) -> Path:
    given = os.environ.get("XDG_STATE_HOME", "")
    return (Path(given) if given.startswith("/") else home / ".local" / "state") / "sbctui"
