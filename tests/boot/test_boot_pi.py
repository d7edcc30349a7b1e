"""A Raspberry Pi's files: what its image says is kept, and only what must differ is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.boot import pi
from sbctui.engine.boot.pi import PiImage, cmdline_txt, config_txt, loads
from sbctui.engine.model.node import BootSpec
from tests.boot.initrds import PI_CMDLINE, PI_CONFIG, VERSION, pi_tree, system
from tests.cli.conftest import NETWORK
from tests.cli.program import MAC, Program

OURS = BootSpec(kernel="vmlinuz-6.1", initramfs="initrd.img-6.1", arch="arm64")
ALL = frozenset({"kernel8.img", "initramfs8", "kernel_2712.img", "initramfs_2712", "start4.elf"})
FIRST = f"{pi.MARK}\n"


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    found = Program(tmp_path / "site", capsys)
    found.ok("site", "init", *NETWORK)
    return found


def changed(image: PiImage, boot: BootSpec = OURS) -> list[str]:
    """The lines put after the image's own, which all stay as they were."""
    text = config_txt(image, boot)
    assert text.startswith(FIRST + image.config)
    added = text.removeprefix(FIRST + image.config).splitlines()
    assert added[:3] in ([], ["", "# what a root over the network needs", "[all]"])
    return added[3:]


def test_an_image_that_loads_its_own_initramfs_is_left_as_it_is() -> None:
    assert changed(PiImage(PI_CONFIG, PI_CMDLINE, ALL)) == []


def test_where_only_the_switch_is_missing_it_is_set() -> None:
    config = PI_CONFIG.replace("auto_initramfs=1\n", "")
    assert changed(PiImage(config, "", ALL)) == ["auto_initramfs=1"]
    assert changed(PiImage("", "", ALL)) == ["auto_initramfs=1"]


@pytest.mark.parametrize("config", ["", PI_CONFIG, "kernel=other.img\n", "arm_64bit=0\n"])
def test_an_image_without_an_initramfs_for_its_kernels_gets_the_nodes_own(config: str) -> None:
    names = frozenset({"kernel8.img", "other.img", "vmlinuz-6.1", "initrd.img-6.1"})
    lines = changed(PiImage(config, "", names))
    assert lines == [
        "auto_initramfs=0", "kernel=vmlinuz-6.1", "initramfs initrd.img-6.1 followkernel",
        "arm_64bit=1",
    ]  # fmt: skip
    for model in pi.MODELS:
        found = loads(config_txt(PiImage(config, "", names), OURS), model, names)
        assert (found.kernel, found.initramfs) == ("vmlinuz-6.1", "initrd.img-6.1")


def test_one_that_names_both_is_left_as_it_is() -> None:
    config = "kernel=vmlinuz-6.1\ninitramfs initrd.img-6.1 followkernel\n"
    names = frozenset({"vmlinuz-6.1", "initrd.img-6.1"})
    assert changed(PiImage(config, "", names)) == []


def test_a_command_line_of_another_name_is_ours_again() -> None:
    assert changed(PiImage("cmdline=mine.txt\n" + PI_CONFIG, "", ALL)) == ["cmdline=cmdline.txt"]


@pytest.mark.parametrize("config", ["boot_ramdisk=1\n", "[pi4]\nboot_ramdisk=1\n[all]\n"])
def test_its_files_are_taken_one_by_one_and_not_out_of_an_image_of_them(config: str) -> None:
    assert changed(PiImage(config + PI_CONFIG, "", ALL)) == ["boot_ramdisk=0"]
    assert changed(PiImage("boot_ramdisk=0\n" + PI_CONFIG, "", ALL)) == []


PREFIX = "os_prefix=6.1/\n" + PI_CONFIG


def test_under_a_prefix_an_images_own_files_stay_and_the_command_line_is_ours() -> None:
    names = ALL | {f"6.1/{name}" for name in ALL}
    image = PiImage(PREFIX, PI_CMDLINE, names)
    assert changed(image) == ["cmdline=/cmdline.txt"]
    found = loads(config_txt(image, OURS), "pi4", names)
    assert found == pi.Loads("6.1/kernel8.img", "6.1/initramfs8", "cmdline.txt", "6.1/")
    alone = loads(PREFIX, "pi4", ALL)
    assert alone == pi.Loads("kernel8.img", "initramfs8", "cmdline.txt"), "it does not count"
    assert loads("os_prefix=test-\n", "pi4", frozenset({"test-kernel8.img"})).prefix == "test-"


def test_under_a_prefix_the_nodes_own_kernel_is_named_from_the_top() -> None:
    names = frozenset({"6.1/kernel8.img", "vmlinuz-6.1", "initrd.img-6.1"})
    lines = changed(PiImage("os_prefix=6.1/\n", "", names))
    assert lines[2:4] == ["kernel=/vmlinuz-6.1", "initramfs /initrd.img-6.1 followkernel"]
    found = loads(config_txt(PiImage("os_prefix=6.1/\n", "", names), OURS), "pi4", names)
    assert (found.kernel, found.initramfs) == ("vmlinuz-6.1", "initrd.img-6.1")


