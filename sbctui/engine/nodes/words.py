"""A request as the command line that asks the same."""

from __future__ import annotations

import shlex
from functools import singledispatch

from sbctui.engine.model import requests as ask

_LISTED = 4


def command_line(request: ask.Request) -> str:
    """What an admin would type, pasteable."""
    verb = {"node edit": "leaf edit", "audit fix": "audit --fix"}.get(request.verb, request.verb)
    return shlex.join(["sbctui", *verb.split(), *_words(request)])


@singledispatch
def _words(request: ask.Request) -> list[str]:
    raise TypeError(type(request).__name__)


@_words.register
def _(request: ask.CreateRoot) -> list[str]:
    source = ["--from", request.source.path] if request.source else []
    return [request.name, "--size", str(request.size), *source]


@_words.register
def _(request: ask.CloneRoot) -> list[str]:
    return [request.source, request.name]


@_words.register
def _(request: ask.AllocateRoot) -> list[str]:
    address = ["--ip", str(request.ip)] if request.ip else []
    return [request.name, "--mac", request.mac, *address]


@_words.register
def _(request: ask.DeallocateRoot) -> list[str]:
    flags = {"--cut": request.cut, "--no-reboot": not request.reboot}
    return [request.name, *(flag for flag, on in flags.items() if on)]


@_words.register
def _(request: ask.ResizeRoot) -> list[str]:
    return [request.name, str(request.size)]


@_words.register
def _(request: ask.DeleteRoot) -> list[str]:
    return [request.name]


@_words.register
def _(request: ask.CreateLeaves) -> list[str]:
    plain = all(not (leaf.alias or leaf.group or leaf.ip) for leaf in request.leaves)
    if plain and len(request.leaves) <= _LISTED:
        return [request.root, *(leaf.mac for leaf in request.leaves)]
    return [request.root, "--macs", "macs.csv"]


@_words.register
def _(request: ask.DeleteLeaves) -> list[str]:
    which = ["--all"] if request.macs is None else list(request.macs)
    return [request.root, *which, *(["--cut"] if request.cut else [])]


@_words.register
def _(request: ask.EditNode) -> list[str]:
    named = {
        "--alias": request.alias,
        "--group": request.group,
        "--notes": request.notes,
        "--ip": request.ip,
    }
    return [
        request.name,
        *(w for key, value in named.items() if value is not None for w in (key, str(value))),
    ]


@_words.register
def _(request: ask.AttachLeaf) -> list[str]:
    return [request.name, request.root]


@_words.register
def _(request: ask.RestoreTrash) -> list[str]:
    return list(request.folders)


@_words.register
def _(request: ask.PurgeTrash) -> list[str]:
    return list(request.folders)


@_words.register
def _(request: ask.FixFindings) -> list[str]:
    return list(request.findings)


@_words.register
def _(request: ask.ApplyServices) -> list[str]:
    return []
