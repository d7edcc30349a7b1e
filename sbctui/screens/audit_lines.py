"""The audit's rows and the story of one finding, as lines; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbctui import findings as words
from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.totals import natural

if TYPE_CHECKING:
    from sbctui.engine.audit.finding import Finding
    from sbctui.engine.model.site import Session
    from sbctui.messages import World

ORDERS = ("name", "size", "age")
"""What the findings of a group can be sorted by."""
_LABEL = 8
_TONES = {words.SAFE: "good", words.ASKS: "warn", words.STUCK: "dim"}


@dataclass(frozen=True)
class Keys:
    """The keys that do something about a finding, as a person reads them."""

    fix: str
    trash: str
    keep: str


def finding_key(finding: Finding) -> str:
    """The key of a finding's row."""
    return f"finding:{finding.id}"


def passes(finding: Finding, query: str) -> bool:
    """Whether a filter lets a finding through: words that must occur, ``!word`` that must not."""
    parts = (
        words.group(finding),
        finding.title,
        finding.subject,
        finding.proof,
        words.act(finding)[1],
    )
    return fmt.says(" ".join(parts), query)


def rows(shown: Sequence[Finding], order: str) -> list[str]:
    """The keys of all rows: every group that has members, and its members in order."""
    keys: list[str] = []
    for name in words.GROUPS:
        members = _sorted([f for f in shown if words.group(f) == name], order)
        if members:
            keys += [f"group:{name}", *map(finding_key, members)]
    return keys


def _sorted(members: list[Finding], order: str) -> list[Finding]:
    members = sorted(members, key=lambda f: natural(f.title))
    if order == "size":
        return sorted(members, key=lambda f: -f.bytes)
    if order == "age":
        return sorted(members, key=lambda f: f.since or float("inf"))
    return members


def head(width: int) -> Line:
    """The column names."""
    what, act = _widths(width)
    return (
        (f"{'WHAT':<{what}}  SIZE  AGE ", "dim"),
        (fmt.cut("  SUGGESTED (+ loses nothing)", act), "dim"),
    )


def _widths(width: int) -> tuple[int, int]:
    """Columns of the title and of the suggested act."""
    act = max(14, min(46, width * 2 // 5))
    return max(10, width - act - 12), act


def heading(name: str, shown: Iterable[Finding]) -> Line:
    """A group's row."""
    members = [f for f in shown if words.group(f) == name]
    return ((words.heading(name, members), "head"),)


def row(finding: Finding, width: int, now: float) -> Line:
    """A finding's row: what, size, age, sign and words of the suggested act."""
    what, act = _widths(width)
    sign, text = words.act(finding)
    size = fmt.size(finding.bytes) if finding.bytes else "-"
    quiet = "dim" if finding.kept else ""
    return (
        (f"{fmt.cut(finding.title, what):<{what}}", quiet),
        (f" {size:>5} {words.age(finding, now):>4} ", "dim"),
        (f"{sign} {fmt.cut(text, act - 2)}", _TONES.get(sign, "dim")),
    )


def brief(finding: Finding, steps: Sequence[str], keys: Keys) -> list[Line]:
    """Why, and what can be done, the most wanted first: the room below the list is small."""
    said = dict(words.story(finding, 0.0))
    lines: list[Line] = [((finding.title, "key"),)]
    lines += [_labelled(label, said[label]) for label in ("why", "again", "kept") if label in said]
    lines += _acts(finding, said, keys)[:1]
    lines += [_labelled("proof", finding.proof)] if finding.proof else []
    lines += _steps(steps)
    return lines + _acts(finding, said, keys)[1:]


def whole(finding: Finding, steps: Sequence[str], keys: Keys, world: World) -> list[Line]:
    """Everything there is to say of a finding."""
    now = world.audited
    lines: list[Line] = [((finding.title, "key"),), ()]
    told = words.story(finding, now)
    said = dict(told)
    for label, text in told:
        if label not in ("fix", "no fix", "proof"):
            lines.append(_labelled(label, text))
    lines += [(), ((words.GROUPS[finding.group], "dim"),)]
    lines += [
        _labelled("proof" if not at else "", text) for at, text in enumerate(_proofs(finding))
    ]
    lines += [_labelled("path", path) for path in _paths(finding, world)]
    lines += _sessions(finding, world)
    lines += [(), *_acts(finding, said, keys), *_steps(steps)]
    told_of = words.command(finding)
    lines += [_labelled("line", told_of, "dim")] if told_of else []
    lines.append(_labelled("id", finding.id, "dim"))
    return lines


def _labelled(label: str, text: str, tone: str = "") -> Line:
    return ((f"{label:<{_LABEL}}", "dim"), (clean(text), tone))


def _acts(finding: Finding, said: Mapping[str, str], keys: Keys) -> list[Line]:
    """What can be done, each with its key; why not when it can't."""
    made = [_act(keys.fix, said["fix"])] if "fix" in said else []
    if "no fix" in said:
        made.append((("no fix  ", "warn"), (said["no fix"], "")))
    if finding.trash is not None and finding.trash.title != finding.fix_title:
        made.append(_act(keys.trash, f"{finding.trash.title}, from where undo brings it back"))
    kept = "count it again" if finding.kept else "keep it as it is: counted no more"
    return [*made, _act(keys.keep, kept)]


def _act(key: str, text: str) -> Line:
    return ((f"{key:<{_LABEL}}", "head"), (text, ""))


def _steps(steps: Sequence[str]) -> list[Line]:
    return [
        _labelled("plan" if not at else "", f"{at + 1}. {text}") for at, text in enumerate(steps)
    ]


def _proofs(finding: Finding) -> list[str]:
    return finding.proof.split("; ") if finding.proof else []


def _paths(finding: Finding, world: World) -> list[str]:
    site = world.site
    known = [n for n in finding.nodes if site and (n in site.nodes or n in site.broken)]
    return [str(site.node_path(name)) for name in known] if site else []


def _sessions(finding: Finding, world: World) -> list[Line]:
    if world.site is None:
        return []
    exports = {world.site.nodes[n].config.export for n in finding.nodes if n in world.site.nodes}
    exports.add(finding.subject)
    sessions = [s for s in world.site.facts.sessions if s.export in exports]
    return [_labelled("session", _session(s, world.audited), "warn") for s in sessions]


def _session(session: Session, now: float) -> str:
    since, written = fmt.age(now - session.since), fmt.size(session.bytes_written)
    return f"{session.address} has {session.export} open since {since}, {written} written"
