"""Pass it on: everything about one dossier in one file, and checking such a file with nothing but a trust document.

Verifying looks at, in this order, and says each result:

 (1) the file: every byte follows from names and contents, the manifest lists every file, sums agree, and what is derived (signatures
     beside statements, keys for other tools, HOW-TO-CHECK.md, attestations) is made again and compared;
 (2) every statement's signature, by a signer the verifier's trust lists;
 (3) every statement is in the log the checkpoint speaks of;
 (4) the dossier says of each evidence what the evidence says, and its artifacts are there;
 (5) the decision follows from the dossier, the statements and the trust document it names, recomputed;
 (6) the summary for people is the one these documents give;
 (7) where it stands now: allowed, denied, expired, withdrawn, or no longer allowed, decided again with everything in the bundle that came
     later and the verifier's newest trust.

(1) to (6) failing is 40. Only (7) decides between 0 and 10. Trust comes from the verifier, never from the bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from release_dossier import bundle
from release_dossier.approval import Signed
from release_dossier.aside import spread, uncollected
from release_dossier.attest import test_result, verification_summary
from release_dossier.dossier import Dossier
from release_dossier.errors import Corrupt, DossierError, Unavailable, counted, shown
from release_dossier.evidence.erasure import Erasure
from release_dossier.evidence.personal import MEDIA_TYPE
from release_dossier.evidence.statement import Evidence
from release_dossier.gate import OPEN_STATES, Decision, decide, explain
from release_dossier.release import Release
from release_dossier.steps.decide import PEOPLE, decision_statement, same_words
from release_dossier.steps.erase import erased, why
from release_dossier.steps.people import MAY_WITHDRAW
from release_dossier.steps.world import World
from release_dossier.store.files import write_out
from release_dossier.trust.document import Trust, parse_chain
from release_dossier.trust.log import Entry
from release_dossier.trust.statement import Statement

SUMMARY = "DOSSIER.md"
_T = TypeVar("_T")
ATTESTED = ("decision", "evidence")  # what is said in others' words too


class Verified(msgspec.Struct, frozen=True):
    """What verifying found. `standing` is allowed, denied, expired, withdrawn, no longer allowed or undecided; `trust` says whose word it
    was held against."""

    verified: bool
    standing: str
    trust: str
    checks: tuple[bundle.Check, ...]


def export(world: World, digest: str, target: Path) -> int:
    """Write the bundle of a dossier; returns its size in bytes. The same log gives the same bytes.

    Raises:
        Refused: `bundle.*`. Unavailable: the file cannot be written; nothing is left half written.
    """
    raw = bundle_bytes(world, digest)
    try:
        write_out(target, raw)
    except OSError as e:
        raise Unavailable("export.unwritable", at=str(target), found=e.strerror or "an error", expected="a file to write") from e
    return len(raw)


def bundle_bytes(world: World, digest: str) -> bytes:
    """The bundle of a dossier as one value."""
    entries = world.store.entries()
    dossier = msgspec.convert(world.statement(digest, "dossier").predicate, Dossier)
    chosen = _chosen(world, digest, dossier, entries)
    statements = [(e, world.store.document(e.digest)) for e in chosen]
    decision = next(
        (msgspec.convert(world.statement(e.digest, "decision").predicate, Decision) for e in chosen if e.type == "decision"), None
    )
    releases = [msgspec.convert(world.statement(e.digest, "release").predicate, Release) for e in chosen if e.type == "release"]
    files = bundle.lay_out(
        statements,
        chain=world.trust_chain,
        trust=world.trust,
        entries=entries,
        checkpoint=world.store.checkpoint(),
        artifacts={a: world.store.artifact(a) for a in _artifacts(world, dossier) - erased(world).keys()},
        tags={r.tag: world.repo.run("cat-file", "tag", r.tag_object) for r in releases},
        maker=world.signer().key_id,
    )
    files[SUMMARY] = summary(digest, dossier, decision).encode()
    attested = [world.statement(e.digest, e.type) for e in chosen if e.type in ATTESTED]
    derived = _attestations(attested, dossier, _evidence(attested))
    files |= {name: bundle.attestation(payload, world.signer()) for name, payload in derived.items()}
    files[bundle.SUMS] = bundle.sums(files)
    # Signed with the time of the newest statement in it, not of exporting: the same log gives the same file.
    return bundle.seal_bundle(files, world.trust.project, digest, max(e.at for e in chosen), world.signer())


def _attestations(statements: Iterable[Statement], dossier: Dossier, evidence: Mapping[str, Evidence]) -> dict[str, bytes]:
    """What is said in others' words about decisions and evidence of tests, by the file it lies in."""
    out = {}
    for s in statements:
        if s.word == "decision":
            name = f"{bundle.ATTESTATIONS}vsa-{s.digest[7:23]}.json"
            out[name] = verification_summary(_said(s, Decision), s.digest, dossier)
        elif s.word == "evidence" and (result := test_result(evidence[s.digest], s.digest)) is not None:
            out[f"{bundle.ATTESTATIONS}test-result-{s.digest[7:23]}.json"] = result
    return out


