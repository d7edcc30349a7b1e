"""Repositories: their images, how each of them is, and what is on its way."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.repository import OWN, RepositoryImage
from sbctui.engine.model.shelf import Shelf, Users, users
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World
from sbctui.screens import images_about as about
from sbctui.screens import images_lines as lines
from sbctui.screens.help import keys_for
from sbctui.screens.home_show import overdue
from sbctui.screens.images_acts import OnImages
from sbctui.screens.modal import Lines
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

_KEYS = {
    "img": ("list.open", "import", "former", "sides", "send", "update", "delete", "any.help",
            "verify", "leave", "filter", "seed", "export", "receive", "mount"),
    "": ("export", "import", "receive", "update", "mount", "add", "verify", "leave", "any.help",
         "serve", "index", "filter", "remove"),
    "job": ("list.open", "stop_job", "resume_job", "leave", "any.help"),
}  # fmt: skip


class ImagesScreen(Sturdy, OnImages):
    """The images of every repository, the repositories, the transfers."""

    CSS_PATH = "images.tcss"
    SCOPE = "images"
    JOBS = 3
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("images")]

    def __init__(self, world: World) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (80, "-w80"), (120, "-w120")]
        self.VERTICAL_BREAKPOINTS = [(0, "-flat"), (20, "-h20"), (24, "-h24"), (36, "-h36")]
        self.world = world
        self.marks: set[str] = set()
        self.closed: set[str] = set()
        self.order = lines.ORDERS[0]
        self._images: dict[str, RepositoryImage] = {}
        self._used: dict[str, Users] = {}
        self.images = Pane(
            1,
            "Images",
            id="images",
            markable=lambda key: key.startswith("img:"),
            head=lines.head,
            marks=self.marks,
        )
        self.shelves = Pane(2, "Repositories", id="shelves", head=lines.shelf_head)
        self.transfers = Pane(3, "Transfers", id="transfers")
        self.about = Lines(id="about")
        self.title_of_about = Bar(id="abouttitle", fill="─")

    def compose(self) -> ComposeResult:
        """Images, beside them repositories and what is known of the one chosen, transfers, keys."""
        with Horizontal(id="upper"):
            yield self.images
            with Vertical(id="side"):
                yield self.shelves
                yield self.title_of_about
                yield self.about
        yield self.transfers
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show what is known, and look at the repositories while this is open."""
        self.about.can_focus = False
        self.images.rows.focus()
        self.sbc.feeds.shelve(on=True)
        self._show()

    def on_unmount(self) -> None:
        """Look no more."""
        self.sbc.feeds.shelve(on=False)

    def on_changed(self, event: Changed) -> None:
        """An image came, a repository does not answer, a job went on."""
        self.world = event.world
        self._show()

    def on_resize(self) -> None:
        """What fits."""
        self.call_after_refresh(self._show)

    # ── showing ───────────────────────────────────────────────────────────────────────────

    def _show(self) -> None:
        shelves = self.known()
        self._images = {lines.image_key(i): i for s in shelves for i in s.images}
        self._drop_marks()
        self._used = {}
        self._show_images(shelves)
        self._show_shelves(shelves)
        self._show_transfers()
        self.tell()

    def known(self) -> tuple[Shelf, ...]:
        """The repositories as they were seen last."""
        return self.world.shelves or ()

    def _drop_marks(self) -> None:
        gone = self.marks - self._images.keys()
        if gone:
            self.marks -= gone
            self.notify(f"{fmt.plural(len(gone), 'mark')} dropped: no longer there", markup=False)

    def used(self, key: str) -> Users:
        """Who has an image."""
        if key not in self._used:
            site = self.world.site
            self._used[key] = users(site, self.known(), self._images[key]) if site else Users()
        return self._used[key]

    def _show_images(self, shelves: tuple[Shelf, ...]) -> None:
        now, query = self.now(), self.images.filter
        named = {s.name: s for s in shelves}

        def draw(key: str, width: int) -> Line:
            if key in self._images:
                return lines.image_line(self._images[key], self.used(key), now, width)
            kind, _, rest = key.partition(":")
            name, _, path = rest.partition(":")
            is_open = bool(query) or key not in self.closed
            if kind == "dir":
                return lines.folder_line(named[name], path, is_open, width)
            return lines.shelf_line(named[name], is_open, self.late(named[name]), width)

        keys = lines.rows(shelves, self.closed, self.order, query)
        stale = sum(1 for i in self._images.values() if i.stale)
        said: Line = ((f" {stale} stale ", "bad"),) if stale else ()
        note = f" {len(self._images)}, {fmt.size(sum(i.size for i in self._images.values()))}"
        note += f", by {self.order} " if self.order != lines.ORDERS[0] else " "
        self.images.show(
            keys if self._images or not self._looked() else (),
            draw,
            note=((note, ""),) if self._images else overdue(self.world, "repositories"),
            said=said,
            empty=self._empty(),
        )

    def _looked(self) -> bool:
        """Whether this server's own repository has been looked at."""
        return any(s.repository is not None for s in self.known())

    def _empty(self) -> list[Line]:
        if not self._looked() or self.world.site is None:
            return [((" looking ...", "dim"),)]
        if self.images.filter:
            text = f" no image has {clean(self.images.filter)} in its address; esc shows all"
            return [((text, "dim"),)]
        return lines.empty(self.world.site)

    def _show_shelves(self, shelves: tuple[Shelf, ...]) -> None:
        named = {f"shelf:{s.name}": s for s in shelves}

        def draw(key: str, width: int) -> Line:
            return lines.repository_line(named[key], self.late(named[key]), width)

        empty: list[Line] = [((" looking ...", "dim"),)]
        self.shelves.show(list(named), draw, note=overdue(self.world, "repositories"), empty=empty)

    def late(self, shelf: Shelf) -> int:
        """Seconds that a repository has not answered, 0 when it does."""
        return self.world.late.get(f"repo:{shelf.name}", 0)

    def _show_transfers(self) -> None:
        jobs = {f"job:{j.id}": j for j in lines.transfers(self.world)}
        empty: list[Line] = [
            ((" nothing was exported, imported or sent yet; jobs that do are shown here", "dim"),)
        ]
        self.transfers.show(
            list(jobs), lambda key, width: lines.transfer_line(jobs[key], width), empty=empty
        )

    def now(self) -> float:
        """Epoch seconds of what is shown."""
        return self.world.site.facts.now if self.world.site else time.time()

    def tell(self) -> None:
        """What is known of the row under the cursor, and the keys that apply."""
        if self not in self.app.screen_stack:
            return
        key = self.cursor()
        self.about.put(self.story(key))
        cut = len(self.about.keys) > self.about.size.height
        sign = (" more: enter ", "key") if cut else (" enter: all ", "dim")
        self.title_of_about.show(((" Details ", "head"),), (sign,))
        kind = key.partition(":")[0]
        if kind in ("dir", "shelf") and self.chosen().images:
            kind = "img"
        keys = _KEYS.get(kind, _KEYS[""])
        self.query_one("#keys", Bar).show(keys_for(self, keys))

    def cursor(self) -> str:
        """The row under the cursor of the focused pane."""
        return self.pane().rows.cursor

    def pane(self) -> Pane:
        """The focused pane; the images when none is."""
        parent = self.focused.parent if self.focused else None
        return parent if isinstance(parent, Pane) else self.images

    def story(self, key: str) -> list[Line]:
        """What is known of a row."""
        kind, _, rest = (key or f"shelf:{OWN}").partition(":")
        name, _, path = rest.partition(":")
        job = self.job(key)
        if job is not None:
            return about.about_job(job, self.now())
        if key in self._images:
            return about.about_image(self._images[key], self.used(key), self.now())
        shelf = next((s for s in self.known() if s.name == name), None)
        if shelf is None:
            return []
        if kind == "dir":
            return about.about_folder(shelf, path)
        return about.about_shelf(shelf, self.late(shelf))

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Tell of the one under the cursor."""
        if event.rows.has_focus or event.rows is self.images.rows:
            self.tell()
            self.about.to_top()

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """The keys depend on the marks."""
        self.tell()

    def on_descendant_focus(self) -> None:
        """Details and keys depend on the pane."""
        self.tell()

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through."""
        self._show()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: a repository or folder opens or closes, an image and a job tell all."""
        key = event.key
        if key.startswith("job:"):
            self.sbc.show_row(key)
        elif event.rows is self.shelves.rows or key in self._images:
            self.show_all(key)
        else:
            self.action_fold(key in self.closed)

    def action_pane(self, name: str) -> None:
        """Focus a pane, if it is shown at this size."""
        if reason := self.reason(f"pane_{name}"):
            self.notify(reason, markup=False)
        else:
            self.query_one(f"#{name}", Pane).rows.focus()

    def action_fold(self, unfold: bool) -> None:
        """Open or close the repository or folder under the cursor, or the one an image is in."""
        rows = self.images.rows
        if not rows.has_focus:
            return
        key = rows.cursor
        if not unfold and (key.startswith("img:") or key in self.closed):
            key = lines.above(key)
            rows.move_to(key)
        if not key.startswith("img:"):
            (self.closed.discard if unfold else self.closed.add)(key)
            self._show()

    def do_sort(self) -> None:
        """Take the next order."""
        self.order = lines.ORDERS[(lines.ORDERS.index(self.order) + 1) % len(lines.ORDERS)]
        self._show()
