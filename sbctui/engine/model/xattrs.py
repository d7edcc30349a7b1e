"""Extended attributes of files as values: which are laid over an image, how they are written down.

Names and values are those of getxattr(2), so ACLs stand in the form of the kernel's
include/uapi/linux/posix_acl_xattr.h and file capabilities in that of linux/capability.h. As text a
value is what setfattr(1) takes: ``0x`` and hex, ``0s`` and base64, or else the text itself.
"""

from __future__ import annotations

import binascii
import re
import struct
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown

Xattrs = tuple[tuple[str, bytes], ...]
"""Name and value of each attribute of a file, by name."""
CAPABILITY = "security.capability"
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_SPACES = ("user.", "security.", "trusted.")
_NAME = re.compile(r"[!#-\[\]-~]+")
_MOST_NAME, _MOST_VALUE = 255, 65536
"""Bytes of a name and of a value (linux/limits.h: XATTR_NAME_MAX, XATTR_SIZE_MAX)."""


def carried(name: str) -> bool:
    """Whether an attribute of a file here means the same on a board.

    Labels of this machine's security modules and its ``trusted.`` ones don't.
    """
    own = name.startswith("user.") or name in (CAPABILITY, ACCESS, DEFAULT)
    return own and plain(name)


def unasked(xattrs: Xattrs) -> Xattrs:
    """Those of a file among a site's own that boards get though nobody wrote them down.

    Access control lists say, as owners do, who may do what with it here. Capabilities of another
    revision than the second count for a user namespace of this machine (capabilities(7), "File
    capability extended attribute versioning"), and whoever has one can give them.
    """
    return tuple(
        (name, value)
        for name, value in xattrs
        if name.startswith("user.") or (name == CAPABILITY and _revision(value) == _OF_ROOT)
    )


def plain(name: str) -> bool:
    """Whether a name has none but printing ASCII characters that need no quoting anywhere."""
    return bool(_NAME.fullmatch(name))


def parse(rows: Mapping[str, str]) -> Xattrs:
    """Attributes as they are written down. Raises BadInput naming the one that can't be used."""
    return tuple(sorted((_name(name), _checked(name, _value(text))) for name, text in rows.items()))


def parse_word(word: str) -> tuple[str, str]:
    """``NAME=VALUE`` → both as text. Raises BadInput."""
    name, sign, text = word.partition("=")
    if not sign:
        raise BadInput(f"{shown(word)} is no extended attribute; write it as user.note=text")
    parse({name: text})
    return name, text


def written(xattrs: Xattrs) -> dict[str, str]:
    """The way back of ``parse``."""
    return {name: _text(value) for name, value in xattrs}


def _name(name: str) -> str:
    ok = name.startswith(_SPACES) or name in (ACCESS, DEFAULT)
    if not ok or name in _SPACES or len(name) > _MOST_NAME or not plain(name):
        raise BadInput(
            f"{shown(name)} is no extended attribute that can be laid: user.*, security.*, "
            f"trusted.*, {ACCESS} and {DEFAULT} can"
        )
    return name


def _value(text: str) -> bytes:
    try:
        if text[:2] in ("0x", "0X"):
            return bytes.fromhex(text[2:])
        if text[:2] in ("0s", "0S"):
            return b64decode(text[2:], validate=True)
        return text.encode()
    except (binascii.Error, ValueError):
        raise BadInput(f"{shown(text)} is neither hex after 0x nor base64 after 0s") from None


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    plain = text.isprintable() and text[:2].lower() not in ("0x", "0s")
    return text if plain else f"0x{value.hex()}"


def _checked(name: str, value: bytes) -> bytes:
    if len(value) > _MOST_VALUE:
        raise BadInput(f"{name} is longer than the {_MOST_VALUE} bytes of an attribute")
    if name == CAPABILITY and _revision(value) is None:
        raise BadInput(f"{name}: {_text(value)[:60]} are no file capabilities")
    if name in (ACCESS, DEFAULT) and not _is_acl(value):
        raise BadInput(f"{name}: {_text(value)[:60]} is no access control list")
    return value


