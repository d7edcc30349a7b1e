"""Every disagreement: what, why, how one knows, how large, since when, and its fix."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.requests import FixFindings
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World
from sbctui.screens.acting import Acting
from sbctui.screens.modal import Lines, keys_line
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.audit.finding import Finding
    from sbctui.engine.engine import Engine

_GROUPS = {
    "orphan": "orphans: leaves that no root lists",
    "mis-parented": "mis-parented: roots in somebody's children",
    "broken": "broken: folders whose configuration can't be used",
    "half-made": "half-made: begun and never finished",
    "stray": "strays: things that are no nodes",
    "conflict": "conflicts: two claim the same",
    "missing": "missing: what a node needs and has not",
    "drift": "drift: what the services read differs from the nodes",
    "service": "services",
}


class AuditScreen(Sturdy, Acting, Screen[None]):
    """The findings in groups, and everything about the one under the cursor."""

    CSS_PATH = "audit.tcss"
    SCOPE = "audit"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("audit")]

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.pane = Pane(0, "Audit", id="findings", markable=self._fixable)
        self.about = Lines(id="about")

    def compose(self) -> ComposeResult:
        """Findings above, the chosen one's whole story below."""
        yield self.pane
        title = Bar(id="abouttitle", fill="─")
        title.show(((" Why, and what can be done ", "head"),))
        yield title
        yield self.about
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Look anew; what is known already is shown meanwhile."""
        self.about.can_focus = False
        self.pane.rows.focus()
        self.sbc.feeds.hurry("audit")
        self._show()

    def on_changed(self, event: Changed) -> None:
        """Other findings."""
        before, self.world = self.world, event.world
        if before.findings != self.world.findings or before.late != self.world.late:
            self._show()

    def _found(self) -> dict[str, Finding]:
        return {f"finding:{f.id}": f for f in self.world.findings or ()}

    def _fixable(self, key: str) -> bool:
        finding = self._found().get(key)
        return finding is not None and finding.fix is not None

    def _show(self) -> None:
        found = self._found()
        keys: list[str] = []
        for group in _GROUPS:
            members = [k for k, f in found.items() if f.group == group and self._passes(f)]
            if members:
                keys += [f"group:{group}", *members]
        now = self.world.site.facts.now if self.world.site else time.time()

        def draw(key: str, width: int) -> Line:
            if key.startswith("group:"):
                count = sum(1 for f in found.values() if f.group == key[6:])
                return ((f"{_GROUPS[key[6:]]} ({count})", "head"),)
            return _line(found[key], width, now)

        self.pane.show(keys or ["none"], draw if keys else self._nothing, note=self._state())
        rows = self.pane.rows
        if keys and not rows.cursor.startswith("finding:"):
            rows.move_to(keys[1])
        self._tell()

    def _passes(self, finding: Finding) -> bool:
        text = f"{finding.group} {finding.title} {finding.subject}".lower()
        return all(word in text for word in self.pane.filter.lower().split())

    def _nothing(self, key: str, width: int) -> Line:
        if self.world.findings is None:
            return (("looking ...", "dim"),)
        return (("nothing wrong: folders, configurations and services agree", "good"),)

    def _state(self) -> Line:
        late = self.world.late.get("audit")
        if late:
            return ((f" no answer for {late} s ", "bad"),)
        size = sum(f.bytes for f in self.world.findings or ())
        count = len(self.world.findings or ())
        return ((f" {fmt.plural(count, 'finding')}, {fmt.size(size)} ", ""),)

    def _tell(self) -> None:
        """The chosen finding, and the keys that apply to it."""
        finding = self._found().get(self.pane.rows.cursor)
        self.about.put(_story(finding) if finding else ())
        marked = len(self.pane.rows.marks)
        fix = f"fix {marked} marked" if marked else "fix"
        can = marked or (finding is not None and finding.fix is not None)
        keys = [("f", fix)] if can else []
        keys += [("s", "mark the safe ones"), ("*", "mark all"), ("U", "unmark"), ("/", "filter"),
                 ("r", "again"), ("esc", "back")]  # fmt: skip
        self.query_one("#keys", Bar).show(keys_line(*keys))

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Tell of the one under the cursor."""
        self._tell()

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """The keys say how many are marked."""
        self._tell()

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through."""
        self._show()

    def do_fix(self) -> None:
        """Show the plan of the marked fixes, or of the one under the cursor."""
        found = self._found()
        keys: Sequence[str] = sorted(self.pane.rows.marks) or [self.pane.rows.cursor]
        chosen = [found[k] for k in keys if k in found]
        stuck = next((f for f in chosen if f.fix is None), None)
        if stuck is not None:
            self.notify(
                stuck.unfixable or "there is no fix for this",
                title="not possible", severity="warning", markup=False,
            )  # fmt: skip
        elif chosen:
            request = FixFindings(findings=tuple(f.id for f in chosen))

            def build(engine: Engine) -> FixFindings:
                return request

            self.sbc.offer(build)

    def do_mark_safe(self) -> None:
        """Mark every fix that loses nothing and hurts no running board."""
        self.pane.rows.mark([k for k, f in self._found().items() if f.safe], on=True)

    def do_mark_all(self) -> None:
        """Mark all that can be fixed and the filter shows."""
        self.pane.rows.mark(self.pane.rows.keys, on=True)

    def do_unmark(self) -> None:
        """Take all marks away."""
        self.pane.rows.mark(self.pane.rows.marks, on=False)

    def do_reload(self) -> None:
        """Look again."""
        self.sbc.do("reload", (), ())

    def do_filter(self) -> None:
        """Type a filter."""
        self.pane.start_filter()

    def do_leave(self) -> None:
        """Leave the filter first, then the screen."""
        if self.pane.filter:
            self.pane.set_filter("")
        else:
            self.dismiss(None)


def _line(finding: Finding, width: int, now: float) -> Line:
    old = fmt.age(now - finding.since) if finding.since else "-"
    tail = f" {fmt.size(finding.bytes) if finding.bytes else '-':>5} {old:>4} "
    fix = clean(finding.fix_title) if finding.fix else "(no fix)"
    last = min(34, max(10, width // 4))
    room = max(10, width - len(tail) - last - 1)
    return (
        (f"{fmt.cut(clean(finding.title), room):<{room}}", ""),
        (tail, "dim"),
        (fmt.cut(fix, last), "good" if finding.safe else "warn" if finding.fix else "dim"),
    )


def _story(finding: Finding) -> list[Line]:
    lines: list[Line] = [((clean(finding.title), "key"),)]
    lines.append((("why     ", "dim"), (clean(finding.why), "")))
    if finding.proof:
        lines.append((("proof   ", "dim"), (clean(finding.proof), "")))
    if finding.fix is not None:
        safe = "loses nothing" if finding.safe else "look at the plan first"
        lines.append((("f       ", "head"), (f"{clean(finding.fix_title)} ({safe})", "")))
    else:
        lines.append((("no fix  ", "warn"), (clean(finding.unfixable), "")))
    return lines
