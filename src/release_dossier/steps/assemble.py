"""Assemble the Dossier: close the set of everything that stands in the log about a change.

1. Every attempt of every evidence about this change's fingerprints, and about earlier heads of its branch, in log order: none is left out.
2. A `started` without a result stands in it as an attempt that never ended; one with two results as two, which no gate lets through.
3. What the rules or the plan expect and the log does not hold is listed as absent.
4. The same log gives the same bytes: no time of assembling, no age.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from release_dossier.change import Change, Risk
from release_dossier.dossier import Absent, Attempt, Dossier, Drift, Finding, LogPoint, Owner, WaivedBefore
from release_dossier.drift import drift
from release_dossier.errors import counted
from release_dossier.evidence.erasure import Erasure
from release_dossier.evidence.reading import Fact, Verdict, example, first
from release_dossier.evidence.statement import Evidence, Started
from release_dossier.gate import BEHIND, REGISTERED
from release_dossier.rules.compare import LOOSER, OTHER, STRICTER, Difference, differences, warns
from release_dossier.rules.freshness import terms
from release_dossier.rules.packs import freeze, thaw
from release_dossier.rules.requirement import Frozen, Requirement
from release_dossier.steps.collect import frozen_settings
from release_dossier.steps.erase import erased, why
from release_dossier.steps.world import World
from release_dossier.trust.log import Entry, root_of
from release_dossier.trust.statement import Subject, state


def assemble(world: World, change_digest: str, change: Change) -> tuple[str, Dossier]:
    """Close the set and enter it in the log. The same evidence gives the same digest, before and after its release.

    Raises:
        Corrupt: `log.*`, `store.*`, `statement.*`: something the log names is gone or was altered.
    """
    with world.store.lock():
        entries = world.store.entries()
        attempts, last = _attempts(world, change, entries)
        own = {f"{s.name}@{s.version}" for s in change.services}
        before = [e for e in entries if not (e.type == "release" and e.key in own)]
        size = max(last, next(e.n for e in entries if e.digest == change_digest)) + 1
        rules, opened = thaw(change.rules), _first_opened(world, change, entries)
        dossier = Dossier(
            change_digest=change_digest,
            change=change,
            evidence=attempts,
            findings=tuple(f for s in change.services for f in (*_findings(change, s.name), *_criteria(world, change, s.name, opened))),
            absent=_absent(world, change, attempts, rules.requirements),
            drift=_drift(world, change, attempts, before),
            risks=(*change.risks, *_found_risks(change, attempts, rules.requirements)),
            owners=tuple(Owner(s.name, s.owners) for s in change.services),
            rules=change.rules,
            log=LogPoint(size, root_of(entries[:size])),
            waived_before=tuple(w for s in change.services for w in waived_before(world, s.name, before)),
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
    rules = _rules_then(world)
    ended: dict[str, list[tuple[Entry, Evidence]]] = {}
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
                ended.setdefault(e.started, []).append((entry, e))
                last = entry.n
        elif entry.type == "withdrawal":
            w = world.statement(entry.digest, "withdrawal").predicate
            if any(w["statement"] == x.digest for found in ended.values() for x, _ in found):
                withdrawn[w["statement"]], last = str(w["reason"]), entry.n
    gone = erased(world)
    out = [_attempt(digest, s, end, withdrawn, rules(s), gone) for digest, s in begun.items() for end in ended.get(digest, [None])]
    return tuple(out), last


def _rules_then(world: World) -> Callable[[Started], dict[str, str]]:
    """The terms of each requirement that asked for an attempt's evidence, in the change it was started for."""
    frozen: dict[str, Frozen] = {}

    def asked(s: Started) -> dict[str, str]:
        if s.change not in frozen:
            frozen[s.change] = thaw(world.change(s.change).rules)
        mine = [r for r in frozen[s.change].requirements if (r.service, r.evidence, r.source) == (s.service, s.name, "evidence")]
        return {r.id: terms(r) for r in mine}

    return asked


