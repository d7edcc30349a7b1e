"""At least forty faults to plant, and the one finding that must name each."""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Address

from sbctui.engine.engine import Engine
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.requests import UseInitramfs
from sbctui.engine.model.site import Lease, Session
from sbctui.engine.services.port import Status
from tests.audit.lab_site import (
    FREE,
    GAMMA,
    L1,
    L2,
    LOVER,
    OVER,
    PI1,
    SIZE,
    LabSite,
    back_date,
    qcow2_header,
    root,
    trashed,
)
from tests.boot.initrds import NBD, cpio, without
from tests.boot.kits import plant as plant_kit

HOSTS = "derived/dnsmasq/hosts.d"
Mends = bool


@dataclass(frozen=True)
class Fault:
    """``mends`` = the fix, applied for real, leaves a site without findings."""

    name: str
    plant: Callable[[LabSite], None]
    expected: tuple[str, ...]
    mends: bool


FAULTS: list[Fault] = []


def fault(*expected: str, mends: bool) -> Callable[[Callable[[LabSite], None]], None]:
    def add(plant: Callable[[LabSite], None]) -> None:
        FAULTS.append(Fault(plant.__name__, plant, expected, mends))

    return add


@fault(f"orphan:{L1}", mends=True)
def leaf_unlisted(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: None})


@fault(f"orphan:{L1}", mends=True)
def leaf_unlisted_with_unknown_parent(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: None})
    lab.edit(L1, parent="nobody")


@fault(f"orphan:{L1}", f"orphan:{L2}", mends=True)
def root_folder_removed(lab: LabSite) -> None:
    shutil.rmtree(lab.node("alpha"))


@fault("mis-parented:delta", mends=True)
def root_listed_as_child(lab: LabSite) -> None:
    lab.children("alpha", **{FREE: "delta"})


@fault("mis-parented:delta", mends=True)
def root_listed_in_place_of_a_leaf(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: "delta"})


@fault("mis-parented:gamma", mends=True)
def allocated_root_listed_by_two(lab: LabSite) -> None:
    lab.children("alpha", **{FREE: "gamma"})
    lab.children("delta", **{GAMMA: "gamma"})


@fault(f"child-missing:alpha/{FREE}", mends=True)
def listed_without_folder(lab: LabSite) -> None:
    lab.children("alpha", **{FREE: dashed(FREE)})


@fault(f"child-missing:alpha/{PI1}", mends=True)
def leaf_folder_removed(lab: LabSite) -> None:
    shutil.rmtree(lab.node(L1))


@fault(f"child-missing:alpha/{PI1}", mends=True)
def listed_under_an_unknown_folder(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: "../../etc"})


@fault(f"child-key:alpha/{FREE}", mends=True)
def listed_twice_by_its_root(lab: LabSite) -> None:
    lab.children("alpha", **{FREE: L1})


@fault(f"child-key:alpha/{FREE}", mends=True)
def listed_under_another_mac(lab: LabSite) -> None:
    lab.children("alpha", **{FREE: L1, PI1: None})


@fault(f"child-key:alpha/{PI1}", mends=True)
def two_leaves_under_one_name(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: L2})


@fault(f"two-parents:{L1}", mends=True)
def listed_by_two_roots(lab: LabSite) -> None:
    lab.children("delta", **{PI1: L1})


@fault(f"parent-hint:{L1}", mends=True)
def another_parent_in_its_own_config(lab: LabSite) -> None:
    lab.edit(L1, parent="delta")


@fault(f"other-base:{LOVER}", mends=True)
def overlay_listed_by_another_root(lab: LabSite) -> None:
    lab.children("beta", **{OVER: None})
    lab.children("alpha", **{OVER: LOVER})


@fault("allocated-parent:alpha", mends=False)
def root_with_leaves_allocated(lab: LabSite) -> None:
    lab.edit("alpha", mac=FREE, ip="10.77.0.99")


@fault(f"mac-twice:{PI1}", mends=False)
def mac_of_a_leaf_in_a_root(lab: LabSite) -> None:
    lab.edit("gamma", mac=PI1)


@fault("ip-twice:10.77.0.61", mends=False)
def one_address_for_two(lab: LabSite) -> None:
    lab.edit(L2, ip="10.77.0.61")


@fault(f"ip-outside:{L1}", mends=True)
def address_of_another_net(lab: LabSite) -> None:
    lab.edit(L1, ip="192.168.1.7")


@fault(f"ip-outside:{L1}", mends=True)
def broadcast_address(lab: LabSite) -> None:
    lab.edit(L1, ip="10.77.0.255")


