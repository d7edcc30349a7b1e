"""The one place of a system's own site, and whose it is."""

from __future__ import annotations

import os
from pathlib import Path

SYSTEM_SITE = Path("/var/lib/sbctui")
"""Where root's site is when nobody says another."""
SERVICE_USER = "sbctui"
"""The one user that owns the system site and runs its daemons."""


def usual_owner(site: Path) -> str:
    """The user a new site is given to: the service user for the system's own, else nobody else."""
    return SERVICE_USER if os.geteuid() == 0 and site == SYSTEM_SITE else ""