def _evidence(statements: Iterable[Statement]) -> dict[str, Evidence]:
    """What the evidence among some statements says, by digest."""
    return {s.digest: _said(s, Evidence) for s in statements if s.word == "evidence"}


def _said(s: Statement, shape: type[_T]) -> _T:
    """What a statement says.

    Raises:
        Corrupt: `bundle.statement`: something else than a statement of its word does.
    """
    try:
        return msgspec.convert(s.predicate, shape)
    except msgspec.ValidationError as e:
        at = f"{s.word} {s.digest[:19]}…"
        raise Corrupt("bundle.statement", at=at, found=str(e), expected=f"what a statement of word {s.word} says") from e


def _chosen(world: World, digest: str, dossier: Dossier, entries: Sequence[Entry]) -> list[Entry]:
    """The dossier, its change, every attempt, all that people signed about it, its release and the decision that goes with it."""
    names = {digest, dossier.change_digest, *(a.started for a in dossier.evidence), *(a.digest for a in dossier.evidence if a.digest)}
    releases = [e for e in entries if e.type == "release" and world.statement(e.digest, "release").predicate["dossier"] == digest]
    decided = [e for e in entries if e.type == "decision" and e.key == digest]
    wanted = {str(world.statement(e.digest, "release").predicate["decision"]) for e in releases} or {e.digest for e in decided[-1:]}
    size = max((world.statement(d, "decision").predicate["checkpoint"]["size"] for d in wanted), default=len(entries))
    people = {e.digest for e in entries if e.type in PEOPLE and e.n < size}
    later = {e.digest for e in entries if e.type in PEOPLE and world.statement(e.digest, e.type).predicate.get("dossier") == digest}
    taken_back = {e.digest for e in entries if e.type == "withdrawal"}
    gone = {d for a, (d, _) in erased(world).items() if a in _artifacts(world, dossier)}
    keep = names | wanted | gone | {e.digest for e in releases} | people | later | taken_back
    return [e for e in entries if e.digest in keep]


def _artifacts(world: World, dossier: Dossier) -> set[str]:
    out: set[str] = set()
    for a in dossier.evidence:
        if a.digest is not None:
            evidence = msgspec.convert(world.statement(a.digest, "evidence").predicate, Evidence)
            out |= {x.digest for x in evidence.artifacts}
    return out


def summary(digest: str, dossier: Dossier, decision: Decision | None) -> str:
    """The page people read first: what it is for, and what was decided, in words."""
    c = dossier.change
    services = ", ".join(f"{s.name} {s.version}" for s in c.services)
    lines = [
        f"# {services}",
        "",
        f"Dossier `{digest}`",
        "",
        f"**Objective.** {c.objective}",
        "",
        f"Branch {c.branch} at {c.head}, owner {c.owner}.",
        "",
    ]
    lines += ["In scope:", *(f"- {x}" for x in c.in_scope), ""]
    if c.out_of_scope:
        lines += ["Out of scope:", *(f"- {x}" for x in c.out_of_scope), ""]
    if dossier.risks:
        lines += ["Risks:", *(f"- {r.id} ({r.severity}, {r.source}): {r.text}" for r in dossier.risks), ""]
    lines += ["```", explain(decision, dossier).rstrip("\n") if decision else "undecided", "```", ""]
    return "\n".join(lines)