@pytest.mark.parametrize("value", ["../x/", "/abs/", "a//b/", "x y/", "\x1b/", "a" * 400])
def test_a_prefix_that_no_folder_has_is_looked_under_by_nobody(value: str) -> None:
    assert pi.prefixes(f"os_prefix={value}\n") == frozenset()


@pytest.mark.parametrize(
    ("config", "model", "found"),
    [
        ("", "pi3", ("kernel8.img", "")),
        ("", "pi5", ("kernel_2712.img", "")),
        ("auto_initramfs=1", "pi5", ("kernel_2712.img", "initramfs_2712")),
        ("auto_initramfs=1\n[pi4]\nauto_initramfs=0", "pi4", ("kernel8.img", "")),
        ("[pi5]\nkernel=kernel8.img\n[all]\nauto_initramfs=1", "pi5",
         ("kernel8.img", "initramfs8")),
        ("arm_64bit=0", "pi4", ("kernel7l.img", "")),
        ("[pi3]\nkernel=a # [pi4]\n[gpio4=1]\nkernel=b\n[cm4]\nkernel=c", "pi3", ("a", "")),
        ("[none]\nkernel=a\n[PI4]\nkernel = b\n", "pi4", ("b", "")),
        ("initramfs first 0x00800000\ninitramfs second followkernel", "pi4",
         ("kernel8.img", "second")),
    ],
)  # fmt: skip
def test_what_a_model_loads(config: str, model: pi.Model, found: tuple[str, str]) -> None:
    loaded = loads(config, model, ALL)
    assert (loaded.kernel, loaded.initramfs) == found


def test_of_the_command_line_what_is_about_the_card_goes() -> None:
    line = cmdline_txt(PiImage("", PI_CMDLINE), "root=/dev/nbd0 ip=dhcp rw")
    assert line == (
        "console=serial0,115200 console=tty1 quiet cfg80211.ieee80211_regdom=DE "
        "root=/dev/nbd0 ip=dhcp rw"
    )
    assert cmdline_txt(PiImage("", "init=/bin/systemd a\x1bb\nroot=x"), "ip=dhcp") == (
        "init=/bin/systemd ip=dhcp"
    )


def off(program: Program) -> list[str]:
    """What the audit finds, but for the services that do not run here."""
    found = program("audit", "--json").json["findings"]
    return [one["title"] for one in found if one["group"] != "service"]


def boot(program: Program, name: str) -> Path:
    return program.site / "nodes" / name / "boot"


def test_from_the_image_to_the_leaf(program: Program, tmp_path: Path) -> None:
    tree = pi_tree(tmp_path / "tree")
    program.ok("root", "create", "pios", "--from", str(tree), "--size", "64M", "-y")
    assert not (boot(program, "pios") / "config.txt").exists()
    assert (boot(program, "pios") / "config.txt.image").read_text() == PI_CONFIG
    program.ok("leaf", "create", "pios", f"{MAC.format(1)},pi-01", f"{MAC.format(2)},pi-02", "-y")
    folder = "dc-a6-32-01-02-01"
    leaf = boot(program, folder)
    assert (leaf / "config.txt").read_text() == FIRST + PI_CONFIG
    line = (leaf / "cmdline.txt").read_text()
    assert line.count("\n") == 1
    assert f" root=/dev/nbd0 ip=dhcp nbdroot=10.77.0.1:10809/{folder} rw" in line
    assert "PARTUUID" not in line
    assert "firstboot" not in line
    for name in ("start4.elf", "kernel8.img", "initramfs_2712", "overlays/overlay_map.dtb"):
        assert (leaf / name).stat().st_ino == (boot(program, "pios") / name).stat().st_ino
    assert (leaf / folder / folder / "start4.elf").read_bytes() == (
        leaf / "start4.elf"
    ).read_bytes()
    assert off(program) == []
    before = {path: path.stat().st_ino for path in leaf.rglob("*") if path.is_file()}
    program.ok("services", "apply", "-y")
    assert {path: path.stat().st_ino for path in leaf.rglob("*") if path.is_file()} == before


def test_an_allocated_roots_own_files_come_back(program: Program, tmp_path: Path) -> None:
    tree = pi_tree(tmp_path / "tree")
    program.ok("root", "create", "pios", "--from", str(tree), "--size", "64M", "-y")
    before = sorted(path.name for path in boot(program, "pios").iterdir())
    program.ok("root", "allocate", "pios", "--mac", MAC.format(7), "-y")
    there = {path.name for path in boot(program, "pios").iterdir()}
    assert {"config.txt", "cmdline.txt", "dc-a6-32-01-02-07"} <= there
    assert off(program) == []
    program.ok("root", "clone", "pios", "copy", "-y")
    program.ok("root", "deallocate", "pios", "--no-reboot", "-y")
    assert sorted(path.name for path in boot(program, "pios").iterdir()
                  if path.name not in ("extlinux", "pxelinux.cfg")) == before  # fmt: skip
    assert sorted(path.name for path in boot(program, "copy").iterdir()) == before
    assert (boot(program, "copy") / "config.txt.image").read_text() == PI_CONFIG