@fault("ip-outside:gamma", mends=True)
def address_of_the_server(lab: LabSite) -> None:
    lab.edit("gamma", ip="10.77.0.1")


@fault(f"no-address:{L1}", mends=True)
def leaf_without_address(lab: LabSite) -> None:
    lab.edit(L1, ip=None, ip_rule=None)


@fault("idle-address:delta", mends=True)
def address_without_mac(lab: LabSite) -> None:
    lab.edit("delta", ip="10.77.0.99")


@fault("name-twice:pi-01", mends=False)
def one_alias_for_two(lab: LabSite) -> None:
    lab.edit(L2, alias="pi-01")


@fault("name-twice:delta", mends=False)
def alias_is_a_root_name(lab: LabSite) -> None:
    lab.edit(L2, alias="delta")


@fault("broken:delta", mends=True)
def config_empty(lab: LabSite) -> None:
    (lab.node("delta") / "config.json").write_bytes(b"")


@fault("broken:gamma", mends=True)
def config_of_an_allocated_root_cut_off(lab: LabSite) -> None:
    path = lab.node("gamma") / "config.json"
    path.write_bytes(path.read_bytes()[:200])


@fault("broken:alpha", mends=False)
def config_of_a_root_with_leaves_no_json(lab: LabSite) -> None:
    (lab.node("alpha") / "config.json").write_bytes(b"\0" * 512)


@fault("broken:beta", mends=False)
def config_of_a_base_missing(lab: LabSite) -> None:
    (lab.node("beta") / "config.json").unlink()


@fault(f"broken:{L1}", mends=False)
def config_of_a_leaf_is_a_folder(lab: LabSite) -> None:
    (lab.node(L1) / "config.json").unlink()
    (lab.node(L1) / "config.json").mkdir()


@fault("broken:delta", mends=True)
def config_of_a_newer_schema(lab: LabSite) -> None:
    lab.edit("delta", schema=2)


@fault("broken:delta", mends=True)
def config_is_a_link(lab: LabSite) -> None:
    path = lab.node("delta") / "config.json"
    path.rename(lab.path / "state" / "elsewhere")
    path.symlink_to("../../state/elsewhere")


@fault("broken:delta", mends=True)
def config_with_a_hostile_name(lab: LabSite) -> None:
    lab.edit("delta", name="../../etc\n\x1b[31m")


@fault("broken:epsilon", mends=True)
def folder_renamed(lab: LabSite) -> None:
    lab.node("delta").rename(lab.node("epsilon"))


@fault("broken:copy", mends=True)
def folder_copied(lab: LabSite) -> None:
    shutil.copytree(lab.node("gamma"), lab.node("copy"))


@fault(f"disk-missing:{L1}", mends=False)
def disk_removed(lab: LabSite) -> None:
    (lab.node(L1) / "root.img").unlink()


@fault("disk-missing:beta", mends=False)
def disk_of_a_base_removed(lab: LabSite) -> None:
    (lab.node("beta") / "root.img").unlink()


