"""What an initramfs can do: which modules it has, and whether it knows how to use NBD."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.boot.cpio import members

_MODULE = re.compile(
    r"(?:usr/)?lib/modules/(?P<version>[^/]+)/(?P<path>.+\.ko(?:\.(?:gz|xz|zst))?)"
)
_LIST = re.compile(r"(?:usr/)?lib/modules/(?P<version>[^/]+)/modules\.(?P<list>builtin|dep)")
_CLIENT = re.compile(r"(?:usr/)?s?bin/(?:nbd-client|nbdlink)")
_SCRIPTS: Mapping[str, re.Pattern[str]] = {
    "initramfs-tools": re.compile(r"scripts/(?:[^/]+/)?nbd[^/]*"),
    "dracut": re.compile(r"(?:usr/)?s?bin/nbdroot|(?:usr/|var/)?lib/dracut/.*nbd[^/]*\.sh"),
    "mkinitcpio": re.compile(r"hooks/nbd[^/]*"),
}
"""What makes an initramfs look for its root over NBD, by the program that packs it."""
_INIT = "init"
_STARTS = re.compile(rb"nbd-client|nbdlink")
"""The programs that connect a disk: the distribution's, and that of ``bootkit``."""
_SPELLED = str.maketrans("-", "_")


@dataclass(frozen=True, slots=True)
class Contents:
    """One initramfs.

    ``modules`` maps a kernel version to the modules for it: name → path below that version's
    folder. ``builtin`` and ``needs`` are its lists: names that the kernel has built in, and path →
    paths it can't do without. ``script`` is the program whose NBD script there is, or empty.
    """

    modules: Mapping[str, Mapping[str, str]]
    builtin: Mapping[str, frozenset[str]]
    needs: Mapping[str, Mapping[str, tuple[str, ...]]]
    client: bool
    script: str

    def lacks(self, version: str, module: str, builtin: frozenset[str]) -> tuple[str, ...]:
        """What of a module and what it needs is not there: names; empty when it can be used.

        ``builtin`` are names that the kernel has, known from elsewhere.
        """
        known = builtin | self.builtin.get(version, frozenset())
        name = module.translate(_SPELLED)
        if name in known:
            return ()
        there = self.modules.get(version, {})
        if name not in there:
            return (module,)
        paths = set(there.values())
        needed = self.needs.get(version, {}).get(there[name], ())
        names = (module_name(path) for path in needed if path not in paths)
        return tuple(found for found in names if found not in known)


def read_contents(path: Path, *, stop: commands.Stop = None) -> Contents:
    """Look into an initramfs. Raises BadInput for what is none or damaged; ToolMissing."""
    modules: dict[str, dict[str, str]] = {}
    lists: dict[tuple[str, str], str] = {}
    client, script = False, ""
    for member in members(path, _is_read, stop=stop):
        name = member.name
        if match := _MODULE.fullmatch(name):
            modules.setdefault(match["version"], {})[module_name(name)] = match["path"]
        elif match := _LIST.fullmatch(name):
            text = (member.data or b"").decode("utf-8", "replace")
            lists[match["version"], match["list"]] = text
        elif _CLIENT.fullmatch(name):
            client = True
        elif name == _INIT and not script and _STARTS.search(member.data or b""):
            script = _INIT
        else:
            script = next((k for k, v in _SCRIPTS.items() if v.fullmatch(name)), script)
    builtin = {v: builtin_names(text) for (v, kind), text in lists.items() if kind == "builtin"}
    needs = {v: _needs(text) for (v, kind), text in lists.items() if kind == "dep"}
    return Contents(modules, builtin, needs, client, script)


def _is_read(name: str) -> bool:
    return name == _INIT or _LIST.fullmatch(name) is not None


def module_name(path: str) -> str:
    """``kernel/drivers/block/nbd.ko.xz`` is the module ``nbd``; dashes are underscores."""
    return path.rpartition("/")[2].partition(".ko")[0].translate(_SPELLED)


def builtin_names(text: str) -> frozenset[str]:
    """Names in a ``modules.builtin`` (kernel, Documentation/kbuild/kbuild.rst)."""
    return frozenset(module_name(line.strip()) for line in text.splitlines() if line.strip())


def _needs(text: str) -> dict[str, tuple[str, ...]]:
    """``modules.dep`` (depmod(8)): path → paths of all that it needs."""
    parted = (line.partition(":") for line in text.splitlines())
    return {path.strip(): tuple(more.split()) for path, _, more in parted}
