"""Decide: hold a dossier against its rules with the people and statements of this moment, and store the answer.

1. Everything the dossier names is read again and its signature verified; the dossier must say what the statements say.
2. The log must extend the checkpoint kept in the repository (`refs/dossier/log`); a log that was rolled back is an integrity failure.
3. `gate.decide` is pure; what it was given is stored with the decision, so that anyone can recompute it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from shlex import quote

import msgspec

from release_dossier.approval import Signed, hear, members, standing_rejections
from release_dossier.aside import Aside
from release_dossier.digest import canonical
from release_dossier.dossier import Attempt, Dossier
from release_dossier.errors import Corrupt, DossierError, Refused, Unavailable, naming
from release_dossier.evidence.statement import Evidence
from release_dossier.gate import SAID_NO, Decision, Signers, asked_of_people, authors_of, decide, producers_of, rework
from release_dossier.project import SETTINGS_FILE
from release_dossier.rules.packs import OWNER, thaw
from release_dossier.steps.world import LOG_REF, World, other_worktree
from release_dossier.trust.document import Person
from release_dossier.trust.log import Checkpoint, Entry, checkpoint_signers, extends, origin_of, parse_checkpoint, root_of
from release_dossier.trust.note import COSIGNATURE, NoteKey, parse_vkey
from release_dossier.trust.statement import Statement, Subject, state
from release_dossier.trust.witness import cosigners

WITNESSED_REF = "refs/dossier/witnessed"  # the newest checkpoint that witnesses cosigned
PEOPLE = ("approval", "rejection", "withdrawal", "waiver")


class Kept(msgspec.Struct, frozen=True):
    """Checkpoints kept outside the store, empty where there is none."""

    log: bytes
    witnessed: bytes


def decide_dossier(world: World, digest: str, at: datetime | None = None) -> tuple[str, Decision, Dossier]:
    """Decide about the dossier `digest` now, or hypothetically at `at` (then nothing is stored and the digest is empty).

    Raises:
        Corrupt: a statement is gone or altered, or the log was rolled back.
    """
    entries = world.store.entries()
    keeping = Aside(lambda: kept_checkpoint(world))
    dossier = read_dossier(world, digest)
    check_evidence(world, dossier)
    _none_erased_since(world, dossier)
    kept = keeping.result()
    witness = check_witness(world, kept)
    checkpoint = {"size": len(entries), "root": "sha256:" + world.store.root(len(entries)).hex()}
    decision = decide(
        dossier,
        digest,
        signed_statements(world, entries),
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
    words = rework(decision, dossier, signers(world, decision, dossier))
    with naming(world.home / "rework.md"):
        (world.home / "rework.md").write_text(words, encoding="utf-8")
    publish_checkpoint(world, kept)
    return statement.digest, decision, dossier


def signers(world: World, decision: Decision, dossier: Dossier) -> Signers:
    """Who alone can still sign in each missing role, who cannot be found for one, and which rejections stand: see `gate.Signers`."""
    found = {}
    trust, solo = world.trust, dossier.change.mode == "solo"
    rules = {a.role: a for a in asked_of_people(thaw(dossier.rules), dossier)}
    owners = {f"{OWNER} of {o.service}": o.owners for o in dossier.owners}
    for t in decision.approvals:
        rule = rules.get(OWNER if t.role in owners else t.role)
        if not t.missing or rule is None:
            continue
        out = {c.person for c in t.counted}
        out |= authors_of(dossier) if rule.not_author and not solo else set()
        out |= producers_of(dossier) if rule.not_producer and not solo else set()
        named = owners.get(t.role, ())
        answers = members(named, trust)
        holds = [p.id for p in trust.document.people if (solo or p.id in answers if t.role in owners else t.role in p.roles)]
        able = [p for p in holds if p not in out]
        if not able:
            teams = [o.lstrip("@") for o in named if trust.person(o.lstrip("@")) is None]
            lacking = next(iter(teams), "") if t.role in owners else t.role
            found[t.role] = ("", lacking and _given(lacking, [p for p in trust.document.people if p.id not in out]))
        if len(able) == 1:
            found[t.role] = (able[0], _key_of(world, able[0]))
    if any(n.startswith(SAID_NO) for n in decision.notes):
        voices = hear(signed_statements(world, world.store.entries()), trust.project, trust)
        for person, _, digest in standing_rejections(decision.dossier, voices, trust):
            found[f"{SAID_NO}{person}"] = (digest, _key_of(world, person))
    return found


def _given(role: str, able: Sequence[Person]) -> str:
    """What `trust propose` is given for one more holder of a role: the one person who could be, with all their roles, or somebody new."""
    if len(able) != 1:
        return f"--person WHO --role {role} --public THEIRS.pub"
    return " ".join((f"--person {able[0].id}", *(f"--role {r}" for r in (*able[0].roles, role))))


def _key_of(world: World, person: str) -> str:
    """The key `init` made for a person when it is in this checkout, else `FILE`."""
    key = world.home / "keys" / person
    return os.path.relpath(key, world.repo.root) if key.is_file() else "FILE"


def decision_statement(project: str, decision: Decision, dossier: Dossier) -> Statement:
    """The decision as a statement; the same decision gives the same bytes."""
    subject = [
        Subject("dossier", {"sha256": decision.dossier.removeprefix("sha256:")}),
        Subject(dossier.change.id, {"gitCommit": dossier.change.head}),
    ]
    return state("decision", project, subject, msgspec.to_builtins(decision))


def decided_before(world: World, branch: str, but: str = "") -> tuple[str, str]:
    """Digest and outcome of the newest decision about a branch other than `but`; two empty texts where there is none.

    Whoever tells people about decisions tells them when this changes, and not each time the gate is asked.
    """
    changes = {e.digest for e in world.store.entries() if e.type == "change" and e.key == branch}
    for e in reversed(world.store.entries()):
        if e.type == "decision" and e.change in changes and e.digest != but:
            return e.digest, str(world.statement(e.digest, "decision").predicate["outcome"])
    return "", ""


def read_dossier(world: World, digest: str) -> Dossier:
    """The stored dossier with this digest, signed by a listed producer."""
    return world.read(world.statement(digest, "dossier"), Dossier)


def newest_dossier(world: World) -> str:
    """Digest of the dossier last assembled on this branch.

    Raises:
        Refused: `dossier.none`, `change.detached`.
    """
    branch = world.branch()
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
    logged = {e.digest: e.at for e in world.store.entries()}
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
        if not same_words(attempt, evidence) or attempt.logged_at not in ("", logged[str(attempt.digest)]):
            raise Corrupt(
                "dossier.differs", at=f"evidence {attempt.digest}", found="other words in the dossier", expected="what the statement says"
            )


def _none_erased_since(world: World, dossier: Dossier) -> None:
    """No artifact this dossier's passes stand on was erased after it was closed: what is decided anew needs a set that knows it.

    Raises:
        Refused: `dossier.withheld`.
    """
    later = {e.key: e for e in world.store.entries()[dossier.log.size :] if e.type == "erasure"}
    for a in dossier.evidence if later else ():
        if a.digest is not None and not a.withheld:
            gone = next((x for x in world.read(world.statement(a.digest, "evidence"), Evidence).artifacts if x.digest in later), None)
            if gone is not None:
                found = f"artifact {gone.digest[:19]}… erased at {later[gone.digest].at}, after the dossier was closed"
                raise Refused(
                    "dossier.withheld", at=f"evidence {a.name}", found=found, expected="a set closed since", help="dossier assemble"
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


def signed_statements(world: World, entries: tuple[Entry, ...]) -> tuple[Signed, ...]:
    """Approvals, rejections, waivers and withdrawals of this project so far, each with the keys that really signed it."""
    out = []
    for e in entries:
        if e.type in PEOPLE:
            statement, keys = world.signed(e.digest, e.type)
            out.append(Signed(statement=statement, keys=keys, logged_at=e.at, n=e.n))
    return tuple(out)


def kept_checkpoint(world: World) -> Kept:
    """The checkpoints kept in the repository: the newest, and the newest that witnesses cosigned."""
    return Kept(*world.repo.blobs((LOG_REF, WITNESSED_REF)))


def check_witness(world: World, kept: Kept) -> str:
    """The checkpoints kept in the repository, held against the log: where they are kept and who cosigned, empty when there is none.

    `kept` was read before the log is looked at here, so what another process enters meanwhile can only make the log longer.

    Raises:
        Corrupt: `log.rolled-back`, `log.fork`: the log no longer contains what the repository remembers of it. `log.other-project`: it
            remembers another log.
    """
    for ref, note in ((LOG_REF, kept.log), (WITNESSED_REF, kept.witnessed)):
        if note:
            hold(world, note, ref)
    if not kept.witnessed:
        return LOG_REF if kept.log else ""
    names = cosigners(kept.witnessed, [key for _, key in witnesses_of(world)], WITNESSED_REF)
    said = f", cosigned by {', '.join(names)} at {parse_checkpoint(kept.witnessed).size} entries" if names else ""
    return f"{LOG_REF}{said}" if kept.log or names else ""


def hold(world: World, note: bytes, at: str) -> None:
    """The log is the one of a checkpoint kept `at` a place outside the store, and contains what it had then.

    Raises:
        Corrupt: as `check_witness`.
    """
    old, mine = parse_checkpoint(note, at), origin_of(world.trust.project)
    if old.origin != mine:
        raise Corrupt("log.other-project", at=at, found=old.origin, expected=mine)
    if not extends(size := len(world.store.entries()), world.store.root, note):
        help = other_worktree(world.repo, world.home) or _whose(world, old)  # where the log is that the repository remembers
        if old.size > size:
            raise Corrupt("log.rolled-back", at=at, found=f"a log of {size} entries", expected=f"the {old.size} it once had", help=help)
        found = "a log that does not extend the checkpoint kept there"
        raise Corrupt("log.fork", at=at, found=found, expected="every entry it once had", help=help)


def _whose(world: World, kept: Checkpoint) -> str:
    """What to do where another machine signed the checkpoint: nobody took entries away here, this is another log. Empty where none did."""
    try:
        own = world.signer().key_id
    except DossierError:  # who may read and not sign is told what is wrong all the same
        return ""
    signers = checkpoint_signers(kept, world.trust.machine_keys().values()) - {own}
    names = sorted({p.id for p in map(world.trust.producer_of_key, signers) if p is not None})
    return f"{names[0]} signed it, and a project has one log: take that machine's .dossier/, or export DOSSIER_HOME=ITS" if names else ""


def witnesses_of(world: World) -> tuple[tuple[str, NoteKey], ...]:
    """Address and key of each witness the protected branch's settings name.

    Raises:
        Refused: `witness.syntax`, `note.vkey`.
    """
    found = world.settings_at(world.protected_ref())
    return tuple(parse_witness(w, f"{SETTINGS_FILE} log.witnesses") for w in found[0].log.witnesses) if found else ()


def parse_witness(text: str, at: str) -> tuple[str, NoteKey]:
    """`ADDRESS KEY`.

    Raises:
        Refused: `witness.syntax`, `note.vkey`.
    """
    address, _, key = text.partition(" ")
    if not address.startswith(("http://", "https://")) or not key:
        raise Refused("witness.syntax", at=at, found=repr(text[:60]), expected="https://ADDRESS NAME+HASH+KEY")
    found = parse_vkey(key, at)
    if found.kind != COSIGNATURE:
        of = f"the key of kind {found.kind} of {found.name}"
        raise Refused("witness.syntax", at=at, found=of, expected=f"one of kind {COSIGNATURE}, which a witness cosigns with")
    return address, found


def publish_checkpoint(world: World, held: Kept | None = None) -> None:
    """Keep the newest checkpoint in the repository, outside the store it watches over. `held`: against what this command held it.

    Raises:
        Corrupt: as `check_witness`: what is remembered of a log is replaced only by more of the same one. Unavailable: `log.unwritable`.
    """
    if held is None:
        check_witness(world, kept_checkpoint(world))
    try:
        with world.store.lock():  # else a process that read an older head could keep it over a newer one
            world.repo.keep(LOG_REF, world.store.checkpoint(), world.home / "tmp")
    except Refused as e:
        lock = world.repo.common_folder() / f"{LOG_REF}.lock"  # a killed git leaves it
        help = f"once no git runs here: rm {quote(str(lock))}; then again" if lock.exists() else ""
        raise Unavailable("log.unwritable", at=LOG_REF, found=e.found, expected="the log's head kept in it", help=help) from e


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
        signed_statements(world, entries),
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
