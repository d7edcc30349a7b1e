"""Bad input: one clear sentence with its remedy, the right code, and nothing changed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine import programs
from tests.cli.conftest import NETWORK
from tests.cli.program import MAC, Program, environment, tree

CREATE = ("root", "create")
SIZE = ("--size", "32M")
HUGE = "a" * 300
KNOWN = MAC.format(1)

TABLE = [
    # MACs
    (("leaf", "create", "spare", "dc:a6:32:01:02"), 2, "10 hex digits"),
    (("leaf", "create", "spare", "dc:a6:32:01:02:0g"), 2, "not a MAC"),
    (("leaf", "create", "spare", "dc:a6-32:01:02:03"), 2, "not a MAC"),
    (("leaf", "create", "spare", "01:00:5e:00:00:01"), 2, "multicast"),
    (("leaf", "create", "spare", "ff:ff:ff:ff:ff:ff"), 2, "no board's MAC"),
    (("leaf", "create", "spare", "00:00:00:00:00:00"), 2, "no board's MAC"),
    (("leaf", "create", "spare", "dc:a6:32:00:00:09,Pi Seven"), 2, "can't be a name"),
    (("leaf", "create", "spare", "dc:a6:32:00:00:09,pi_7"), 2, "can't be a name"),
    (("leaf", "create", "spare", MAC.format(9), MAC.format(9).replace(":", "")), 2, "line 1"),
    (("leaf", "create", "spare", "DCA6.3201.0209", "dc-a6-32-01-02-09"), 2, "line 1"),
    (("leaf", "create", "spare", "\x1b[31m\n\r\x07"), 2, "not a MAC"),
    (("leaf", "create", "spare", KNOWN), 3, "taken by"),
    (("leaf", "create", "spare", f"{MAC.format(9)},pi-01"), 3, "pi-01 is taken"),
    (("leaf", "create", "spare", f"{MAC.format(9)},spare"), 3, "node named spare"),
    (("leaf", "create", "spare", "--macs", "/nowhere/macs"), 2, "/nowhere/macs"),
    (("leaf", "create", "spare", "--macs", "/"), 2, "directory"),
    (("leaf", "create", "spare"), 2, "--macs FILE"),
    (("leaf", "create", "spare", "# nothing"), 2, "no MAC"),
    (("leaf", "create", "spare", MAC.format(8), MAC.format(9), "--ip", "10.0.0.9"), 2, "one leaf"),
    (("leaf", "create", "spare", MAC.format(9), "--ip", "1.2.3.4"), 3, "1.2.3.4 is no host"),
    (("leaf", "create", "nobody", MAC.format(9)), 4, "no node 'nobody'"),
    (("leaf", "create", "pi-01", MAC.format(9)), 3, "is a leaf"),
    # overlays and groups
    (("overlay", "show", "spare"), 3, "is a root, not a leaf"),
    (("overlay", "show", "nobody"), 4, "no node 'nobody'"),
    (("overlay", "apply", "spare"), 3, "is a root, not a leaf"),
    (("overlay", "apply", "--group", "nobodys"), 3, "no leaf is in the group nobodys"),
    (("overlay", "apply"), 2, "Give leaves, or --group"),
    (("overlay", "add", "/etc/hostname", "/../x", "--client", "pi-01"), 2, "without '..'"),
    (("overlay", "add", "/etc/hostname", "a\nb", "--client", "pi-01"), 2, r"\x0a"),
    (("overlay", "add", "/etc/hostname", HUGE, "--client", "pi-01"), 2, "255 bytes"),
    (("overlay", "add", "/dev/null", "/x", "--client", "pi-01"), 2, "neither file, folder"),
    (("overlay", "add", "/nowhere", "/x", "--client", "pi-01"), 2, "'/nowhere'"),
    (("overlay", "add", "/etc/hostname", "/x", "--client", "pi-01", "--mode", "9"), 2, "octal"),
    (("overlay", "add", "/etc/hostname", "/x", "--client", "pi-01", "--owner", "me"), 2, "numbers"),
    (
        ("overlay", "add", "/etc/hostname", "/x", "--client", "pi-01", "--xattr", "user.a"),
        2,
        "=text",
    ),
    (("overlay", "add", "/etc/hostname", "/x", "--client", "pi-01", "--xattr", "a=b"), 2, "user.*"),
    (("overlay", "hide", "/etc", "--client", "pi-01"), 3, "each board's own"),
    (("overlay", "add", "/etc/hostname", "/x"), 2, "--group or --client"),
    (("overlay", "add", "/etc/hostname", "/x", "--group", "nobodys"), 2, "--image"),
    (("overlay", "add", "/etc/hostname", "/x", "--client", MAC.format(9)), 2, "--image ROOT"),
    (("overlay", "add", "/etc/hostname", "/x", "--group", "../x", "--image", "spare"), 2, "name"),
    (("overlay", "add", "/etc/hostname", "/x", "--group", "x", "--image", "../y"), 2, "name"),
    (("overlay", "remove", "/x", "--client", "pi-01"), 4, "overlay list"),
    (("group", "rename", "nobodys", "x"), 4, "no group 'nobodys'"),
    (("group", "rename", "a/b", "x"), 2, "can't be a name"),
    (("group", "delete", "nobodys"), 4, "no group 'nobodys'"),
    (("group", "set", "nobody", "x"), 4, "no node"),
    (("group", "set", "pi-01", "A B"), 2, "can't be a name"),
    # names
    ((*CREATE, "../x", *SIZE), 2, "can't be a name"),
    ((*CREATE, "a/b", *SIZE), 2, "can't be a name"),
    ((*CREATE, ".", *SIZE), 2, "can't be a name"),
    ((*CREATE, "a.b", *SIZE), 2, "can't be a name"),
    ((*CREATE, "", *SIZE), 2, "can't be a name"),
    ((*CREATE, "a\nb", *SIZE), 2, r"\x0a"),
    ((*CREATE, "a\x1b[2Jb", *SIZE), 2, r"\x1b"),
    ((*CREATE, "a\u202eb", *SIZE), 2, r"\u202e"),
    ((*CREATE, "a\udcffb", *SIZE), 2, r"\udcff"),
    ((*CREATE, HUGE, *SIZE), 2, "…"),
    ((*CREATE, "Abc", *SIZE), 2, "a-z"),
    ((*CREATE, "-abc-", *SIZE), 2, "o such option"),
    ((*CREATE, "dc-a6-32-01-02-09", *SIZE), 2, "is a MAC"),
    ((*CREATE, "spare", *SIZE), 3, "there is a node spare already"),
    (("root", "clone", "spare", "debian12"), 3, "there is a node debian12 already"),
    (("root", "clone", "nobody", "x"), 4, "no node"),
    (("root", "clone", HUGE, "x"), 4, "no node"),
    # archives
    (("root", "export", "spare", "/nowhere/x.tar"), 2, "no folder '/nowhere'"),
    (("root", "export", "spare", "/dev/null"), 2, "is no file"),
    (("root", "export", "spare", "repo:../x"), 2, "no address of an image"),
    (("root", "export", "spare", "x", "--level", "99"), 2, "no level 99"),
    (("root", "export", "pi-01", "x"), 3, "is a leaf"),
    (("leaf", "export", "spare", "x"), 3, "is a root"),
    (("root", "import", "/nowhere/x.tar"), 2, "there is no"),
    (("root", "import", "/etc/passwd", "--name", "a b"), 2, "can't be a name"),
    (("root", "import", "/etc/passwd", "--name", "fresh"), 2, "is no archive of a node"),
    (("root", "import", "-"), 2, "--name"),
    (("root", "import"), 2, "--from"),
    (("root", "import", "--from", "/etc/passwd"), 2, "USER@HOST:PATH"),
    (("root", "import", "--from", "root@-oProxyCommand=x:y"), 2, "USER@HOST:PATH"),
    (("archive", "list", "/nowhere/x.tar"), 2, "there is no"),
    # sizes
    ((*CREATE, "x", "--size", "0"), 2, "too small"),
    ((*CREATE, "x", "--size", "-1"), 2, "not a size"),
    ((*CREATE, "x", "--size", "10E"), 2, "not a size"),
    ((*CREATE, "x", "--size", "65T"), 2, "too large"),
    ((*CREATE, "x", "--size", "1K"), 2, "too small"),
    ((*CREATE, "x", "--size", "nan"), 2, "not a size"),
    ((*CREATE, "x", "--size", "2 G B"), 2, "not a size"),
    ((*CREATE, "x", "--size", "9" * 400), 2, "not a size"),
    ((*CREATE, "x", "--size", "٣G"), 2, "not a size"),
    ((*CREATE, "x"), 2, "--size"),
    (("root", "resize", "spare", "16M"), 3, "only grow"),
    (("root", "resize", "debian12", "64M"), 3, "has 2 leaves"),
    (("root", "rename", "debian12", "x"), 3, "has 2 leaves"),
    (("root", "rename", "spare", "debian12"), 3, "there is a node debian12 already"),
    (("root", "rename", "spare", "a b"), 2, "can't be a name"),
    # addresses
    (("root", "allocate", "spare", "--mac", "zz"), 2, "not a MAC"),
    (("root", "allocate", "spare"), 2, "--mac"),
    (("root", "allocate", "spare", "--mac", KNOWN), 3, "taken by"),
    (("root", "allocate", "spare", "--mac", MAC.format(9), "--ip", "10.9.9.9"), 3, "10.77.0.0/24"),
    (("root", "allocate", "spare", "--mac", MAC.format(9), "--ip", "10.77.0.51"), 3, "taken by"),
    (("root", "allocate", "spare", "--mac", MAC.format(9), "--ip", "10.77.0.1"), 3, "server's own"),
    (("root", "allocate", "spare", "--mac", MAC.format(9), "--ip", "10.77.0.0"), 3, "host address"),
    (
        ("root", "allocate", "spare", "--mac", MAC.format(9), "--ip", "10.77.0.255"),
        3,
        "host address",
    ),
    (("root", "allocate", "spare", "--mac", MAC.format(9), "--ip", "10.77.0.300"), 2, "IPv4"),
    (("root", "allocate", "spare", "--mac", MAC.format(9), "--ip", "::1"), 2, "IPv4"),
    (("root", "allocate", "debian12", "--mac", MAC.format(9)), 3, "has 2 leaves"),
    (("root", "allocate", "pi-01", "--mac", MAC.format(9)), 3, "is a leaf"),
    (("root", "deallocate", "spare"), 3, "is not allocated"),
    (("root", "delete", "debian12"), 3, "leaf delete debian12 --all"),
    (("root", "delete", "nobody"), 4, "no node"),
    # initramfs
    (("bootkit", "build"), 2, "--arch"),
    (("bootkit", "build", "--arch", "sparc"), 2, "arm64"),
    (("bootkit", "build", "--arch", "arm64", "--kernel", "../../etc"), 2, "a kernel's version"),
    (("bootkit", "build", "--root", "spare"), 2, "does not tell its architecture"),
    (("bootkit", "build", "--root", "nobody"), 4, "no node"),
    (("bootkit", "build", "--root", "pi-01", "--arch", "arm64"), 3, "is a leaf"),
    # repositories
    (("repo", "add", "a b/", "folder", "/x"), 2, "a repository's name"),
    (("repo", "add", "repo", "folder", "/x"), 3, "taken by an alias"),
    (("repo", "add", "cache", "folder", "/x"), 3, "taken by an alias"),
    (("repo", "add", "x", "floppy", "/x"), 2, "floppy"),
    (("repo", "add", "x", "folder", "x"), 2, "/full/path"),
    (("repo", "add", "x", "ssh", "u@-oProxyCommand=x:/x"), 2, "user@host:/path"),
    (("repo", "add", "x", "ssh", "host:/x", "--port", "0"), 2, "greater than or equal to 1"),
    (("repo", "add", "x", "https", "http://host/x"), 2, "https://host/path"),
    (("repo", "add", "x", "nfs", "nas:/x", "--options", "exec"), 2, "nosuid,nodev,noexec"),
    (("repo", "add", "x", "nfs", "nas:/x", "--full", "lru"), 2, "full is for"),
    (("repo", "remove", "nobody"), 4, "no repository nobody"),
    (("repo", "mount", "nobody"), 4, "no repository nobody"),
    (("repo", "tree", "nobody:"), 4, "no repository nobody"),
    (("repo", "tree", "repo:../x"), 2, "no address of an image"),
    (("repo", "tree", "repo:a\x1b[2Jb"), 2, r"\x1b"),
    (("repo", "import-tree", "/nowhere"), 2, "no folder /nowhere"),
    (("repo", "sidefiles", "other:x"), 2, "not in this site's own repository"),
    (("repo", "sidefiles", "x", "--all"), 2, "or --all"),
    (("repo", "send", "../x"), 2, "no address of an image"),
    (("repo", "send", "x.part"), 2, "can't be an image"),
    (("repo", "send", "nobody.img"), 4, "no image repo:nobody.img"),
    (("repo", "send", "x", "--rate", "fast"), 2, "no bit rate"),
    (("repo", "send", "x", "--receivers", "0"), 2, "--receivers"),
    (("repo", "seed"), 2, "IMAGE"),
    (("repo", "seed", "x", "--receivers", "-1"), 2, "--receivers"),
    (("repo", "receive", "x.img"), 4, "say with --from"),
    (("repo", "receive", "x.img", "--from", "/etc/hostname"), 4, "no /etc/hostname.mcast"),
    (("repo", "receive", "x.img", "--torrent", "--from", "/"), 4, ".torrent"),
    (("repo", "delete"), 2, "IMAGE"),
    (("repo", "delete", "other:x"), 2, "not in this site's own repository"),
    (("repo", "delete", "nobody.img"), 4, "no image repo:nobody.img"),
    (("archive", "export", "debian12"), 2, "--to"),
    (("archive", "export", "nobody", "--to", "/tmp"), 4, "no node 'nobody'"),
    (("archive", "export", "debian12", "--to", "/nowhere"), 2, "no folder '/nowhere'"),
    (("archive", "export", "debian12", "--to", "repo:", "--level", "99"), 2, "no level 99"),
    (("cache", "update", "repo"), 10, "no cache"),
    (("cache", "update", "repo", "../x"), 2, "no address"),
    (("cache", "update", "repo", "--delay", "-1"), 2, "--delay"),
    (("cache", "serve"), 10, "no cache"),
    (("cache", "serve", "cache:../x"), 2, "no address"),
    (("cache", "serve", "cache:x", "other:x"), 2, "of one cache"),
    (("cache", "serve", "repo:x"), 3, "is no cache"),
    (("cache", "verify"), 10, "no cache"),
    (("cache", "restore", "cache:x"), 10, "no cache"),
    # leaves
    (("leaf", "edit", "pi-01"), 2, "Give --alias"),
    (("leaf", "edit", "pi-01", "--alias", "pi-02"), 3, "taken by"),
    (("leaf", "edit", "pi-01", "--alias", "a b"), 2, "can't be a name"),
    (("leaf", "edit", "pi-01", "--ip", "10.77.0.52"), 3, "taken by"),
    (("leaf", "edit", "pi-99", "--alias", "x"), 4, "no node"),
    (("leaf", "attach", "pi-01", "spare"), 3, "already listed by"),
    (("leaf", "delete", "debian12"), 2, "either MACs or --all"),
    (("leaf", "delete", "debian12", "--all", KNOWN), 2, "either MACs or --all"),
    (("leaf", "delete", "debian12", MAC.format(9)), 4, "no leaf of debian12"),
    (("leaf", "delete", "debian12", "pi-99"), 2, "not a MAC"),
    (("leaf", "delete", "spare", "--all"), 3, "has no leaves"),
    (("leaf", "list", "nobody"), 4, "no node"),
    (("node", "show", "nobody"), 4, "no node"),
    (("node", "show", "\x1b]0;x\x07"), 4, r"\x1b"),
    # the rest
    (("trash", "restore", "nobody"), 4, "not in the trash"),
    (("trash", "purge", "../nodes"), 4, "not in the trash"),
    (("trash", "purge"), 2, "either names or --all"),
    (("undo",), 3, "nothing to undo"),
    (("audit", "--fix", "orphan:nobody"), 4, "no finding"),
    (("audit", "--trash", "orphan:nobody"), 4, "no finding"),
    (("audit", "--trash", "services:services"), 3, "no single thing"),
    (("audit", "--trash"), 2, "wants the IDs"),
    (("audit", "--keep", "--note", "x"), 2, "wants the IDs"),
    (("audit", "--keep", "services:services"), 2, "say in a note"),
    (("audit", "--keep", "services:services", "--note", "x", "--until", "2020-01-01"), 2, "a day"),
    (("audit", "--keep", "services:services", "--note", "x", "--until", "soon"), 2, "soon"),
    (("audit", "--keep", "orphan:nobody", "--note", "x"), 4, "no finding"),
    (("audit", "--unkeep", "services:services"), 4, "is not kept"),
    (("audit", "--unkeep"), 2, "wants the IDs"),
    (("audit", "services:services", "--note", "x"), 2, "go with --keep"),
    (("audit", "--fix", "--until", "2999-01-01"), 2, "go with --keep"),
    (("job", "show", "../../etc"), 4, "no job"),
    (("job", "follow", "nobody"), 4, "no job"),
    (("job", "cancel", "nobody"), 4, "no job"),
    (("site", "init"), 3, "is a site already"),
    (("site", "init", "--subnet", "10.77.0.1/24"), 2, "not a subnet"),
    (("site", "init", "--subnet", "10.0.0.0/31"), 2, "/8 to /30"),
    (("site", "init", "--pool", "10.77.0.99-10.77.0.50"), 2, "before it begins"),
    (("site", "init", "--pool", "10.77.0.50"), 2, "not a pool|no pool"),
    (("site", "init", "--pool", "10.8.0.1-10.8.0.9"), 2, "no host address"),
    (("site", "init", "--server", "10.8.0.1"), 2, "no host address"),
    (("site", "init", "--interface", "a b;c"), 2, "not an interface"),
    (("site", "init", "--interface", "averylonginterface"), 2, "not an interface"),
    (("root", "export", "spare", "nope:x"), 4, "no repository nope"),
    (("root", "export", "spare", "cache:x"), 10, "no cache"),
    (("root", "export", "spare", "user@host:x"), 2, "on another machine"),
    (("root", "export", "spare", "/dev/shm/x.tar", "--level", "3"), 2, "without compression"),
    (("root", "import", "nope:x", "--name", "n"), 4, "no repository nope"),
    (("root", "import", "x", "--from", "http://y/z"), 2, "not both"),
    (("repo", "tree", "repo:nope"), 4, "no image nope"),
    (("cache", "verify", "repo:nope"), 4, "no image nope"),
    (("repo", "import-tree", "/etc/hostname"), 2, "there is no folder"),
    (("repo", "receive", "repo:x", "--from", "/y.torrent", "--multicast"), 2, "by torrent"),
    (("frob",), 2, "No such command"),
    (("root", "frob"), 2, "No such command"),
    (("root",), 2, "Missing command"),
    (("root", "list", "--frob"), 2, "o such option"),
    (("root", "list", "-o", "yaml"), 2, "yaml"),
]


def mutating(words: tuple[str, ...]) -> tuple[str, ...]:
    reads = ("list", "show", "follow", "cancel", "frob", "root", "tree", "verify")
    if any(word in reads for word in words[1:2]) or words[0] in ("frob", "job") or len(words) == 1:
        return (*words, "-y") if words == ("undo",) else words
    return (*words, "-y")


@pytest.mark.parametrize(("words", "code", "says"), TABLE, ids=lambda v: repr(v)[:60])
def test_it_is_one_sentence_and_nothing_changes(
    sbctui: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    before = tree(sbctui.site)
    ran = sbctui(*mutating(words))
    assert ran.code == code, ran
    assert any(part in ran.sentence for part in says.split("|")), ran.err
    assert ran.out == ""
    assert len(ran.sentence) < 700
    assert ran.sentence.isprintable()
    after = tree(sbctui.site)
    for found in (before, after):
        found.pop(".", None)
    assert after == before


@pytest.mark.parametrize(
    "words",
    [
        ("root", "delete", "debian12", "-y", "-o", "json"),
        ("root", "create", "a/b", "--size", "2G", "--json"),
        ("root", "list", "--frob", "--json"),
        ("node", "show", "nobody", "--output=json"),
        ("leaf", "create", "spare", "zz", "-y", "-ojson"),
    ],
)
def test_with_json_the_error_is_on_stdout_as_well(sbctui: Program, words: tuple[str, ...]) -> None:
    ran = sbctui(*words)
    error = ran.json["error"]
    assert set(error) == {"code", "kind", "message"}
    assert error["code"] == ran.code
    assert error["message"] == ran.sentence


def test_bad_lines_are_all_named_in_json(sbctui: Program, tmp_path: Path) -> None:
    macs = tmp_path / "macs"
    macs.write_text(f"{MAC.format(9)}\nrubbish\n\n01:00:5e:00:00:01,x\n")
    ran = sbctui("leaf", "create", "spare", "--macs", str(macs), "-y", "--json")
    assert ran.code == 2
    assert [one["line"] for one in ran.json["lines"]] == [2, 4]
    assert "2 of" in ran.sentence


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x1f\x8b" + b"\0" * 100, b"PK\x03\x04"])
def test_a_source_that_is_no_image_is_refused(
    sbctui: Program, tmp_path: Path, content: bytes
) -> None:
    source = tmp_path / "rootfs.tar.gz"
    source.write_bytes(content)
    before = tree(sbctui.site)
    ran = sbctui("root", "create", "x", *SIZE, "--from", str(source), "-y")
    assert ran.code == 2, ran
    assert "rootfs.tar.gz" in ran.sentence
    assert tree(sbctui.site) == before


@pytest.mark.parametrize("missing", ["nowhere.tar", "."])
def test_a_source_that_is_not_there_or_no_root_is_refused(
    sbctui: Program, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "empty").mkdir()
    ran = sbctui("root", "create", "x", *SIZE, "--from", str(tmp_path / "empty" / missing), "-y")
    assert ran.code in (0, 2)
    if missing != ".":
        assert ran.code == 2


def test_a_truncated_tar_leaves_nothing_behind(sbctui: Program, tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs"
    rootfs.mkdir()
    (rootfs / "data").write_bytes(os.urandom(300_000))
    whole = subprocess.run(["tar", "-C", rootfs, "-cz", "."], capture_output=True, check=True)
    source = tmp_path / "cut.tar.gz"
    source.write_bytes(whole.stdout[:-4000])
    ran = sbctui("root", "create", "x", *SIZE, "--from", str(source), "-y")
    assert ran.code in (2, 6), ran
    assert [p.name for p in (sbctui.site / "nodes").iterdir() if p.name[-1] == "x"] == []
    assert not list((sbctui.site / "nodes").glob(".*"))


@pytest.mark.parametrize(
    ("content", "says"),
    [(b'{"schema": 1, "kind": "ro', "config.json"), (b'{"schema": 99}', "newer"), (None, "dir")],
)
def test_a_bad_config_is_named_and_its_node_is_left_alone(
    sbctui: Program, content: bytes | None, says: str
) -> None:
    config = sbctui.site / "nodes" / "spare" / "config.json"
    config.unlink()
    config.mkdir() if content is None else config.write_bytes(content)
    before = tree(sbctui.site / "nodes" / "spare")
    assert says in sbctui.ok("node", "show", "spare").out
    ran = sbctui("root", "clone", "spare", "x", "-y")
    assert ran.code == 3
    assert "broken" in ran.sentence
    assert tree(sbctui.site / "nodes" / "spare") == before


@pytest.mark.parametrize("text", ["schema = 1\nfrob = 2\n", "schema = ", "schema = 2\n", "\xff"])
def test_a_bad_site_toml_is_named(sbctui: Program, text: str) -> None:
    (sbctui.site / "site.toml").write_bytes(text.encode("latin-1"))
    ran = sbctui("root", "list")
    assert ran.code == 3
    assert "site.toml" in ran.sentence
    assert "mend" in ran.sentence


def test_more_than_is_free_is_refused_first(sbctui: Program, tmp_path: Path) -> None:
    ran = sbctui("root", "create", "x", "--size", "64T", "-y")
    assert ran.code == 9
    assert "free" in ran.sentence


@pytest.mark.loop
def test_a_missing_tool_is_named_with_its_package(sbctui: Program) -> None:
    tool = os.path.realpath(shutil.which("mke2fs", path=programs.search_path()) or "")
    hidden = f'mount --bind /dev/null {tool} && exec "$@"'
    before = tree(sbctui.site / "nodes")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", hidden, "sh",
         *sbctui.argv("root", "create", "x", *SIZE, "-y")],
        capture_output=True,
        text=True,
        env=environment(sbctui.site.parent),
        check=False,
    )  # fmt: skip
    assert done.returncode == 6, done
    assert "mke2fs is not installed" in done.stderr
    assert "apt-get install e2fsprogs" in done.stderr
    assert set(tree(sbctui.site / "nodes")) == set(before)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A small ext4 of its own."""
    image, place = tmp_path / "disk", tmp_path / "mnt"
    with open(image, "wb") as disk:
        disk.truncate(24 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", image], check=True)
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.loop
def test_a_read_only_file_system_is_5_and_a_full_one_9(
    mounted: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sbctui = Program(mounted, capsys)
    sbctui.ok("site", "init", *NETWORK)
    sbctui.ok("root", "create", "one", "--size", "4M", "-y")
    rootfs = tmp_path / "rootfs"
    rootfs.mkdir()
    (rootfs / "data").write_bytes(os.urandom(20 << 20))
    before = os.statvfs(mounted).f_bfree
    full = sbctui("root", "create", "two", "--size", "64M", "--from", str(rootfs), "-y")
    assert full.code == 9, full
    assert os.statvfs(mounted).f_bfree == before
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    for words in (
        ("root", "create", "three", "--size", "4M"),
        ("root", "clone", "one", "three"),
        ("root", "allocate", "one", "--mac", MAC.format(9)),
        ("root", "delete", "one"),
        ("leaf", "create", "one", MAC.format(9)),
    ):
        ran = sbctui(*words, "-y")
        assert ran.code in (3, 5), ran
        assert "read-write" in ran.sentence
    assert sbctui.ok("root", "list").out.count("one") == 1


def test_another_users_site_is_5(sbctui: Program) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    for folder in (sbctui.site.parent, *sbctui.site.parent.parents[:2]):
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", *sbctui.argv("root", "list")],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": os.getcwd()},
        check=False,
    )
    if "Permission denied" in done.stderr and "setpriv" in done.stderr:
        pytest.skip("this interpreter can't be started by another user")
    assert done.returncode == 5, done
    assert "owner" in done.stderr
