"""What can go wrong, as types: one sentence and one stable exit code each.

The engine raises these; only the command line exits with them, only the app shows them.
Every message says what happened, to what, and what to do about it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Self


class SbcError(Exception):
    """Base of everything the engine raises on purpose.

    ``code`` is the command line's exit code; ``str(error)`` is one plain sentence.
    """

    code: ClassVar[int] = 1
    field: str = ""
    """The part of a request that it is against, where it is one; a form says it there."""

    def of(self, field: str) -> Self:
        """The same, against one part of a request; the innermost that is named counts."""
        self.field = self.field or field
        return self


class BadInput(SbcError):
    """A value that can't be parsed: a MAC, a name, a size, an address, a file."""

    code = 2


class Refused(SbcError):
    """A valid request that a rule forbids; the message says why and what would lift it."""

    code = 3


class NoSuchNode(SbcError):
    """A node, trash entry, job or finding that is not there."""

    code = 4


class NotPermitted(SbcError):
    """The operating system denies it to this user; the message names the file and the remedy."""

    code = 5


class ToolMissing(SbcError):
    """An outside program is not installed; ``package`` is the Debian package that has it."""

    code = 6

    def __init__(self, tool: str, package: str) -> None:
        super().__init__(f"{tool} is not installed; install it with: apt-get install {package}")
        self.tool = tool
        self.package = package


class ToolFailed(SbcError):
    """An outside program ended with an error; ``detail`` is its last line."""

    code = 6

    def __init__(self, command: str, returncode: int, detail: str) -> None:
        super().__init__(f"{command} failed with exit code {returncode}: {detail or 'no message'}")
        self.command = command
        self.returncode = returncode
        self.detail = detail


class ServiceFailed(SbcError):
    """A daemon of ours refused or does not answer; the message carries its own line."""

    code = 6


class PartlyDone(SbcError):
    """Some units of a plan stand and some failed; the report says which."""

    code = 7


class NoSpace(SbcError):
    """The file system has, or would have, too few free bytes or inodes."""

    code = 9


class NoCache(SbcError):
    """This machine has no cache, or it is not there now."""

    code = 10


class PlanChanged(SbcError):
    """The site changed between the preview and the act, so the plan is no longer the same."""

    code = 1


class NotASite(SbcError):
    """The directory is no site and not empty, or its site.toml can't be used."""

    code = 3


class Locked(SbcError):
    """Another run holds the site's lock; the message names it."""

    code = 75


class Cancelled(SbcError):
    """The admin stopped it."""

    code = 130


@contextmanager
def against(field: str) -> Iterator[None]:
    """What is raised here is against this part of a request."""
    try:
        yield
    except SbcError as error:
        error.of(field)
        raise


def from_os(error: OSError, doing: str) -> SbcError:
    """An operating system error as ours: what was being done, to which file, and a remedy."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"{doing}: the disk is full{where}; make room, then run it again")
    if error.errno == errno.EROFS:
        return NotPermitted(f"{doing}: the file system is read-only{where}; mount it read-write")
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotPermitted(f"{doing}: permission denied{where}; run as the site's owner or sudo")
    return SbcError(f"{doing}: {error.strerror or error}{where}")