def test_firmware_put_there_by_hand_is_kept_aside(program: Program, tmp_path: Path) -> None:
    program.ok("root", "create", "r1", "--from", str(system(tmp_path / "tree")), "--size", "64M",
               "-y")  # fmt: skip
    own = boot(program, "r1")
    (own / "start4.elf").write_bytes(b"firmware")
    (own / "config.txt").write_text("dtparam=audio=off\n")
    (own / "cmdline.txt").write_text("console=tty1 root=/dev/mmcblk0p2\n")
    assert off(program) == []
    program.ok("leaf", "create", "r1", f"{MAC.format(1)},pi-01", "-y")
    leaf = boot(program, "dc-a6-32-01-02-01")
    text = (leaf / "config.txt").read_text()
    assert text.startswith(f"{FIRST}dtparam=audio=off\n")
    assert f"\nkernel=vmlinuz-{VERSION}\ninitramfs initrd.img-{VERSION} followkernel\n" in text
    assert (leaf / "cmdline.txt").read_text().startswith("console=tty1 root=/dev/nbd0 ")
    assert (own / "config.txt").read_text() == "dtparam=audio=off\n"
    program.ok("services", "apply", "-y")
    assert (leaf / "config.txt").read_text() == text


def test_firmware_without_a_config_does_not_take_ours_for_the_images(
    program: Program, tmp_path: Path
) -> None:
    program.ok("root", "create", "r1", "--from", str(system(tmp_path / "tree")), "--size", "64M",
               "-y")  # fmt: skip
    (boot(program, "r1") / "start4.elf").write_bytes(b"firmware")
    settings = program.site / "site.toml"
    settings.write_text('kernel_arguments = "quiet"\n' + settings.read_text())
    program.ok("leaf", "create", "r1", f"{MAC.format(1)},pi-01", "-y")
    for _ in range(2):
        line = (boot(program, "dc-a6-32-01-02-01") / "cmdline.txt").read_text()
        assert line.split().count("quiet") == 1
        program.ok("services", "apply", "-y")


def test_what_each_model_asks_for_and_gets(program: Program, tmp_path: Path) -> None:
    tree = pi_tree(tmp_path / "tree")
    (tree / "boot/firmware/fixup.dat").unlink()
    program.ok("root", "create", "pios", "--from", str(tree), "--size", "64M", "-y")
    program.ok("leaf", "create", "pios", f"{MAC.format(1)},pi-01", "-y")
    shown = program.ok("boot", "show", "pi-01", "--json").json["boot"]
    kinds = {one["firmware"]: one["files"] for one in shown["firmware"]}
    assert list(kinds) == ["u-boot", "pi3", "pi4", "pi5"]
    assert [one["asks"] for one in kinds["pi4"]] == [
        "SERIAL/start4.elf", "config.txt", "start4.elf", "fixup4.dat", "initramfs8",
        "bcm2711-rpi-4-b.dtb", "overlays/overlay_map.dtb", "cmdline.txt", "kernel8.img",
    ]  # fmt: skip
    assert [one["asks"] for one in kinds["pi3"] if one["missing"]] == ["fixup.dat"]
    assert [one["asks"] for one in kinds["pi5"] if one["missing"]] == []
    origins = {one["asks"]: one["origin"] for one in kinds["pi5"]}
    assert origins["kernel_2712.img"] == "root pios"
    assert origins["config.txt"] == origins["cmdline.txt"] == "built-in"
    assert origins["SERIAL/config.txt"] is None
    table = program.ok("boot", "show", "pi-01", "--firmware", "pi3").out
    assert [line.split()[2] for line in table.splitlines() if "fixup.dat" in line] == ["MISSING"]
    each = program.ok("boot", "show", "pios", "--firmware", "pi4").out
    assert "written for each board" in each


def test_an_image_with_a_prefix_boots_from_its_folder(program: Program, tmp_path: Path) -> None:
    tree = pi_tree(tmp_path / "tree")
    firmware = tree / "boot/firmware"
    (firmware / "6.1").mkdir()
    for name in ("kernel8.img", "initramfs8", "bcm2711-rpi-4-b.dtb"):
        (firmware / name).rename(firmware / "6.1" / name)
    (firmware / "config.txt").write_text(PREFIX)
    program.ok("root", "create", "pios", "--from", str(tree), "--size", "64M", "-y")
    program.ok("leaf", "create", "pios", f"{MAC.format(1)},pi-01", "-y")
    (shown,) = program.ok("boot", "show", "pi-01", "--firmware", "pi4", "--json").json["boot"][
        "firmware"
    ]
    asked = [one["asks"] for one in shown["files"]]
    assert asked[4:] == [
        "6.1/initramfs8", "6.1/bcm2711-rpi-4-b.dtb", "overlays/overlay_map.dtb", "cmdline.txt",
        "6.1/kernel8.img",
    ]  # fmt: skip
    assert [one["asks"] for one in shown["files"] if one["missing"]] == []
    checked = program("boot", "check", "pi-01", "--firmware", "pi4", "--json").json["check"]
    assert [one for one in checked["lacks"] if one["part"] == "firmware"] == []
    assert off(program) == []
