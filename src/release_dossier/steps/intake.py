"""Evidence handed in to a server: durable before it is read, read once, whatever is killed in between.

1. The file is an artifact and the job is in the outbox before anything else; the answer to a client that never heard it is there for the
   asking under the same key.
2. A job that was killed is taken up again: what it had recorded stands, the attempt it had begun is ended under its own number.
3. What cannot be read is the job's own answer, kept like any other.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.delivery import Began, Delivery, Ended, State
from release_dossier.digest import digest_of
from release_dossier.errors import DossierError, Refused, Unavailable
from release_dossier.evidence.statement import Evidence
from release_dossier.ports import Outbox
from release_dossier.steps.collect import Import, collect
from release_dossier.steps.world import World, instant, rfc3339
from release_dossier.store.crash import reach

KIND = "evidence"
NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be read as evidence `name` of a change. `beside` are artifacts that lie beside it while it is read, by file name."""

    change: str
    name: str
    artifact: str
    filename: str
    by: str
    written_by: str = ""
    observed_at: str = ""
    exit_status: int | None = None
    beside: dict[str, str] = {}


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job: the statements it recorded, what was refused, and what was noticed."""

    evidence: tuple[str, ...]
    refused: tuple[dict[str, str], ...]
    notes: tuple[str, ...] = ()


def job_id(project: str, by: str, key: str, job: Job) -> str:
    """The key a client chose, or the job itself where it chose none: the same file for the same evidence is one job."""
    return "job_" + digest_of([project, by, key or msgspec.to_builtins(job)])[7:39]


def queue_job(box: Outbox, id: str, job: Job, now: str) -> State:
    """Enter a job; the one that is there under this id where there is one.

    Raises:
        Refused: `api.key-reused`: the id stands for another job.
    """
    about = {"job": msgspec.json.encode(job).decode()}
    entered = Delivery(
        id=id, destination=job.name, kind=KIND, audience="", dossier=job.change, body=job.artifact, about=about, queued_at=now
    )
    state = box.queue(entered)
    if state.delivery.about != about:
        raise Refused("api.key-reused", at="Idempotency-Key", found="a key that stands for another request", expected="a key of its own")
    return state


def take(world: World, box: Outbox, id: str, clock: Callable[[], datetime]) -> State:
    """Do a job that is not done; its answer is in the last try's `detail`. Keeping the log's head elsewhere is left to whoever asked."""
    with box.trying(id) as mine:
        state = box.states()[id]
        if not mine or not state.pending:
            return state
        since = state.began[0].at if state.began else ""
        began = box.begin(id, rfc3339(clock()))
        box.end(_read(world, state.delivery, began, since, clock))
    return box.states()[id]


def answer_of(state: State) -> Taken:
    """What came of a finished job."""
    return msgspec.json.decode(state.ended[-1].detail, type=Taken)


def _read(world: World, delivery: Delivery, began: Began, since: str, clock: Callable[[], datetime]) -> Ended:
    job = msgspec.json.decode(delivery.about["job"], type=Job)
    try:
        with tempfile.TemporaryDirectory(dir=_folder(world)) as d:
            file = _lay(world, Path(d), job)
            observed = instant(job.observed_at, "observed_at") if job.observed_at else None
            brought = Import(file, job.by, job.written_by, observed, job.exit_status, since)
            done = collect(world, job.change, world.change(job.change), (job.name,), brought, clock, _nobody)
        unavailable = next((e for _, e in done.refused if isinstance(e, Unavailable)), None)
        if unavailable is not None:  # a full disk refuses nobody's file: the job is tried again, and what it recorded stands
            raise unavailable
        taken = Taken(
            evidence=tuple(d for d, _ in done.evidence),
            refused=tuple(e.as_json()["error"] for _, e in done.refused),
            notes=done.notes,
        )
    except Unavailable as e:
        detail = msgspec.json.encode(Taken(evidence=(), refused=(e.as_json()["error"],))).decode()
        return Ended(id=began.id, n=began.n, at=rfc3339(clock()), outcome="failed", status=0, detail=detail, next_at=rfc3339(clock()))
    except DossierError as e:
        taken = Taken(evidence=(), refused=(e.as_json()["error"],))
    reach("intake.recorded")
    outcome = "delivered" if taken.evidence and not taken.refused else "refused"
    detail = msgspec.json.encode(taken).decode()
    return Ended(id=began.id, n=began.n, at=rfc3339(clock()), outcome=outcome, status=0, detail=detail)


def evidence_of(world: World, digests: tuple[str, ...]) -> list[dict[str, Any]]:
    """The statements of a job, as the contract shows evidence."""
    out = []
    for digest in digests:
        e = world.read(world.statement(digest, "evidence"), Evidence)
        out.append({**msgspec.to_builtins(e), "digest": digest, "id": digest[7:19]})
    return out


def _lay(world: World, folder: Path, job: Job) -> Path:
    """The file under its own name, with what belongs beside it."""
    for name, digest in {**job.beside, job.filename: job.artifact}.items():
        (folder / safe_name(name)).write_bytes(world.store.artifact(digest))
    stamp = instant(job.observed_at, "observed_at").timestamp() if job.observed_at else world.now.timestamp()
    os.utime(folder / safe_name(job.filename), (stamp, stamp))
    return folder / safe_name(job.filename)


def safe_name(name: str) -> str:
    """A file name that stays in its folder.

    Raises:
        Refused: `api.parameter`.
    """
    if not name or len(name) > 128 or name.startswith(".") or any(c not in NAME_CHARS for c in name):
        raise Refused("api.parameter", at="filename", found=repr(name), expected="letters, digits, . _ -, not beginning with a dot")
    return name


def _folder(world: World) -> Path:
    folder = world.home / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _nobody(_: str, __: float) -> None:
    return


def jobs_left(states: Mapping[str, State]) -> tuple[str, ...]:
    """Jobs a killed server left, in the order they were handed in."""
    return tuple(s.delivery.id for s in states.values() if s.delivery.kind == KIND and s.pending)
