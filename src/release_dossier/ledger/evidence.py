"""The two pieces of evidence a verified ledger gives: that it holds its own laws, and that every user has what the rules give."""

from __future__ import annotations

from collections.abc import Sequence

from release_dossier.evidence.reading import Coverage, Fact, Reading, Verdict, example, first
from release_dossier.ledger.checks import Check
from release_dossier.ledger.rulesets import stamp
from release_dossier.ledger.verify import Verified

PAYOUTS = ("R1", "R2", "R3", "R6", "T", "J1")
LIMITS = (
    "a ledger alone cannot show who resolved a market, what was really paid, or a request that left no row",
    "it says nothing about a build that did not write it",
)


def readings(v: Verified) -> tuple[Reading, Reading]:
    """`ledger-invariants` over checks, `payouts` over users."""
    return _invariants(v), _payouts(v)


def _limits(v: Verified) -> tuple[str, ...]:
    """What this result cannot say, with what was assumed and what would sharpen it."""
    identity = next((c.why for c in v.checks if c.id == "R6"), "")
    return (*LIMITS, *v.notes[:8], *([identity] if "--receipts" in identity else []), f"whose ledger it is: {v.ledger['written_by_how']}")


def _observed(v: Verified) -> str | None:
    """The last order in it: nothing later was looked at."""
    last = v.facts.last_order
    return None if last is None else stamp(last).replace(" ", "T")[:23] + "Z"


def _invariants(v: Verified) -> Reading:
    mine = [c for c in v.checks if c.id not in PAYOUTS and not (c.id in ("R8", "J1") and c.state == "missing")]
    asked = [c for c in mine if c.state != "missing"]
    looked = [c for c in asked if c.state != "inconclusive"]
    verdict, cause = _verdict(v, mine)
    failed = [c for c in mine if c.state == "fail"]
    found = [example(x.why, (x.market and f"market {x.market}") or "", check=c.id) for c in failed for x in c.examples]
    return Reading(
        kind="ledger-invariants",
        format=f"ledger {v.ledger['schema']}",
        verdict=verdict,
        looked_at=len(looked),
        of=len(asked),
        cause=cause,
        counterexamples=first(found),
        counterexamples_total=sum(c.violations for c in failed),
        facts={
            "checks_failed": Fact(len(failed), "checks"),
            "checks_warned": Fact(sum(c.state == "warn" for c in mine), "checks"),
            "minted": Fact(v.totals["minted"], "credits"),
            "burned": Fact(v.totals["burned"], "credits"),
            "ruleset": Fact(v.ruleset, "name"),
        },
        limits=_limits(v),
        tool="dossier ledger verify",
        observed_at=_observed(v),
    )


def _payouts(v: Verified) -> Reading:
    checks = {c.id: c for c in v.checks}
    mine = [checks[i] for i in PAYOUTS if i in checks and not (i == "J1" and checks[i].state == "missing")]
    verdict, cause = _verdict(v, mine)
    identity = checks["R6"]
    failed = [c for c in mine if c.state == "fail"]
    found = [
        example(x.why, f"user {x.user}" if x.user else "", check=c.id, user=x.user or "", market=x.market or "", difference=x.difference)
        for c in sorted(failed, key=lambda c: c.id != "R6")
        for x in c.examples
    ]
    guesses = [example(f"fits: {h['words']} (hypothesis)") for h in v.hypotheses] if failed else []
    sales = checks["R1"]
    return Reading(
        kind="payouts",
        format=f"ledger {v.ledger['schema']}",
        verdict=verdict,
        looked_at=identity.looked_at,
        of=identity.of,
        cause=cause,
        counterexamples=first([*found[: 20 - min(3, len(guesses))], *guesses[:3]]),
        counterexamples_total=sum(c.violations for c in failed),
        facts={
            "users": Fact(identity.of, "users"),
            "users_wrong": Fact(identity.violations, "users"),
            "unexplained": Fact(v.totals["unexplained"], "credits"),
            "dust_high": Fact(v.totals["dust_high"], "credits"),
            "ruleset": Fact(v.ruleset, "name"),
        },
        coverage=(
            Coverage("users", identity.looked_at, identity.of),
            Coverage("bets", v.ledger["bets"], v.ledger["bets"]),
            Coverage("sales", sales.looked_at, sales.of),
            Coverage("markets", v.ledger["markets"] - len(v.accounts.stuck), v.ledger["markets"]),
        ),
        limits=_limits(v),
        tool="dossier ledger verify",
        observed_at=_observed(v),
    )


def _verdict(v: Verified, checks: Sequence[Check]) -> tuple[Verdict, str]:
    if any(c.state == "fail" for c in checks):
        return "fail", ""
    if not v.facts.users or not v.facts.markets:
        return "missing", "the ledger holds no user or no market"
    if not v.source.known:
        return "inconclusive", v.source.doubt
    unsure = next((c for c in checks if c.state == "inconclusive"), None)
    return ("inconclusive", f"{unsure.id}: {unsure.why}") if unsure else ("pass", "")
