"""``site.toml`` as bytes."""

from __future__ import annotations

import tomli_w

from sbctui.engine.model.settings import Settings


def render_settings(settings: Settings) -> bytes:
    """What differs from the defaults."""
    chosen = settings.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )
    return tomli_w.dumps({"schema": 1, **chosen}).encode()
