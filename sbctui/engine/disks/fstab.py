"""/etc/fstab of an image, for a board whose root is an NBD disk; pure.

What an image mounts from its own card is not there on a board without one, and systemd would
wait 90 seconds for it and stop.
"""

from __future__ import annotations

_ROOT = b"/dev/nbd0 / ext4 defaults,noatime 0 1"
_NOTE = b"# not on this board's network disk: "
_LOCAL = (b"PARTUUID=", b"UUID=", b"LABEL=", b"PARTLABEL=", b"ID=", b"/dev/")


def for_network(text: bytes) -> bytes:
    """The same table with its root on /dev/nbd0 and what stands on other local disks set aside."""
    lines = text.splitlines()
    kept = [line for line in lines if not _is_root(line)]
    place = next((i for i, line in enumerate(lines) if _is_root(line)), len(kept))
    changed = [_NOTE + line if _is_local(line) else line for line in kept]
    return b"\n".join([*changed[:place], _ROOT, *changed[place:]]) + b"\n"


def _fields(line: bytes) -> list[bytes]:
    return [] if line.lstrip().startswith(b"#") else line.split()


def _is_root(line: bytes) -> bool:
    fields = _fields(line)
    return len(fields) > 1 and fields[1] == b"/"


def _is_local(line: bytes) -> bool:
    fields = _fields(line)
    return bool(fields) and fields[0].startswith(_LOCAL)