def verify(raw_path: Path, trust_chain: bytes | None, *, integrity_only: bool, now: datetime) -> Verified:
    """Check a bundle file against a trust document (none: only with `integrity_only`).

    Raises:
        Corrupt: `verify.no-trust`. Refused or Corrupt: what reading the file found.
    """
    with uncollected():
        return _verified(raw_path, trust_chain, integrity_only, now)


def _verified(raw_path: Path, trust_chain: bytes | None, integrity_only: bool, now: datetime) -> Verified:
    opened = bundle.open_bundle(raw_path)
    if trust_chain is None and not integrity_only:
        raise Corrupt(
            "verify.no-trust", at="--trust", found="no trust document", expected="the project's", help="--trust FILE, or --integrity-only"
        )
    trust = None if integrity_only or trust_chain is None else parse_chain(trust_chain, "trust document")
    found = bundle.examine(opened, trust, spread)
    checks = list(found.checks)
    if integrity_only or trust is None or trust_chain is None:
        return Verified(found.sound, "not judged", "none", tuple(checks))
    standing = "undecided"
    if found.sound:
        try:
            dossier = _said(_one(found, "dossier.json"), Dossier)
            evidence = _evidence(found.statements.values())
            checks += [*_contents(found, trust, dossier, evidence), _derived(found, dossier, evidence)]
            standing, more = _judge(found, dossier, trust, trust_chain, now)
            checks += more
        except DossierError as e:
            checks.append(bundle.Check("contents", "fail", str(e)))
        except (ValueError, LookupError, TypeError) as e:  # words of the right shape that no dossier of ours says, well signed
            checks.append(bundle.Check("contents", "fail", f"what the statements say cannot be judged: {type(e).__name__}: {e}"))
    sound = all(c.state == "pass" for c in checks)
    return Verified(sound, standing if sound else "broken", f"version {trust.document.version} {trust.digest}", tuple(checks))


def _one(found: bundle.Examined, name: str) -> Statement:
    if name not in found.statements:
        raise Corrupt("bundle.incomplete", at=name, found="no such file", expected=f"a bundle holds {name}")
    return found.statements[name]


def _erased(found: bundle.Examined, trust: Trust) -> dict[str, Erasure]:
    """Artifacts whose erasure lies in the bundle, signed by a person of the verifier's trust who may."""
    out = {}
    for name, s in found.statements.items():
        if s.word == "erasure":
            said = _said(s, Erasure)
            who = trust.person(said.person)
            mine = {k.id for k in who.keys} & found.keys[name] if who is not None and set(who.roles) & set(MAY_WITHDRAW) else ()
            if any(trust.counts(k, found.places[s.digest].at, True) for k in mine):
                out[said.artifact] = said
    return out


def _contents(found: bundle.Examined, trust: Trust, dossier: Dossier, said: Mapping[str, Evidence]) -> list[bundle.Check]:
    """(4): dossier, change, evidence and artifacts fit together; an artifact that is gone was erased by somebody who may."""
    gone, withheld = _erased(found, trust), dict[str, Erasure]()
    names = {s.digest: name for name, s in found.statements.items()}
    faults = []
    if _one(found, "change.json").digest != dossier.change_digest:
        faults.append("change.json: another change than the dossier names")
    for a in dossier.evidence:
        if a.started not in names:
            faults.append(f"started {a.started[:19]}…: missing")
        if a.digest is None:
            continue
        if a.digest not in said:
            faults.append(f"evidence {a.digest[:19]}…: missing")
            continue
        name, evidence = names[a.digest], said[a.digest]
        if not same_words(a, evidence) or a.logged_at not in ("", found.places[a.digest].at):
            faults.append(f"{name}: says something else than the dossier")
        if evidence.producer.key not in found.keys[name] and evidence.producer.id != "unlisted":
            faults.append(f"{name}: not signed by its producer {evidence.producer.id}")
        away = [x.digest for x in evidence.artifacts if f"artifacts/{x.digest[7:]}" not in found.digests]
        faults += [f"artifacts/{d[7:]}: missing" for d in away if d not in gone]
        withheld |= {d: gone[d] for d in away if d in gone}
    held = [bundle.Check(f"artifacts/{d[7:]}", "pass", f"withheld: {shown(why(e))}") for d, e in sorted(withheld.items())]
    held += _personal(said.values(), withheld)
    detail = "; ".join(faults) or f"{counted(len(dossier.evidence), 'attempt')}, each as the dossier says, with their artifacts"
    return [bundle.Check("contents", "fail" if faults else "pass", detail), *held]


