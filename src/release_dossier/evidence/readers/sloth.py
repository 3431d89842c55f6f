"""Sloth's SLO specifications, `prometheus/v1` and its Kubernetes resource: objectives, and the alerts it makes of each.

Sloth makes a page and a ticket alert of the same name for every objective that does not switch them off. Where one query is in another
vendor's dialect, queries of that file that do not parse are called unread, not wrong.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence import alerting, promql
from release_dossier.evidence.alerting import Alert
from release_dossier.evidence.readers.given import Given, mapping, objects, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.sniff import top
from release_dossier.evidence.readers.yaml_tree import documents
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example

NAME = "sloth"
_FILE, _RESOURCE = "prometheus/v1", "sloth.slok.dev/v1"


def recognises(head: bytes) -> bool:
    """A service with `slos` in some version, or Sloth's resource."""
    keys = top(head)
    return {"version", "service", "slos"} <= keys.keys() or (
        keys.get("apiVersion", "").startswith("sloth.slok.dev/") and keys.get("kind") == "PrometheusServiceLevel"
    )


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every objective of every document.

    Raises:
        Refused: `yaml.*`, `evidence.shape`, `evidence.version`.
    """
    alerts: list[Alert] = []
    faults: list[Counterexample] = []
    strange: list[str] = []
    slos = 0
    odd: list[Counterexample] = []
    for i, doc in enumerate(documents(stream)):
        at = f"document {i + 1}"
        if not isinstance(doc, dict):
            wrong_shape(at, doc, "SLOs of a service")
        key, wanted = ("apiVersion", _RESOURCE) if "apiVersion" in doc else ("version", _FILE)
        if doc.get(key) != wanted:
            wrong_version(f"{at} {key}", doc.get(key), wanted)
        spec = mapping(doc.get("spec"), at) if key == "apiVersion" else doc
        service = word(spec.get("service"))
        if not service:
            faults.append(example("no service is named", at))
        every = objects(spec.get("slos"), f"{at} slos")
        if not every:
            faults.append(example("no objective", at))
        names: set[str] = set()
        for slo in every:
            slos += 1
            _slo(slo, service, _texts(spec.get("labels")), names, alerts, faults, strange, odd)
    if strange:
        strange += [x.text for x in odd]
    else:
        faults += odd
    return alerting.reading(
        NAME,
        alerts,
        given,
        faults=faults,
        unread=[f"{len(strange)} queries could not be read: {strange[0]}"] if strange else [],
        facts={"slos": Fact(slos, "objectives")},
        limits=("what Sloth would make of it; whether a Prometheus has these rules is not said",),
        tool="sloth",
    )


def _slo(
    slo: dict[str, Any],
    service: str,
    labels: dict[str, str],
    names: set[str],
    alerts: list[Alert],
    faults: list[Counterexample],
    strange: list[str],
    odd: list[Counterexample],
) -> None:
    name = word(slo.get("name"))
    at = f"{service}.{name}"
    if not name or name in names:
        faults.append(example("an objective without a name" if not name else f"objective {name} is there twice", at))
    names.add(name)
    target = slo.get("objective")
    if isinstance(target, bool) or not isinstance(target, (int, float)) or not 0 < target <= 100:
        faults.append(example(f"{name} has an objective of {target!r}, not between 0 and 100", at))
    sli = mapping(slo.get("sli"), f"{at} sli")
    plugged = slo.get("plugins") is not None
    if not sli and not plugged:
        faults.append(example(f"{name} has no indicator", at))
    for part in sli.values():
        for key, query in part.items() if isinstance(part, dict) else ():
            if isinstance(query, str) and key.lower().replace("_", "") in ("errorquery", "totalquery", "errorratioquery"):
                _query(query, f"{at} {key}", odd, strange)
    alerting_ = mapping(slo.get("alerting"), f"{at} alerting")
    own = labels | _texts(slo.get("labels")) | _texts(alerting_.get("labels"))
    for severity in ("page", "ticket"):
        each = next((v for k in (f"{severity}_alert", f"{severity}Alert") if isinstance(v := alerting_.get(k), dict)), {})
        if each.get("disable") is True:
            continue
        if not word(alerting_.get("name")):
            faults.append(example(f"the {severity} alert of {name} has no name", at))
            continue
        said = own | _texts(each.get("labels"))
        alerts.append(
            Alert(
                name=word(alerting_.get("name")),
                at=f"{at} {severity}",
                labels=said | {"service": service, "sloth_severity": severity},
                annotations=_texts(alerting_.get("annotations")) | _texts(each.get("annotations")),
            )
        )


def _query(query: str, at: str, odd: list[Counterexample], strange: list[str]) -> None:
    """A query of Sloth with its window filled in; other templates are not filled in here."""
    text = query.replace("{{.window}}", "5m").replace("{{ .window }}", "5m")
    if "{{" in text:
        strange.append(f"{at} is a template of its own")
        return
    try:
        promql.parse(text, at)
    except Refused as e:
        if e.code == "promql.dialect":
            strange.append(f"{at}: {e.found}")
        else:
            odd.append(example(f"{at}: {e.found}", at))


def _texts(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items() if not isinstance(v, (dict, list))} if isinstance(value, dict) else {}
