"""``sbctui root list`` on 100 nodes beside importing the same command-line library and pydantic.

Prints one table; exits 1 when the listing takes more than 1.5 times the imports. Each figure is
the fastest of many runs, taken in turn so that both meet the same machine. The imports are the
names that the model's own files import.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sbctui.engine.engine import init_site
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings

NODES = 100
RUNS = 25
LIMIT = 1.5
IMPORTS = (
    "import click; from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, "
    "Field, ValidationError, model_validator"
)


def make_site(path: Path) -> None:
    init_site(path, Settings())
    for number in range(NODES):
        folder = path / "nodes" / f"root-{number:03}"
        (folder / "boot").mkdir(parents=True)
        config = NodeConfig(
            kind="root",
            name=folder.name,
            created=datetime(2025, 1, 1, tzinfo=UTC),
            disk=DiskSpec(size=1 << 30),
        )
        (folder / "config.json").write_bytes(config.to_json())
        with open(folder / "root.img", "wb") as disk:
            disk.truncate(1 << 30)


def seconds(argv: Sequence[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        make_site(site)
        verbs = {
            "bare interpreter": [sys.executable, "-c", "pass"],
            "import click and pydantic": [sys.executable, "-c", IMPORTS],
            "sbctui --help": [sys.executable, "-m", "sbctui", "--help"],
            "sbctui root list": [sys.executable, "-m", "sbctui", "--site", str(site), "root",
                                 "list"],
        }  # fmt: skip
        for argv in verbs.values():
            seconds(argv, env)
        best = dict.fromkeys(verbs, float("inf"))
        for _ in range(RUNS):
            for name, argv in verbs.items():
                best[name] = min(best[name], seconds(argv, env))
    floor = best["import click and pydantic"]
    print(f"one call, {NODES} nodes, best of {RUNS}   seconds   × imports")
    for name, took in best.items():
        print(f"{name:38} {took:8.3f}   {took / floor:8.2f}")
    ratio = best["sbctui root list"] / floor
    verdict = "holds" if ratio <= LIMIT else "BROKEN"
    print(f"root list at most {LIMIT} × imports: {ratio:.2f}, {verdict}")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
