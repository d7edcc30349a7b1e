"""What a site allows: every rule answers None, or "no, because …" with what would lift it.

The same sentence stands greyed in the app, is raised as ``Refused`` by the planner, and is
checked by one test table. Pure: only a ``Site`` is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

from sbctui.engine.bootkit.arch import RISCV, is_riscv
from sbctui.engine.errors import NoSpace, NoSuchNode, Refused
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.amounts import size
from sbctui.engine.model.node import State
from sbctui.engine.model.site import Node, Site
from sbctui.engine.model.text import clean


def node(site: Site, name: str) -> Node:
    """The node, by name or by a leaf's alias. Raises NoSuchNode, or Refused when broken."""
    if name in site.nodes:
        return site.nodes[name]
    if name in site.broken:
        raise Refused(f"{clean(name)} is broken: {site.broken[name].reason}; see: sbctui audit")
    aliased = site.by_alias.get(name, ())
    if len(aliased) == 1:
        return site.nodes[aliased[0]]
    raise NoSuchNode(f"there is no node {shown(name)}; list them with: sbctui root list")


def root(site: Site, name: str) -> Node:
    """The root of that name. Raises NoSuchNode; Refused when it is a leaf or broken."""
    found = node(site, name)
    if not found.is_root:
        raise Refused(f"{found.name} is a leaf, not a root")
    return found


def leaf(site: Site, name: str) -> Node:
    """The leaf of that name or alias. Raises NoSuchNode; Refused when it is a root or broken."""
    found = node(site, name)
    if found.is_root:
        raise Refused(f"{found.name} is a root, not a leaf")
    return found


def leaves(count: int) -> str:
    """``1 leaf``, ``40 leaves``."""
    return f"{count} {'leaf' if count == 1 else 'leaves'}"


READ_ONLY = "opened with --read-only, so nothing is changed here; start sbctui without it to act"
"""What every change answers where somebody only wanted to look."""


def _writable(site: Site) -> str | None:
    if site.facts.read_only:
        return READ_ONLY
    if site.facts.writable:
        return None
    return f"{site.path} can't be written; mount it read-write or run as its owner"


def _stood_on(site: Site, name: str) -> str | None:
    """Why the disk of root ``name`` may not change: overlays stand on it."""
    standing = site.standing_on.get(name, ())
    trashed = [s for s in standing if s.startswith("trash/")]
    alive = [s for s in standing if not s.startswith("trash/")]
    if alive:
        return f"{leaves(len(alive))} stand on the disk of {name}, {alive[0]} first"
    if trashed:
        return (
            f"{leaves(len(trashed))} in the trash still use the disk of {name}: "
            "purge them (sbctui trash purge --all), or clone the root"
        )
    return None


def _children(site: Site, name: str) -> str | None:
    children = site.nodes[name].config.children
    if not children:
        return None
    return f"{name} has {leaves(len(children))}; delete them first: sbctui leaf delete {name} --all"


def _allocated(site: Site, name: str) -> str | None:
    config = site.nodes[name].config
    if config.mac is None:
        return None
    return f"{name} is allocated to {config.mac}; first: sbctui root deallocate {name}"


def connected(site: Site, name: str) -> str | None:
    """Why a node's disk must be left alone now: a board is connected to it."""
    sessions = site.sessions_of.get(site.nodes[name].config.export, ())
    if not sessions:
        return None
    return (
        f"the board at {clean(sessions[0].address)} is running from {name}; "
        "shut it down first, or say --cut to pull its disk away"
    )


Rule = Callable[[Site, str], str | None]


def _first(site: Site, name: str, *rules: Rule) -> str | None:
    for rule in rules:
        if reason := rule(site, name):
            return reason
    return _writable(site)


def _is_root(site: Site, name: str) -> str | None:
    return None if site.nodes[name].is_root else f"{name} is a leaf, not a root"


def _is_leaf(site: Site, name: str) -> str | None:
    return f"{name} is a root, not a leaf" if site.nodes[name].is_root else None


def _settled(site: Site, name: str) -> str | None:
    if name in site.broken:
        return f"{name} is broken: {site.broken[name].reason}; see: sbctui audit"
    found = site.nodes[name]
    if site.state(name) is State.MISPARENTED:
        parent = site.listed_by[name][0]
        return f"{name} stands in the children of {parent} though it is a root; see: sbctui audit"
    if found.disk is None:
        return f"the disk of {name} is missing ({found.config.disk.file}); see: sbctui audit"
    if found.config.disk.resize_to is not None:
        return (
            f"the disk of {name} is in the middle of a resize; finish it with: sbctui audit --fix"
        )
    return None


