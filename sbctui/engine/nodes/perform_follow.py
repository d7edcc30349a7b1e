"""How what is kept elsewhere under a node's name follows when that changes."""

from __future__ import annotations

import os

from sbctui.engine.context import Context, Undo
from sbctui.engine.errors import Refused
from sbctui.engine.files import forget, swap_back, swap_in
from sbctui.engine.plan import SetModels
from sbctui.engine.store import SETTINGS, read_settings


def set_models(action: SetModels, ctx: Context) -> Undo:
    """Write the default roots anew, if they are still those that the plan saw.

    What else stands in site.toml stays as it is, comments too.
    """
    import tomlkit

    path = ctx.site.path / SETTINGS
    if read_settings(ctx.site.path).models != action.before:
        raise Refused("the default roots of boards were changed meanwhile; look at them again")
    document = tomlkit.parse(path.read_text("utf-8"))
    for pattern, root in action.after.items():
        document["models"][pattern] = root
    data = tomlkit.dumps(document).encode()
    facts = path.stat()
    owner = (facts.st_uid, facts.st_gid) if os.geteuid() == 0 else None
    old = swap_in(path, data, owner=owner)
    ctx.holds.callback(forget, old)
    return lambda: swap_back(path, old)