@fault(f"disk-size:{L1}", mends=False)
def disk_cut_off(lab: LabSite) -> None:
    os.truncate(lab.node(L1) / "root.img", SIZE // 2)


@fault("disk-size:delta", mends=True)
def disk_grown(lab: LabSite) -> None:
    os.truncate(lab.node("delta") / "root.img", SIZE * 2)


@fault("disk-size:beta", mends=False)
def disk_of_a_base_grown(lab: LabSite) -> None:
    os.truncate(lab.node("beta") / "root.img", SIZE * 2)


@fault("resize-pending:delta", mends=False)
def resize_begun(lab: LabSite) -> None:
    lab.edit("delta", disk__resize_to=SIZE * 2)


@fault("resize-pending:delta", mends=False)
def resize_half_done(lab: LabSite) -> None:
    lab.edit("delta", disk__resize_to=SIZE * 2)
    os.truncate(lab.node("delta") / "root.img", SIZE * 2)


@fault(f"disk-image:{LOVER}", mends=False)
def overlay_is_raw(lab: LabSite) -> None:
    (lab.node(LOVER) / "root.qcow2").write_bytes(b"\0" * 512)


@fault(f"disk-image:{LOVER}", mends=False)
def overlay_cut_off(lab: LabSite) -> None:
    os.truncate(lab.node(LOVER) / "root.qcow2", 16)


@fault(f"disk-image:{LOVER}", mends=False)
def overlay_of_another_size(lab: LabSite) -> None:
    (lab.node(LOVER) / "root.qcow2").write_bytes(qcow2_header(SIZE * 4))


@fault("base-missing:beta", mends=False)
def base_removed(lab: LabSite) -> None:
    shutil.rmtree(lab.node("beta"))


@fault("base-missing:beta", mends=False)
def base_moved_to_the_trash(lab: LabSite) -> None:
    lab.node("beta").rename(lab.path / "trash" / trashed(timedelta(hours=1), "beta"))


@fault("base-missing:beta", mends=False)
def base_replaced(lab: LabSite) -> None:
    lab.edit("beta", created="2026-01-01T00:00:00Z")


@fault("base-size:beta", mends=False)
def base_resized_behind_us(lab: LabSite) -> None:
    lab.edit("beta", disk__size=SIZE * 2)
    os.truncate(lab.node("beta") / "root.img", SIZE * 2)


@fault(f"boot-missing:{L1}", mends=False)
def boot_folder_removed(lab: LabSite) -> None:
    shutil.rmtree(lab.node(L1) / "boot")


@fault("boot-missing:delta", mends=False)
def boot_folder_of_a_root_is_a_file(lab: LabSite) -> None:
    shutil.rmtree(lab.node("delta") / "boot")
    (lab.node("delta") / "boot").write_bytes(b"")


@fault(f"boot-file:{L1}", mends=False)
def kernel_removed(lab: LabSite) -> None:
    (lab.node(L1) / "boot" / "vmlinuz").unlink()


@fault("model:Raspberry Pi 4*", mends=False)
def default_root_that_is_not_there(lab: LabSite) -> None:
    text = lab.file("site.toml").read_text()
    lab.file("site.toml").write_text(f'{text}\n[models]\n"Raspberry Pi 4*" = "gone"\n')


@fault("boot-check:alpha", mends=False)
def initramfs_without_nbd(lab: LabSite) -> None:
    (lab.node("alpha") / "boot/initrd.img").write_bytes(gzip.compress(cpio(without(NBD))))


@fault("boot-check:gamma", mends=True)
def initramfs_without_nbd_where_the_site_has_its_own(lab: LabSite) -> None:
    plant_kit(lab.path)
    (lab.node("gamma") / "boot/initrd.img").write_bytes(b"none")


@fault("bootkit-older:alpha", mends=True)
def bootkit_built_again(lab: LabSite) -> None:
    plant_kit(lab.path, "one")
    engine = Engine(lab.path)
    engine.apply(engine.plan(UseInitramfs(name="alpha", initramfs="bootkit")))
    plant_kit(lab.path, "two")


@fault(f"derived:{L1}", mends=True)
def boot_script_removed(lab: LabSite) -> None:
    (lab.node(L1) / "boot" / "boot.scr").unlink()


@fault(f"derived:{L1}", mends=True)
def boot_script_cut_off(lab: LabSite) -> None:
    os.truncate(lab.node(L1) / "boot" / "boot.scr.uimg", 100)


@fault(f"derived:{L1}", mends=True)
def boot_script_of_equal_length_edited(lab: LabSite) -> None:
    path = lab.node(L1) / "boot" / "boot.scr"
    path.write_bytes(path.read_bytes().replace(b"10.77.0.1", b"10.77.0.9"))
    back_date(path)


@fault(f"derived:{L1}", mends=True)
def pxelinux_entry_removed(lab: LabSite) -> None:
    shutil.rmtree(lab.node(L1) / "boot" / "pxelinux.cfg")


@fault(f"derived:{L1}", mends=True)
def pxelinux_entry_of_another_board(lab: LabSite) -> None:
    (lab.node(L1) / "boot" / "pxelinux.cfg" / f"01-{L2}").write_bytes(b"label x\n")


@fault("derived:delta", mends=True)
def boot_script_of_an_unallocated_root(lab: LabSite) -> None:
    (lab.node("delta") / "boot" / "boot.scr").write_bytes(b"x")


@fault(f"derived:{L1}", mends=True)
def alias_edited_by_hand(lab: LabSite) -> None:
    lab.edit(L1, alias="pi-0001")


@fault(f"derived:{L1}", mends=True)
def address_edited_by_hand(lab: LabSite) -> None:
    lab.edit(L1, ip="10.77.0.71")


@fault("derived:gamma", mends=True)
def mac_changed_by_hand(lab: LabSite) -> None:
    lab.edit("gamma", mac=FREE)


@fault("derived:gamma", mends=True)
def mac_taken_away_by_hand(lab: LabSite) -> None:
    lab.edit("gamma", mac=None, ip=None, ip_rule=None)


@fault(*(f"derived:{name}" for name in (L1, L2, LOVER, "gamma")), mends=True)
def server_address_changed_and_not_applied(lab: LabSite) -> None:
    path = lab.path / "site.toml"
    path.write_text(path.read_text().replace('"10.77.0.1"', '"10.77.0.2"'))
    back_date(path, -5)


@fault(f"derived:{L1}", mends=True)
def host_line_removed(lab: LabSite) -> None:
    lab.file(f"{HOSTS}/{L1}").unlink()


@fault(f"derived:{L1}", mends=True)
def host_line_edited(lab: LabSite) -> None:
    lab.file(f"{HOSTS}/{L1}").write_text(f"{PI1},10.77.0.200,evil\n")


@fault(f"derived:{dashed(FREE)}", mends=True)
def host_line_of_nobody(lab: LabSite) -> None:
    lab.file(f"{HOSTS}/{dashed(FREE)}").write_text(f"{FREE},10.77.0.200,evil\n")


@fault("derived:extra", mends=True)
def host_file_of_another_name(lab: LabSite) -> None:
    lab.file(f"{HOSTS}/extra").write_text(f"{FREE},10.77.0.200,evil\n")


@fault(f"derived:{dashed(FREE)}", mends=True)
def tombstone_left(lab: LabSite) -> None:
    lab.file(f"{HOSTS}/{dashed(FREE)}").write_text(f"{FREE},ignore\n")


@fault(f"derived:{L1}", mends=True)
def link_removed(lab: LabSite) -> None:
    lab.file(f"derived/tftp/{L1}").unlink()


@fault(f"derived:{L1}", mends=True)
def link_to_another_node(lab: LabSite) -> None:
    lab.file(f"derived/tftp/{L1}").unlink()
    lab.file(f"derived/tftp/{L1}").symlink_to("../../nodes/delta/boot")


@fault(f"derived:{dashed(FREE)}", mends=True)
def link_of_nobody(lab: LabSite) -> None:
    lab.file(f"derived/tftp/{dashed(FREE)}").symlink_to("/etc")


@fault(f"derived:{L1}", mends=True)
def export_removed(lab: LabSite) -> None:
    lab.file(f"derived/exports/{L1}.json").unlink()


@fault(f"derived:{L1}", mends=True)
def export_of_another_disk(lab: LabSite) -> None:
    path = lab.file(f"derived/exports/{L1}.json")
    path.write_text(path.read_text().replace("nodes/" + L1, "nodes/" + L2))


@fault(f"derived:{L1}", mends=True)
def export_of_a_node_under_another_name(lab: LabSite) -> None:
    source = lab.file(f"derived/exports/{L1}.json")
    shutil.copy(source, source.with_name(f"{dashed(FREE)}.json"))


@fault(*(f"derived:{name}" for name in (L1, L2, LOVER, "gamma")), mends=True)
def everything_derived_removed(lab: LabSite) -> None:
    shutil.rmtree(lab.file("derived"))


@fault("derived:known_hosts", mends=True)
def host_keys_edited(lab: LabSite) -> None:
    lab.file("derived/known_hosts").write_text("evil ssh-ed25519 AAAA\n")


@fault("stray:derived/tftp/shared.bin", mends=True)
def file_for_every_board(lab: LabSite) -> None:
    lab.file("derived/tftp/shared.bin").write_bytes(b"x")


@fault("stray:derived/exports/folder", mends=True)
def folder_among_the_exports(lab: LabSite) -> None:
    lab.file("derived/exports/folder").mkdir()


@fault("stray:derived/dnsmasq/more.conf", mends=True)
def another_dnsmasq_file(lab: LabSite) -> None:
    lab.file("derived/dnsmasq/more.conf").write_bytes(b"x")


@fault("half-made:nodes/.new-epsilon", mends=True)
def staging_folder_of_a_dead_job(lab: LabSite) -> None:
    (lab.node(".new-epsilon") / "boot").mkdir(parents=True)
    (lab.node(".new-epsilon") / "root.img").write_bytes(b"x" * 4096)


@fault("half-made:nodes/.new-epsilon", mends=False)
def staging_folder_of_a_running_job(lab: LabSite) -> None:
    lab.node(".new-epsilon").mkdir()
    fd = os.open(lab.node(".new-epsilon"), os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)  # held until the test's process ends


@fault("half-made:trash/.gone-20260101T000000000Z-x", mends=True)
def purge_cut_short(lab: LabSite) -> None:
    lab.file("trash/.gone-20260101T000000000Z-x").mkdir()


@fault("stray:nodes/notes.txt", mends=True)
def file_among_the_nodes(lab: LabSite) -> None:
    lab.file("nodes/notes.txt").write_text("x")


@fault("stray:nodes/.git", mends=True)
def hidden_folder_among_the_nodes(lab: LabSite) -> None:
    lab.file("nodes/.git/objects").mkdir(parents=True)


@fault("stray:nodes/link", mends=True)
def link_among_the_nodes(lab: LabSite) -> None:
    lab.file("nodes/link").symlink_to("alpha")


@fault("stray:backup.tar", mends=True)
def file_beside_the_nodes(lab: LabSite) -> None:
    lab.file("backup.tar").write_bytes(b"x" * 9000)


@fault("stray:nodes/delta/core", mends=True)
def file_in_a_node(lab: LabSite) -> None:
    (lab.node("delta") / "core").write_bytes(b"x")


@fault(f"stray:nodes/{LOVER}/root.img", mends=True)
def second_disk_in_a_node(lab: LabSite) -> None:
    (lab.node(LOVER) / "root.img").write_bytes(b"x")


@fault("stray:nodes/delta/.config.json.0badcafe.tmp", mends=True)
def temp_file_left_by_a_crash(lab: LabSite) -> None:
    path = lab.node("delta") / ".config.json.0badcafe.tmp"
    path.write_bytes(b"{")
    back_date(path)


@fault("stray:nodes/pipe", mends=True)
def pipe_among_the_nodes(lab: LabSite) -> None:
    os.mkfifo(lab.file("nodes/pipe"))


@fault("stray:nodes/a\\x0ab\\x1b[2J", mends=True)
def file_with_a_hostile_name(lab: LabSite) -> None:
    lab.file("nodes/a\nb\x1b[2J").write_bytes(b"x")


@fault("stray:trash/old-stuff", mends=True)
def junk_in_the_trash(lab: LabSite) -> None:
    lab.file("trash/old-stuff").mkdir()


def _expired(lab: LabSite) -> str:
    folder = trashed(timedelta(days=30), "older")
    lab.put(root("older"))
    lab.node("older").rename(lab.path / "trash" / folder)
    return folder


@fault("expired:trash/*-older", mends=True)
def trash_past_its_time(lab: LabSite) -> None:
    _expired(lab)


@fault(f"lease:{PI1}", mends=False)
def lease_of_an_older_address(lab: LabSite) -> None:
    lease = Lease(PI1, IPv4Address("10.77.0.200"), "pi-01", int(time.time()) + 600)
    lab.facts = replace(lab.facts, leases=(lease,))


@fault(f"lease:{FREE}", mends=False)
def address_leased_to_a_stranger(lab: LabSite) -> None:
    lease = Lease(FREE, IPv4Address("10.77.0.61"), "", 0)
    lab.facts = replace(lab.facts, leases=(lease,))


@fault(f"draining:{dashed(FREE)}", mends=False)
def session_without_a_node(lab: LabSite) -> None:
    session = Session(dashed(FREE), "10.77.0.99", time.time() - 60)
    lab.facts = replace(lab.facts, sessions=(session,))


@fault("services:services", mends=False)
def services_stopped(lab: LabSite) -> None:
    lab.facts = replace(lab.facts, serving=False)


@fault("service:storage", mends=False)
def one_daemon_failing(lab: LabSite) -> None:
    lab.status = (Status("storage", "failing", "it ended with code 1"), Status("gate", "running"))


@fault("read-only:site", mends=False)
def site_read_only(lab: LabSite) -> None:
    lab.facts = replace(lab.facts, writable=False)


@fault("template:boot.cmd", mends=False)
def template_with_an_unknown_placeholder(lab: LabSite) -> None:
    lab.file("templates/boot.cmd").write_text("echo {{nonsense}}\n")


@fault(f"unserved:{L1}", mends=False)
def kernel_with_a_hostile_name(lab: LabSite) -> None:
    lab.edit(L1, boot__kernel="a;reset")
    (lab.node(L1) / "boot" / "a;reset").write_bytes(b"x")


@fault("side-files:repo:lab/pi.img", mends=True)
def image_without_side_files(lab: LabSite) -> None:
    image = lab.file("repo/images/lab/pi.img")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(b"image")


@fault("stray:repo/images/pi.img.mcast", mends=True)
def side_file_without_an_image(lab: LabSite) -> None:
    side = lab.file("repo/images/pi.img.mcast")
    side.parent.mkdir(parents=True, exist_ok=True)
    side.write_bytes(b"{}")


@fault("lists:repo:", mends=True)
def list_without_the_boards(lab: LabSite) -> None:
    lists = lab.file("repo/index.json")
    lists.parent.mkdir(parents=True, exist_ok=True)
    lists.write_text('{"schema": 1, "entries": []}')
