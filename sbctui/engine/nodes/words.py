"""A request as the command line that asks the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import singledispatch

from sbctui.engine.archive.address import kind_of
from sbctui.engine.model import requests as ask
from sbctui.engine.model.repository import CACHE

_LISTED = 4
_STEPS = (("T", 4), ("G", 3), ("M", 2), ("K", 1))
_VERBS = {
    "node edit": "leaf edit",
    "audit fix": "audit --fix",
    "audit trash": "audit --trash",
    "audit keep": "audit --keep",
    "audit unkeep": "audit --unkeep",
}


def command_line(request: ask.Request) -> str:
    """What an admin would type, pasteable."""
    if request.rest_of:
        return shlex.join(["sbctui", "job", "resume", request.rest_of])
    verb = _VERBS.get(request.verb, request.verb)
    return shlex.join(["sbctui", *verb.split(), *_words(request)])


@singledispatch
def _words(request: ask.Request) -> list[str]:
    raise TypeError(type(request).__name__)


@_words.register
def _(request: ask.CreateRoot) -> list[str]:
    source = ["--from", request.source.path] if request.source else []
    notes = ["--notes", request.notes] if request.notes else []
    return [request.name, "--size", _exact(request.size), *source, *notes]


@_words.register
def _(request: ask.CloneRoot) -> list[str]:
    return [request.source, request.name]


@_words.register
def _(request: ask.AllocateRoot) -> list[str]:
    address = ["--ip", str(request.ip)] if request.ip else []
    return [request.name, "--mac", request.mac, *address, *_network(request.network)]


@_words.register
def _(request: ask.DeallocateRoot) -> list[str]:
    flags = {"--cut": request.cut, "--no-reboot": not request.reboot}
    return [request.name, *(flag for flag, on in flags.items() if on)]


@_words.register
def _(request: ask.ResizeRoot) -> list[str]:
    return [request.name, _exact(request.size)]


@_words.register
def _(request: ask.RenameRoot) -> list[str]:
    return [request.name, request.to]


@_words.register
def _(request: ask.DeleteRoot) -> list[str]:
    return [request.name]


@_words.register
def _(request: ask.CreateLeaves) -> list[str]:
    network = _network(request.network)
    if len(request.leaves) > _LISTED:
        return [request.root, "--macs", "macs.csv", *network]
    boards = [",".join((leaf.mac, leaf.alias, leaf.group)).rstrip(",") for leaf in request.leaves]
    address = [str(leaf.ip) for leaf in request.leaves if leaf.ip]
    return [request.root, *boards, *(["--ip", address[0]] if address else []), *network]


def _network(name: str) -> list[str]:
    return ["--network", name] if name else []


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
    return [request.name, request.root, *_network(request.network)]


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
def _(request: ask.TrashFindings) -> list[str]:
    return list(request.findings)


@_words.register
def _(request: ask.KeepFindings) -> list[str]:
    until = ["--until", request.until.isoformat()] if request.until else []
    return [*request.findings, "--note", request.note, *until]


@_words.register
def _(request: ask.UnkeepFindings) -> list[str]:
    return list(request.findings)


@_words.register
def _(request: ask.IgnoreBoards) -> list[str]:
    return [*request.macs, *(["--note", request.note] if request.note else [])]


@_words.register
def _(request: ask.UnignoreBoards) -> list[str]:
    return list(request.macs)


@_words.register
def _(request: ask.RegisterBoards) -> list[str]:
    return ["boards.csv"]


@_words.register
def _(request: ask.UnregisterBoards) -> list[str]:
    return ["--all"] if request.macs is None else list(request.macs)


@_words.register
def _(request: ask.UseInitramfs) -> list[str]:
    offline = ["--offline"] if request.offline else []
    return [request.name, "--initramfs", request.initramfs, *offline]


@_words.register
def _(request: ask.BuildBootkit) -> list[str]:
    named = {
        "--arch": request.arch,
        "--kernel": request.kernel,
        "--root": request.root,
        "--sources": request.sources,
    }
    return [*_named(named), *(["--offline"] if request.offline else [])]


@_words.register
def _(request: ask.MakeSideFiles) -> list[str]:
    return [*(request.images or ["--all"]), *(["--anew"] if request.anew else [])]


@_words.register
def _(request: ask.SeedImages) -> list[str]:
    most = ["--receivers", str(request.receivers)] if request.receivers else []
    lasting = ["--background"] if request.lasting else []
    return [*request.images, *most, *_named({"--interface": request.interface}), *lasting]


@_words.register
def _(request: ask.StopSeeding) -> list[str]:
    return [*request.images]


@_words.register
def _(request: ask.SendImage) -> list[str]:
    numbers = {"receivers": request.receivers, "wait": request.wait, "retries": request.retries}
    how = [word for key, number in numbers.items() for word in (f"--{key}", str(number))]
    more = _named({"--rate": request.rate, "--interface": request.interface})
    return [request.image, "--multicast", *how, *more]


@_words.register
def _(request: ask.ReceiveImage) -> list[str]:
    how = [f"--{request.by}", "--wait", str(request.wait)]
    more = _named(
        {
            "--from": request.origin,
            "--seeder": request.seeder,
            "--interface": request.interface,
        }
    )
    where = request.address if request.cache else request.image
    return [where, *how, *more, *(["--replace"] if request.replace else [])]


@_words.register
def _(request: ask.AddRepository) -> list[str]:
    one = request.repository
    given = one.model_dump(exclude_defaults=True, exclude={"kind", "place"})
    words = [w for key, value in given.items() for w in _option(key, value)]
    return [request.name, one.kind, one.place, *words]


def _option(key: str, value: object) -> list[str]:
    return ["--no-backup"] if key == "backup" else [f"--{key.replace('_', '-')}", str(value)]


@_words.register
def _(
    request: ask.RemoveRepository | ask.MountRepository | ask.UnmountRepository,
) -> list[str]:
    return [request.name]


@_words.register
def _(request: ask.IndexRepository) -> list[str]:
    return []


@_words.register
def _(request: ask.ImportTree) -> list[str]:
    return [request.folder, *(["--move"] if request.move else [])]


@_words.register
def _(request: ask.UpdateCache) -> list[str]:
    cache = ["--cache", request.cache] if request.cache != CACHE else []
    delay = ["--delay", str(request.delay)] if request.delay else []
    return [f"{request.repository}:{request.path}", *cache, *delay,
            *(["--check"] if request.check else [])]  # fmt: skip


@_words.register
def _(request: ask.ServeCache) -> list[str]:
    cache = [request.cache] if request.cache != CACHE else []
    return [f"{request.cache}:{path}" for path in request.images] or cache


@_words.register
def _(request: ask.RestoreImage) -> list[str]:
    return [f"{request.cache}:{request.path}"]


@_words.register(ask.ExportRoot)
@_words.register(ask.ExportLeaf)
def _(request: ask.ExportRoot | ask.ExportLeaf) -> list[str]:
    packing = request.packing
    named = {
        "--compress": packing.compression if packing.compression != "zstd" else None,
        "--level": packing.level,
        "--threads": packing.threads or None,
    }
    flags = {
        "--difference": isinstance(request, ask.ExportLeaf) and request.difference,
        "--replace": request.replace,
    }
    return [
        request.name,
        request.target.file,
        *(w for key, value in named.items() if value is not None for w in (key, str(value))),
        *(flag for flag, on in flags.items() if on),
    ]


@_words.register
def _(request: ask.ExportMany) -> list[str]:
    first = request.targets[0].file if request.targets else "FOLDER/"
    packing = request.packing
    compress = ["--compress", packing.compression] if packing.compression != "zstd" else []
    level = ["--level", str(packing.level)] if packing.level is not None else []
    flags = {"--difference": request.difference, "--replace": request.replace}
    chosen = [flag for flag, on in flags.items() if on]
    folder = first[: max(first.rfind("/"), first.rfind(":")) + 1]
    return [*request.names, "--to", folder, *compress, *level, *chosen]


@_words.register
def _(request: ask.DeleteImages) -> list[str]:
    return list(request.images)


@_words.register
def _(request: ask.ImportRoot) -> list[str]:
    place = request.archive.place
    where = ["--from", place] if kind_of(place) in ("ssh", "url") else [place]
    base = ["--base", request.base] if request.base else []
    flag = ["--allow-unverified"] if request.unverified else []
    return [*where, "--name", request.name, *base, *flag]


@_words.register
def _(request: ask.ImportLeaf) -> list[str]:
    place = request.archive.place
    where = ["--from", place] if kind_of(place) in ("ssh", "url") else [place]
    named = {
        "--mac": request.mac,
        "--root": request.root,
        "--ip": request.ip,
        "--network": request.network,
    }
    flag = ["--allow-unverified"] if request.unverified else []
    return [*where, *(w for key, value in named.items() if value for w in (key, str(value))), *flag]


@_words.register
def _(request: ask.ApplyOverlays) -> list[str]:
    which = ["--group", request.group] if request.group else list(request.names)
    return [*which, *(["--again"] if request.again else [])]


@_words.register
def _(request: ask.AddOverlay) -> list[str]:
    named = {"--owner": request.owner, "--mode": request.mode}
    return [
        request.source,
        f"/{request.target}",
        *_overlay(request),
        *(w for key, value in named.items() if value for w in (key, value)),
        *(["--template"] if request.template else []),
    ]


@_words.register
def _(request: ask.HideOverlay) -> list[str]:
    return [f"/{request.target}", *_overlay(request)]


@_words.register
def _(request: ask.RemoveOverlay) -> list[str]:
    return [f"/{request.target}", *_overlay(request)]


def _overlay(request: ask.AddOverlay | ask.HideOverlay | ask.RemoveOverlay) -> list[str]:
    whose = ["--client", str(request.board)] if request.board else ["--group", request.group]
    return [*whose, "--image", request.image]


@_words.register
def _(request: ask.SetGroup) -> list[str]:
    return [*request.names, request.group]


@_words.register
def _(request: ask.RenameGroup) -> list[str]:
    return [request.name, request.to, *(["--merge"] if request.merge else [])]


@_words.register
def _(request: ask.DeleteGroup) -> list[str]:
    return [request.name]


@_words.register
def _(request: ask.ApplyServices) -> list[str]:
    return []


def _named(options: Mapping[str, str]) -> list[str]:
    """Options that have a value."""
    return [word for key, value in options.items() if value for word in (key, value)]


def _exact(size: object) -> str:
    """Bytes in the largest unit that keeps them exact; what is no number stays as it is."""
    if isinstance(size, int) and size:
        for unit, power in _STEPS:
            if size % 1024**power == 0:
                return f"{size // 1024**power}{unit}"
    return str(size)
