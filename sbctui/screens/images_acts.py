"""What can be done with images and repositories: mixed into the screen that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from sbctui.engine.model import requests as ask
from sbctui.engine.model.distribution import MADE
from sbctui.engine.model.repository import OWN
from sbctui.format import Line
from sbctui.messages import World
from sbctui.screens.acting import Acting
from sbctui.screens.images_lines import Chosen, chosen
from sbctui.screens.images_why import caches, serving, why_not
from sbctui.screens.job_acts import not_now
from sbctui.widgets.pane import Pane

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.shelf import Shelf
    from sbctui.engine.model.site import Site
    from sbctui.screens.form_spec import FormSpec
    from sbctui.screens.job_view import JobView


class OnImages(Acting, Screen[None]):
    """Each action of the scope ``images``, on what is marked or under the cursor."""

    world: World
    images: Pane
    shelves: Pane
    transfers: Pane
    marks: set[str]

    def known(self) -> tuple[Shelf, ...]:
        """The repositories as they were seen last."""
        raise NotImplementedError

    def cursor(self) -> str:
        """The row under the cursor of the focused pane."""
        raise NotImplementedError

    def story(self, key: str) -> list[Line]:
        """What is known of a row."""
        raise NotImplementedError

    def chosen(self) -> Chosen:
        """What is acted on: the marked images, or what is under the cursor."""
        rows = self.images.rows
        marked = sorted(self.marks | rows.ranged())
        on_images = not self.shelves.rows.has_focus
        return chosen(self.known(), marked if marked and on_images else [self.cursor()])

    def job(self, key: str) -> JobView | None:
        """The job of a row of pane 3; None for any other row."""
        return next((j for j in self.world.jobs if f"job:{j.id}" == key), None)

    def reason(self, action: str) -> str | None:
        """Why an action is not possible now, or None."""
        if action.startswith("pane_"):
            pane = self.query_one(f"#{action[5:]}", Pane)
            return None if pane.region else f"the pane {pane.id} is not shown at this size"
        if action in ("stop_job", "resume_job"):
            job = self.job(self.transfers.rows.cursor)
            return not_now(action.removesuffix("_job"), job, pane=3)
        if action == "unmark" and not self.marks:
            return "nothing is marked"
        if action == "mark_all" and not any(s.images for s in self.known()):
            return "there is no image to mark"
        return why_not(action, self.world.site, self.world.shelves, self.chosen())

    def copyable(self) -> tuple[str, str]:
        """The addresses of what is chosen."""
        found = self.chosen()
        addresses = [str(i.address) for i in found.images] or [found.address]
        return "\n".join(filter(None, addresses)), "its address"

    def show_all(self, key: str) -> None:
        """All that is known of a row, and of an image what is in it."""
        from sbctui.screens.image_detail import ImageScreen

        images = chosen(self.known(), [key]).images
        address = str(images[0].address) if images else ""
        self.sbc.push_screen(ImageScreen(key.partition(":")[2], self.story(key), address))

    # ── what begins with a form ───────────────────────────────────────────────────────────

    def _site(self) -> Site:
        assert self.world.site is not None, "actions are refused before the site is read"
        return self.world.site

    def _form(self, spec: FormSpec) -> None:
        from sbctui.screens.form import FormScreen

        self.sbc.push_screen(FormScreen(spec))

    def do_import(self) -> None:
        """Make a root of the image, or of another archive."""
        from sbctui.screens.verbs import take

        images = self.chosen().images
        take(self.sbc, str(images[0].address) if images else "")

    def do_export(self) -> None:
        """Write a root or a leaf into the folder that the cursor is in."""
        from sbctui.screens.verbs import export

        found = self.chosen()
        folder = found.images[0].address.folder if found.images else found.folder
        there = found.shelf is not None and found.shelf.name != "repo"
        export(self.sbc, (), "repo:" if there or not folder else f"repo:{folder}/")

    def do_send(self) -> None:
        """Send the image by multicast."""
        from sbctui.screens.forms_images import send

        self._form(send(self.chosen().images[0].address))

    def do_seed(self) -> None:
        """Offer the images by torrent."""
        from sbctui.screens.forms_images import seed

        self._form(seed([i.address for i in self.chosen().images]))

    def do_receive(self) -> None:
        """Receive an image."""
        from sbctui.screens.forms_images import receive
        from sbctui.screens.places import completing

        found = self.chosen()
        folder = found.images[0].address.folder if found.images else found.folder
        inside = found.shelf is not None and found.shelf.name in caches(self.known())
        name = found.shelf.name if found.shelf and inside else OWN
        own = found.shelf is not None and found.shelf.name == OWN
        complete = completing(lambda: self.sbc.feeds.engine, sides=True)
        self._form(receive(name, folder if inside or own else "", complete))

    def do_update(self) -> None:
        """Bring a cache up to date."""
        from sbctui.screens.forms_images import update

        self._form(update(self.chosen().address, caches(self.known())))

    def do_add(self) -> None:
        """Add a repository."""
        from sbctui.screens.forms_images import add

        self._form(add([s.name for s in self.known()]))

    # ── what begins with a plan ───────────────────────────────────────────────────────────

    def _offer(self, request: ask.Request) -> None:
        def build(engine: Engine) -> ask.Request:
            return request

        self.sbc.offer(build, done=lambda job: self.do_unmark() if job else None)

    def _paths(self) -> tuple[str, ...]:
        return tuple(i.address.path for i in self.chosen().images)

    def do_sides(self) -> None:
        """Make side files: those that lack, or anew where all seem right."""
        images = self.chosen().images
        anew = all(set(MADE) <= set(i.sides) - set(i.stale) for i in images)
        self._offer(ask.MakeSideFiles(images=self._paths(), anew=anew))

    def do_serve(self) -> None:
        """Make what is missing here of a cache's roots and leaves."""
        found = self.chosen()
        name = serving(self.known(), found)
        inside = found.shelf is not None and found.shelf.name == name
        folder = (found.folder,) if inside and found.folder else ()
        paths = tuple(i.address.path for i in found.images if i.address.repository == name)
        self._offer(ask.ServeCache(cache=name, images=paths or folder))

    def do_former(self) -> None:
        """Bring back the former version of an image in a cache."""
        address = self.chosen().images[0].address
        self._offer(ask.RestoreImage(path=address.path, cache=address.repository))

    def do_mount(self) -> None:
        """Mount the repository, or unmount it."""
        shelf = self.chosen().shelf
        assert shelf is not None
        if shelf.ready:
            self._offer(ask.UnmountRepository(name=shelf.name))
        else:
            self._offer(ask.MountRepository(name=shelf.name))

    def do_remove(self) -> None:
        """Forget the repository."""
        shelf = self.chosen().shelf
        assert shelf is not None
        self._offer(ask.RemoveRepository(name=shelf.name))

    def do_index(self) -> None:
        """Write the list of all that is in this server's repository."""
        self._offer(ask.IndexRepository())

    def do_delete(self) -> None:
        """Move images to the trash."""
        self._offer(ask.DeleteImages(images=self._paths()))

    def do_undo(self) -> None:
        """Bring back what the last delete took."""
        from sbctui.screens.verbs import undo

        undo(self.sbc)

    # ── the rest ──────────────────────────────────────────────────────────────────────────

    def do_verify(self) -> None:
        """Read images whole and compare them."""
        from sbctui.screens.verifying import VerifyScreen

        self.sbc.push_screen(VerifyScreen(self.chosen().address))

    def do_stop_job(self) -> None:
        """Stop the job under the cursor of pane 3."""
        job = self.job(self.transfers.rows.cursor)
        assert job is not None
        self.sbc.stop_job(job.id)

    def do_resume_job(self) -> None:
        """Show the plan for what the job under the cursor of pane 3 left undone."""
        job = self.job(self.transfers.rows.cursor)
        assert job is not None
        self.sbc.resume_job(job.id)

    def do_mark_all(self) -> None:
        """Mark all images that the filter shows."""
        rows = self.images.rows
        rows.mark([k for k in rows.keys if k.startswith("img:")], on=True)

    def do_unmark(self) -> None:
        """Take all marks away."""
        self.images.rows.mark(set(self.marks), on=False)

    def do_filter(self) -> None:
        """Type a filter."""
        self.images.start_filter()

    def do_reload(self) -> None:
        """Look at all repositories again."""
        self.sbc.feeds.hurry_shelves()

    def do_leave(self) -> None:
        """Leave the range first, then the filter, then the screen."""
        if self.images.rows.begun:
            self.images.rows.end_range(mark=False)
        elif self.images.filter:
            self.images.set_filter("")
        else:
            self.dismiss(None)
