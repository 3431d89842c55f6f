"""Alerts held against what a project declared: the same questions, whatever file the alerts come from.

1. Which declared alert, failure mode and service has an alert; which alert has an owner and a runbook.
2. Which alert can never fire, and which always does (a watchdog, which covers no failure).
3. Which was ever seen firing, and resolving after it: what a rule file cannot say and a drill, an API or a history can.

Declared are `alerts` (names), `failure_modes` (`mode=Alert|Alert`, or a mode some alert carries as its label `failure_mode`), `services`
(names an alert carries as `service`, or asks for as `service` or `job`), and `metrics` (series that exist). Without a declaration nothing
tells whether an alert is missing, and the verdict is `inconclusive`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence import promql
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first
from release_dossier.limits import LIMITS_MAX

if TYPE_CHECKING:
    from release_dossier.evidence.readers.given import Given  # its package reads with this module

OWNER_LABELS = ("owner", "team", "owners", "squad")
RUNBOOK_NAMES = ("runbook_url", "runbook", "runbookURL", "runbook_link")
SERVICE_LABELS = ("service", "job", "app", "sloth_service")


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `at` is where it is written; `expr` is empty where the source does not say. `fired` and `resolved` are None where the
    source cannot have seen it."""

    name: str
    at: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    expr: str = ""
    fired: bool | None = None
    resolved: bool | None = None
    state: str = ""  # "", `never`, `always`, `refused` where Prometheus would not take it, `dialect` where a function is not known here
    why: str = ""
    absent: bool = False  # declared, and not in a source that shows only what is active
    asks: frozenset[str] = frozenset()  # services its expression asks for
    needs: frozenset[str] = frozenset()  # series its expression asks for

    @property
    def watchdog(self) -> bool:
        """It proves that the path works and covers no failure."""
        return self.labels.get("severity") == "none" or self.state == "always"

    def owner(self) -> str:
        """Who answers for it; empty when nobody is named."""
        return next((self.labels[k] for k in OWNER_LABELS if self.labels.get(k)), "")

    def runbook(self) -> str:
        """What to do about it; empty when nothing is named."""
        return next((v for k in RUNBOOK_NAMES for v in (self.annotations.get(k), self.labels.get(k)) if v), "")


def unseen(name: str) -> Alert:
    """A declared alert that a source of active alerts does not show."""
    return Alert(name=name, at=name, fired=False, absent=True)


def judged(alert: Alert) -> Alert:
    """The alert with what its expression says of it. A source without expressions gives it back as it is.

    Raises:
        Refused: `promql.syntax`.
    """
    if not alert.expr:
        return alert
    try:
        expr = promql.parse(alert.expr, alert.at)
    except Refused as e:
        if e.code != "promql.dialect":
            raise
        return msgspec.structs.replace(alert, state="dialect", why=e.found)
    found = promql.bounds(expr)
    state = "never" if found.empty else "always" if promql.is_constant(expr) else ""
    asks = frozenset(v for label in SERVICE_LABELS for v in promql.matched(expr, label))
    return msgspec.structs.replace(alert, state=state, asks=asks, needs=promql.metrics(expr))


class Declared(msgspec.Struct, frozen=True):
    """What a project says should be watched."""

    alerts: tuple[str, ...]
    modes: tuple[tuple[str, tuple[str, ...]], ...]
    services: tuple[str, ...]
    metrics: frozenset[str]

    @property
    def anything(self) -> bool:
        """Whether there is something to hold alerts against."""
        return bool(self.alerts or self.modes or self.services)


def declared(given: Given) -> Declared:
    """From the expectations that come with a file."""
    modes = []
    for each in given.declared("failure_modes"):
        mode, _, names = each.partition("=")
        modes.append((mode.strip(), tuple(n.strip() for n in names.split("|") if n.strip())))
    return Declared(given.declared("alerts"), tuple(modes), given.declared("services"), frozenset(given.declared("metrics")))


