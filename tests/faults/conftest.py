"""The sweep's stand-in for packing an initramfs ends with its test."""

from __future__ import annotations

import pytest

from sbctui.engine.bootkit import build


@pytest.fixture(autouse=True)
def packing_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """``verbs`` replaces these two in whichever process it is used: here they come back."""
    monkeypatch.setattr(build.Archive, "refresh", build.Archive.refresh)
    monkeypatch.setattr(build, "_make", build._make)
