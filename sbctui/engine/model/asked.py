"""What every value that travels in a request is, and what every request has."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Frozen, and without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(Value):
    """A request. ``rest_of`` is the job whose rest this asks for, if any."""

    rest_of: str = ""
