"""Prometheus' answer to `/api/v1/rules`: the rules a server really evaluates, whether each could be evaluated, and which fire now."""

from __future__ import annotations

from typing import IO

from release_dossier.errors import Refused
from release_dossier.evidence import alerting
from release_dossier.evidence.alerting import Alert
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word
from release_dossier.evidence.readers.prometheus_alerts import ONE_MOMENT
from release_dossier.evidence.readers.prometheus_answer import data
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example

NAME = "prometheus-rules-answer"


def recognises(head: bytes) -> bool:
    """A successful answer with groups."""
    keys = outline(head)
    return keys.get("status") == "success" and "data.groups" in keys


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every rule of every group.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    found, _ = data(whole_json(stream))
    alerts: list[Alert] = []
    faults: list[Counterexample] = []
    recorded: set[str] = set()
    rules = firing = unknown = 0
    last = ""
    groups = objects(found.get("groups"), "data.groups")
    for i, group in enumerate(groups):
        for j, rule in enumerate(objects(group.get("rules"), f"data.groups[{i}].rules")):
            rules += 1
            name = word(rule.get("name"))
            at = f"{word(group.get('name'))}[{j}] {name}"
            last = max(last, word(rule.get("lastEvaluation")))
            if rule.get("health") == "err":
                faults.append(example(f"{name} could not be evaluated: {word(rule.get('lastError'))}", at))
            unknown += rule.get("health") not in ("ok", "err")
            if rule.get("type") == "recording":
                recorded.add(name)
                continue
            firing += rule.get("state") == "firing"
            labels = {k: word(v) for k, v in mapping(rule.get("labels"), at).items()}
            notes = {k: word(v) for k, v in mapping(rule.get("annotations"), at).items()}
            alert = Alert(
                name=name, at=at, labels=labels, annotations=notes, expr=word(rule.get("query")), fired=rule.get("state") == "firing"
            )
            try:
                alerts.append(alerting.judged(alert))
            except Refused as e:
                faults.append(example(f"{name}: {e.found}", at))
    facts = {"groups": Fact(len(groups), "groups"), "firing": Fact(firing, "alerts"), "recording_rules": Fact(len(recorded), "rules")}
    return alerting.moment(
        NAME,
        alerts,
        given,
        rules=rules,
        recorded=frozenset(recorded),
        faults=faults,
        unread=[f"{unknown} rules were not evaluated yet"] if unknown else [],
        facts=facts,
        limits=(ONE_MOMENT,),
        tool="prometheus",
        observed_at=f"{last[:19]}Z" if len(last) > 19 and last.endswith("Z") and last[10:11] == "T" else None,
    )