def can_create_root(site: Site) -> str | None:
    """Whether a root can be made at all."""
    return _writable(site)


def can_build_bootkit(site: Site) -> str | None:
    """Whether an initramfs can be built into this site."""
    return _writable(site)


def can_distribute(site: Site) -> str | None:
    """Whether side files can be made, and images sent and received."""
    return _writable(site)


def can_use_initramfs(site: Site, name: str) -> str | None:
    """Whether a node can load another initramfs: its boot files can be written."""
    if name in site.broken:
        return f"{name} is broken: {site.broken[name].reason}; see: sbctui audit"
    config = site.nodes[name].config
    if is_riscv(config.boot.arch):
        return f"{name} is for riscv, and {RISCV}"
    return _writable(site)


def can_change_settings(site: Site) -> str | None:
    """Whether the site's settings, and its repository, can be written."""
    return _writable(site)


def can_clone(site: Site, name: str) -> str | None:
    """Whether a root's disk can be copied now, live or not (S0.14)."""
    return _first(site, name, _settled, _is_root)


def can_export(site: Site, name: str) -> str | None:
    """Whether a node can be written into an archive now."""
    return _first(site, name, _settled)


def can_difference(site: Site, name: str) -> str | None:
    """Whether a leaf can be told by what differs from the disk of the root it was made of."""
    root = difference_base(site, name)
    if root is None:
        return f"{name} is no leaf of a root that is here; export it whole"
    return _first(site, root, _settled, _is_root, _allocated)


def difference_base(site: Site, name: str) -> str | None:
    """The root whose disk a leaf stands on, or was copied from; None when it is not here."""
    config = site.nodes[name].config
    root = config.disk.base or config.parent
    return root if config.kind == "leaf" and root in site.nodes else None


def can_import(site: Site) -> str | None:
    """Whether a root can be made out of an archive at all."""
    return _writable(site)


def can_serve(site: Site) -> str | None:
    """Whether boards of another server can boot here: they need addresses."""
    if site.settings.network.subnet is None:
        return (
            "this site has no subnet, so no board gets an address from it; give it one with: "
            "sbctui site init --interface IF --subnet CIDR --pool A-B"
        )
    return _writable(site)


def can_allocate(site: Site, name: str) -> str | None:
    """Whether a root can be given a MAC: deallocated, no leaves, nothing stands on it (S0.21)."""
    return _first(site, name, _settled, _is_root, _allocated, _children, _stood_on)


def can_deallocate(site: Site, name: str) -> str | None:
    """Whether there is anything to take away."""
    if name in site.nodes and site.nodes[name].config.mac is None:
        return f"{name} is not allocated"
    return _first(site, name, _is_root)


def can_resize(site: Site, name: str) -> str | None:
    """Whether a root's disk may change: deallocated, without leaves, nothing stands on it."""
    return _first(site, name, _settled, _is_root, _allocated, _children, _stood_on)


def can_rename(site: Site, name: str) -> str | None:
    """Whether a root can have another name: deallocated, without leaves, nothing stands on it."""
    return _first(site, name, _settled, _is_root, _allocated, _children, _stood_on)


def can_delete(site: Site, name: str) -> str | None:
    """Whether a root can go to the trash: not allocated, without children (S0.15)."""
    if name in site.broken:
        return None
    if not site.nodes[name].is_root:
        return can_delete_leaf(site, name)
    blocking = [r for rule in (_allocated, _children) if (r := rule(site, name))]
    alive = [s for s in site.standing_on.get(name, ()) if not s.startswith("trash/")]
    if alive and not blocking:
        blocking.append(_stood_on(site, name) or "")
    return "; ".join(blocking) or _writable(site)


def can_delete_leaf(site: Site, name: str) -> str | None:
    """Whether a leaf can go to the trash: no board connected."""
    return _first(site, name, _is_leaf, connected)


def can_lay(site: Site, name: str) -> str | None:
    """Whether files can be laid over a leaf's disk now: settled, ext4, no board connected."""
    return _first(site, name, _is_leaf, _settled, _laid_over, connected_now)


def connected_now(site: Site, name: str) -> str | None:
    """Why a leaf's disk can't be changed now: a board is connected to it."""
    if connected(site, name) is None:
        return None
    address = site.sessions_of[site.nodes[name].config.export][0].address
    return f"the board at {clean(address)} is running from {name}; shut it down first"


