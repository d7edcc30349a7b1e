"""A verb's form as data: its fields, and how a request is made of what was typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sbctui.format import Line
from sbctui.screens.fields import Field, Values

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request
    from sbctui.engine.plan import Plan


def _as_it_is(engine: Engine, request: Request) -> Request:
    return request


def _no_hints(values: Values) -> Mapping[str, str]:
    return {}


def _nothing(plan: Plan) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class FormSpec:
    """A verb's form. ``arguments`` makes a request of ``kind`` from what was typed.

    ``either`` says which kind it is, where what was typed decides that.

    It may be handed texts that are not right yet, for the command line; the request is checked
    when it is made. ``finish`` adds, in a thread, what takes time to look at: ``heavy`` says when
    it does, and then nothing is planned ahead. ``tells`` says what a plan means for the fields.
    ``hints`` stand under fields where the right sentence depends on other fields; ``about`` stands
    above them all.
    """

    title: str
    fields: tuple[Field, ...]
    kind: Any
    arguments: Callable[[Values], Mapping[str, object]]
    finish: Callable[[Engine, Request], Request] = _as_it_is
    heavy: Callable[[Values], bool] = lambda values: False
    tells: Callable[[Plan], Mapping[str, str]] = _nothing
    about: tuple[Line, ...] = ()
    hints: Callable[[Values], Mapping[str, str]] = _no_hints
    either: Callable[[Values], Any] | None = None

    def _kind(self, values: Values) -> Any:
        return self.either(values) if self.either else self.kind

    def draft(self, values: Values) -> Request:
        """The request as far as it goes; not checked."""
        drafted: Request = self._kind(values).model_construct(**self.arguments(values))
        return drafted

    def request(self, values: Values) -> Request:
        """The request. Raises BadInput when the fields let something wrong through."""
        from pydantic import ValidationError

        from sbctui.engine.errors import BadInput

        try:
            given = self.draft(values).model_dump(warnings=False)
            made: Request = self._kind(values).model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            where = str(first["loc"][-1]) if first["loc"] else ""
            raise BadInput(first["msg"].removeprefix("Value error, ")).of(where) from None
        return made

    def build(self, engine: Engine, values: Values) -> Request:
        """The request with what takes time to look at. Raises SbcError, OSError."""
        return self.finish(engine, self.request(values))
