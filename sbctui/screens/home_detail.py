"""The home screen's pane with all about what the cursor stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.timer import Timer

from sbctui.format import wrapped
from sbctui.messages import World
from sbctui.screens.home_lines import name_of
from sbctui.screens.home_live import LivePanes
from sbctui.screens.home_show import overdue, show_lines
from sbctui.widgets.pane import Pane

if TYPE_CHECKING:
    from sbctui.screens.looking import Looker

_REST = 0.2


class DetailPane(LivePanes):
    """``detail`` follows the cursor of the nodes, where there is room for it.

    It does so, and the footer with it, once the cursor rests: on a slow line a key that is held
    down would wait for a pane and a line of keys each time.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.detail = Pane(6, "Detail", id="detail", cursor=False)
        self._looker: Looker | None = None
        self._told_of = ""
        self._resting: Timer | None = None

    def show_footer(self) -> None:
        """Show the keys that apply now."""
        raise NotImplementedError

    def cursor_moved(self) -> None:
        """Show footer and details when the cursor rests."""
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(_REST, self._rests)

    def _rests(self) -> None:
        self._resting = None
        self.show_footer()
        self.show_detail()

    @property
    def moving(self) -> bool:
        """Whether the cursor has not come to rest yet."""
        return self._resting is not None

    def show_detail(self) -> None:
        """Show the details, unless the cursor is on its way."""
        site, key = self.world.site, self.acting.rows.cursor
        if not self.detail.display or site is None or self.moving:
            return
        from sbctui.screens.boot_lines import boot_of
        from sbctui.screens.detail import detail
        from sbctui.screens.looking import Looker

        if self._looker is None:
            self._looker = Looker(self.sbc, self.show_detail)
        name = name_of(key)
        told = detail(site, key, self._looker.at(self.live, name), boot_of(self.world, name))
        width = max(20, self.detail.size.width - 1)
        late = overdue(self.world, "site")
        show_lines(self.detail, wrapped(told, width), late, "all about the row under the cursor")
        if key != self._told_of:
            self._told_of = key
            self.detail.rows.to_top()
