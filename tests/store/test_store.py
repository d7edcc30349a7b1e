"""Loading real folders: what is broken is shown with its reason, what changed is read again."""

from __future__ import annotations

import json
import os

import pytest

from sbctui.engine.errors import NotASite, NotPermitted, Refused
from sbctui.engine.lockfile import SiteLock
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.nodefile import write_config
from sbctui.engine.siteinit import init_site
from sbctui.engine.store import Store, check_site, read_settings
from tests.nodes.sites import family, root


@pytest.fixture
def place(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "site"
    init_site(path, Settings())
    return path


def put(place, node, size=1 << 20):
    folder = place / "nodes" / node.name
    (folder / "boot").mkdir(parents=True)
    write_config(folder, node.config)
    with open(folder / node.config.disk.file, "wb") as disk:
        disk.truncate(size)
    return folder


def reason(place, name):
    return Store(place).load().broken[name].reason


def test_nodes_come_back_equal(place):
    for node in family(3):
        put(place, node)
    site = Store(place).load()
    assert {n.name: n.config for n in site.nodes.values()} == {n.name: n.config for n in family(3)}
    assert site.nodes["debian12"].disk.apparent == 1 << 20
    assert site.nodes["debian12"].disk.allocated == 0


def test_unknown_keys_survive_a_write(place):
    folder = put(place, root("r"))
    raw = json.loads((folder / "config.json").read_bytes())
    raw["shelf"] = {"row": 3}
    raw["disk"]["vendor"] = "x"
    (folder / "config.json").write_text(json.dumps(raw))
    config = Store(place).config("r")
    write_config(folder, config.model_copy(update={"notes": "new"}))
    again = json.loads((folder / "config.json").read_bytes())
    assert (again["shelf"], again["disk"]["vendor"], again["notes"]) == ({"row": 3}, "x", "new")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:40]), "config.json"),
        (lambda f: f.write_text(f.read_text().replace('"schema": 1', '"schema": 2')), "newer"),
        (lambda f: (f.unlink(), f.mkdir()), "is a directory"),
        (lambda f: f.unlink(), "is missing"),
        (lambda f: (f.unlink(), os.mkfifo(f)), "config.json"),
        (lambda f: (f.unlink(), f.symlink_to("/etc/passwd")), "can't be read"),
        (lambda f: f.write_text(f.read_text().replace('"r"', '"other"')), "names it 'other'"),
        (lambda f: f.write_bytes(b"[" * 100_000), "config.json"),
        (lambda f: f.write_text(f.read_text().replace('"root"', '"twig"')), "kind"),
    ],
)
def test_a_broken_config_is_a_row_with_its_reason_and_hides_no_other(place, spoil, said):
    put(place, root("fine"))
    spoil(put(place, root("r")) / "config.json")
    assert said in reason(place, "r")
    assert "fine" in Store(place).load().nodes


def test_strays_and_staging_are_reported(place):
    (place / "nodes" / "README").write_text("x")
    (place / "nodes" / ".new-half").mkdir()
    (place / "what").mkdir()
    found = {(s.path, s.kind, s.live) for s in Store(place).load().strays}
    assert found == {
        ("nodes/README", "file", False),
        ("nodes/.new-half", "staging", False),
        ("what", "folder", False),
    }


def test_only_what_another_process_changed_is_read_again(place, monkeypatch):
    for node in family(5):
        put(place, node)
    store = Store(place)
    before = store.load()
    other = SiteLock(place, "somebody else")
    with other.held():
        config = before.nodes["debian12"].config.model_copy(update={"notes": "hello"})
        write_config(place / "nodes" / "debian12", config)
        other.touch("debian12")
    read = []
    import sbctui.engine.store as module

    real = module.read_node
    monkeypatch.setattr(
        module, "read_node", lambda p, *a, **k: read.append(str(p)) or real(p, *a, **k)
    )
    after = store.load()
    assert after.nodes["debian12"].config.notes == "hello"
    assert [p.rpartition("/")[2] for p in read] == ["debian12"]
    assert store.load() is after


def test_a_full_look_finds_what_was_edited_by_hand(place):
    folder = put(place, root("r"))
    store = Store(place)
    store.load()
    write_config(folder, root("r", notes="by hand").config)
    assert store.load().nodes["r"].config.notes == ""
    assert store.load(full=True).nodes["r"].config.notes == "by hand"


def test_init_refuses_a_full_folder_and_keeps_an_empty_one(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(Refused, match="not empty"):
        init_site(tmp_path / "full", Settings())
    assert os.listdir(tmp_path / "full") == ["x"]
    (tmp_path / "empty").mkdir()
    init_site(tmp_path / "empty", Settings())
    check_site(tmp_path / "empty")


def test_what_is_no_site_is_said(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(NotASite, match="site init"):
        Store(tmp_path / "nowhere")
    with pytest.raises(NotASite, match="site init"):
        Store(tmp_path)


def test_a_world_writable_site_is_refused(place):
    place.chmod(0o777)
    with pytest.raises(NotPermitted, match="chmod o-w"):
        Store(place)


@pytest.mark.parametrize(
    "text",
    ["schema = 1\nnetwork = 3\n", "x", "schema = 2\n", "colour = 1\n", '[network]\nsubnet = "x"\n'],
)
def test_settings_that_cannot_be_used_name_the_file(place, text):
    (place / "site.toml").write_text(text)
    with pytest.raises(NotASite, match=r"site\.toml"):
        read_settings(place)


def test_settings_survive_a_round_trip(tmp_path):
    tmp_path.chmod(0o755)
    settings = Settings.model_validate(
        {
            "network": {
                "interface": "lab0",
                "subnet": "10.77.0.0/24",
                "pool": {"first": "10.77.0.50", "last": "10.77.0.60"},
                "server": "10.77.0.1",
            },
            "kernel_arguments": "console=ttyS0,115200",
            "trash_days": 3,
        }
    )
    init_site(tmp_path / "s", settings)
    assert read_settings(tmp_path / "s") == settings


def test_a_config_is_the_json_dump_of_its_node():
    for node in family(2):
        assert NodeConfig.model_validate_json(node.config.to_json()) == node.config
