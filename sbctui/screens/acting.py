"""How a key, the palette and the ``:`` line all come to the same place of a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.message_pump import MessagePump

from sbctui.actions import BY_NAME, Action, of_scope

if TYPE_CHECKING:
    from sbctui.app import SbcApp


class Acting(MessagePump):
    """A screen with a scope of the table; mixed in before Textual's ``Screen``.

    An action ``ID`` of its scope is done by its method ``do_ID``; those of the scope ``any`` by
    the app's. ``reason`` answers None, or the sentence that says why something is not possible.
    """

    SCOPE: ClassVar[str]

    @property
    def sbc(self) -> SbcApp:
        """The app."""
        return cast("SbcApp", self.app)

    def reason(self, action: str) -> str | None:
        """Why an action of this screen's scope is not possible now, or None."""
        return None

    def copyable(self) -> tuple[str, str]:
        """What ``copy`` copies, and what to call it: two texts; the first empty when nothing."""
        return "", ""

    def has_rows(self) -> bool:
        """Whether there is anything that could be opened or marked."""
        return True

    def offered(self) -> tuple[tuple[Action, str | None], ...]:
        """Everything that can be done here, with the sentence against it or None."""
        own = ((a, self.why_not(a.id)) for a in of_scope(self.SCOPE))
        return (*own, *((a, None) for a in of_scope("any")))

    def why_not(self, action: str) -> str | None:
        """``reason``, and before it: a console that only looks changes nothing."""
        if self.sbc.read_only and BY_NAME[f"{self.SCOPE}.{action}"].changes:
            from sbctui.engine.rules import READ_ONLY

            return READ_ONLY
        return self.reason(action)

    def action_act(self, action: str) -> None:
        """Do an action of this screen's scope, or say why not."""
        reason = self.why_not(action)
        if reason:
            self.sbc.refuse(reason)
        else:
            getattr(self, f"do_{action}")()