def covers(alert: Alert, mode: str, names: tuple[str, ...]) -> bool:
    """Whether it watches this failure mode."""
    if alert.name in names:
        return True
    return not names and mode in (alert.labels.get("failure_mode"), alert.annotations.get("failure_mode"))


def serves(alert: Alert, service: str) -> bool:
    """Whether it watches this service."""
    return service in alert.asks or any(alert.labels.get(k) == service for k in SERVICE_LABELS)


def reading(
    format_: str,
    alerts: Iterable[Alert],
    given: Given,
    *,
    rules: int | None = None,
    recorded: frozenset[str] = frozenset(),
    faults: list[Counterexample] | None = None,
    unread: list[str] | None = None,
    facts: dict[str, Fact] | None = None,
    **more: Any,
) -> Reading:
    """What these alerts say about what is declared.

    Args:
        rules: how many rules the file has, alerts among them.
        recorded: series the file's own rules make.
        faults: what makes the file wrong; any is a `fail`.
        unread: what could not be looked at; any makes a pass `inconclusive`.
    """
    every = [a for a in alerts if not a.watchdog]
    d = declared(given)
    live = [a for a in every if a.state not in ("never", "refused") and not (d.metrics and a.needs - d.metrics - recorded)]
    bad = [*(faults or []), *(example(text, where) for text, where in _gaps(live, d))]
    dead = _dead(every, d, recorded)
    seen = [a for a in every if a.fired]
    found, of = _counted(live, d)
    words = _unsure(every, d, [*(["some alerts can never fire"] if dead else []), *(unread or [])])
    verdict: Any = "fail" if bad else "missing" if not every else "inconclusive" if words else "pass"
    cause = "" if verdict in ("fail", "pass") else "; ".join(words) if verdict == "inconclusive" else "there is no alert in it"
    return Reading(
        kind="alert-coverage",
        format=format_,
        verdict=verdict,
        looked_at=found,
        of=of,
        cause=cause,
        counterexamples=first([*bad, *dead]),
        counterexamples_total=len(bad) + len(dead),
        facts=_facts(every, live, d, seen, rules, len(faults or [])) | (facts or {}),
        limits=(*_limits(every), *more.pop("limits", ())),
        **more,
    )


def moment(format_: str, alerts: list[Alert], given: Given, **more: Any) -> Reading:
    """What was seen at one moment. An alert that fires then was seen firing; that it resolves nobody saw, so this never passes. A declared
    alert that is not among those active is not absent: it does not fire just now."""
    sees_rules = any(a.expr for a in alerts)
    d = declared(given)
    if not sees_rules:
        here = {a.name for a in alerts}
        names = dict.fromkeys([*d.alerts, *(n for _, each in d.modes for n in each)])
        alerts = alerts + [unseen(n) for n in names if n not in here]
    made = reading(format_, alerts, given, **more)
    if not sees_rules and not any(a.fired for a in alerts if not a.watchdog):
        return msgspec.structs.replace(made, verdict="missing", looked_at=0, cause="no alert was firing at that moment")
    if made.verdict == "pass":
        return msgspec.structs.replace(made, verdict="inconclusive", cause="seen firing, and not seen resolving: one moment cannot show it")
    return made


def _dead(every: list[Alert], d: Declared, recorded: frozenset[str]) -> list[Counterexample]:
    out = [example(f"{a.name} can never fire: {a.expr}", a.at) for a in every if a.state == "never"]
    for a in every:
        gone = sorted(a.needs - d.metrics - recorded) if d.metrics else []
        if gone and a.state == "":
            out.append(example(f"{a.name} can never fire: nothing gives {', '.join(gone)}", a.at))
    return out


def _gaps(live: list[Alert], d: Declared) -> list[tuple[str, str]]:
    names = {a.name for a in live}
    out = [(f"{name} is declared and no rule makes it", name) for name in d.alerts if name not in names]
    out += [(f"failure mode {mode} has no alert", mode) for mode, wanted in d.modes if not any(covers(a, mode, wanted) for a in live)]
    out += [(f"service {service} has no alert", service) for service in d.services if not any(serves(a, service) for a in live)]
    return out


