"""The one writer: runs a plan's units, undoes what fails, and reports each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from typing import Any

from sbctui.engine import reconcile
from sbctui.engine.audit import perform as pins
from sbctui.engine.boards import perform as boards
from sbctui.engine.boot import perform as boot
from sbctui.engine.bootkit import perform as bootkit
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks import perform as disks
from sbctui.engine.errors import Cancelled, PartlyDone, SbcError, from_os
from sbctui.engine.events import Emit, Finished, Started, UnitFinished, UnitStarted
from sbctui.engine.lockfile import SiteLock
from sbctui.engine.nodes import perform as nodes
from sbctui.engine.nodes import perform_follow as follow
from sbctui.engine.nodes import perform_rename as naming
from sbctui.engine.nodes import perform_trash as waste
from sbctui.engine.plan import Action, Plan, Report, Unit, UnitResult
from sbctui.engine.repository import overlay_change as overlays
from sbctui.engine.repository import overlay_perform as laying


def _of_repositories(action: Any, ctx: Context) -> Undo:
    """Most runs have none of these, so what does them is loaded now."""
    from sbctui.engine.repository.actions import ACTIONS

    return ACTIONS[action.kind](action, ctx)


def _of_archives(action: Any, ctx: Context) -> Undo:
    from sbctui.engine.archive.perform import ACTIONS

    return ACTIONS[action.kind](action, ctx)


PERFORM: dict[str, Callable[[Any, Context], Undo]] = {
    "stage": nodes.stage,
    "make-disk": disks.make_disk,
    "clone-disk": disks.clone_disk,
    "personalise": disks.personalise_disk,
    "lay-overlay": laying.lay_overlay,
    "copy-leaf-disk": laying.copy_leaf_disk,
    "take-disk": laying.take_disk,
    "move-folder": overlays.move_folder,
    "change-overlay": overlays.change_overlay,
    "write-node": nodes.write_node,
    "publish": nodes.publish,
    "update-config": nodes.update_config,
    "set-children": nodes.set_children,
    "drop-missing-children": nodes.drop_missing_children,
    "resize-disk": disks.resize_disk,
    "rename": naming.rename,
    "set-models": follow.set_models,
    "withdraw-export": nodes.withdraw,
    "drain-export": nodes.drain,
    "reboot": nodes.reboot,
    "trash": waste.trash,
    "restore": waste.restore,
    "restore-stray": waste.restore_stray,
    "purge": waste.purge,
    "trash-stray": waste.trash_stray,
    "drop-staging": waste.drop_staging,
    "set-pins": pins.set_pins,
    "set-roster": boards.set_roster,
    "build-bootkit": bootkit.build_bootkit,
    "side-files": _of_repositories,
    "publish-image": _of_repositories,
    "seed": _of_repositories,
    "stop-seeding": _of_repositories,
    "send": _of_repositories,
    "receive": _of_repositories,
    "use-kit": boot.use_kit,
    "set-repository": _of_repositories,
    "mount-repository": _of_repositories,
    "unmount-repository": _of_repositories,
    "index-repository": _of_repositories,
    "import-image": _of_repositories,
    "wait-random": _of_repositories,
    "update-image": _of_repositories,
    "copy-overlays": _of_repositories,
    "bring-overlay": _of_repositories,
    "restore-image": _of_repositories,
    "unstage": _of_archives,
    "flatten-disk": _of_archives,
    "write-archive": _of_archives,
    "publish-archive": _of_archives,
    "take-archive": _of_archives,
    "take-leaf": _of_archives,
    "refresh": reconcile.refresh,
}
LOCKED = frozenset(
    {
        "stage",
        "publish",
        "update-config",
        "set-children",
        "drop-missing-children",
        "rename",
        "take-disk",
        "move-folder",
        "change-overlay",
        "bring-overlay",
        "set-models",
        "trash",
        "restore",
        "restore-stray",
        "purge",
        "trash-stray",
        "drop-staging",
        "set-pins",
        "set-roster",
        "use-kit",
        "set-repository",
        "index-repository",
        "unstage",
        "refresh",
    }
)
"""Actions that take the site's lock for their own duration, where the plan does not hold it."""
FORWARD = frozenset({"resize-disk", "purge", "drop-staging"})
"""Actions that can't be taken back: if what follows fails, recovery goes on and not back."""


