"""What can be done with a job as it stands; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbctui.screens.job_view import JobView


def not_now(action: str, job: JobView | None, pane: int = 4) -> str | None:
    """Why a job can't be stopped or resumed (``action``) now, or None when it can."""
    if job is None:
        return f"put the cursor of pane {pane} on a job first"
    if action == "stop":
        return None if job.running else "it has ended"
    if job.running:
        return "it has not ended; X stops it"
    if job.state == "done":
        return "it did all it was to do"
    return f"it was resumed by {job.resumed_by}" if job.resumed_by else None
