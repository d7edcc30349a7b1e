"""``sbctui keys``: what each key of the console does, as it is set now."""

from __future__ import annotations

from typing import Any

import click

from sbctui.cli import options, output
from sbctui.cli.failing import Failed
from sbctui.engine.errors import BadInput
from sbctui.keymap import Keymap


@click.command()
@options.output_option
def keys(json: bool) -> int:
    """List the console's actions and their keys, with those of config.toml marked *."""
    from sbctui.actions import ACTIONS
    from sbctui.keymap import keymap
    from sbctui.prefs import load

    found = keymap(load().keys)
    document = {"keys": [_json(found, action.name) for action in ACTIONS]}
    if not json:
        rows = [_row(found, action.name) for action in ACTIONS]
        output.table(("SCOPE", "KEYS", "", "ID", "WHAT IT DOES"), rows)
    if found.faults:
        more = f"; and {len(found.faults) - 1} more" if len(found.faults) > 1 else ""
        said = f"config.toml: {found.faults[0]}{more}; until then the usual keys are in force"
        raise Failed(said, BadInput.code, document)
    if json:
        output.document(document)
    return 0


def _row(found: Keymap, name: str) -> tuple[str, ...]:
    from sbctui.actions import BY_NAME

    action = BY_NAME[name]
    mark = "*" if name in found.changed else ""
    return action.scope, found.all_shown(name) or "off", mark, action.id, action.help


def _json(found: Keymap, name: str) -> dict[str, Any]:
    from sbctui.actions import BY_NAME

    action = BY_NAME[name]
    return {
        "scope": action.scope,
        "id": action.id,
        "keys": list(found.keys[name]),
        "default": action.keys.split(","),
        "remapped": name in found.changed,
        "help": action.help,
    }
