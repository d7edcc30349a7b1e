"""What a lab leaves behind where it had no world of its own to vanish with: removed here."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sbctui.engine.errors import SbcError
from sbctui.engine.files import remove_tree
from sbctui.engine.services.control import stop_services
from sbctui.engine.services.rundir import run_dir

SITE = "site"


def tidy(folder: Path) -> None:
    """End the services of the lab in ``folder``, and remove it. What is gone is left so."""
    site = folder / SITE
    with suppress(SbcError, OSError):
        stop_services(site, force=True)
    for one in (run_dir(site), folder):
        with suppress(OSError):
            remove_tree(one)
