"""Which daemons a site has, made from its settings."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.services.supervise_place import Place
from sbctui.engine.services.supervisor import Services


def services(site: Path, place: Place) -> Services:
    """The daemons of a site. Raises NotASite, NotPermitted."""
    raise ServiceFailed(f"{site}: not yet at {place.run}")
