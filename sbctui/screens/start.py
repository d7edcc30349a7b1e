"""No site yet: what a site is, and a form that makes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sbctui.engine.errors import BadInput, SbcError
from sbctui.engine.model.addresses import parse_ip, parse_network
from sbctui.engine.model.text import clean
from sbctui.format import Line, wrapped
from sbctui.messages import in_thread
from sbctui.screens.form import Field
from sbctui.screens.modal import Lines, Modal, Reason, inner_width, keys_line
from sbctui.widgets.bars import Bar

if TYPE_CHECKING:
    from sbctui.engine.model.settings import Settings

_ABOUT = "A site is one folder with all roots, leaves and settings. Without an interface no "
_ABOUT += "board is given an address: nothing is served by surprise."


class StartScreen(Modal[bool]):
    """Offers ``sbctui site init``; True when the site was made."""

    CSS_PATH = "start.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__("There is no site here yet")
        self._path = path
        self._fields = (
            Field("interface", "Interface of the lab (empty: none yet)", lambda text: ""),
            Field("subnet", "Subnet, as 10.77.0.0/24", _optional(parse_network)),
            Field("pool", "Pool, as 10.77.0.50-10.77.0.250", _pool),
            Field("server", "This server's address (empty: the interface's)", _optional(parse_ip)),
        )
        self._reasons = {f.id: Reason(f.id) for f in self._fields}

    def body(self) -> Iterable[Widget]:
        """What a site is, the fields, the equal command."""
        self.about = Lines(id="about")
        self.about.can_focus = False
        yield self.about
        for field in self._fields:
            label = Bar(classes="label")
            label.show(((field.label, "key"),))
            yield label
            yield Input(field.value, id=field.id, select_on_focus=False)
            yield self._reasons[field.id]
        self.command = Lines(id="command")
        self.command.can_focus = False
        yield self.command
        self.keys = Bar(id="keys")
        yield self.keys

    def on_mount(self) -> None:
        """Begin in the first field."""
        about: list[Line] = [((f"{self._path} is no site yet.", "warn"),), ((_ABOUT, "dim"),)]
        self.about.styles.height = len(wrapped(about, inner_width(self.app.size.width)))
        self.about.put(about)
        self._wrong()
        self.query(Input).first().focus()
        self.keys.show(keys_line(("enter", "make the site"), ("esc", "leave sbctui")))
        self._show_command()

    def on_input_changed(self) -> None:
        """Judge every field, show the equal command."""
        self._wrong()
        self._show_command()

    def _values(self) -> dict[str, str]:
        return {i.id or "": i.value.strip() for i in self.query(Input)}

    def _show_command(self) -> None:
        options = " ".join(f"--{k} {v}" for k, v in self._values().items() if v)
        self.command.put([((clean(f"$ sbctui --site {self._path} site init {options}"), "dim"),)])

    def _wrong(self) -> list[str]:
        wrong: list[str] = []
        for field in self._fields:
            reason = ""
            try:
                field.check(self._values()[field.id])
            except SbcError as error:
                reason = str(error)
                wrong.append(field.id)
            self._reasons[field.id].say(reason, "bad")
            self._reasons[field.id].display = bool(reason)
        return wrong

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Make the site, unless a field is wrong."""
        event.stop()
        wrong = self._wrong()
        if wrong:
            self.query_one(f"#{wrong[0]}", Input).focus()
            return
        self.sbc.background(self._make(self._values()))

    async def _make(self, values: dict[str, str]) -> None:
        from sbctui.engine.places import usual_owner
        from sbctui.engine.siteinit import init_site

        owner = usual_owner(self._path)
        try:
            await in_thread(lambda: init_site(self._path, _settings(values), owner=owner))
        except (SbcError, OSError) as error:
            self.keys.show(((f" {error}", "bad"),))
            return
        self.dismiss(True)


def _optional(parse: Callable[[str], object]) -> Callable[[str], object]:
    def check(text: str) -> None:
        if text:
            parse(text)

    return check


def _pool(text: str) -> None:
    if not text:
        return
    first, dash, last = text.partition("-")
    if not dash:
        raise BadInput("a pool is two addresses with '-' between them")
    if parse_ip(first) > parse_ip(last):
        raise BadInput("the pool ends before it begins")


def _settings(values: dict[str, str]) -> Settings:
    """The fields as settings. Raises BadInput with the first thing that does not agree."""
    from pydantic import ValidationError

    from sbctui.engine.model.settings import Settings

    network: dict[str, object] = {k: v for k, v in values.items() if v and k != "pool"}
    if values["pool"]:
        first, _, last = values["pool"].partition("-")
        network["pool"] = {"first": first.strip(), "last": last.strip()}
    try:
        return Settings.model_validate({"network": network})
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadInput(message) from None
