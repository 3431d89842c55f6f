"""Freshness: what makes evidence stale, in this order, each with its words.

 * `fingerprint` — it is about another fingerprint of the service: the code moved on. (The gate knows this before anything else.)
 * `rule` — it was collected under other terms, or (from edition 4 on) for a rule that gave way to this one: criteria come first, and what
   was measured before them answers another question.
 * `tool` — it was made by an older version than the rule asks for.
 * `topology` — it was measured under other conditions than the rule names, or than its environment has now.
 * `age` — it was observed longer ago than the stricter of its own limit and the rule's.

Age counts from `observed_at`. The three times of an attempt may lie `CLOCK_SKEW_SECONDS_MAX` apart the wrong way round, and as far ahead of
`now`; beyond that it is no staleness but an error (`out_of_time`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from release_dossier.digest import digest_of
from release_dossier.dossier import Attempt
from release_dossier.errors import shown
from release_dossier.limits import CLOCK_SKEW_SECONDS_MAX
from release_dossier.rules.moment import after, moment, span, stamp
from release_dossier.rules.requirement import Requirement

CAUSES = ("fingerprint", "rule", "tool", "topology", "age")
FUTURE = "it is from the future"
TOPOLOGY = "topology"  # the kind of evidence that says how an environment is built
# What evidence is asked, as distinct from who may bring it and what becomes of the answer. Keys at their default are left out, so that a
# key that rules gain later changes no terms that do not use it.
TERMS = (
    "kind",
    "condition",
    "needs",
    "minimum_count",
    "minimum_percent",
    "skips",
    "tools",
    "topology",
    "same_topology",
    "environment",
)
_DEFAULTS = {f.name: f.default for f in msgspec.structs.fields(Requirement)}


@lru_cache(maxsize=4096)
def _terms(fields: bytes) -> str:
    return digest_of(msgspec.json.decode(fields))


def terms(rule: Requirement) -> str:
    """The digest of what a requirement asks of evidence."""
    asked = {k: getattr(rule, k) for k in TERMS}
    kept = {k: msgspec.to_builtins(v) for k, v in asked.items() if v and v != _DEFAULTS.get(k)}
    return _terms(msgspec.json.encode(kept, order="deterministic"))


def stale(rule: Requirement, a: Attempt, topologies: Sequence[Attempt], now: datetime, gone: Mapping[str, str]) -> tuple[str, str]:
    """(cause, words) of why an attempt about the right fingerprint is stale; two empty texts when it is fresh.

    Args:
        topologies: the newest evidence of kind `topology` of the same service and environment; at most one.
        gone: what it was collected for and nobody asks any more: requirement → its terms.
    """
    asked_then = a.criteria.get(rule.id)
    if asked_then is not None and asked_then != terms(rule):
        return "rule", "it was collected before the rule was what it is now: criteria come first"
    if asked_then is None and gone and terms(rule) not in gone.values():
        return "rule", f"it was collected for {', '.join(sorted(gone))}, which gave way to this rule: criteria come first"
    tool = _old_tool(rule, a)
    if tool:
        return "tool", tool
    moved = _other_topology(rule, a, topologies)
    if moved:
        return "topology", moved
    old = too_old(rule, a, now)
    return ("age", old) if old else ("", "")


def latest(now: datetime) -> datetime:
    """The last moment that clocks which differ may call now."""
    return after(now, CLOCK_SKEW_SECONDS_MAX)


def out_of_time(a: Attempt, end: datetime) -> tuple[str, str]:
    """(cause, words) of what is wrong with the three times of an attempt, none of which may lie after `end`, the `latest` moment."""
    newest, fault = _order(a.observed_at, a.collected_at, a.recorded_at)
    if newest is None:
        return "times", f"{_three(a)}: {fault}"
    if newest > end:
        return "future", f"{FUTURE}: {_three(a)}"
    return ("times", f"{_three(a)}: {fault}") if fault else ("", "")


@lru_cache(maxsize=16_384)
def _order(observed_at: str, collected_at: str, recorded_at: str) -> tuple[datetime | None, str]:
    """The latest of three moments, and what is wrong with their order. Remembered: documents do not change, and are decided about again."""
    observed, collected, recorded = moment(observed_at), moment(collected_at), moment(recorded_at)
    if observed is None or collected is None or recorded is None:
        return None, "not all three are moments"
    wrong = observed > after(collected, CLOCK_SKEW_SECONDS_MAX) or collected > after(recorded, CLOCK_SKEW_SECONDS_MAX)
    return max(observed, collected, recorded), "not in that order" if wrong else ""


def _three(a: Attempt) -> str:
    return f"observed {shown(a.observed_at, 40)}, collected {shown(a.collected_at, 40)}, recorded {shown(a.recorded_at, 40)}"


def too_old(rule: Requirement, a: Attempt, now: datetime) -> str:
    """How old it is against the stricter limit; empty when it is fresh. Evidence nobody gave a limit is not fresh."""
    limit = age_max_s(rule, a)
    end, _ = _end(a.observed_at, limit)
    if end is not None and now < end:
        return ""
    observed = moment(a.observed_at)
    assert observed is not None, "an attempt out of time was refused before"
    if not limit:
        return "neither the evidence nor the rule says how long it holds"
    age = (now - observed).total_seconds()
    ago = f"observed {span(age)} ago, limit {span(limit)}"
    return ago if span(age) != span(limit) else f"{ago}, reached {span(age - limit)} ago"


def age_max_s(rule: Requirement, a: Attempt) -> int:
    """The stricter of the evidence's limit and the rule's, 0 where neither has one."""
    one, other = max(0, rule.age_max_s), max(0, a.age_max_s)
    return min(one, other) or max(one, other)


def ends(rule: Requirement, a: Attempt) -> str:
    """When it grows too old, as documents write a moment; empty where it does not say when it was observed."""
    return _end(a.observed_at, age_max_s(rule, a))[1]


@lru_cache(maxsize=16_384)
def _end(observed_at: str, limit: int) -> tuple[datetime | None, str]:
    """`ends` reckoned with and written. Remembered, as `_order` is."""
    observed = moment(observed_at)
    end = after(observed, limit) if observed else None
    return end, stamp(end) if end else ""


def other_tool(rule: Requirement, a: Attempt) -> str:
    """Why the tool is none of those accepted, whatever its version; empty when it is."""
    if not rule.tools or a.tool in {t.partition("@")[0] for t in rule.tools}:
        return ""
    return f"it was made with {shown(a.tool, 40) or 'no tool that is named'}, only {', '.join(rule.tools)} is accepted"


def _old_tool(rule: Requirement, a: Attempt) -> str:
    if not rule.tools:
        return ""
    asked = [v for name, _, v in (t.partition("@") for t in rule.tools) if name == a.tool]
    have = a.tool_version.removeprefix("v").removeprefix("go")
    if not asked or any(not v or have == v or have.startswith(f"{v}.") for v in asked):
        return ""
    return f"it was made with {a.tool} {shown(a.tool_version, 40) or 'of no version that is named'}, the rule asks for {' or '.join(asked)}"


def unsaid(rule: Requirement, a: Attempt) -> str:
    """Which of the conditions the rule names the evidence does not say; empty when it says all."""
    return next((f"it does not say {name}, which the rule fixes" for name in sorted(rule.topology) if name not in a.facts), "")


def _other_topology(rule: Requirement, a: Attempt, topologies: Sequence[Attempt]) -> str:
    for name, asked in sorted(rule.topology.items()):
        if name in a.facts and not _same(a.facts[name].value, asked):
            return f"measured with {name} {_value(a.facts[name].value)}, the rule asks for {_value(asked)}"
    for t in topologies if rule.same_topology else ():
        for name in sorted(a.facts.keys() & t.facts.keys()):
            if not _same(a.facts[name].value, t.facts[name].value):
                return f"measured with {name} {_value(a.facts[name].value)}, {a.environment} has {_value(t.facts[name].value)} now"
    return ""


def _same(a: Any, b: Any) -> bool:
    """Equal, and not 1 for true."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _value(value: Any) -> str:
    return shown(str(value), 60)
