"""Assemble the Dossier: close the set of everything that stands in the log about a change.

1. Every attempt of every evidence about this change's fingerprints, and about earlier heads of its branch, in log order: none is left out.
2. A `started` without a result stands in it as an attempt that never ended.
3. What the rules or the plan expect and the log does not hold is listed as absent.
4. The same log gives the same bytes: no time of assembling, no age.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from release_dossier.change import Change, Risk
from release_dossier.dossier import Absent, Attempt, Dossier, Drift, Finding, LogPoint, Owner
from release_dossier.drift import drift
from release_dossier.evidence.reading import Fact, example, first
from release_dossier.evidence.statement import Evidence, Started
from release_dossier.rules.packs import thaw
from release_dossier.steps.collect import frozen_settings
from release_dossier.steps.world import World
from release_dossier.trust.log import Entry, root_of
from release_dossier.trust.statement import Subject, state


def assemble(world: World, change_digest: str, change: Change) -> tuple[str, Dossier]:
    """Close the set and enter it in the log. The same evidence gives the same digest.

    Raises:
        Corrupt: `log.*`, `store.*`, `statement.*`: something the log names is gone or was altered.
    """
    with world.store.lock():
        entries = world.store.entries()
        attempts, last = _attempts(world, change, entries)
        size = max(last, next(e.n for e in entries if e.digest == change_digest)) + 1
        rules = thaw(change.rules)
        dossier = Dossier(
            change_digest=change_digest,
            change=change,
            evidence=attempts,
            findings=tuple(f for s in change.services for f in _findings(change, s.name)),
            absent=_absent(world, change, attempts, rules.requirements),
            drift=_drift(world, change, attempts, entries),
            risks=(*change.risks, *_found_risks(attempts)),
            owners=tuple(Owner(s.name, s.owners) for s in change.services),
            rules=change.rules,
            log=LogPoint(size, root_of(entries[:size])),
        )
        subject = [Subject(change.id, {"gitCommit": change.head, "gitTree": change.tree})]
        statement = state("dossier", world.trust.project, subject, msgspec.to_builtins(dossier))
        world.record(statement, change=change_digest, key=change.branch)
    return statement.digest, dossier


def _attempts(world: World, change: Change, entries: Sequence[Entry]) -> tuple[tuple[Attempt, ...], int]:
    """Attempts in the order they started, and the position in the log of the last statement that speaks of them."""
    prints = {(s.name, s.fingerprint) for s in change.services}
    branch = {e.digest for e in entries if e.type == "change" and e.key == change.branch}
    begun: dict[str, Started] = {}
    ended: dict[str, tuple[str, Evidence]] = {}
    withdrawn: dict[str, str] = {}
    last = -1
    for entry in entries:
        if entry.type == "started":
            s = msgspec.convert(world.statement(entry.digest, "started").predicate, Started)
            if (s.service, s.fingerprint) in prints or s.change in branch:
                begun[entry.digest], last = s, entry.n
        elif entry.type == "evidence":
            e = msgspec.convert(world.statement(entry.digest, "evidence").predicate, Evidence)
            if e.started in begun:
                ended[e.started], last = (entry.digest, e), entry.n
        elif entry.type == "withdrawal":
            w = world.statement(entry.digest, "withdrawal").predicate
            if any(w["statement"] == d for d, _ in ended.values()):
                withdrawn[w["statement"]], last = str(w["reason"]), entry.n
    out = [_attempt(digest, s, ended.get(digest), withdrawn) for digest, s in begun.items()]
    return tuple(out), last


def _attempt(digest: str, s: Started, end: tuple[str, Evidence] | None, withdrawn: dict[str, str]) -> Attempt:
    common = {f: getattr(s, f) for f in ("name", "kind", "service", "environment", "fingerprint", "attempt")}
    if end is None:
        return Attempt(
            digest=None,
            started=digest,
            **common,
            verdict="inconclusive",
            cause=f"attempt {s.attempt} started {s.started_at} and never ended",
            infrastructure=True,
            looked_at=0,
            of=None,
            coverage=(),
            facts={},
            counterexamples=(),
            counterexamples_total=0,
            limits=(),
            tool="",
            tool_version="",
            isolation="none",
            written_by="",
            producer="",
            producer_key="",
            imported_by=None,
            observed_at=s.started_at,
            collected_at=s.started_at,
            recorded_at=s.started_at,
            age_max_s=0,
            expires_at=s.started_at,
            withdrawn=None,
        )
    evidence_digest, e = end
    apart = {*common, "started", "producer"}
    same = [f for f in Attempt.__struct_fields__ if f in Evidence.__struct_fields__ and f not in apart]
    return Attempt(
        digest=evidence_digest,
        started=digest,
        **common,
        **{f: getattr(e, f) for f in same},
        producer=e.producer.id,
        producer_key=e.producer.key,
        imported_by=e.producer.imported_by,
        withdrawn=withdrawn.get(evidence_digest),
    )


def _findings(change: Change, service: str) -> tuple[Finding, ...]:
    """What the change itself shows: whether its files stay in scope, whether its authors are known, whether it touches its own rules."""
    scope = change.scope
    outside = [example(f"{p} is out of scope and was changed", p) for p in scope.outside]
    loose = [example(f"{p} is bound by no line of the scope", p) for p in scope.unbound]
    cause = (
        f"{len(scope.unbound)} of {len(change.files)} files are bound by no line of the scope" if scope.verdict == "inconclusive" else ""
    )
    counts = {
        "files": len(change.files),
        "files_inside": len(scope.inside),
        "files_outside": len(scope.outside),
        "files_unbound": len(scope.unbound),
    }
    unbound = [a for a in change.authors if a.person is None]
    commits = sum(a.commits for a in change.authors)
    known = sum(a.commits for a in change.authors if a.person)
    return (
        Finding(
            "scope",
            "scope",
            service,
            scope.verdict,
            cause,
            len(scope.inside) + len(scope.outside),
            len(change.files),
            {k: Fact(v, "files") for k, v in counts.items()},
            first(outside + loose),
        ),
        Finding(
            "authorship",
            "authorship",
            service,
            "pass" if commits and not unbound else "inconclusive",
            ""
            if not unbound
            else "git names are free text: "
            + ", ".join(f"{a.name} <{a.email}>" for a in unbound[:5])
            + " signed no commit with a listed key",
            known,
            commits,
            {"commits": Fact(commits, "commits"), "commits_bound": Fact(known, "commits")},
            first([example(f"{a.commits} commits by {a.name} <{a.email}> are signed with no listed key", a.email) for a in unbound]),
        ),
        Finding(
            "criteria",
            "criteria",
            service,
            "pass" if not change.rule_changes else "inconclusive",
            f"the branch changes {len(change.rule_changes)} lines of dossier.toml; they are not in force for it"
            if change.rule_changes
            else "",
            1,
            1,
            {"lines_changed": Fact(len(change.rule_changes), "lines")},
            first([example(line, "dossier.toml") for line in change.rule_changes]),
        ),
    )


def _absent(world: World, change: Change, attempts: Sequence[Attempt], requirements: Sequence[object]) -> tuple[Absent, ...]:
    """What rules or the plan expect of a touched service and no finished attempt about its fingerprint gives."""
    prints = {s.name: s.fingerprint for s in change.services}
    there = {(a.service, a.name) for a in attempts if a.digest is not None and prints.get(a.service) == a.fingerprint}
    expected: dict[tuple[str, str], tuple[str, str]] = {}
    for r in requirements:
        if r.source == "evidence":  # type: ignore[attr-defined]
            expected[r.service, r.evidence] = (r.kind, f"required by {r.id}")  # type: ignore[attr-defined]
    for plan in frozen_settings(world, change).evidence:
        for s in change.services:
            if not plan.services or s.name in plan.services:
                expected.setdefault((s.name, plan.name), (plan.kind, "planned in dossier.toml"))
    return tuple(
        Absent(name, kind, service, why) for (service, name), (kind, why) in sorted(expected.items()) if (service, name) not in there
    )


def _found_risks(attempts: Sequence[Attempt]) -> tuple[Risk, ...]:
    """Every failing or inconclusive newest attempt is a risk somebody should own."""
    last = {(a.service, a.name): a for a in attempts if a.digest is not None}
    out = []
    for (service, name), a in sorted(last.items()):
        if a.verdict == "fail":
            words = a.counterexamples[0].text if a.counterexamples else f"{name} failed"
            out.append(Risk(id=f"found-{name}-{service}", text=words, severity="high", source="found"))
    return tuple(out)


def _drift(world: World, change: Change, attempts: Sequence[Attempt], entries: Sequence[Entry]) -> tuple[Drift, ...]:
    out: list[Drift] = []
    for s in change.services:
        mine = [a for a in attempts if a.service == s.name and a.fingerprint == s.fingerprint]
        entry = next((e for e in reversed(entries) if e.type == "release" and e.key.split("@")[0] == s.name), None)
        if entry is None:
            out.extend(drift(mine, (), ""))
            continue
        release = world.statement(entry.digest, "release").predicate
        before = msgspec.convert(world.statement(release["dossier"], "dossier").predicate, Dossier)
        out.extend(drift(mine, [a for a in before.evidence if a.service == s.name], str(release["version"])))
    return tuple(out)
