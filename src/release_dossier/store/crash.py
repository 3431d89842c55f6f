"""Commit points, so that a test can kill the process exactly there and see that nothing is lost and nothing doubled.

Nothing here reads the environment: the edge arms a point. Unarmed, reaching a point costs one comparison.
"""

from __future__ import annotations

import os
import signal

from release_dossier.errors import Misuse

# Every point, in the order a change passes them. A test holds this table against the calls of `reach`.
POINTS = (
    "collect.started",
    "collect.ran",
    "store.artifact-written",  # an artifact is written, but has no name yet
    "store.artifact",  # it has its name
    "store.journal-torn",  # half of the journal's line is written
    "store.journal",  # the statement is durable; none of its files is there
    "store.document-torn",  # half of a document is written
    "store.document",  # the whole of it; the log has no entry for it
    "store.entry-torn",  # half of the entry's line is written
    "store.entry",  # the entry is in the log; the checkpoint is one behind
    "store.checkpoint",  # everything is done
    "release.tag-object",
    "release.tagged",
    "release.recorded",
    "intake.recorded",  # a job's evidence is in the log; the job does not know it
    "outbox.queued",
    "outbox.began",  # a try is announced; nothing left
    "outbox.sent",  # the receiver answered; it is not written down
)
_armed = ""


def arm(point: str) -> None:
    """Kill this process when it reaches `point`; empty disarms.

    Raises:
        Misuse: `crash.unknown-point`.
    """
    global _armed
    if point and point not in POINTS:
        raise Misuse("crash.unknown-point", at="commit point", found=point, expected=", ".join(POINTS))
    _armed = point


def armed(point: str) -> bool:
    """Whether reaching `point` would end this process."""
    return _armed == point


def reach(point: str) -> None:
    """The work up to `point` is done. Ends the process by SIGKILL when the point is armed: no handler, no flush, no cleaning up."""
    if _armed == point:
        os.kill(os.getpid(), signal.SIGKILL)