def _laid_over(site: Site, name: str) -> str | None:
    kind = site.nodes[name].config.disk.filesystem
    if kind.startswith("ext"):
        return None
    return f"the disk of {name} holds {kind or 'no'} file system that files can be laid over (ext4)"


def can_create_leaves(site: Site, name: str) -> str | None:
    """Whether leaves can be made of a root: deallocated, disk settled (S0.18)."""
    return _first(site, name, _settled, _is_root, _allocated)


def can_delete_leaves(site: Site, name: str) -> str | None:
    """Whether a root has leaves to delete (S0.19)."""
    if reason := _first(site, name, _is_root):
        return reason
    return None if site.nodes[name].config.children else f"{name} has no leaves"


def can_attach(site: Site, name: str) -> str | None:
    """Whether a leaf is an orphan that can be listed again (S0.5)."""
    if reason := _first(site, name, _is_leaf):
        return reason
    listed = site.listed_by.get(name, ())
    return f"{name} is already listed by {listed[0]}" if listed else None


def can_adopt(site: Site, name: str, root: str) -> str | None:
    """Whether an orphan can be listed by this root."""
    orphan, adopter = site.nodes[name].config, site.nodes[root].config
    if adopter.kind != "root":
        return f"{root} is a leaf, not a root"
    if orphan.mac in adopter.children:
        return f"{root} lists {orphan.mac} already as {adopter.children[orphan.mac]}"
    if adopter.mac is not None:
        return f"{root} is allocated, so it can't have leaves; deallocate it first"
    if orphan.disk.base not in (None, root):
        return f"the disk of {name} stands on {orphan.disk.base}; attach it to that root"
    return None


def free_name(site: Site, name: str) -> str | None:
    """Why a name can't be given to a new node."""
    if name in site.nodes or name in site.broken:
        return f"there is a node {name} already; choose another name"
    if any(s.path == f"nodes/.new-{name}" for s in site.strays):
        return f"a node {name} is being made, or was left half-made; see: sbctui audit"
    if any(s.path == f"nodes/{name}" for s in site.strays):
        return f"nodes/{name} is taken by something that is no node; see: sbctui audit"
    return None


def free_mac(site: Site, mac: str) -> str | None:
    """Why a MAC can't be given to a node (S0.21)."""
    taken = site.by_mac.get(mac)
    if taken:
        return f"{mac} is taken by {taken[0]}"
    reserved = [r.name for r in site.roots if mac in r.config.children]
    return f"{mac} stands in the children of {reserved[0]}; see: sbctui audit" if reserved else None


def free_alias(site: Site, alias: str, *, but: str = "") -> str | None:
    """Why an alias can't be given to a leaf: shown names and host names are unique."""
    if alias in site.nodes:
        return f"there is a node named {alias}; choose another alias"
    taken = [name for name in site.by_alias.get(alias, ()) if name != but]
    return f"the alias {alias} is taken by {taken[0]}; choose another" if taken else None


def free_ip(site: Site, ip: IPv4Address, *, but: str = "") -> str | None:
    """Why an address can't be given to a node; ``but`` names a node that may hold it."""
    network = site.settings.network
    if network.subnet is None:
        return "this site has no subnet; set one with: sbctui site init --subnet CIDR"
    if not network.is_host(ip):
        return f"{ip} is no host address of {network.subnets}; choose one inside it"
    if ip in network.servers:
        return f"{ip} is the server's own address; choose another"
    taken = [name for name in site.by_ip.get(ip, ()) if name != but]
    return f"{ip} is taken by {taken[0]}; choose another" if taken else None


def enough_space(site: Site, needs: int, inodes: int = 0) -> None:
    """Raises NoSpace when ``needs`` bytes (plus 5 %) or ``inodes`` exceed what is free."""
    wanted = needs + needs // 20
    if wanted > site.facts.free_bytes:
        raise NoSpace(
            f"this needs {size(wanted)} and {site.path} has {size(site.facts.free_bytes)} free; "
            "empty the trash (sbctui trash purge --all) or make room"
        )
    if inodes > site.facts.free_inodes > 0:
        raise NoSpace(
            f"this needs {inodes} inodes and {site.path} has {site.facts.free_inodes} free"
        )


def require(reason: str | None, field: str = "") -> None:
    """Turn a rule's answer into Refused, against a part of the request."""
    if reason:
        raise Refused(reason).of(field)