def _personal(said: Iterable[Evidence], withheld: dict[str, Erasure]) -> list[bundle.Check]:
    """How many personal values the statements commit to, and how many of their openings were erased; nothing where there are none."""
    values = {a.digest for e in said for a in e.artifacts if a.media_type == MEDIA_TYPE}
    gone = len(values & withheld.keys())
    words = f"{counted(len(values), 'personal value')} committed to: {len(values) - gone} opened beside, {gone} withheld"
    return [bundle.Check("personal", "pass", words)] if values else []


def _derived(found: bundle.Examined, dossier: Dossier, evidence: Mapping[str, Evidence]) -> bundle.Check:
    """(1): what follows from other files is what they give: made again and compared byte for byte."""
    by_digest = {s.digest: name for name, s in found.statements.items()}
    entries = sorted(found.places.values(), key=lambda e: e.n)
    statements = [(e, found.files[by_digest[e.digest]]) for e in entries]
    releases = [_said(found.statements[by_digest[e.digest]], Release) for e in entries if e.type == "release"]
    own = parse_chain(found.files[bundle.CHAIN], bundle.CHAIN)
    maker = min(found.maker)
    if own.producer_of_key(maker) is None:
        return bundle.Check("derived", "fail", f"{bundle.CHAIN}: does not list {maker}, which signed {bundle.MANIFEST}")
    named = bundle.tag_names([r.tag for r in releases], found.files.keys())
    due = bundle.written_out(statements, own, maker, named)
    if found.files.get(bundle.HOW_TO) != due[bundle.HOW_TO]:
        due = bundle.written_out(statements, own, maker, named, before=True)
    own_words = {bundle.MANIFEST, bundle.SUMS, bundle.CHAIN, bundle.CHECKPOINT, bundle.PROOFS, SUMMARY}  # each is looked at elsewhere
    beside = {n for n in found.files if n not in own_words and not n.startswith((bundle.ATTESTATIONS, bundle.TAGS))}
    faults = [f"{n}: is not what the other files give" for n in sorted(due) if found.files.get(n) != due[n]]
    faults += [f"{n}: follows from nothing" for n in sorted(beside - due.keys())]
    faults += _tag_faults(found, releases, named)
    attested = _attestations(found.statements.values(), dossier, evidence)
    for name in sorted(n for n in found.files if n.startswith(bundle.ATTESTATIONS)):
        if found.attested.get(name) != attested.get(name):
            faults.append(f"{name}: says something else than what it is about")
    if found.attested:  # the first bundles had none
        faults += [f"{name}: missing" for name in sorted(attested.keys() - found.attested.keys())]
    detail = "; ".join(faults) or f"{len(due)} files are what the statements and the trust document give"
    return bundle.Check("derived", "fail" if faults else "pass", detail)


