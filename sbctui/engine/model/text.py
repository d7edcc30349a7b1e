"""Text from outside, made safe to show."""

from __future__ import annotations

import re

_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb]"
)


def clean(text: str) -> str:
    """Control characters, bidi controls, separators and lone surrogates as visible escapes.

    The result is one line and drives no terminal. Every string that came from a file name,
    a config, a DHCP packet, a log or another program goes through here before it is shown.
    """
    return _HOSTILE.sub(_escape, text)


def legible(text: str) -> str:
    """The same for a text of several lines: its line ends and tabs stay."""
    return _HOSTILE.sub(lambda m: m[0] if m[0] in "\n\r\t" else _escape(m), text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
