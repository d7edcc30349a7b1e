"""``sbctui repo``: the repository of images."""

from __future__ import annotations

import click

from sbctui.cli import distribute


@click.group(no_args_is_help=False)
def repo() -> None:
    """Images: their side files, and bringing them to many at once."""


for _verb in distribute.VERBS:
    repo.add_command(_verb)