def execute(
    plan: Plan,
    context: Callable[[], Context],
    lock: SiteLock,
    emit: Emit,
    stop: threading.Event,
    let_go: Callable[[], None] = nothing,
) -> Report:
    """Run every unit; ``context`` gives each a fresh one. Never raises for a unit's failure.

    ``let_go`` ends the caller's hold of the lock; it is called before a unit that takes long.
    """
    counted = plan.counted
    emit(Started(title=plan.title, total=sum(counted), at=time.time()))
    results: list[UnitResult] = []
    tally: Counter[str] = Counter()
    abandoned = False
    lost: set[str] = set()
    for index, unit in enumerate(plan.units):
        if unit.after in lost or ((abandoned or stop.is_set()) and not unit.always):
            result = UnitResult(title=unit.title, node=unit.node, outcome="skipped")
        else:
            if unit.long:
                let_go()
            emit(UnitStarted(index=index, title=unit.title, at=time.time()))
            result = _run_unit(unit, context(), lock, threading.Event() if unit.always else stop)
        if unit.always and result.outcome == "failed":
            _leave(lock)
        if result.outcome != "done":
            lost.add(unit.title)
        results.append(result.model_copy(update={"counts": counted[index]}))
        tally[result.outcome] += counted[index] or result.outcome == "failed"
        abandoned = abandoned or (unit.required and result.outcome == "failed")
        emit(_finished_unit(index, result, tally))
    report = Report(
        title=plan.title,
        verb=plan.request.verb,
        results=tuple(results),
        code=_code(plan, results, stopped=stop.is_set()),
    )
    emit(_finished(report))
    return report


def _run_unit(unit: Unit, ctx: Context, lock: SiteLock, stop: threading.Event) -> UnitResult:
    ctx.stop = stop
    committed = False
    with ctx.holds:
        try:
            with ExitStack() as undo:
                for action in unit.actions:
                    undo.callback(_undo(_perform(action, ctx, lock), action, ctx, lock))
                    if action.kind in FORWARD:
                        undo.pop_all()
                        committed = True
                undo.pop_all()
        except OSError as error:
            _leave(lock)
            return _failed(unit, from_os(error, unit.title), ctx, committed)
        except SbcError as error:
            return _failed(unit, error, ctx, committed)
    return UnitResult(title=unit.title, node=unit.node, outcome="done", data=ctx.found.data)


def _perform(action: Action, ctx: Context, lock: SiteLock) -> Undo:
    with lock.held(ctx.stop) if action.kind in LOCKED else nullcontext():
        return PERFORM[action.kind](action, ctx)


def _undo(undo: Undo, action: Action, ctx: Context, lock: SiteLock) -> Callable[[], None]:
    """An undo that takes the lock as its action did and, failing, says so and lets others go on."""

    def run() -> None:
        try:
            with lock.held() if action.kind in LOCKED else nullcontext():
                undo()
        except (SbcError, OSError) as error:
            _leave(lock)
            ctx.warn(f"could not undo {action.kind}: {error}; see: sbctui audit")

    return run


def _leave(lock: SiteLock) -> None:
    """Something is neither done nor undone: let the next job's recovery look at it."""
    with suppress(SbcError, OSError), lock.held():
        lock.unmended = True


def _failed(unit: Unit, error: SbcError, ctx: Context, committed: bool) -> UnitResult:
    if committed:
        error = PartlyDone(f"done, but not to its end, which the next verb brings: {error}")
    return UnitResult(
        title=unit.title,
        node=unit.node,
        outcome="failed",
        error=str(error),
        code=error.code,
        data=ctx.found.data,
    )


def _code(plan: Plan, results: list[UnitResult], *, stopped: bool) -> int:
    failed = [r for r in results if r.outcome == "failed"]
    left = any(r.outcome == "skipped" for r in results)
    if (stopped and (failed or left)) or any(r.code == Cancelled.code for r in failed):
        return Cancelled.code
    if not failed:
        return 0
    done = any(
        r.outcome == "done" and unit.work for r, unit in zip(results, plan.units, strict=True)
    )
    return 7 if done else failed[0].code


def _finished_unit(index: int, result: UnitResult, tally: Counter[str]) -> UnitFinished:
    return UnitFinished(
        index=index,
        title=result.title,
        outcome=result.outcome,
        error=result.error,
        done=tally["done"],
        failed=tally["failed"],
        at=time.time(),
    )


def _finished(report: Report) -> Finished:
    return Finished(
        code=report.code,
        done=report.counted("done"),
        failed=len(report.of("failed")),
        skipped=report.counted("skipped"),
        at=time.time(),
    )
