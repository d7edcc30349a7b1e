"""Settings at the console: they act at once, are kept at once, and go back."""

from __future__ import annotations

from pathlib import Path

from sbctui import configfile
from sbctui.prefs import Prefs, load
from sbctui.widgets.looks import STYLES
from tests.driver import Tui, open_tui


def row(tui: Tui, name: str) -> str:
    """The row of a setting, as it is seen."""
    return next(line for line in tui.screen if line[2:].lstrip("* ").startswith(name))


async def go_to(tui: Tui, name: str) -> None:
    """Put the cursor on a setting."""
    await tui.press("g")
    pane = tui.app.screen.query_one("#settings-rows")
    for _ in range(20):
        if pane.cursor == name:  # type: ignore[attr-defined]
            return
        await tui.press("j")
    raise AssertionError(name)


async def kept(tui: Tui, file: Path, text: str) -> None:
    await tui.until(lambda: file.exists() and text in file.read_text(), f"{text} never kept")


async def test_the_theme_changes_at_once_and_is_kept(small_site: Path, own_settings: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("comma")
        await tui.expect("Settings", "theme         terminal", "kept in", str(own_settings)[:20])
        await tui.press("right")
        await tui.expect("* theme         dark", "bright on dark")
        assert STYLES[""].bgcolor is not None
        await kept(tui, own_settings, 'theme = "dark"')
        await tui.press("left", "left")
        await tui.expect("* theme         mono")
        await tui.press("D")
        await tui.expect("  theme         terminal")
        assert STYLES[""].bgcolor is None
        await tui.until(lambda: "theme" not in own_settings.read_text(), "the default is written")
    assert load() == Prefs()


async def test_refresh_reaches_what_looks_at_the_site(small_site: Path, own_settings: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("comma")
        await tui.expect("Settings")
        await go_to(tui, "refresh")
        await tui.press("enter")
        await tui.until(lambda: tui.app.feeds.refresh == 2.0, "the old pace goes on")
        await kept(tui, own_settings, "refresh = 2.0")


async def test_columns_are_chosen_and_moved(small_site: Path, own_settings: Path) -> None:
    three = Prefs(columns=("name", "root", "state"))
    async with open_tui(small_site, (160, 48), prefs=three) as tui:
        await tui.expect("MAC               NAME")
        await tui.press("comma")
        await tui.expect("Settings")
        await go_to(tui, "columns")
        await tui.press("enter")
        await tui.expect("Columns of the allocations", "* name", "  kind")
        await tui.press("space")
        await tui.until(lambda: tui.app.prefs.columns == ("root", "state"), "name is there")
        await tui.press("J")
        await tui.until(lambda: tui.app.prefs.columns == ("state", "root"), "root is not moved")
        await tui.press("G", "space", *["less_than_sign"] * 8)
        await tui.until(lambda: tui.app.prefs.columns[0] == "kind", "kind is not the first")
        await tui.press("escape", "escape")
        await tui.expect("MAC               KIND ST ")
        assert load().columns == ("kind", "state", "root")
        await tui.press("comma")
        await tui.expect("Settings")
        await go_to(tui, "columns")
        await tui.press("D")
        await tui.until(lambda: tui.app.prefs.columns == Prefs().columns, "not as usual")
    assert not own_settings.exists() or "columns" not in own_settings.read_text()


async def test_the_last_column_stays(small_site: Path) -> None:
    async with open_tui(small_site, prefs=Prefs(columns=("name",))) as tui:
        await tui.press("comma")
        await tui.expect("Settings")
        await go_to(tui, "columns")
        await tui.press("enter")
        await tui.expect("Columns of the allocations")
        await tui.press("space")
        await tui.expect("one column at least stays")
        assert tui.app.prefs.columns == ("name",)


async def test_what_cant_be_written_holds_for_the_run(small_site: Path, own_settings: Path) -> None:
    own_settings.parent.parent.mkdir(parents=True, exist_ok=True)
    own_settings.parent.write_text("no folder")
    async with open_tui(small_site) as tui:
        await tui.press("comma")
        await tui.expect("Settings")
        await tui.press("right")
        await tui.expect("setting not written", "It holds until you leave", "theme         dark")


async def test_a_default_of_the_machine_is_the_default(small_site: Path) -> None:
    configfile.SYSTEM.parent.mkdir(parents=True)
    configfile.SYSTEM.write_text('[console]\ntheme = "mono"\n')
    async with open_tui(small_site, prefs=load()) as tui:
        await tui.press("comma")
        await tui.expect("  theme         mono")
        await tui.press("right")
        await tui.expect("* theme         terminal")
        await tui.press("D")
        await tui.expect("  theme         mono")


async def test_a_setting_changed_just_before_leaving_is_kept(
    small_site: Path, own_settings: Path
) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("comma")
        await tui.expect("Settings")
        await tui.press("right", "escape", "q")
        await tui.until(lambda: tui.app._exit, "it did not leave")
        assert 'theme = "dark"' in own_settings.read_text()


async def test_a_bad_file_is_said_and_the_usual_settings_hold(small_site: Path) -> None:
    from sbctui.app import SbcApp
    from tests.driver import Tui as Driver

    app = SbcApp(small_site, fault="config.toml: theme 'x' is none of ...")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await Driver(app, pilot).expect("theme 'x' is none of", "usual settings are in force")
        assert app.prefs == Prefs()