# ── file capabilities ─────────────────────────────────────────────────────────────────────

_LENGTHS = {1: 12, 2: 20, 3: 24}
"""Revision of struct vfs_cap_data → its bytes; the third ends with the owner of a namespace."""
_OF_ROOT = 2
"""The revision that only who may give any capability of the machine can write."""
_EFFECTIVE = 1
# fmt: off
_CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
    "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
    "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
    "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
    "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
    "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
)
# fmt: on


def _revision(value: bytes) -> int | None:
    revision = value[3] if len(value) > 3 else 0
    return revision if _LENGTHS.get(revision) == len(value) else None


def _capabilities(value: bytes) -> str:
    """As getcap(8) prints them: ``cap_net_raw=ep``."""
    magic, *words = struct.unpack(f"<{len(value) // 4}I", value)
    wide = _revision(value) != 1
    permitted = words[0] | (words[2] << 32 if wide else 0)
    inheritable = words[1] | (words[3] << 32 if wide else 0)
    groups: dict[str, list[str]] = {}
    for bit in range(64 if wide else 32):
        flags = ("i" if inheritable >> bit & 1 else "") + ("p" if permitted >> bit & 1 else "")
        if flags:
            name = _CAPABILITIES[bit] if bit < len(_CAPABILITIES) else str(bit)
            groups.setdefault(("e" if magic & _EFFECTIVE else "") + flags, []).append(f"cap_{name}")
    said = [f"{','.join(names)}={flags}" for flags, names in groups.items()] or ["none"]
    root = [f"[rootid={words[4]}]"] if len(words) > 4 else []
    return " ".join([*said, *root])


# ── access control lists ──────────────────────────────────────────────────────────────────

_ACL_VERSION = struct.pack("<I", 2)
_TAGS = {1: "user", 2: "user", 4: "group", 8: "group", 16: "mask", 32: "other"}
_NAMED = (2, 8)
_OWNER, _GROUP, _MASK, _OTHER = 1, 4, 16, 32


def _entries(value: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag, permission bits and id of each entry."""
    return struct.iter_unpack("<HHI", value[4:])


def _is_acl(value: bytes) -> bool:
    """acl(5), "ACL ENTRIES": one each of owner, group, others; a mask if anybody is named."""
    if not value.startswith(_ACL_VERSION) or len(value) % 8 != 4:
        return False
    entries = [*_entries(value)]
    tags = [tag for tag, _, _ in entries]
    named = [(tag, who) for tag, _, who in entries if tag in _NAMED]
    return (
        all(tag in _TAGS and permissions < 8 for tag, permissions, _ in entries)
        and all(tags.count(tag) == 1 for tag in (_OWNER, _GROUP, _OTHER))
        and tags.count(_MASK) <= 1
        and (_MASK in tags or not named)
        and len(set(named)) == len(named)
        and tags == sorted(tags)
    )


def _acl(value: bytes) -> str:
    """As getfacl(1) prints it in its short form, with numbers."""
    return ",".join(
        f"{_TAGS[tag]}:{who if tag in _NAMED else ''}:"
        + "".join(char if bits & 4 >> place else "-" for place, char in enumerate("rwx"))
        for tag, bits, who in _entries(value)
    )


def mode_of(xattrs: Xattrs) -> int | None:
    """The permission bits that an access control list comes with; None without one.

    Those of the group are the mask's (acl(5), "CORRESPONDENCE BETWEEN ACL ENTRIES AND FILE
    PERMISSION BITS").
    """
    value = dict(xattrs).get(ACCESS)
    if value is None:
        return None
    bits = {tag: permissions for tag, permissions, _ in _entries(value)}
    return bits[_OWNER] << 6 | bits.get(_MASK, bits[_GROUP]) << 3 | bits[_OTHER]


def said(xattrs: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, str]]:
    """Name and value of each for people: capabilities and lists by their names."""
    for name, value in xattrs:
        if name == CAPABILITY:
            yield name, _capabilities(value)
        elif name in (ACCESS, DEFAULT):
            yield name, _acl(value)
        else:
            yield name, _text(value)
