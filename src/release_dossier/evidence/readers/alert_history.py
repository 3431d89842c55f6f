"""A recorded history of alerts: Prometheus' own series `ALERTS` over a range. It shows which fired, and which stopped firing again.

The window must come with it (`start`, `end`, `step`): only then does a series that ends say that its alert resolved.
"""

from __future__ import annotations

from typing import IO

import msgspec

from release_dossier.evidence import alerting
from release_dossier.evidence.alerting import Alert
from release_dossier.evidence.readers.given import Given, whole_json
from release_dossier.evidence.readers.prometheus_answer import data, moment, series, window
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading

NAME = "alert-history"


def recognises(head: bytes) -> bool:
    """A result of series `ALERTS`."""
    keys = outline(head)
    return keys.get("status") == "success" and "data.resultType" in keys and b'"alertstate"' in head and b'"ALERTS"' in head


def read(stream: IO[bytes], given: Given) -> Reading:
    """Each alert of each series that fired.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    found, _ = data(whole_json(stream))
    asked = window(given.asked, given.expectations)
    alerts: dict[str, Alert] = {}
    last, firing, samples = 0.0, 0, 0
    for s in series(found):
        name = s.labels.get("alertname", "")
        if not name or s.labels.get("alertstate") != "firing" or not s.samples:
            continue
        firing += 1
        samples += len(s.samples)
        last = max(last, s.last)
        over = asked is not None and s.last <= asked.end - asked.step
        before = alerts.get(name)
        resolved = None if asked is None else over and (before is None or before.resolved is True)
        labels = {k: v for k, v in s.labels.items() if k not in ("__name__", "alertstate")}
        alerts[name] = Alert(name=name, at=s.name(), labels=labels, fired=True, resolved=resolved)
    for name in alerting.declared(given).alerts:
        alerts.setdefault(name, alerting.unseen(name))
    made = alerting.reading(
        NAME,
        alerts.values(),
        given,
        unread=[] if asked else ["which window was asked for did not come with it: start, end, step"],
        facts={"series": Fact(firing, "series"), "samples": Fact(samples, "samples")},
        tool="prometheus",
        observed_at=moment(last) or None if last else None,
    )
    return made if firing else msgspec.structs.replace(made, verdict="missing", looked_at=0, cause="no alert fired in it")
