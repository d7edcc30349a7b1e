"""The admin's own templates: the nearest counts, an error changes nothing, no value gets out."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.boot.defaults import DEFAULTS
from sbctui.engine.boot.pi import MARK, PiImage
from sbctui.engine.boot.render import RENDERED, render, rendered
from sbctui.engine.boot.template import MEANING, OWN_MEANING
from sbctui.engine.errors import BadInput
from tests.boot.initrds import PI_CMDLINE, PI_CONFIG, pi_tree
from tests.boot.test_boot_render import FOLDER, MAC, SITE, hostile, leaf
from tests.cli.conftest import NETWORK
from tests.cli.program import MAC as BOARD
from tests.cli.program import Program

PI = PiImage(PI_CONFIG, PI_CMDLINE, frozenset({"kernel8.img", "initramfs8", "start4.elf"}))
FILES = {
    "boot.cmd": "boot.scr",
    "extlinux.conf": "extlinux/extlinux.conf",
    "config.txt": "config.txt",
    "cmdline.txt": "cmdline.txt",
    "boot.ipxe": "boot.ipxe",
}
PLACES = ("", "roots/debian12/", "groups/room-b/", f"leaves/{FOLDER}/")


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_nearest_template_counts_and_is_named(name: str) -> None:
    config = leaf(group="room-b")
    everything = {place + name: f"at {place or 'the site'}" for place in PLACES}
    for count in range(len(PLACES) + 1):
        overrides = dict(itertools.islice(everything.items(), count))
        one = rendered(config, SITE, overrides, PI)[FILES[name]]
        nearest = PLACES[count - 1]
        assert one.origin == (f"templates/{nearest}{name}" if count else "built-in")
        assert not count or f"at {nearest or 'the site'}".encode() in one.data


def test_another_roots_groups_and_leaves_templates_are_not_taken() -> None:
    places = ("roots/other", "groups/other", "leaves/dc-a6-32-01-02-04")
    overrides = {f"{place}/{name}": "no" for name in DEFAULTS for place in places}
    assert render(leaf(group="room-b"), SITE, overrides, PI) == render(
        leaf(group="room-b"), SITE, {}, PI
    )


def test_every_rendered_file_has_a_known_name() -> None:
    files = render(leaf(), SITE, {}, PI)
    assert {name.partition("/")[0] for name in files} == set(RENDERED)
    assert set(FILES) == set(DEFAULTS)


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_placeholder_can_stand_in_every_template(name: str) -> None:
    known = [*MEANING, *OWN_MEANING.get(name, {})]
    text = " ".join(f"{word}=<{{{{ {word} }}}}>" for word in known)
    data = rendered(leaf(), SITE, {name: text}, PI)[FILES[name]].data.decode(errors="replace")
    assert "mac=<" + MAC + ">" in data
    assert "{{" not in data


def test_a_template_of_a_raspberry_pi_may_add_to_what_would_stand_there() -> None:
    overrides = {"config.txt": "{{default}}\ngpu_mem=16\n", "cmdline.txt": "{{default}} panic=5\n"}
    files = render(leaf(), SITE, overrides, PI)
    assert files["config.txt"].decode() == f"{MARK}\n{PI_CONFIG}\ngpu_mem=16\n"
    plain = render(leaf(), SITE, {}, PI)["cmdline.txt"].decode()
    assert files["cmdline.txt"].decode() == plain.rstrip("\n") + " panic=5\n"
    own = render(leaf(), SITE, {"config.txt": "gpu_mem=16\n"}, PI)["config.txt"].decode()
    assert own == f"{MARK}\ngpu_mem=16\n"


@pytest.mark.parametrize(
    ("name", "text", "line", "column", "said"),
    [
        ("boot.cmd", "echo a\necho {{kernal}}\n", 2, 6, "'kernal' is no placeholder; there are"),
        ("boot.cmd", "a\r\nb\r\n  {{ }}", 3, 3, "'' is no placeholder"),
        ("boot.ipxe", "#!ipxe\nkernel {{kernel", 2, 8, "never closed"),
        ("extlinux.conf", "é {{default}}", 1, 3, "'default' is no placeholder"),
        ("config.txt", "a\n\nb \x07", 3, 3, "\\x07"),
        ("cmdline.txt", "root=x\nquiet\n", 2, 1, "one line only"),
    ],
)
def test_an_error_has_its_file_line_and_column(
    name: str, text: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        render(leaf(), SITE, {f"leaves/{FOLDER}/{name}": text}, PI)
    where = f"templates/leaves/{FOLDER}/{name}, line {line}, column {column}: "
    assert str(caught.value).startswith(where)
    assert said in str(caught.value)
    assert "\x07" not in str(caught.value)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("kernel", "initramfs"), hostile)),
    hostile,
    hostile,
    hostile,
)
def test_no_value_puts_a_line_or_a_word_of_its_own_into_a_file(
    names: dict[str, str], alias: str, words: str, notes: str
) -> None:
    config = leaf().model_copy(update={"alias": alias, "notes": notes + "NOTES"})
    config = config.model_copy(update={"boot": config.boot.model_copy(update=names)})
    settings = SITE.model_copy(update={"kernel_arguments": words})
    try:
        files = render(config, settings, {}, PI)
    except BadInput:
        return
    calm = render(leaf(alias="pi-07"), SITE, {}, PI)
    for name in files.keys() & {"boot.ipxe", "cmdline.txt", "extlinux/extlinux.conf"}:
        text = files[name].decode()
        assert "NOTES" not in text
        assert text.isascii()
        assert text.count("\n") == calm[name].decode().count("\n")
        assert all(text.count(c) == calm[name].decode().count(c) for c in "${}|`\\\"'<>\t\r;&")


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    found = Program(tmp_path / "site", capsys)
    found.ok("site", "init", *NETWORK)
    tree = pi_tree(tmp_path / "tree")
    found.ok("root", "create", "pios", "--from", str(tree), "--size", "64M", "-y")
    found.ok("leaf", "create", "pios", f"{BOARD.format(1)},pi-01,room-b",
             f"{BOARD.format(2)},pi-02", "-y")  # fmt: skip
    return found


def write(program: Program, path: str, text: str) -> None:
    file = program.site / "templates" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def boots(program: Program) -> dict[str, Any]:
    nodes = program.site / "nodes"
    return {str(p.relative_to(nodes)): p.read_bytes() for p in nodes.rglob("boot/**/*.*")
            if p.is_file()}  # fmt: skip


def test_a_group_gets_its_own_after_apply_and_the_built_in_one_again(program: Program) -> None:
    before = boots(program)
    write(program, "groups/room-b/config.txt", "{{default}}dtoverlay=x\n")
    write(program, "groups/README", "{{what}}")
    write(program, "notes.txt", "{{what}}")
    titles = [one["title"] for one in program("audit", "--json").json["findings"]]
    assert "dc-a6-32-01-02-01: config.txt says something else than the node" in titles
    program.ok("services", "apply", "-y")
    after = boots(program)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"dc-a6-32-01-02-01/boot/config.txt"}
    shown = program.ok("boot", "show", "pi-01", "--firmware", "pi4", "--json").json["boot"]
    (row,) = [one for one in shown["firmware"][0]["files"] if one["asks"] == "config.txt"]
    assert row["origin"] == "templates/groups/room-b/config.txt"
    (program.site / "templates/groups/room-b/config.txt").unlink()
    program.ok("services", "apply", "-y")
    assert boots(program) == before


def test_a_template_with_an_error_changes_nothing_and_is_said_everywhere(
    program: Program,
) -> None:
    before = boots(program)
    where = (
        "templates/leaves/dc-a6-32-01-02-02/boot.cmd, line 2, column 6: 'nope' is no placeholder"
    )
    write(program, "boot.cmd", "echo {{hostname}}\n")
    write(program, "leaves/dc-a6-32-01-02-02/boot.cmd", "echo\necho {{nope}}\n")
    ran = program("services", "apply", "-y")
    assert ran.code != 0
    assert where in ran.err
    assert boots(program) == before
    for verb in ("show", "check"):
        ran = program("boot", verb, "pi-01")
        assert ran.code == 2
        assert where in ran.sentence
    (one,) = [f for f in program("audit", "--json").json["findings"]
              if f["id"].startswith("template:")]  # fmt: skip
    assert one["id"] == "template:leaves/dc-a6-32-01-02-02/boot.cmd"
    assert where in one["why"]
    (program.site / "templates/leaves/dc-a6-32-01-02-02/boot.cmd").unlink()
    program.ok("services", "apply", "-y")
    assert b"echo pi-02\n" in boots(program)["dc-a6-32-01-02-02/boot/boot.scr"]
