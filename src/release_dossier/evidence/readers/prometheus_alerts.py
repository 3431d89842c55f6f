"""Prometheus' answer to `/api/v1/alerts`: which alerts are firing at one moment. It cannot see one resolve, so it never passes."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence import alerting
from release_dossier.evidence.alerting import Alert
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word
from release_dossier.evidence.readers.prometheus_answer import data
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading

NAME = "prometheus-alerts"
ONE_MOMENT = "one moment: what fired before, or resolved after, is not in it"


def recognises(head: bytes) -> bool:
    """A successful answer with alerts."""
    keys = outline(head)
    return keys.get("status") == "success" and "data.alerts" in keys


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every alert and its state.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    found, _ = data(whole_json(stream))
    every = objects(found.get("alerts"), "data.alerts")
    alerts = []
    states: dict[str, int] = {}
    for i, each in enumerate(every):
        labels = {k: word(v) for k, v in mapping(each.get("labels"), f"data.alerts[{i}].labels").items()}
        notes = {k: word(v) for k, v in mapping(each.get("annotations"), f"data.alerts[{i}].annotations").items()}
        state = word(each.get("state"))
        states[state] = states.get(state, 0) + 1
        name = labels.get("alertname", "")
        alerts.append(Alert(name=name, at=name, labels=labels, annotations=notes, fired=state == "firing"))
    facts = {"active": Fact(len(every), "alerts"), "firing": Fact(states.get("firing", 0), "alerts")}
    return alerting.moment(NAME, alerts, given, facts=facts, limits=(ONE_MOMENT,), tool="prometheus")
