"""A town on paper: dossiers, trust documents and signed statements as values. No files, no git, no keys that could sign.

Ann wrote the change of `bank`, Bob runs releases and has two keys, Ops operates, Olga owns the service, Rita owns risks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from release_dossier.approval import Approval, Rejection, ResultLine, Signed, Waiver, Withdrawal
from release_dossier.change import Author, Change, ChangedService, Issue, Scope
from release_dossier.digest import digest_of
from release_dossier.dossier import Absent, Attempt, Dossier, Finding, LogPoint, Owner
from release_dossier.evidence.reading import Counterexample, Fact
from release_dossier.gate import Decision, Result, decide, results_of
from release_dossier.rules.requirement import EDITION
from release_dossier.trust.document import Key, Person, Producer, Revocation, Trust, TrustDocument
from release_dossier.trust.statement import Subject, state

NOW = datetime(2026, 11, 24, 13, 40, tzinfo=UTC)
DIGEST = "sha256:" + "4f1c09ab" * 8
CHANGE = "sha256:" + "c0" * 32
PROJECT = "sha256:" + "aa" * 32
PRINT = "sha256:" + "f1" * 32
HOUR = 3600
DAY = 24 * HOUR
CHECKPOINT = {"size": 9, "root": "sha256:" + "99" * 32}


def stamp(*, ago: float = 0, t: datetime = NOW) -> str:
    """RFC 3339 of a moment so many seconds before `t`."""
    return (t - timedelta(seconds=ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Trust


def key(name: str) -> Key:
    return Key(f"SHA256:{name}", f"ssh-ed25519 {name}")


def person(name: str, *roles: str, keys: Sequence[str] = ()) -> Person:
    return Person(name, name.title(), roles, tuple(key(k) for k in keys or (name,)))


PEOPLE = (
    person("ann", "trust-root", "release-manager"),
    person("bob", "release-manager", keys=("bob", "bob-2")),
    person("ops", "ops"),
    person("olga"),
    person("rita", "risk-owner"),
)
MACHINES = (Producer("ci", (key("ci"),)), Producer("lab", (key("lab"),), ("latency",)))


def trust(
    people: Sequence[Person] = PEOPLE, producers: Sequence[Producer] = MACHINES, revoked: Mapping[str, str] = {}, n: int = 3
) -> Trust:
    document = TrustDocument(
        version=n,
        previous=PROJECT,
        project_name="bank",
        threshold=1,
        people=tuple(people),
        producers=tuple(producers),
        revocations=tuple(Revocation(f"SHA256:{k}", at, "lost") for k, at in revoked.items()),
        created_at=stamp(ago=90 * DAY),
    )
    return Trust(PROJECT, "sha256:" + "bb" * 32, document)


# What the dossier holds


def rule(name: str = "tests", **more: Any) -> dict[str, Any]:
    """One frozen requirement as data."""
    base = {"id": name, "service": "bank", "title": f"{name} hold", "kind": name, "evidence": name, "owner": "@olga"}
    return base | {"remedy": f"dossier collect {name}", "why": "because"} | more


def rules(*requirements: Mapping[str, Any], approvals: Sequence[Mapping[str, Any]] = ({"role": "release-manager"},)) -> dict[str, Any]:
    body = {"requirements": [dict(r) for r in requirements], "approvals": [dict(a) for a in approvals], "edition": EDITION}
    return {**body, "digest": digest_of(body)}


def attempt(name: str = "tests", n: int = 1, verdict: str = "pass", **more: Any) -> Attempt:
    """The n-th attempt: 10 of 10 looked at, by `ci`, an hour ago, good for a day."""
    base: dict[str, Any] = {
        "digest": digest_of([name, n, verdict, more.get("service", "")]),
        "started": digest_of(["started", name, n]),
        "name": name,
        "kind": name,
        "service": "bank",
        "environment": "test",
        "fingerprint": PRINT,
        "attempt": n,
        "verdict": verdict,
        "cause": "",
        "infrastructure": False,
        "looked_at": 10,
        "of": 10,
        "coverage": (),
        "facts": {},
        "counterexamples": (),
        "counterexamples_total": 0,
        "limits": (),
        "tool": "go test",
        "tool_version": "1.25",
        "isolation": "worktree",
        "written_by": "",
        "producer": "ci",
        "producer_key": "SHA256:ci",
        "imported_by": None,
        "observed_at": stamp(ago=HOUR),
        "collected_at": stamp(ago=HOUR - 1),
        "recorded_at": stamp(ago=HOUR - 2),
        "age_max_s": DAY,
        "expires_at": stamp(ago=HOUR - DAY),
        "withdrawn": None,
        "previous": digest_of(["started", name, n - 1]) if n > 1 else None,
        "criteria": {},
    }
    assert not set(more) - set(base) - {"withheld", "logged_at"}, more
    return Attempt(**(base | more))


def killed(name: str = "tests", n: int = 1) -> Attempt:
    """A `started` nothing followed."""
    words = {"cause": f"attempt {n} started and never ended", "producer": "", "producer_key": "", "looked_at": 0, "of": None}
    return attempt(name, n, "inconclusive", digest=None, infrastructure=True, age_max_s=0, **words)


def failing(name: str = "tests", n: int = 1, *texts: str, **more: Any) -> Attempt:
    examples = tuple(Counterexample(t) for t in texts or ("frank has 61 credits too many",))
    return attempt(name, n, "fail", counterexamples=examples, counterexamples_total=more.pop("total", len(examples)), **more)


def facts(**values: Any) -> dict[str, Fact]:
    """`facts(p95=(12.0, "ms"))`."""
    return {k: Fact(*(v if isinstance(v, tuple) else (v, ""))) for k, v in values.items()}


def finding(name: str = "scope", verdict: str = "pass", looked_at: int = 3, of: int | None = 3, **more: Any) -> Finding:
    base = {"name": name, "kind": name, "service": "bank", "verdict": verdict, "cause": "", "looked_at": looked_at, "of": of}
    return Finding(**(base | {"facts": {}, "counterexamples": ()} | more))


def dossier(
    *evidence: Attempt, rules: Mapping[str, Any], findings: Sequence[Finding] = (), absent: Sequence[Absent] = (), **more: Any
) -> Dossier:
    services = more.pop("services", (("bank", "3.8.2"),))
    change = Change(
        **{
            "id": "bank-1",
            "project_name": "bank",
            "mode": "team",
            "adopted": True,
            "issue": Issue("Round payments"),
            "branch": "fix/rounding",
            "owner": "ann",
            "authors": (Author("Ann", "ann@example.invalid", "ann", 2),),
            "base": "b" * 40,
            "head": "d" * 40,
            "tree": "e" * 40,
            "criteria": "b" * 40,
            "criteria_digest": "sha256:" + "00" * 32,
            "objective": "Payments are whole credits.",
            "in_scope": ("`app/**`",),
            "out_of_scope": (),
            "features": (),
            "services": tuple(ChangedService(name, version, PRINT, "money", ("@olga",)) for name, version in services),
            "files": ("app/pay.py",),
            "scope": Scope("pass", ("app/pay.py",), (), (), ()),
            "risks": (),
            "rules": dict(rules),
            "rule_changes": (),
            "opened_at": stamp(ago=DAY),
        }
        | more
    )
    return Dossier(
        change_digest=CHANGE,
        change=change,
        evidence=evidence,
        findings=tuple(findings),
        absent=tuple(absent),
        drift=(),
        risks=(),
        owners=tuple(Owner(name, ("@olga",)) for name, _ in services),
        rules=dict(rules),
        log=LogPoint(7, "sha256:" + "77" * 32),
    )


# What people say


def say(
    word: str, predicate: Mapping[str, Any] | msgspec.Struct, *keys: str, ago: float = 60, n: int = 10, project: str = PROJECT
) -> Signed:
    """A statement signed with these keys, logged so many seconds ago."""
    data = msgspec.to_builtins(predicate)
    statement = state(word, project, [Subject(word, {"sha256": "00" * 32})], data)
    return Signed(statement=statement, keys=frozenset(f"SHA256:{k}" for k in keys), logged_at=stamp(ago=ago), n=n)


def approval(
    who: str = "bob", role: str = "release-manager", *, over: Sequence[ResultLine] = (), keys: Sequence[str] = (), **more: Any
) -> Signed:
    """An approval signed two minutes ago, good for a week."""
    where = {k: more.pop(k) for k in ("ago", "n", "project") if k in more}
    base = {"dossier": DIGEST, "role": role, "person": who, "results": tuple(over), "comment": ""}
    base |= {"signed_at": stamp(ago=120), "expires_at": stamp(ago=-7 * DAY)} | more
    base["results_digest"] = digest_of(msgspec.to_builtins(base["results"]))
    return say("approval", Approval(**base), *(keys or (who,)), **where)


def waiver(who: str = "rita", requirement: str = "tests", *, keys: Sequence[str] = (), **more: Any) -> Signed:
    where = {k: more.pop(k) for k in ("ago", "n", "project") if k in more}
    base = {"dossier": DIGEST, "requirement": requirement, "service": "bank", "person": who, "reason": "known, #7"}
    base |= {"until": stamp(ago=-3 * DAY), "signed_at": stamp(ago=120)} | more
    return say("waiver", Waiver(**base), *(keys or (who,)), **where)


def rejection(who: str = "ops", *, keys: Sequence[str] = (), dossier: str = DIGEST, **where: Any) -> Signed:
    said = Rejection(dossier=dossier, person=who, reason="not on a Friday", signed_at=stamp(ago=120))
    return say("rejection", said, *(keys or (who,)), **where)


def withdrawal(of: Signed | str, who: str, *, keys: Sequence[str] = (), **where: Any) -> Signed:
    digest = of if isinstance(of, str) else of.statement.digest
    said = Withdrawal(statement=digest, person=who, reason="read it again", signed_at=stamp(ago=50))
    return say("withdrawal", said, *(keys or (who,)), **({"ago": 40, "n": 20} | where))


# The gate


def ruled(
    d: Dossier, *statements: Signed, by: Trust | None = None, now: datetime = NOW, witness: str = "refs/dossier/log", **more: Any
) -> Decision:
    """The decision about `d`."""
    return decide(d, DIGEST, statements, by or trust(), now, witness=witness, checkpoint=CHECKPOINT, hypothetical=False, **more)


def signed_off(
    d: Dossier, *others: Signed, who: Sequence[tuple[str, str]] = (("bob", "release-manager"),), by: Trust | None = None
) -> Decision:
    """The decision after these people approved what they were shown."""
    shown = results_of(ruled(d, *others, by=by))
    return ruled(d, *others, *(approval(w, role, over=shown) for w, role in who), by=by)


def line(d: Dossier, *statements: Signed, **more: Any) -> Result:
    """The only requirement of `d`, judged."""
    (result,) = ruled(d, *statements, **more).requirements
    return result


def one(*evidence: Attempt, more: Mapping[str, Any] = {}, **of_rule: Any) -> Dossier:
    """A dossier with the single rule `tests`, changed by the keywords."""
    return dossier(*evidence, rules=rules(rule(**of_rule)), **more)
