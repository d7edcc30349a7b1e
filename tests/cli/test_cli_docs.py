"""The documents say what the program does: every verb, option, JSON key and file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sbctui.cli.main import cli
from sbctui.engine import errors
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.settings import Settings
from tests.cli.program import Program

REPO = Path(__file__).resolve().parent.parent.parent
CLI = (REPO / "docs" / "cli.md").read_text()
SHARED = {"--help", "--dry-run", "--yes", "--quiet", "--output", "--json"}


def verbs(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            if not inner.hidden:
                yield from verbs(inner, f"{path} {name}")
    else:
        yield path, command


VERBS = dict(verbs(cli, "sbctui"))


@pytest.mark.parametrize("path", VERBS)
def test_every_verb_and_option_is_described(path: str) -> None:
    assert f"`{path}" in CLI
    after = CLI[CLI.index(f"`{path}") :].split("\n###")[0]
    for parameter in VERBS[path].params:
        if getattr(parameter, "hidden", False):
            continue
        if isinstance(parameter, click.Option):
            named = parameter.opts[-1] if parameter.opts[-1].startswith("--") else parameter.opts[0]
            assert named in SHARED or named in after, named


def test_every_exit_code_is_described() -> None:
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type)
             and issubclass(kind, errors.SbcError)}  # fmt: skip
    readme = (REPO / "README.md").read_text()
    for code in codes | {0, 7, 8}:
        assert re.search(rf"^\| {code} \|", CLI, re.MULTILINE), code
        assert f"| {code} |" in readme, code


def test_every_key_of_the_json_is_described(sbctui: Program) -> None:
    documents = [
        sbctui.ok("node", "show", "pi-01", "--json").json["node"],
        sbctui.ok("root", "clone", "spare", "x", "-y", "--json").json["report"],
        sbctui.ok("root", "clone", "spare", "y", "--dry-run", "--json").json["plan"],
        sbctui.ok("job", "list", "--json").json["jobs"][0],
        sbctui("doctor", "--json").json["checks"][0],
        sbctui.ok("services", "status", "--json").json["services"][0],
        sbctui("audit", "--json").json["findings"][0],
    ]
    for document in documents:
        for key in document:
            assert f"`{key}`" in CLI, key


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{p.name}" for p in REPO.glob("docs/*.md"))])
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (REPO / name).read_text()):
        assert (REPO / name).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("name", ["docs/architecture.md", "docs/how-to-add.md"])
def test_every_file_named_is_there(name: str) -> None:
    text = re.sub(r"^```.*?^```", "", (REPO / name).read_text(), flags=re.MULTILINE | re.DOTALL)
    for word in re.findall(r"`([a-z_/]+\.(?:py|toml|md))`", text):
        places = (REPO / word, REPO / "sbctui" / word, REPO / "sbctui" / "engine" / word)
        assert any(place.exists() for place in places), word


def test_every_key_and_folder_on_disk_is_described(sbctui: Program) -> None:
    text = (REPO / "docs" / "on-disk.md").read_text()
    for key, field in NodeConfig.model_fields.items():
        assert re.search(rf"`{field.alias or key}[`.]", text), key
    for key, field in Settings.model_fields.items():
        assert f"`{field.alias or key}" in text, key
    derived = sbctui.site / "derived"
    for entry in (*sbctui.site.iterdir(), *derived.iterdir(), *(derived / "dnsmasq").iterdir()):
        assert entry.name in text, entry.name
    for entry in (*(sbctui.site / "jobs").rglob("*.json*"), *(sbctui.site / "state").iterdir()):
        assert entry.name in text, entry.name
