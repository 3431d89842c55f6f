"""Replay scenarios: a list of `{scenario, what, statuses, balance_changes …}`, each a request or a set of them sent several times.

What is right is read from the scenario's kind: of identical requests (`duplicate`, `double`, `contradictory`) one may be accepted; a race
that says itself what was expected is held to that; any other is counted and not judged.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, whole_json
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first

NAME = "replay-scenarios"
_ONCE = frozenset(("duplicate", "double", "contradictory"))


def recognises(head: bytes) -> bool:
    """A list of objects that name a scenario."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[" and b'"scenario"' in head[:4096] and b'"statuses"' in head


def read(stream: IO[bytes], given: Given) -> Reading:
    """Judge each scenario whose right outcome is known.

    Raises:
        Refused: `replay.shape`, `json.*`.
    """
    value = whole_json(stream)
    if not isinstance(value, list):
        raise Refused("replay.shape", at="file", found=type(value).__name__, expected="a list of scenarios")
    judged, unknown, broken = 0, [], 0
    bad: list[Counterexample] = []
    for i, s in enumerate(value):
        statuses = s.get("statuses") if isinstance(s, dict) else None
        if not isinstance(statuses, dict) or not all(type(n) is int and n >= 0 for n in statuses.values()):
            broken += 1
            continue
        verdict = _judge(s, statuses)
        if verdict is None:
            unknown.append(str(s.get("scenario")))
            continue
        judged += 1
        if verdict:
            moved = ", ".join(f"{u} {c:+}" for u, c in sorted((s.get("balance_changes") or {}).items()) if isinstance(c, int))
            bad.append(example(f"{s.get('scenario')}: {verdict}" + (f"; {moved}" if moved else ""), f"scenario {i + 1}"))
    result: Any = "fail" if bad else "missing" if judged == 0 else "inconclusive" if broken else "pass"
    return Reading(
        kind="replay-protection",
        format=NAME,
        verdict=result,
        looked_at=judged,
        of=len(value),
        cause="no scenario could be judged"
        if result == "missing"
        else f"{broken} scenarios could not be read"
        if result == "inconclusive"
        else "",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={"scenarios": Fact(len(value), "scenarios"), "accepted_too_often": Fact(len(bad), "scenarios")},
        limits=(f"not judged, nothing says what is right or nothing was accepted: {', '.join(sorted(set(unknown)))}",) if unknown else (),
    )


def _judge(s: dict[str, Any], statuses: dict[str, int]) -> str | None:
    """What is wrong with a scenario; empty when nothing is, None when nothing says what is right."""
    name = str(s.get("scenario", ""))
    accepted = sum(n for status, n in statuses.items() if status.startswith("2"))
    sent = sum(statuses.values())
    if set(name.split("_")) & _ONCE:
        if accepted == 0 or sent < 2:  # nothing was repeated, or nothing got through at all: an outage looks like this
            return None
        return f"{accepted} of {sent} were accepted, 1 is right" if accepted > 1 else ""
    if isinstance(s.get("expected_change"), int) and isinstance(s.get("actual_change"), int):
        want, got = s["expected_change"], s["actual_change"]
        return f"the balance moved by {got}, {want} is right" if want != got else ""
    if isinstance(s.get("bets_at_or_after_resolution"), int):
        late = s["bets_at_or_after_resolution"]
        return f"{late} orders were accepted at or after the resolution" if late else ""
    if isinstance(s.get("final_balance"), int) and isinstance(s.get("floor"), int):
        return f"the balance fell to {s['final_balance']}, {s['floor']} is the floor" if s["final_balance"] < s["floor"] else ""
    if name.startswith("old_token"):
        return f"a token from before the password change was accepted {accepted} times" if accepted else ""
    return None
