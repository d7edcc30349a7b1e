"""Which of several subnets an address is of, as forms ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbctui.screens.fields import Field, Values

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site


def network_fields(site: Site) -> tuple[Field, ...]:
    """Which subnet an address is of; nothing to choose where there is one."""
    names = networks(site)
    if not names:
        return ()
    return (Field("network", "Network", choices=names, hint="the subnet of its address"),)


def networks(site: Site) -> tuple[str, ...]:
    """The names of the subnets, where there are several."""
    lots = site.settings.network.lots
    return tuple(lot.name for lot in lots) if len(lots) > 1 else ()


def other_network(site: Site, values: Values) -> str:
    """The subnet that was chosen; empty for the first one, which needs no word."""
    names = networks(site)
    chosen = values.get("network", "")
    return "" if not names or chosen == names[0] else chosen
