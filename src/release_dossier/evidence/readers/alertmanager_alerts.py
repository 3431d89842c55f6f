"""Alertmanager's answers to `/api/v2/alerts` and `/api/v2/alerts/groups`: what it holds at one moment, and to whom it sends it."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence import alerting
from release_dossier.evidence.alerting import Alert
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word
from release_dossier.evidence.readers.prometheus_alerts import ONE_MOMENT
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading

NAME = "alertmanager-alerts"


def recognises(head: bytes) -> bool:
    """A list of alerts with fingerprints, or of groups of them."""
    keys = outline(head)
    return keys.get("") == "[" and ({"[].fingerprint", "[].labels"} <= keys.keys() or {"[].alerts", "[].receiver"} <= keys.keys() or
                                    ("[].alerts" in keys and b'"fingerprint"' in head))  # fmt: skip


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every alert; silenced ones reach nobody.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    top = objects(whole_json(stream), "file")
    groups = sum("alerts" in each for each in top)
    every = [a for i, g in enumerate(top) for a in objects(g.get("alerts"), f"[{i}].alerts")] if groups else top
    alerts: dict[str, Alert] = {}
    silenced = 0
    for i, each in enumerate(every):
        labels, notes = _texts(each.get("labels"), f"[{i}].labels"), _texts(each.get("annotations"), f"[{i}].annotations")
        status = mapping(each.get("status"), f"[{i}].status")
        silenced += status.get("state") == "suppressed"
        name = labels.get("alertname", "")
        key = word(each.get("fingerprint")) or f"{name}{i}"
        alerts[key] = Alert(name=name, at=name, labels=labels, annotations=notes, fired=True)
    facts = {"firing": Fact(len(alerts), "alerts"), "silenced": Fact(silenced, "alerts")}
    if groups:
        facts["groups"] = Fact(groups, "groups")
    return alerting.moment(NAME, list(alerts.values()), given, facts=facts, limits=(ONE_MOMENT,), tool="alertmanager")


def _texts(value: Any, at: str) -> dict[str, str]:
    return {k: word(v) for k, v in mapping(value, at).items()}