def _tag_faults(found: bundle.Examined, releases: Sequence[Release], named: Mapping[str, str]) -> list[str]:
    """The raw tag objects are those the releases name: git calls an object by the hash of its sort, its length and its content."""
    due: dict[str, set[str]] = {}
    for r in releases:
        due.setdefault(named[r.tag], set()).add(r.tag_object)
    faults = [f"{n}: missing" for n in sorted(due.keys() - found.files.keys())]
    for name in sorted(n for n in found.files if n.startswith(bundle.TAGS)):
        whole = b"tag %d\0" % len(found.files[name]) + found.files[name]
        if not due.get(name, set()) & {hashlib.sha1(whole).hexdigest(), hashlib.sha256(whole).hexdigest()}:
            faults.append(f"{name}: is not the tag object of a release in it")
    return faults


def _judge(found: bundle.Examined, dossier: Dossier, trust: Trust, chain: bytes, now: datetime) -> tuple[str, list[bundle.Check]]:
    """(5), (6) and (7)."""
    dossier_statement = _one(found, "dossier.json")
    decided = found.statements.get("decision.json")
    decision = _said(decided, Decision) if decided else None
    checks = []
    said = _signed(found)
    then = [s for s in said if decision is not None and s.n < decision.checkpoint["size"]]
    if decided is not None and decision is not None:
        again = recompute(
            dossier,
            dossier_statement.digest,
            decision,
            then,
            parse_chain(chain, "trust document", digest=decision.trust),
        )
        equal = decision_statement(decided.project, again, dossier).raw == decided.raw
        detail = "recomputed bit for bit" if equal else "recomputing it gives another decision"
        checks.append(bundle.Check("decision", "pass" if equal else "fail", detail))
    fresh = summary(dossier_statement.digest, dossier, decision).encode() == found.files.get(SUMMARY)
    checks.append(
        bundle.Check(
            "summary", "pass" if fresh else "fail", f"{SUMMARY} is what the documents give" if fresh else f"{SUMMARY} says something else"
        )
    )
    standing = _standing(found, dossier_statement.digest, decided, decision, now)
    if standing == "allowed" and decision is not None and (said, trust.digest) != (then, decision.trust):
        later = recompute(dossier, dossier_statement.digest, decision, said, trust)
        standing = standing if later.outcome == "ALLOW" else f"no longer allowed: {_why_not(later, decision)}"
    checks.append(bundle.Check("standing", "pass", standing))
    return standing, checks


def recompute(dossier: Dossier, digest: str, decision: Decision, statements: Sequence[Signed], trust: Trust) -> Decision:
    """`decide` again with what a decision names."""
    return decide(
        dossier,
        digest,
        statements,
        trust,
        datetime.fromisoformat(decision.at),
        witness=decision.witness,
        checkpoint=decision.checkpoint,
        hypothetical=False,
    )


def _why_not(later: Decision, was: Decision) -> str:
    """What denies now and did not."""
    notes = [n for n in later.notes if n not in was.notes]
    unmet = [
        f"{r.id} of {r.service} is {r.state}: {r.reason}" for r in later.requirements if r.state not in OPEN_STATES and r.severity != "warn"
    ]
    unsigned = [f"nobody's signature counts as {t.role}" for t in later.approvals if t.missing]
    return next(iter(notes + unmet + unsigned), "decided again it is denied")


def _signed(found: bundle.Examined) -> list[Signed]:
    """People's statements, with the moment and place the log gives each."""
    places = found.places
    out = []
    for name, s in found.statements.items():
        if s.word in PEOPLE and s.digest in places:
            out.append(Signed(statement=s, keys=found.keys[name], logged_at=places[s.digest].at, n=places[s.digest].n))
    return out


def _standing(found: bundle.Examined, dossier: str, decided: Statement | None, decision: Decision | None, now: datetime) -> str:
    if decision is None or decided is None:
        return "undecided"
    named = {dossier, decided.digest, *(s.digest for s in found.statements.values() if s.word == "release"), *decision.statements}
    for s in found.statements.values():
        if s.word == "withdrawal" and s.predicate["statement"] in named and found.places[s.digest].n >= decision.checkpoint["size"]:
            return f"withdrawn: {shown(s.predicate['reason'])}"
    if decision.outcome != "ALLOW":
        return "denied"
    if decision.valid_until and now >= datetime.fromisoformat(decision.valid_until):
        return f"expired {decision.valid_until}"
    return "allowed"
