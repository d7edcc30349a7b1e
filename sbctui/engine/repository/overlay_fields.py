"""Templates among the files laid over an image: the same language as boot files have. Pure.

They know only what holds from a leaf's first moment on, so that what is laid when it is made is
what would be laid a year later.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from sbctui.engine.boot import template as templates
from sbctui.engine.boot.template import Template
from sbctui.engine.errors import BadInput
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.overlay import Item, Layer, Place
from sbctui.engine.model.settings import Settings

MEANING: Mapping[str, str] = {
    "name": "the leaf's name",
    "hostname": "the board's host name",
    "mac": "its MAC with colons",
    "ip": "its address",
    "server": "this server's address",
    "port": "the NBD port",
    "export": "the NBD export",
    "group": "its group",
    "root": "the root it was made of",
}
"""Every placeholder and what stands there afterwards."""
LARGEST = 64 * 1024 + 1
"""Bytes read of a template, one more than it may have."""


def fields(config: NodeConfig, settings: Settings, root: str) -> dict[str, str]:
    """What stands in a leaf's files in place of the placeholders."""
    return {
        "name": config.name,
        "hostname": config.hostname,
        "mac": config.mac or "",
        "ip": str(config.ip or ""),
        "server": str(settings.network.server_for(config.ip) or ""),
        "port": str(settings.network.nbd_port),
        "export": config.export,
        "group": config.group,
        "root": root,
    }


def template(place: Place, item: Item, data: bytes) -> Template:
    """A file that is marked as one, checked. Raises BadInput with line and column."""
    return checked(f"{place.path}/{item.path}", data)


def checked(where: str, data: bytes) -> Template:
    """A template that lies somewhere. Raises BadInput with line and column."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise BadInput(f"{where}, line {line}, column {column}: a template is UTF-8") from None
    found = Template("", text, where)
    templates.placeholders(found, tuple(MEANING))
    return found


def filled(found: Template, values: Mapping[str, str]) -> bytes:
    """The file's bytes for one board."""
    return templates.expand(found, values).encode()


def digest(item: Item, found: Template | None, values: Mapping[str, str]) -> str:
    """What stands on a leaf's disk when an item is laid there, as a hash."""
    if found is None:
        return item.digest(item.content)
    return item.digest(sha256(filled(found, values)).hexdigest())


Templates = Mapping[tuple[Place, str], Template]
"""Every template of some layers, by place and path."""


def templates_in(layers: tuple[Layer, ...]) -> list[tuple[Place, Item]]:
    """The files that are marked as templates."""
    return [
        (layer.place, item)
        for layer in layers
        for item in layer.items
        if item.template and item.kind == "file"
    ]
