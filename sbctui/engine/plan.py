"""A plan: what will be done, as data that can be shown, compared, saved and run.

A planner turns (Site, Request) into a ``Plan`` or raises ``Refused``. Units stand or fall as
one; inside a unit actions run in order and are undone newest first. The publishing rename is
the last undoable action of its unit. Names of nodes are folder names in ``nodes/``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sbctui.engine.model.asked import Value
from sbctui.engine.model.requests import Request
from sbctui.engine.planned.archives import FlattenDisk as FlattenDisk
from sbctui.engine.planned.archives import PublishArchive as PublishArchive
from sbctui.engine.planned.archives import TakeArchive as TakeArchive
from sbctui.engine.planned.archives import TakeLeaf as TakeLeaf
from sbctui.engine.planned.archives import WriteArchive as WriteArchive
from sbctui.engine.planned.boot import BuildBootkit as BuildBootkit
from sbctui.engine.planned.boot import SetModels as SetModels
from sbctui.engine.planned.boot import UseKit as UseKit
from sbctui.engine.planned.distribution import MakeSideFiles as MakeSideFiles
from sbctui.engine.planned.distribution import PublishImage as PublishImage
from sbctui.engine.planned.distribution import ReceiveImage as ReceiveImage
from sbctui.engine.planned.distribution import SeedImages as SeedImages
from sbctui.engine.planned.distribution import SendImage as SendImage
from sbctui.engine.planned.distribution import StopSeeding as StopSeeding
from sbctui.engine.planned.nodes import CloneDisk as CloneDisk
from sbctui.engine.planned.nodes import CopyLeafDisk as CopyLeafDisk
from sbctui.engine.planned.nodes import DropMissingChildren as DropMissingChildren
from sbctui.engine.planned.nodes import LayOverlay as LayOverlay
from sbctui.engine.planned.nodes import MakeDisk as MakeDisk
from sbctui.engine.planned.nodes import PersonaliseDisk as PersonaliseDisk
from sbctui.engine.planned.nodes import PublishNode as PublishNode
from sbctui.engine.planned.nodes import RenameRoot as RenameRoot
from sbctui.engine.planned.nodes import ResizeDisk as ResizeDisk
from sbctui.engine.planned.nodes import SetChildren as SetChildren
from sbctui.engine.planned.nodes import StageNode as StageNode
from sbctui.engine.planned.nodes import TakeDisk as TakeDisk
from sbctui.engine.planned.nodes import UnstageNode as UnstageNode
from sbctui.engine.planned.nodes import UpdateConfig as UpdateConfig
from sbctui.engine.planned.nodes import WriteNode as WriteNode
from sbctui.engine.planned.repository import BringOverlay as BringOverlay
from sbctui.engine.planned.repository import ChangeOverlay as ChangeOverlay
from sbctui.engine.planned.repository import CopyOverlays as CopyOverlays
from sbctui.engine.planned.repository import ImportImage as ImportImage
from sbctui.engine.planned.repository import IndexRepository as IndexRepository
from sbctui.engine.planned.repository import MountRepository as MountRepository
from sbctui.engine.planned.repository import MoveFolder as MoveFolder
from sbctui.engine.planned.repository import RestoreImage as RestoreImage
from sbctui.engine.planned.repository import SetRepository as SetRepository
from sbctui.engine.planned.repository import UnmountRepository as UnmountRepository
from sbctui.engine.planned.repository import UpdateImage as UpdateImage
from sbctui.engine.planned.repository import WaitRandom as WaitRandom
from sbctui.engine.planned.services import DrainExport as DrainExport
from sbctui.engine.planned.services import RebootBoard as RebootBoard
from sbctui.engine.planned.services import RefreshServices as RefreshServices
from sbctui.engine.planned.services import WithdrawExport as WithdrawExport
from sbctui.engine.planned.trash import DropStaging as DropStaging
from sbctui.engine.planned.trash import PurgeFolder as PurgeFolder
from sbctui.engine.planned.trash import RestoreNode as RestoreNode
from sbctui.engine.planned.trash import RestoreStray as RestoreStray
from sbctui.engine.planned.trash import SetPins as SetPins
from sbctui.engine.planned.trash import SetRoster as SetRoster
from sbctui.engine.planned.trash import TrashNode as TrashNode
from sbctui.engine.planned.trash import TrashStray as TrashStray

Action = Annotated[
    StageNode
    | MakeDisk
    | CloneDisk
    | PersonaliseDisk
    | LayOverlay
    | CopyLeafDisk
    | TakeDisk
    | MoveFolder
    | ChangeOverlay
    | WriteNode
    | PublishNode
    | UpdateConfig
    | SetChildren
    | DropMissingChildren
    | ResizeDisk
    | RenameRoot
    | SetModels
    | WithdrawExport
    | DrainExport
    | RebootBoard
    | TrashNode
    | RestoreNode
    | RestoreStray
    | PurgeFolder
    | TrashStray
    | DropStaging
    | SetPins
    | SetRoster
    | BuildBootkit
    | MakeSideFiles
    | PublishImage
    | SeedImages
    | StopSeeding
    | SendImage
    | ReceiveImage
    | UseKit
    | SetRepository
    | MountRepository
    | UnmountRepository
    | IndexRepository
    | ImportImage
    | WaitRandom
    | UpdateImage
    | CopyOverlays
    | BringOverlay
    | RestoreImage
    | UnstageNode
    | FlattenDisk
    | WriteArchive
    | PublishArchive
    | TakeArchive
    | TakeLeaf
    | RefreshServices,
    Field(discriminator="kind"),
]


LONG = frozenset({"side-files", "copy-leaf-disk"})
"""Actions that read whole images or disks: nobody is locked out of the site for so long."""


class Unit(Value):
    """Actions that stand or fall together.

    ``node`` is what the unit is about, ``detail`` one line for the preview. ``always`` runs
    even after cancel and failures; when a ``required`` unit fails the rest is skipped; one
    that does not ``counts`` only prepares the others. ``after`` is the title of an earlier unit
    without which this one can't be: it is skipped when that one did not come to its end.
    """

    title: str
    node: str = ""
    detail: str = ""
    actions: tuple[Action, ...]
    always: bool = False
    required: bool = False
    counts: bool = True
    after: str = ""

    @property
    def long(self) -> bool:
        """Whether it reads so much that the plan's hold of the site's lock ends with it."""
        return any(action.kind in LONG for action in self.actions)

    @property
    def work(self) -> bool:
        """Whether it is what the plan is about, and not only goes before or after it."""
        return self.counts and not self.always


class Plan(Value):
    """A whole request, ready to show and to run.

    ``made`` is the time (epoch seconds) the plan counts from: planning the same request on the
    same site at the same ``made`` gives the same plan.
    ``needs`` and ``frees`` are bytes; ``notes`` are sentences for the admin (which rule chose
    an address, what is promised, what is left out); ``impact`` is the rung of UI.md's
    confirmation ladder; ``hold`` keeps the site's lock for the run, up to a unit that is
    ``long``.
    """

    title: str
    request: Request
    generation: int
    made: float
    units: tuple[Unit, ...]
    needs: int = 0
    frees: int = 0
    notes: tuple[str, ...] = ()
    impact: Literal["create", "reversible", "one", "many", "purge"] = "create"
    confirm: str = ""
    hold: bool = True
    command: str = ""

    @property
    def counted(self) -> tuple[bool, ...]:
        """For each unit whether it counts as work; where none is work all do."""
        work = tuple(unit.work for unit in self.units)
        return work if any(work) else tuple(True for _ in work)

    def same_work(self, other: Plan) -> bool:
        """Whether both plans do the same, whatever generation they were made at."""
        return self.units == other.units


class UnitResult(Value):
    """What became of one unit; ``data`` holds outcomes such as {"reboot": "unreachable"}.

    ``counts`` is False for one that only prepared or tidied up.
    """

    title: str
    node: str = ""
    outcome: Literal["done", "failed", "skipped"]
    error: str = ""
    code: int = 0
    counts: bool = True
    data: dict[str, str] = Field(default_factory=dict)


class Report(Value):
    """What became of a plan; ``code`` is the command line's exit code.

    ``error`` says why nothing was run at all, or with ``interrupted`` that its process was
    killed: then the results are those of its journal. ``changed``: nothing was run since the
    site was no longer the one the plan was made on; the same request gives another plan.
    """

    title: str
    verb: str
    results: tuple[UnitResult, ...]
    code: int
    job: str = ""
    error: str = ""
    interrupted: bool = False
    changed: bool = False

    def essential(self) -> Report:
        """Without the units that only prepare or tidy up, unless one of them failed."""
        kept = tuple(r for r in self.results if r.counts or r.outcome == "failed")
        return self.model_copy(update={"results": kept})

    def counted(self, outcome: str) -> int:
        """How many units that count had this outcome."""
        return sum(r.counts for r in self.of(outcome))

    def of(self, outcome: str) -> tuple[UnitResult, ...]:
        """The results with one outcome."""
        return tuple(r for r in self.results if r.outcome == outcome)
