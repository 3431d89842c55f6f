"""Alerts of a fire drill as Alertmanager delivered them: NDJSON of `{receivedAt, payload}`, the payload as its webhook sends it.

Which alerts should be seen is declared (`alerts`, comma-separated); without a declaration nothing tells whether one is missing.
An alert with severity `none` (a watchdog) proves that the path works and covers no failure.
"""

from __future__ import annotations

import json
from typing import IO, Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, lines, record
from release_dossier.evidence.reading import Fact, Reading

NAME = "fire-drill"


def recognises(head: bytes) -> bool:
    """The first line is a delivery of Alertmanager's webhook."""
    event = record(head.splitlines()[0]) if head.splitlines() else None
    return event is not None and "receivedAt" in event and isinstance(event.get("payload"), dict) and "alerts" in event["payload"]


def read(stream: IO[bytes], given: Given) -> Reading:
    """Which alerts fired, and which of them resolved again.

    Raises:
        Refused: `fire-drill.no-delivery`.
    """
    d = drill(stream)
    reading = _reading(d.fired, d.resolved, d.broken, given.declared("alerts"), d.last)
    told = {"firing": d.sent.count("firing"), "resolved": d.sent.count("resolved")}
    more = {f"notifications_{k}": Fact(n, "notifications") for k, n in told.items()}
    return msgspec.structs.replace(reading, facts=reading.facts | {"notifications": Fact(len(d.sent), "notifications")} | more)


class Drill(msgspec.Struct, frozen=True):
    """What was delivered: names that fired, names of which every alert resolved, what was no delivery, each delivery's status, the last
    moment."""

    fired: set[str]
    resolved: set[str]
    broken: int
    sent: list[Any]
    last: Any


def drill(stream: IO[bytes]) -> Drill:
    """Every delivery.

    Raises:
        Refused: `fire-drill.no-delivery`.
    """
    last_of: dict[str, dict[str, str]] = {}
    broken = 0
    sent: list[Any] = []
    last = None
    for _, line in lines(stream):
        event = record(line)
        payload = event.get("payload") if event else None
        if event is None or not isinstance(payload, dict) or not isinstance(payload.get("alerts"), list):
            broken += 1
            continue
        sent.append(payload.get("status"))
        last = event.get("receivedAt")
        for alert in payload["alerts"]:
            broken += not _note(alert, last_of)
    if not sent:
        raise Refused(
            "fire-drill.no-delivery", at="file", found=f"{broken} lines that are none", expected="deliveries of Alertmanager's webhook"
        )
    resolved = {name for name, each in last_of.items() if set(each.values()) == {"resolved"}}
    return Drill(set(last_of), resolved, broken, sent, last)


def _note(alert: Any, last_of: dict[str, dict[str, str]]) -> bool:
    """How each alert of a name stood last; False when this is no alert. A resolution counts only after its firing was seen."""
    labels = alert.get("labels") if isinstance(alert, dict) else None
    name = labels.get("alertname") if isinstance(labels, dict) else None
    if labels is None or not isinstance(name, str) or alert.get("status") not in ("firing", "resolved"):
        return False
    which = json.dumps(labels, sort_keys=True)
    if labels.get("severity") != "none" and (alert["status"] == "firing" or which in last_of.get(name, {})):
        last_of.setdefault(name, {})[which] = alert["status"]
    return True


def _reading(fired: set[str], resolved: set[str], broken: int, declared: tuple[str, ...], last: Any) -> Reading:
    wanted = declared or tuple(sorted(fired))
    seen = [a for a in wanted if a in fired and a in resolved]
    unseen = [a for a in wanted if a not in fired]
    stuck = [a for a in wanted if a in fired and a not in resolved]
    verdict: Any = "missing" if not fired else "pass" if declared and len(seen) == len(wanted) and not broken else "inconclusive"
    words = [f"never seen firing: {', '.join(unseen)}"] if unseen else []
    words += [f"fired and never resolved: {', '.join(stuck)}"] if stuck else []
    words += ["which alerts should be seen is not declared"] if not declared else []
    words += [f"{broken} lines or alerts could not be read"] if broken else []
    extra = sorted(fired - set(wanted))
    return Reading(
        kind="alert-coverage",
        format=NAME,
        verdict=verdict,
        looked_at=len(seen),
        of=len(wanted) if declared else None,
        cause="no alert fired" if verdict == "missing" else "; ".join(words) if verdict != "pass" else "",
        facts={
            "alerts_declared": Fact(len(declared), "alerts"),
            "alerts_fired": Fact(sum(a in fired for a in wanted), "alerts"),
            "alerts_resolved": Fact(len(seen), "alerts"),
        },
        limits=(f"seen and not declared: {', '.join(extra)}",) if extra else (),
        tool="alertmanager",
        observed_at=_utc(last),
    )


def _utc(text: Any) -> str | None:
    return text if isinstance(text, str) and text.endswith("Z") and len(text) in (20, 24) else None