def _attempt(
    digest: str,
    s: Started,
    end: tuple[Entry, Evidence] | None,
    withdrawn: dict[str, str],
    criteria: dict[str, str],
    gone: dict[str, tuple[str, Erasure]],
) -> Attempt:
    common = {f: getattr(s, f) for f in ("name", "kind", "service", "environment", "fingerprint", "attempt", "previous")}
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
            criteria=criteria,
        )
    entry, e = end
    apart = {*common, "started", "producer"}
    same = [f for f in Attempt.__struct_fields__ if f in Evidence.__struct_fields__ and f not in apart]
    return Attempt(
        digest=entry.digest,
        started=digest,
        **common,
        **{f: getattr(e, f) for f in same},
        producer=e.producer.id,
        producer_key=e.producer.key,
        imported_by=e.producer.imported_by,
        withdrawn=withdrawn.get(entry.digest),
        criteria=criteria,
        withheld="; ".join(sorted({why(gone[a.digest][1]) for a in e.artifacts if a.digest in gone})),
        logged_at=entry.at,
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
    by_word = sum(a.commits for a in change.authors if a.how == "platform")
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
            + " signed no commit with a listed key or account, nor did one who signed name them by a listed address",
            known,
            commits,
            {
                "commits": Fact(commits, "commits"),
                "commits_bound": Fact(known, "commits"),
                "commits_bound_by_platform": Fact(by_word, "commits"),
            },
            first(
                [
                    example(f"{counted(a.commits, 'commit')} by {a.name} <{a.email}> ({a.how}) signed with no listed key", a.email)
                    for a in unbound
                ]
            ),
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


def _criteria(world: World, change: Change, service: str, first_opened: Change) -> tuple[Finding, ...]:
    """How the rules in force stand to those first registered for this change, and to those of the protected branch now.

    Rules are those of the merge-base, so whoever wants the newest merges the protected branch and opens again: then the first shows it.
    """
    if change.mode == "retrospective":  # its rules are later than it by its nature, and nothing of it is allowed
        return ()
    looser = differences(thaw(first_opened.rules), thaw(change.rules))
    ours = {s.name for s in first_opened.services} <= {s.name for s in change.services}  # else what is over all was asked for others too
    moved = [d for d in looser if d.service in (("", service) if ours else (service,)) and d.direction in (LOOSER, OTHER)]
    return (
        _rules_finding(REGISTERED, service, moved, "criteria that moved since the change was first opened", "inconclusive"),
        behind(world, change, service),
    )


def behind(world: World, change: Change, service: str) -> Finding:
    """What the protected branch asks of a service by now that the rules of the change do not."""
    there, gone = _protected_rules(world, change)
    if service in gone:
        words = first([example(f"{service} is no service of it any more", service)])
        cause = "the protected branch has no such service any more"
        return Finding(BEHIND, "criteria", service, "fail", cause, 1, 1, {"rules_changed": Fact(1, "rules")}, words)
    found = differences(thaw(change.rules), there) if there else ()
    more = [d for d in found if d.service in ("", service) and d.direction in (STRICTER, OTHER)]
    warning = {(r.service, r.id) for r in there.requirements if warns(r, world.now)} if there else set()
    told = [d for d in more if (d.service, d.id) in warning]  # shown, and denying nothing there it denies nothing here
    more = [d for d in more if d not in told]
    return _rules_finding(BEHIND, service, more, "rules of the protected branch that ask more by now", "fail", told)


def _rules_finding(
    name: str, service: str, found: Sequence[Difference], what: str, verdict: Verdict, told: Sequence[Difference] = ()
) -> Finding:
    words = [example(d.words(), d.id) for d in found] + [example(f"{d.words()}, which only warns", d.id) for d in told]
    facts = {"rules_changed": Fact(len(found), "rules")}
    return Finding(
        name, "criteria", service, verdict if found else "pass", f"{len(found)} {what}" if found else "", 1, 1, facts, first(words)
    )


def _first_opened(world: World, change: Change, entries: Sequence[Entry]) -> Change:
    """The change as it was first opened: the earliest unreleased one that is the same by what is not cheaply renamed (`_same_work`).

    Of its own branch that is back to what the branch last released; of others back to the last release of one of its services.
    """
    names = {s.name for s in change.services}
    released = {str(world.statement(e.digest, "release").predicate["dossier"]) for e in entries if e.type == "release"}
    closed = {world.statement(d, "dossier").predicate["change_digest"] for d in released}
    mine = set(world.repo.text("rev-list", f"{change.base}..{change.head}", "--").split()) if change.mode != "retrospective" else set()
    earliest, own, others = change, True, True
    for e in reversed(entries):
        others = others and not (e.type == "release" and e.key.split("@")[0] in names)
        if e.type != "change" or not (own if e.key == change.branch else others):
            continue
        if e.digest in closed:
            own = own and e.key != change.branch
            continue
        before = world.change(e.digest)
        if e.key == change.branch or (before.mode != "retrospective" and _same_work(world, before, change, mine)):
            earliest = before
    return earliest


def _same_work(world: World, before: Change, change: Change, mine: set[str]) -> bool:
    """Whether two changes ship the same of a service, or the earlier one shares a commit with this one that the protected branch lacks."""
    prints = {(s.name, s.fingerprint) for s in change.services}
    if any((s.name, s.fingerprint) in prints for s in before.services) or before.head in mine:
        return True
    forked = world.repo.result("merge-base", before.head, change.head, ok=(0, 1, 128))  # 128: git cleared that head away
    return forked.stdout.decode().strip() in mine


def _protected_rules(world: World, change: Change) -> tuple[Frozen | None, frozenset[str]]:
    """What the protected branch asks of the same services now, and which of them are gone from it; None where the project stands on none,
    or nothing is left to ask of."""
    ref = world.protected_ref()
    found = world.settings_at(ref) if change.adopted and world.repo.exists(ref) else None
    if found is None:
        return None, frozenset()
    there = [s for c in change.services if (s := found[0].service_named(c.name)) is not None]
    gone = frozenset(s.name for s in change.services) - {s.name for s in there}
    asked = [(s.name, s.asked, s.owners) for s in there]
    return (thaw(freeze(found[0].rules, asked, lambda f: world.repo.file_at(ref, f))) if asked else None), gone


def waived_before(world: World, service: str, entries: Sequence[Entry]) -> tuple[WaivedBefore, ...]:
    """For each requirement of a service the releases in a row, up to the last one, that went out on a waiver of it."""
    rows: dict[str, list[str]] = {}
    standing: set[str] | None = None
    for e in reversed(entries):
        if e.type != "release" or e.key.split("@")[0] != service:
            continue
        release = world.statement(e.digest, "release").predicate
        results = world.statement(str(release["decision"]), "decision").predicate["requirements"]
        waived = {str(r["id"]) for r in results if r["service"] == service and r["state"] == "waived"}
        standing = waived if standing is None else standing & waived
        for name in standing:
            rows.setdefault(name, []).append(str(release["version"]))
        if not standing:
            break
    return tuple(WaivedBefore(service, name, tuple(versions)) for name, versions in sorted(rows.items()))


def _absent(world: World, change: Change, attempts: Sequence[Attempt], requirements: Sequence[object]) -> tuple[Absent, ...]:
    """What rules or the plan expect of a touched service and no finished attempt about its fingerprint gives."""
    prints = {s.name: s.fingerprint for s in change.services}
    there = {(a.service, a.name) for a in attempts if a.digest is not None and prints.get(a.service) == a.fingerprint}
    expected: dict[tuple[str, str], tuple[str, str]] = {}
    for r in requirements:
        if r.source == "evidence":  # type: ignore[attr-defined]
            expected.setdefault((r.service, r.evidence), (r.kind, f"required by {r.id}"))  # type: ignore[attr-defined]
    for plan in frozen_settings(world, change).evidence:
        for s in change.services:
            if not plan.services or s.name in plan.services:
                expected.setdefault((s.name, plan.name), (plan.kind, "planned in dossier.toml"))
    return tuple(
        Absent(name, kind, service, why) for (service, name), (kind, why) in sorted(expected.items()) if (service, name) not in there
    )


def _found_risks(change: Change, attempts: Sequence[Attempt], requirements: Sequence[Requirement]) -> tuple[Risk, ...]:
    """Every newest attempt that fails is a risk. Its owner is that of the requirement it is evidence of; the service's where none asks."""
    last = {(a.service, a.name): a for a in attempts if a.digest is not None}
    owners = {(r.service, r.evidence): r.owner for r in reversed(requirements)}
    by_service = {s.name: ", ".join(s.owners) for s in change.services}
    out = []
    for (service, name), a in sorted(last.items()):
        if a.verdict == "fail":
            words = a.counterexamples[0].text if a.counterexamples else f"{name} failed"
            owner = owners.get((service, name)) or by_service.get(service, "")
            out.append(Risk(id=f"{service}/{name}", text=words, severity="high", owner=owner, source="found"))
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
