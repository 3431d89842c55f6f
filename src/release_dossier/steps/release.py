"""Release: a tag, a record and a log entry, once, and only on an ALLOW decided again under the project's lock.

1. Everything that can refuse comes before the first effect: decision, fingerprints of the commit, tags here and at the remote.
2. The tag object is made first; nothing names it yet. A crash leaves an unnamed object, which git clears away.
3. The tag ref is made by compare-and-swap: it appears only where there was none.
4. The release record enters the log last. A crash between 3 and 4 leaves a tag that says which dossier and decision it is
   for; the next run finds it, checks that it is its own, and enters the record. So it ends with one tag, one record, one entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

import msgspec

from release_dossier.approval import too_often
from release_dossier.dossier import Dossier
from release_dossier.errors import Refused, Unavailable, counted, shown
from release_dossier.fingerprint import fingerprint, shipped
from release_dossier.gate import BEHIND, Decision
from release_dossier.project import Service
from release_dossier.release import Release, tag_message
from release_dossier.rules.packs import thaw
from release_dossier.steps.assemble import behind, waived_before
from release_dossier.steps.collect import frozen_settings
from release_dossier.steps.decide import decide_dossier, publish_checkpoint, read_dossier
from release_dossier.steps.world import World
from release_dossier.store.crash import reach
from release_dossier.trust.sshsig import armor_signature, verify_armored
from release_dossier.trust.statement import Subject, state

OBJECTIVE_CHARS_MAX = 500  # characters of the objective in a tag's message; the dossier has all of it


class Released(msgspec.Struct, frozen=True):
    """What `release` did. `fresh` is False where it had been done before."""

    release: Release
    digest: str
    log_index: int
    fresh: bool
    pushed: bool


def release(
    world: World, dossier_digest: str, *, services: Sequence[str], commit: str | None, push: bool
) -> tuple[str, Decision, Dossier, tuple[Released, ...]]:
    """Release every service of the dossier (or those named). On DENY nothing is made and the tuple is empty.

    Raises:
        Refused: `release.*`: another commit's fingerprint, a tag that exists for something else, an unknown service.
        Unavailable: `release.remote`: the remote's tags could not be read, or `--push` failed.
    """
    before = _released_before(world, dossier_digest, services)
    if before is not None:
        return before
    decision_digest, decision, dossier = decide_dossier(world, dossier_digest)
    if decision.outcome != "ALLOW":
        return decision_digest, decision, dossier, ()
    settings = frozen_settings(world, dossier.change)
    chosen = [s.name for s in dossier.change.services if not services or s.name in services]
    stranger = next((s for s in services if s not in chosen), None)
    if stranger is not None:
        raise Refused(
            "release.unknown-service", at="--service", found=stranger, expected=", ".join(s.name for s in dossier.change.services)
        )
    target = world.repo.resolve(commit or dossier.change.head, "--commit")
    _unmoved(world, dossier, chosen, settings.service, target)
    _asked_no_more(world, dossier, chosen)
    with world.store.lock():
        _waived_no_more(world, dossier, decision, chosen)
        plans = [
            _plan(world, dossier, dossier_digest, decision_digest, decision, name, settings.service_named(name), target) for name in chosen
        ]
        done = tuple(_carry_out(world, p, found, dossier.change.objective) for p, found in plans)
    if push:
        _push(world, done)
        done = tuple(msgspec.structs.replace(d, pushed=True) for d in done)
    publish_checkpoint(world)
    return decision_digest, decision, dossier, done


def _released_before(
    world: World, dossier_digest: str, services: Sequence[str]
) -> tuple[str, Decision, Dossier, tuple[Released, ...]] | None:
    """What an earlier dossier of the same change released of the same fingerprints, where that is all that is asked for: a change that is
    assembled again after its release is not another release."""
    dossier = read_dossier(world, dossier_digest)
    made = []
    for s in dossier.change.services:
        if services and s.name not in services:
            continue
        entry = next((e for e in world.store.entries() if e.type == "release" and e.key == f"{s.name}@{s.version}"), None)
        record = None if entry is None else msgspec.convert(world.statement(entry.digest, "release").predicate, Release)
        if entry is None or record is None or record.fingerprint != s.fingerprint or record.dossier == dossier_digest:
            return None
        if read_dossier(world, record.dossier).change_digest != dossier.change_digest:
            return None
        made.append(Released(record, entry.digest, entry.n, False, False))
    if not made:
        return None
    first = made[0].release
    decision = msgspec.convert(world.statement(first.decision, "decision").predicate, Decision)
    return first.decision, decision, read_dossier(world, first.dossier), tuple(made)


def _unmoved(world: World, dossier: Dossier, chosen: Sequence[str], services: Sequence[Service], target: str) -> None:
    """Law 5: the commit that is tagged ships exactly what was judged, or the refusal names what moved."""
    if target == dossier.change.head:
        return
    tree = world.repo.files(target)
    for s in dossier.change.services:
        service = next(x for x in services if x.name == s.name)
        if s.name in chosen and fingerprint(service, services, tree) != s.fingerprint:
            moved = ", ".join([p for p in world.repo.changed(dossier.change.head, target) if shipped(service, services, p)][:5])
            raise Refused(
                "release.moved",
                at=f"commit {target[:12]}",
                found=f"{s.name} differs: {moved}",
                expected="the fingerprint the dossier judged",
            )


def _asked_no_more(world: World, dossier: Dossier, chosen: Sequence[str]) -> None:
    """Where the rules require to be no weaker than the protected branch's, that is asked again: a stricter one may have landed since the
    dossier was assembled. What it knew of then was decided."""
    for r in thaw(dossier.rules).requirements:
        if r.service not in chosen or (r.source, r.evidence, r.severity) != ("finding", BEHIND, "block"):
            continue
        known = {x.text for f in dossier.findings if (f.name, f.service) == (BEHIND, r.service) for x in f.counterexamples}
        new = [x.text for x in behind(world, dossier.change, r.service).counterexamples if x.text not in known]
        if new:
            expected = "what it asked when the dossier was assembled"
            help = f"merge {world.protected_name()}, then: dossier run"
            raise Refused("release.rules-moved", at=world.protected_ref(), found=new[0], expected=expected, help=help)


def _waived_no_more(world: World, dossier: Dossier, decision: Decision, chosen: Sequence[str]) -> None:
    """What goes out on a waiver is counted again: other releases may have gone out on one of the same since the dossier was assembled."""
    entries = world.store.entries()
    released = {e.key for e in entries if e.type == "release"}
    fresh = [s for s in dossier.change.services if s.name in chosen and f"{s.name}@{s.version}" not in released]
    rules = {(r.service, r.id): r for r in thaw(dossier.rules).requirements}
    waived = {(r.service, r.id) for r in decision.requirements if r.state == "waived"}
    for row in (w for s in fresh for w in waived_before(world, s.name, entries)):
        asked = row.service, row.requirement
        if asked in waived and too_often(rules[asked], row.versions):
            found = f"{row.requirement} was waived in {counted(len(row.versions), 'release')} in a row ({', '.join(row.versions)})"
            expected = f"at most {rules[asked].waivers_in_row} in a row, as when the dossier was assembled"
            raise Refused("release.moved", at=row.service, found=found, expected=expected, help="dossier assemble")


def _plan(
    world: World,
    dossier: Dossier,
    dossier_digest: str,
    decision_digest: str,
    decision: Decision,
    name: str,
    service: Service | None,
    target: str,
) -> tuple[Release, Released | None]:
    """The release to make, and what an earlier run already entered. Refuses a version or tag that is taken."""
    assert service is not None
    mine = next(s for s in dossier.change.services if s.name == name)
    tag = service.tag.replace("{version}", mine.version)
    for entry in world.store.entries():
        if entry.type == "release" and entry.key == f"{name}@{mine.version}":
            made = msgspec.convert(world.statement(entry.digest, "release").predicate, Release)
            if made.dossier != dossier_digest:
                found = f"released from dossier {made.dossier[:19]}…"
                raise Refused(
                    "release.version-taken",
                    at=f"{name} {mine.version}",
                    found=found,
                    expected="a version not released yet",
                    help="dossier open --service NAME=VERSION",
                )
            return made, Released(made, entry.digest, entry.n, False, False)
    label = "self-approved" if any("self-approved" in n for n in decision.notes) else ""
    plan = Release(
        service=name,
        version=mine.version,
        tag=tag,
        tag_object="",
        commit=target,
        dossier=dossier_digest,
        decision=decision_digest,
        fingerprint=mine.fingerprint,
        label=label,
        released_at=world.stamp(),
    )
    _remote_free(world, tag)
    return plan, None


def _carry_out(world: World, plan: Release, before: Released | None, objective: str) -> Released:
    if before is not None:
        return before
    there = _existing_tag(world, plan)
    plan = there or _make_tag(world, plan, objective)
    subject = [Subject(plan.tag, {"gitCommit": plan.commit, "gitTag": plan.tag_object})]
    statement = state("release", world.trust.project, subject, msgspec.to_builtins(plan))
    digest = world.record(statement, change=plan.dossier, key=f"{plan.service}@{plan.version}")
    reach("release.recorded")
    entry = next(e for e in world.store.entries() if e.digest == digest)
    return Released(plan, digest, entry.n, True, False)


def _make_tag(world: World, plan: Release, objective: str) -> Release:
    signer = world.signer()
    message = tag_message(plan.service, plan.version, plan.dossier, plan.decision, shown(objective, OBJECTIVE_CHARS_MAX), plan.label)
    seconds = int(world.now.timestamp())
    tagger = f"release-dossier <release-dossier@localhost> {seconds} +0000"
    body = f"object {plan.commit}\ntype commit\ntag {plan.tag}\ntagger {tagger}\n\n{message}".encode()
    raw = body + armor_signature(signer, body, namespace="git").encode()
    try:
        name = world.repo.run("hash-object", "-t", "tag", "-w", "--stdin", stdin=raw).decode().strip()
        reach("release.tag-object")
        world.repo.run("update-ref", f"refs/tags/{plan.tag}", name, "0" * len(name))
    except Refused as e:
        if there := _here(world, plan.tag):
            raise _tag_exists(f"refs/tags/{plan.tag}", there[:12]) from e  # in another working tree of this repository, meanwhile
        raise Unavailable(
            "release.unwritable", at=f"refs/tags/{plan.tag}", found=e.found, expected="the tag written", help="df -h ."
        ) from e
    reach("release.tagged")
    return msgspec.structs.replace(plan, tag_object=name)


def _existing_tag(world: World, plan: Release) -> Release | None:
    """The tag an interrupted run of ours left, completed into its release; any other tag of that name is refused."""
    ref = f"refs/tags/{plan.tag}"
    r = world.repo.result("rev-parse", "--verify", "--quiet", ref, ok=(0, 1, 128))
    if r.returncode:
        return None
    name = r.stdout.decode().strip()
    raw = world.repo.result("cat-file", "tag", name, ok=(0, 128)).stdout.decode("utf-8", "replace")
    says = dict(line.split(": ", 1) for line in raw.splitlines() if ": " in line)
    commit = world.repo.resolve(ref)
    why = "" if says.get("Dossier") == plan.dossier and commit == plan.commit else "for something else"
    why = why or ("" if _ours(world, raw.encode()) else "signed by no producer's key that counts")
    why = why or ("" if _allowed(world, says.get("Decision", ""), plan.dossier) else "naming no decision that allowed this dossier")
    if why:
        raise _tag_exists(ref, f"a tag on {commit[:12]}, {why}")
    return msgspec.structs.replace(plan, tag_object=name, decision=says["Decision"])


def _ours(world: World, raw: bytes) -> bool:
    """Whether a machine that may still sign made the tag: what an interrupted run left, nobody else could have put there."""
    body, mark, signature = raw.partition(b"-----BEGIN SSH SIGNATURE-----")
    if not mark:
        return False
    key = verify_armored((mark + signature).decode("ascii", "replace"), body, "git", world.trust.public_keys())
    return key is not None and world.trust.producer_of_key(key) is not None and world.trust.revoked_at(key) is None


def _allowed(world: World, digest: str, dossier: str) -> bool:
    """Whether the log holds a decision with this digest that allowed this dossier."""
    if not any(e.type == "decision" and e.digest == digest for e in world.store.entries()):
        return False
    decision = msgspec.convert(world.statement(digest, "decision").predicate, Decision)
    return decision.dossier == dossier and decision.outcome == "ALLOW" and not decision.hypothetical


def _remote_free(world: World, tag: str) -> None:
    """No other tag of this name at the remote. Without a remote there is nothing to ask."""
    remote = world.pin.remote
    if not remote or remote not in world.repo.text("remote").splitlines():
        return
    there = _at_remote(world, remote, tag)
    if there and there != _here(world, tag):
        raise _tag_exists(f"{remote} refs/tags/{tag}", there[:12])


def _tag_exists(at: str, found: str) -> Refused:
    help = "choose another version: dossier open --service NAME=VERSION"
    return Refused("release.tag-exists", at=at, found=found, expected="no tag of this name", help=help)


def _at_remote(world: World, remote: str, tag: str) -> str:
    """What the remote's tag of this name names; empty where it has none."""
    r = world.repo.result("ls-remote", "--tags", remote, f"refs/tags/{tag}", ok=(0, 128))
    if r.returncode:
        words = r.stderr.decode("utf-8", "replace").strip()
        raise Unavailable("release.remote", at=f"remote {remote}", found=words, expected="its list of tags", help=f"git ls-remote {remote}")
    return next(iter(r.stdout.decode().split()), "")


