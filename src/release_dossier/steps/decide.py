"""Decide: hold a dossier against its rules with the people and statements of this moment, and store the answer.

1. Everything the dossier names is read again and its signature verified; the dossier must say what the statements say.
2. The log must extend the checkpoint kept in the repository (`refs/dossier/log`); a log that was rolled back is an integrity failure.
3. `gate.decide` is pure; what it was given is stored with the decision, so that anyone can recompute it.
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter

import msgspec

from release_dossier.approval import Signed
from release_dossier.digest import canonical
from release_dossier.dossier import Attempt, Dossier
from release_dossier.errors import Corrupt, Refused
from release_dossier.evidence.statement import Evidence
from release_dossier.gate import Decision, decide, rework
from release_dossier.steps.aside import Aside
from release_dossier.steps.world import LOG_REF, World
from release_dossier.trust.log import Entry, extends, root_of
from release_dossier.trust.statement import Statement, Subject, state

PEOPLE = ("approval", "rejection", "withdrawal", "waiver")


def decide_dossier(world: World, digest: str, at: datetime | None = None) -> tuple[str, Decision, Dossier]:
    """Decide about the dossier `digest` now, or hypothetically at `at` (then nothing is stored and the digest is empty).

    Raises:
        Corrupt: a statement is gone or altered, or the log was rolled back.
    """
    entries = world.store.entries()
    kept = Aside(lambda: kept_checkpoint(world))
    dossier = read_dossier(world, digest)
    check_evidence(world, dossier)
    witness = check_witness(world, kept.result())
    checkpoint = {"size": len(entries), "root": "sha256:" + world.store.root(len(entries)).hex()}
    decision = decide(
        dossier,
        digest,
        signed_statements(world, digest, entries),
        world.trust,
        at or world.now,
        witness=witness,
        checkpoint=checkpoint,
        hypothetical=at is not None,
    )
    if at is not None:
        return "", decision, dossier
    statement = decision_statement(world.trust.project, decision, dossier)
    with world.store.lock():
        world.record(statement, change=dossier.change_digest, key=digest)
    (world.home / "rework.md").write_text(rework(decision, dossier), encoding="utf-8")
    publish_checkpoint(world)
    return statement.digest, decision, dossier


def decision_statement(project: str, decision: Decision, dossier: Dossier) -> Statement:
    """The decision as a statement; the same decision gives the same bytes."""
    subject = [
        Subject("dossier", {"sha256": decision.dossier.removeprefix("sha256:")}),
        Subject(dossier.change.id, {"gitCommit": dossier.change.head}),
    ]
    return state("decision", project, subject, msgspec.to_builtins(decision))


def read_dossier(world: World, digest: str) -> Dossier:
    """The stored dossier with this digest, signed by a listed producer."""
    return world.read(world.statement(digest, "dossier"), Dossier)


def newest_dossier(world: World) -> str:
    """Digest of the dossier last assembled on this branch.

    Raises:
        Refused: `dossier.none`.
    """
    branch = world.repo.branch()
    entry = next((e for e in reversed(world.store.entries()) if e.type == "dossier" and e.key == branch), None)
    if entry is None:
        raise Refused("dossier.none", at=f"branch {branch}", found="no dossier", expected="an assembled one", help="dossier assemble")
    return entry.digest


def check_evidence(world: World, dossier: Dossier) -> None:
    """The change and every attempt's statement stand in the store, verify, and say what the dossier says of them.

    Raises:
        Corrupt: `dossier.differs`, or whatever reading the statement found.
    """
    if world.change(dossier.change_digest) != dossier.change:
        raise Corrupt(
            "dossier.differs",
            at=f"change {dossier.change_digest}",
            found="another change in the dossier",
            expected="what the statement says",
        )
    _none_left_out(world, dossier)
    ended = [a for a in dossier.evidence if a.digest is not None]
    wanted = [(a.started, "started") for a in dossier.evidence] + [(str(a.digest), "evidence") for a in ended]
    signed = world.signed_all(wanted)[len(dossier.evidence) :]
    for attempt, (statement, keys) in zip(ended, signed, strict=True):
        evidence = world.read(statement, Evidence)
        if evidence.producer.key not in keys and world.trust.producer_of_key(evidence.producer.key) is not None:
            raise Corrupt(
                "statement.unsigned",
                at=f"evidence {attempt.digest}",
                found="no valid signature of its producer",
                expected=f"one by {evidence.producer.id}",
            )
        if not same_words(attempt, evidence):
            raise Corrupt(
                "dossier.differs", at=f"evidence {attempt.digest}", found="other words in the dossier", expected="what the statement says"
            )


def _none_left_out(world: World, dossier: Dossier) -> None:
    """Every attempt the log holds about these fingerprints, up to where the dossier was closed, stands in it."""
    prints = {(s.name, s.fingerprint) for s in dossier.change.services}
    held = {a.started for a in dossier.evidence}
    for entry in world.store.entries()[: dossier.log.size]:
        if entry.type == "started" and entry.digest not in held:
            begun = world.statement(entry.digest, "started").predicate
            if (begun.get("service"), begun.get("fingerprint")) in prints:
                found = f"attempt {begun.get('attempt')} of {begun.get('name')} is left out"
                raise Corrupt("dossier.incomplete", at=f"started {entry.digest}", found=found, expected="every attempt the log holds")


_WORDS = attrgetter(*(f for f in Attempt.__struct_fields__ if f in Evidence.__struct_fields__ and f != "producer"))


def same_words(a: Attempt, e: Evidence) -> bool:
    """Whether the dossier says of an attempt what its evidence says."""
    return _WORDS(a) == _WORDS(e) and (a.producer, a.producer_key, a.imported_by) == (e.producer.id, e.producer.key, e.producer.imported_by)


def signed_statements(world: World, dossier: str, entries: tuple[Entry, ...]) -> tuple[Signed, ...]:
    """Approvals, rejections, waivers and withdrawals of this project so far, each with the keys that really signed it."""
    out = []
    for e in entries:
        if e.type in PEOPLE:
            statement, keys = world.signed(e.digest, e.type)
            out.append(Signed(statement=statement, keys=keys, logged_at=e.at, n=e.n))
    return tuple(out)


def kept_checkpoint(world: World) -> bytes | None:
    """The checkpoint kept in the repository, None where none is."""
    r = world.repo.result("cat-file", "blob", LOG_REF, ok=(0, 128))
    return None if r.returncode else r.stdout


def check_witness(world: World, kept: bytes | None) -> str:
    """The checkpoint kept in the repository, held against the log: its name when there is one, else empty.

    `kept` was read before the log is looked at here, so what another process enters meanwhile can only make the log longer.

    Raises:
        Corrupt: `log.rolled-back`: the log no longer contains what the repository remembers of it.
    """
    if kept is None:
        return ""
    if not extends(len(world.store.entries()), world.store.root, kept):
        raise Corrupt(
            "log.rolled-back", at=LOG_REF, found="a log that does not extend the checkpoint kept there", expected="every entry it once had"
        )
    return LOG_REF


def publish_checkpoint(world: World) -> None:
    """Keep the newest checkpoint in the repository, outside the store it watches over."""
    name = world.repo.run("hash-object", "-w", "--stdin", stdin=world.store.checkpoint()).decode().strip()
    world.repo.run("update-ref", LOG_REF, name)


def replay(world: World, digest: str) -> tuple[bool, tuple[str, ...]]:
    """Recompute a stored decision from what it names. Returns whether the bytes are equal, and the fields that differ."""
    stored = world.statement(digest, "decision")
    decision = msgspec.convert(stored.predicate, Decision)
    dossier = read_dossier(world, decision.dossier)
    entries = world.store.entries()[: decision.checkpoint["size"]]
    trust = world.trust_at(decision.trust)
    again = decide(
        dossier,
        decision.dossier,
        signed_statements(world, decision.dossier, entries),
        trust,
        decision_time(decision),
        witness=decision.witness,
        checkpoint={"size": len(entries), "root": root_of(entries)},
        hypothetical=False,
    )
    fresh = decision_statement(stored.project, again, dossier)
    if fresh.raw == stored.raw:
        return True, ()
    keys = sorted(set(fresh.predicate) | set(stored.predicate))
    return False, tuple(k for k in keys if canonical(fresh.predicate.get(k)) != canonical(stored.predicate.get(k)))


def decision_time(decision: Decision) -> datetime:
    return datetime.fromisoformat(decision.at)