def _counted(live: list[Alert], d: Declared) -> tuple[int, int | None]:
    """Alerts looked at, of those declared; without a declaration nobody knows how many there should be."""
    names = {a.name for a in live}
    if any(a.fired is not None for a in live) and not any(a.expr for a in live):
        names = {a.name for a in live if a.fired} - {a.name for a in live if a.resolved is False}
    wanted = dict.fromkeys([*d.alerts, *(n for _, each in d.modes for n in each)])
    return (sum(n in names for n in wanted), len(wanted)) if wanted else (len(names), None)


def _unsure(every: list[Alert], d: Declared, unread: list[str]) -> list[str]:
    words = [] if d.anything else ["which alerts, failure modes or services should be watched is not declared"]
    wanted = {*d.alerts, *(n for _, each in d.modes for n in each)}
    asked = [a for a in every if a.name in wanted] if wanted else every
    unowned = sorted({a.name for a in asked if not a.absent and not a.owner()})
    words += [f"nobody owns {', '.join(unowned[:5])}" + (f" and {len(unowned) - 5} more" if len(unowned) > 5 else "")] if unowned else []
    strange = sorted({a.name for a in every if a.state == "dialect"})
    words += [f"{len(strange)} alerts are in a dialect of PromQL that is not read here: {', '.join(strange[:3])}"] if strange else []
    unseen = sorted({a.name for a in asked if a.fired is False})
    words += [f"never seen firing: {', '.join(unseen[:10])}"] if unseen else []
    stuck = sorted({a.name for a in asked if a.fired and a.resolved is False})
    words += [f"seen firing and not resolving: {', '.join(stuck[:10])}"] if stuck else []
    if asked and all(a.fired is None for a in asked):
        words.append("a rule is no alarm: none of them was seen firing")
    return words + unread


def _facts(every: list[Alert], live: list[Alert], d: Declared, seen: list[Alert], rules: int | None, faults: int) -> dict[str, Fact]:
    names = {a.name for a in live if not a.absent}
    every = [a for a in every if not a.absent]
    facts = {
        "alerts": Fact(len(every), "alerts"),
        "alerts_owned": Fact(sum(bool(a.owner()) for a in every), "alerts"),
        "alerts_with_runbook": Fact(sum(bool(a.runbook()) for a in every), "alerts"),
        "lint_errors": Fact(faults, "rules"),
    }
    if rules is not None:
        facts["rules"] = Fact(rules, "rules")
    if any(a.expr for a in every):
        facts["alerts_never"] = Fact(len(every) - len([a for a in live if not a.absent]), "alerts")
    if any(a.fired is not None for a in every):
        facts["alerts_fired"] = Fact(len({a.name for a in seen}), "alerts")
        if any(a.resolved is not None for a in every):
            facts["alerts_resolved"] = Fact(len({a.name for a in seen if a.resolved}), "alerts")
    if d.alerts:
        facts["alerts_declared"] = Fact(len(d.alerts), "alerts")
        facts["alerts_present"] = Fact(sum(n in names for n in d.alerts), "alerts")
    if d.modes:
        facts["failure_modes"] = Fact(len(d.modes), "failure modes")
        facts["failure_modes_covered"] = Fact(sum(any(covers(a, m, w) for a in live) for m, w in d.modes), "failure modes")
    if d.services:
        facts["services"] = Fact(len(d.services), "services")
        facts["services_covered"] = Fact(sum(any(serves(a, s) for a in live) for s in d.services), "services")
    return facts


def _limits(every: list[Alert]) -> list[str]:
    bare = sorted({a.name for a in every if not a.absent and not a.runbook()})
    out = [f"no runbook: {name}" for name in bare[: LIMITS_MAX // 2]]
    return [*out, f"{len(bare) - len(out)} more without a runbook"] if len(bare) > len(out) else out