def _here(world: World, tag: str) -> str:
    return world.repo.result("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}", ok=(0, 1, 128)).stdout.decode().strip()


def _push(world: World, done: Sequence[Released]) -> None:
    remote = world.pin.remote or "origin"
    tags = [d.release.tag for d in done]
    r = world.repo.result("push", "--quiet", remote, *(f"refs/tags/{t}:refs/tags/{t}" for t in tags), ok=tuple(range(256)))
    there = {t: _at_remote(world, remote, t) for t in tags} if r.returncode else {}
    for d in done:
        other, mine = there.get(d.release.tag), _here(world, d.release.tag)
        if other and other != mine:
            raise Refused(
                "release.tag-exists",
                at=f"{remote} refs/tags/{d.release.tag}",
                found=f"{other[:12]}, another tag: another clone released it first",
                expected=f"none, or {mine[:12]} from here",
                help=f"dossier withdraw {d.digest[:19]} takes this one back; then: dossier open --service {d.release.service}=VERSION",
            )
    if not all(there.values()):  # else another process was quicker
        words = r.stderr.decode("utf-8", "replace").strip()
        raise Unavailable(
            "release.remote",
            at=f"remote {remote}",
            found=words,
            expected="the tag accepted",
            help=f"git push {remote} {' '.join(f'tag {quote(t)}' for t in tags)}",
        )
