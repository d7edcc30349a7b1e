"""What the verbs that write and read archives share."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.act import act, preview, report_lines, run, tell
from sbctui.cli.options import Decorated, How
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import ExportLeaf, ExportRoot, Packing, Request

    Export = Callable[[Engine], ExportRoot | ExportLeaf]

STREAM = "-"
_KINDS = ("zstd", "none", "gzip", "xz")
_NAMED = ((".gz", "gzip"), (".tgz", "gzip"), (".xz", "xz"), (".txz", "xz"), (".tar", "none"))


def packing_options(function: Decorated) -> Decorated:
    """How to compress, and whether to replace a file, as ``packing`` and ``replace``."""

    @click.option("--compress", type=click.Choice(_KINDS),
                  help="How to compress; else as the file's name ends, and by zstd.")  # fmt: skip
    @click.option("--level", type=int, help="How hard: zstd 1-19 (3), gzip 1-9 (6), xz 0-9 (6).")
    @click.option("--threads", type=click.IntRange(1, 64),
                  help="Threads that compress; else one for each processor.")  # fmt: skip
    @click.option("--replace", is_flag=True, help="Replace FILE if it is there.")
    @functools.wraps(function)
    def wrapped(
        *args: Any, compress: str | None, level: int | None, threads: int | None, **kwargs: Any
    ) -> Any:
        compress = compress or _by_name(kwargs.get("file", ""))
        return function(*args, packing=_packing(compress, level, threads), **kwargs)

    return wrapped


def _by_name(file: str) -> str:
    """The compression that a file's name promises; zstd where it says nothing."""
    return next((kind for ending, kind in _NAMED if file.lower().endswith(ending)), "zstd")


def _packing(compress: str, level: int | None, threads: int | None) -> Packing:
    from sbctui.engine.archive.format import level_of
    from sbctui.engine.model.requests import Packing

    packing = Packing.model_validate(
        {"compression": compress, "level": level, "threads": threads or 0}
    )
    level_of(packing)
    return packing


def export(place: Place, make: Export, file: str, how: How) -> int:
    """Have an archive written: to a file as any other change, or here to standard output."""
    if file != STREAM:
        return act(place, make, how)
    if how.json and not how.dry_run:
        raise BadInput("-o json would go where the archive goes; export to a file")
    if output.is_captured():
        raise BadInput("a console has no stdout for an archive; name a file")
    engine = place.engine()
    plan = engine.plan(make(engine))
    if how.dry_run:
        return preview(plan, how)
    if sys.stdout.isatty():
        raise BadInput("an archive is nothing for a terminal; name a file, or pipe it somewhere")
    place.refuse_if_read_only()
    report = run(engine, plan, how)  # nothing to agree to: it changes nothing here
    if report.code:
        with output.captured(80):  # what is said of it must not get into the archive
            tell(report, plan, how)
    elif not how.quiet:
        output.error_lines(report_lines(report))
    return 0


def from_archive(function: Decorated) -> Decorated:
    """Which archive, and whether one without hashes is taken, as ``where`` and ``unverified``."""

    @click.argument("file", required=False, type=options.ARCHIVE)
    @click.option("--from", "remote", metavar="PLACE",
                  help="Read it from USER@HOST:PATH by ssh, or from an https address.")  # fmt: skip
    @click.option("--allow-unverified", "unverified", is_flag=True,
                  help="Take an archive without hashes, made by hand or otherwise.")  # fmt: skip
    @functools.wraps(function)
    def wrapped(*args: Any, file: str | None, remote: str | None, **kwargs: Any) -> Any:
        if (file is None) == (remote is None):
            text = "Give a FILE, or --from" if file is None else "Give a FILE or --from, not both"
            raise click.UsageError(text, click.get_current_context())
        where = file if file is not None else _remote(remote or "")
        if where == STREAM and output.is_captured():
            raise BadInput("a console has no stdin; name a file")
        return function(*args, where=where, **kwargs)

    return wrapped


def take(place: Place, where: str, name: str | None, base: str, unverified: bool, how: How) -> int:
    """Have a root made out of an archive."""
    called = name or own_name(where)

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import ImportRoot

        return ImportRoot(
            name=called, archive=engine.archive(where), base=base, unverified=unverified
        )

    return act(place, make, how)


def _remote(text: str) -> str:
    from sbctui.engine.archive.address import kind_of
    from sbctui.engine.model.addresses import shown

    if kind_of(text) not in ("ssh", "url"):
        raise BadInput(f"{shown(text)} is not elsewhere; write USER@HOST:PATH or https://...")
    return text


def own_name(where: str) -> str:
    """The name of a root that is called as its archive. Raises BadInput when it can't be one."""
    from sbctui.engine.model.addresses import parse_name

    if where == STREAM:
        raise BadInput("what comes from standard input has no name; give one with --name")
    last = os.path.basename(where.partition("?")[0].rstrip("/")).partition(":")
    stem = (last[2] or last[0]).partition(".")[0].lower()
    try:
        return parse_name(stem)
    except BadInput as error:
        raise BadInput(f"{error}; name the new root with --name") from None
