from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.boot import template as templates
from sbctui.engine.boot.defaults import BOOT_CMD
from sbctui.engine.boot.render import RENDERED, kernel_arguments, machine_id, render
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import parse_name
from sbctui.engine.model.node import BootSpec, DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.text import clean

MAC, FOLDER = "dc:a6:32:01:02:03", "dc-a6-32-01-02-03"
DONE = ("hostname", "machine_id", "ssh_host_key")
BOOT = BootSpec(kernel="vmlinuz-6.1", initramfs="initrd.img-6.1", dtbs="dtbs/6.1", arch="arm64")
SITE = Settings.model_validate(
    {"network": {"subnet": "10.77.0.0/24", "server": "10.77.0.1", "nbd_port": 10810}}
)


def leaf(**changes: Any) -> NodeConfig:
    fields: dict[str, Any] = {
        "kind": "leaf",
        "name": FOLDER,
        "mac": MAC,
        "ip": "10.77.0.60",
        "alias": "pi-07",
        "parent": "debian12",
        "disk": DiskSpec(size=2**30),
        "boot": BOOT,
        "personalised": DONE,
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    }
    return NodeConfig.model_validate(fields | changes)


def script(files: dict[str, bytes]) -> str:
    return files["boot.scr"][72:].decode()


def test_a_leaf_gets_a_script_under_both_names_and_an_extlinux_entry() -> None:
    files = render(leaf(), SITE)
    assert sorted(files) == [
        "boot.ipxe",
        "boot.scr",
        "boot.scr.uimg",
        "extlinux/extlinux.conf",
        f"pxelinux.cfg/01-{FOLDER}",
    ]
    assert files["boot.scr"] == files["boot.scr.uimg"]
    assert {name.partition("/")[0] for name in files} <= set(RENDERED)
    assert int.from_bytes(files["boot.scr"][8:12], "big") == 1767323045


def test_both_ways_of_booting_hand_over_the_same_literal_command_line() -> None:
    files = render(leaf(), SITE)
    line = f"root=/dev/nbd0 ip=dhcp nbdroot=10.77.0.1:10810/{FOLDER} rw"
    assert f'setenv bootargs "{line}"\n' in script(files)
    assert f"\n  append {line}\n" in files[f"pxelinux.cfg/01-{FOLDER}"].decode()


def test_the_initramfs_is_the_last_file_before_the_kernel_starts() -> None:
    lines = script(render(leaf(), SITE))
    for tool, end in (("wget", " && setenv"), ("tftpboot", "; then")):
        named = ("${fdtfile}; then", f"{tool} ${{kernel_addr_r}}", f"initrd.img-6.1{end}")
        order = [lines.index(words) for words in named]
        assert order == sorted(order)
        assert lines.rindex(f"{tool} ") < order[-1]
    assert "booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${sbctui_fdt}" in lines


@pytest.mark.parametrize(("arch", "command"), [("arm", "bootz"), ("riscv", "booti")])
def test_the_command_is_that_of_the_processor(arch: str, command: str) -> None:
    config = leaf(boot=BOOT.model_copy(update={"arch": arch}))
    assert f"{command} ${{kernel_addr_r}}" in script(render(config, SITE))


@pytest.mark.parametrize("arch", ["x86", "", "$(reboot)"])
def test_a_kernel_that_u_boot_cannot_start_is_said_on_the_console(arch: str) -> None:
    files = render(leaf(boot=BOOT.model_copy(update={"arch": arch})), SITE)
    assert 'echo "sbctui: pi-07 has no kernel that U-Boot starts:' in script(files)
    assert "tftpboot" not in script(files)
    assert f"pxelinux.cfg/01-{FOLDER}" in files


@pytest.mark.parametrize("lacks", ["kernel", "initramfs"])
def test_what_is_missing_is_said_on_the_console_and_nothing_is_loaded(lacks: str) -> None:
    files = render(leaf(boot=BOOT.model_copy(update={lacks: ""})), SITE)
    assert f'echo "sbctui: pi-07 has no {lacks}: put ' in script(files)
    assert "tftpboot" not in script(files)
    assert sorted(files) == ["boot.scr", "boot.scr.uimg"]


def test_no_quote_or_apostrophe_of_ours_upsets_u_boots_shell() -> None:
    nothing = BootSpec()
    for config in (leaf(), leaf(boot=nothing), leaf(boot=BOOT.model_copy(update={"arch": "x86"}))):
        text = script(render(config, SITE))
        assert "'" not in text
        assert all(line.count('"') % 2 == 0 for line in text.splitlines())


def test_a_node_without_a_mac_has_no_boot_files() -> None:
    root = NodeConfig(kind="root", name="debian12", disk=DiskSpec(size=2**30), boot=BOOT)
    assert render(root, SITE) == {}


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (DONE, set()),
        ((), {"hostname", "machine_id"}),
        (("machine_id",), {"hostname"}),
        (("hostname", "ssh_host_key"), {"machine_id"}),
    ],
)
def test_what_the_disk_did_not_get_stands_on_the_command_line(
    done: tuple[str, ...], expected: set[str]
) -> None:
    config = leaf(personalised=done)
    line = kernel_arguments(config, SITE)
    values = dict(re.findall(r"systemd\.(\w+)=(\S+)", line))
    assert set(values) == expected
    assert values.get("hostname", "pi-07") == "pi-07"
    assert values.get("machine_id", machine_id(config)) == machine_id(config)


def test_what_the_admin_switched_off_is_left_alone_and_so_is_an_allocated_root() -> None:
    off = SITE.model_copy(
        update={"personalise": SITE.personalise.model_copy(update={"hostname": False})}
    )
    assert "systemd.hostname" not in kernel_arguments(leaf(personalised=()), off)
    root = leaf(kind="root", name="rescue-07", alias="", parent=None, personalised=())
    assert "systemd." not in kernel_arguments(root, SITE)


