"""Incidents, whatever form they were written down in: when, which service, how it was noticed, and what is still to be done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from release_dossier.evidence.reading import Fact, Reading, example, first

if TYPE_CHECKING:
    from release_dossier.evidence.readers.given import Given  # its package reads with this module

OPEN = frozenset(["open", "investigating", "identified", "monitoring", "ongoing", "active", "triggered", "acknowledged"])
SEVERE = frozenset(["sev1", "sev-1", "sev0", "sev-0", "p1", "p0", "critical", "1", "major"])


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident. Times are RFC 3339, empty where nobody wrote them down; `actions_open` of `actions` are not done."""

    name: str
    at: str
    service: str = ""
    severity: str = ""
    state: str = ""
    began: str = ""
    ended: str = ""
    detected_by: str = ""
    actions: int = 0
    actions_open: int = 0

    @property
    def open(self) -> bool:
        """Whether it goes on: its state says so, or it has a beginning and no end."""
        return self.state.lower() in OPEN if self.state else bool(self.began and not self.ended)

    def minutes(self) -> float | None:
        """How long it lasted; None where that is not written down, or cannot be."""
        try:
            took = (datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.began)).total_seconds() / 60
        except (ValueError, TypeError):
            return None
        return took if took >= 0 else None


def reading(format_: str, incidents: Sequence[Incident], given: Given, *, unread: int = 0, doubt: str = "", **more: Any) -> Reading:
    """What incidents say about readiness to release. An open one fails; one nobody finished writing down is inconclusive. `services`
    declares which services the file is about: without it, a service without incident and one nobody wrote about look the same."""
    wanted = given.declared("services")
    mine = [i for i in incidents if not wanted or not i.service or i.service in wanted]
    going = [i for i in mine if i.open]
    bad = [example(f"{i.name} goes on{f' in {i.service}' if i.service else ''}", i.at) for i in going]
    times = [m for i in mine if (m := i.minutes()) is not None]
    vague = [i for i in mine if not i.open and i.minutes() is None]
    actions, left = sum(i.actions for i in mine), sum(i.actions_open for i in mine)
    words = [f"when {i.name} began or ended is not written down" for i in vague[:3]]
    words += [doubt] if doubt else []
    words += [f"{unread} records could not be read"] if unread else []
    verdict: Any = "fail" if bad else "inconclusive" if words or not incidents else "pass"
    by = sorted({i.service for i in mine if i.service})
    facts = {
        "incidents": Fact(len(mine), "incidents"),
        "incidents_open": Fact(len(going), "incidents"),
        "incidents_severe": Fact(sum(i.severity.lower() in SEVERE for i in mine), "incidents"),
        "incidents_detected_by_alert": Fact(sum(bool(i.detected_by) for i in mine), "incidents"),
        "actions": Fact(actions, "actions"),
        "actions_open": Fact(left, "actions"),
    }
    facts |= {f"incidents_of_{s}": Fact(sum(i.service == s for i in mine), "incidents") for s in by[:20]}
    if times:
        facts["duration"] = Fact(round(sum(times), 3), "min", samples=len(times))
        facts["duration_longest"] = Fact(round(max(times), 3), "min")
    silent = [i.name for i in mine if not i.detected_by]
    limits = [f"{left} of {actions} actions are open"] if left else []
    limits += [f"which alert noticed it is not written down: {n}" for n in silent[:5]]
    return Reading(
        kind="incidents",
        format=format_,
        verdict=verdict,
        looked_at=len(mine) - len(vague),
        of=None if doubt and not bad else len(mine) + unread,
        cause=""
        if verdict in ("pass", "fail")
        else "; ".join(words) or "no incident is in it: that nothing happened is not shown by an empty list",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts,
        limits=(*limits, "incidents nobody wrote down are not in it"),
        **more,
    )
