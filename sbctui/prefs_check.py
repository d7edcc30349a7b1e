"""What is written in a file, or chosen, becomes ``Prefs`` when every value can be one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, create_model

from sbctui.prefs import COLUMNS, Column, Prefs


def _once(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    if len(set(columns)) < len(columns):
        raise ValueError("names a column twice")
    return columns


def _known(sort: str) -> str:
    if sort.removeprefix("-") not in ("mac", *COLUMNS):
        raise ValueError(f"is none of mac, {', '.join(COLUMNS)}, with or without - before it")
    return sort


_TYPES: dict[str, Any] = get_type_hints(Prefs) | {
    "refresh": Annotated[float, Field(ge=0.5, le=60)],
    "columns": Annotated[tuple[Column, ...], Field(min_length=1), AfterValidator(_once)],
    "sort": Annotated[str, AfterValidator(_known)],
}
"""The types of ``Prefs``, and what they don't say."""
_FIELDS: dict[str, Any] = {one.name: (_TYPES[one.name], ...) for one in fields(Prefs)}
_Checked = create_model("_Checked", __config__=ConfigDict(extra="forbid"), **_FIELDS)


def checked(values: Mapping[str, object]) -> Prefs:
    """All settings as a value. Raises ValidationError; unknown ones are named by it."""
    return Prefs(**vars(_Checked.model_validate(values)))
