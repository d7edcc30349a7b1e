"""The program: ``sbctui``, ``python -m sbctui``."""

from __future__ import annotations

import gc
import os
import sys

# Nothing here uses pydantic's plugins; looking for them reads every installed package's metadata.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# Imports make many lasting objects; looking through them each 700 is 3 % of a short verb.
gc.set_threshold(50_000, 20, 20)

from sbctui.cli.main import run  # noqa: E402


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