def test_a_machine_id_is_the_leafs_own_and_stays() -> None:
    other = leaf(created=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC))
    assert machine_id(leaf()) == machine_id(leaf(alias="other"))
    assert machine_id(leaf()) != machine_id(other)
    assert re.fullmatch(r"[0-9a-f]{32}", machine_id(leaf()))


def test_more_arguments_come_last_and_one_space_apart() -> None:
    settings = SITE.model_copy(update={"kernel_arguments": " console=ttyS0,115200  quiet "})
    assert kernel_arguments(leaf(), settings).endswith(" rw console=ttyS0,115200 quiet")


def test_without_a_server_address_u_boot_fills_in_its_own() -> None:
    text = script(render(leaf(), Settings()))
    assert "setenv serverip ${serverip}\n" in text
    assert f'"root=/dev/nbd0 ip=dhcp nbdroot=${{serverip}}:10809/{FOLDER} rw"' in text


def test_the_admins_template_is_used_with_every_placeholder() -> None:
    text = "".join(f"{name}=<{{{{ {name} }}}}>\r\n" for name in templates.MEANING)
    lines = script(render(leaf(), SITE, {"boot.cmd": text})).splitlines()
    assert lines[:4] == [
        "name=<" + FOLDER + ">",
        "hostname=<pi-07>",
        f"mac=<{MAC}>",
        "ip=<10.77.0.60>",
    ]
    assert lines[-1] == "boot=<booti>"


def test_a_template_that_needs_no_kernel_is_used_without_one() -> None:
    assert (
        script(render(leaf(boot=BootSpec()), SITE, {"boot.cmd": "bootflow {{hostname}}"}))
        == "bootflow pi-07"
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("echo {{kernal}}", "'kernal'"),
        ("{{}}", "''"),
        ("{{config.__class__}}", "'config.__class__'"),
        ("{{a\x1b[2J\n}}", "\\x1b"),
        ("echo \x00", "\\x00"),
        ("echo \ufffd", "UTF-8"),
        ("x" * 70000, "64 KiB"),
    ],
)
def test_a_template_that_cannot_be_used_is_named_with_its_file(text: str, named: str) -> None:
    with pytest.raises(BadInput) as caught:
        render(leaf(), SITE, {"boot.cmd": text})
    assert str(caught.value).startswith("templates/boot.cmd")
    assert named in str(caught.value)
    assert "\x1b" not in str(caught.value)


hostile = st.text(
    st.sampled_from("ab7-._/ \n\r\t\x00\x1b;|&$`'\"\\(){}[]<>*?!#~=%,\u202e\ud800é")
    | st.characters(),
    max_size=24,
)
EXTLINUX = (
    "# {{hostname}} ({{mac}}): written by sbctui\ndefault sbctui\nprompt 0\nlabel sbctui\n"
    "  kernel {{kernel}}\n  initrd {{initramfs}}\n  append {{arguments}}\n"
)
APOLOGY = (
    'echo "sbctui: {{hostname}} has no {{kernel}}"\n' * 2,
    'echo "sbctui: {{hostname}} has no {{kernel}}"\n',
)


def holds_only_words(text: str, *layouts: str) -> bool:
    """Whether a text is one of the layouts with harmless words where the placeholders stand."""
    word = r"[A-Za-z0-9 ,.:=/_@%+~!*()\[\]-]*"
    return any(
        re.fullmatch(re.sub(r"\\\{\\\{.*?\\\}\\\}", lambda _: word, re.escape(layout)), text)
        for layout in layouts
    )


def is_whole(files: dict[str, bytes]) -> bool:
    end = 'echo "sbctui: stopped"\nexit\n'
    trees = EXTLINUX.replace("  append", "  fdtdir {{dtbs}}\n  append")
    entries = [data.decode() for name, data in files.items() if "pxelinux" in name]
    return holds_only_words(script(files), BOOT_CMD, *(lines + end for lines in APOLOGY)) and all(
        holds_only_words(entry, EXTLINUX, trees) for entry in entries
    )


def test_the_judge_of_the_tests_below_can_tell() -> None:
    files = render(leaf(), SITE)
    assert is_whole(files)
    for bad in (b"pi-07; reset", b"pi-07\nreset", b"$(reset)", b"pi'07"):
        image = files["boot.scr"][:72] + files["boot.scr"][72:].replace(b"pi-07", bad)
        assert not is_whole(files | {"boot.scr": image})
    entry = f"pxelinux.cfg/01-{FOLDER}"
    assert not is_whole(files | {entry: files[entry] + b"  append init=/bin/sh\n"})


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("kernel", "initramfs", "dtbs", "arch"), hostile)
    ),
    st.sampled_from(["pi-07", "", "x\ny", "a;b"]) | hostile,
    st.sampled_from(["", "quiet", "a\nb"]) | hostile,
)
def test_no_value_can_break_out_of_a_boot_script(
    names: dict[str, str], alias: str, words: str
) -> None:
    config = leaf(boot=BOOT.model_copy(update=names)).model_copy(update={"alias": alias})
    settings = SITE.model_copy(update={"kernel_arguments": words})
    try:
        files = render(config, settings)
    except BadInput as error:
        assert clean(str(error)) == str(error)  # noqa: PT017
        return
    assert is_whole(files)


@given(hostile)
def test_no_root_name_can_break_out_of_a_boot_script(name: str) -> None:
    root = leaf(kind="root", name="x", alias="", parent=None).model_copy(update={"name": name})
    try:
        files = render(root, SITE)
    except BadInput:
        return
    assert is_whole(files)
    assert parse_name(name) == name
