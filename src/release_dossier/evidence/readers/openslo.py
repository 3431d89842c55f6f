"""OpenSLO documents: objectives, what measures them, and the alert policies they name. It says what should be watched, not what is.

Versions v1alpha, v1 and v2alpha are read (Service, SLO, SLI, DataSource, AlertPolicy, AlertCondition, AlertNotificationTarget); another is
refused by its name.
"""

from __future__ import annotations

import re
from typing import IO, Any

import msgspec

from release_dossier.evidence import alerting
from release_dossier.evidence.alerting import Alert
from release_dossier.evidence.readers.given import Given, mapping, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.sniff import top
from release_dossier.evidence.readers.yaml_tree import documents
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example

NAME = "openslo"
VERSIONS = ("openslo/v1", "openslo/v1alpha", "openslo.com/v2alpha")
_KINDS = ("SLO", "SLI", "Service", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget")
_TOP = {"apiVersion", "kind", "metadata", "spec"}
_METADATA = {"name", "displayName", "labels", "annotations"}
_SERVICE = {"description"}
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")  # RFC 1123, as the specification asks of a name
_LIST = re.compile(
    rb"\A(?:#[^\n]*\n|---[^\n]*\n|\s)*- (?:apiVersion: [\"']?openslo|(?:kind|metadata):[^\0]{0,2000}?\n  apiVersion: [\"']?openslo)"
)


class _Slo(msgspec.Struct):
    name: str
    service: str
    policies: list[str]
    at: str


def recognises(head: bytes) -> bool:
    """Its `apiVersion` begins with `openslo`, or that of the first in a list."""
    return top(head).get("apiVersion", "").startswith("openslo") or _LIST.match(head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every objective and policy.

    Raises:
        Refused: `yaml.*`, `evidence.shape`, `evidence.version`.
    """
    slos: list[_Slo] = []
    policies: dict[str, dict[str, Any]] = {}
    faults: list[Counterexample] = []
    names: set[tuple[str, str]] = set()
    every = [each for doc in documents(stream) for each in (doc if isinstance(doc, list) else [doc])]
    for i, doc in enumerate(every):
        at = f"document {i + 1}"
        kind, name = _checked(doc, at, faults, names)
        spec = mapping(doc.get("spec"), f"{at} spec")
        if kind == "SLO":
            slos.append(_slo(spec, name, at, faults, policies))
        elif kind == "AlertPolicy":
            policies[name] = spec
    alerts = []
    for slo in slos:
        for policy in slo.policies:
            if policy not in policies:
                faults.append(example(f"SLO {slo.name} names alert policy {policy}, which is in no document", slo.at))
            else:
                alerts.append(Alert(name=policy, at=slo.at, labels={"service": slo.service, "slo": slo.name}))
    unwatched = [s.name for s in slos if not s.policies]
    unread = [f"no alert policy watches {', '.join(unwatched[:10])}"] if unwatched else []
    made = alerting.reading(
        NAME,
        alerts,
        given,
        faults=faults,
        unread=unread,
        facts={"slos": Fact(len(slos), "objectives"), "documents": Fact(len(every), "documents")},
        tool="openslo",
        tool_version=word(every[0].get("apiVersion")).partition("/")[2] if every else "",
    )
    if slos and made.verdict == "missing":
        return msgspec.structs.replace(made, cause=f"{len(slos)} objectives, and no alert policy for any of them")
    return made


def _checked(doc: Any, at: str, faults: list[Counterexample], names: set[tuple[str, str]]) -> tuple[str, str]:
    """(kind, name) of a document in a version that is read."""
    if not isinstance(doc, dict):
        wrong_shape(at, doc, "an OpenSLO document")
    version = doc.get("apiVersion")
    if version not in VERSIONS:
        wrong_version(f"{at} apiVersion", version, " or ".join(VERSIONS))
    kind = word(doc.get("kind"))
    if kind not in _KINDS:
        faults.append(example(f"unknown kind {kind or 'nothing'}", at))
    metadata = mapping(doc.get("metadata"), f"{at} metadata")
    name = word(metadata.get("name"))
    if not name:
        faults.append(example(f"a {kind} without a name", at))
    elif (kind, name) in names:
        faults.append(example(f"{kind} {name} is there twice", at))
    elif not _LABEL.match(name):
        faults.append(example(f"{kind} {name} is no name as RFC 1123 has it", at))
    names.add((kind, name))
    faults += [example(f"unknown field {k}", at) for k in doc if k not in _TOP]
    faults += [example(f"unknown field metadata.{k}", at) for k in metadata if k not in _METADATA]
    if kind == "Service":
        faults += [example(f"unknown field spec.{k}", at) for k in mapping(doc.get("spec"), at) if k not in _SERVICE]
    return kind, name


def _slo(spec: dict[str, Any], name: str, at: str, faults: list[Counterexample], policies: dict[str, dict[str, Any]]) -> _Slo:
    objectives = spec.get("objectives")
    if not isinstance(objectives, list) or not objectives:
        faults.append(example(f"SLO {name} has no objective", at))
    for o in objectives if isinstance(objectives, list) else ():
        target = next((o[k] for k in ("target", "targetPercent") if k in o), None) if isinstance(o, dict) else None
        most = 100 if isinstance(o, dict) and "targetPercent" in o else 1
        if isinstance(target, bool) or not isinstance(target, (int, float)) or not 0 <= target <= most:
            faults.append(example(f"SLO {name} has a target of {target!r}", at))
        if isinstance(o, dict) and spec.get("budgetingMethod") == "Timeslices" and "timeSliceTarget" not in o:
            faults.append(example(f"SLO {name} counts slices of time and has no timeSliceTarget", at))
    if not any(k in spec for k in ("indicator", "indicatorRef", "sli", "sliRef")) and not any(
        isinstance(o, dict) and any(k in o for k in ("ratioMetrics", "indicator", "indicatorRef")) for o in objectives or ()
    ):
        faults.append(example(f"SLO {name} has no indicator", at))
    named = []
    for p in spec.get("alertPolicies") or ():
        if isinstance(p, str):
            named.append(p)
        elif isinstance(p, dict):  # a reference, or the policy itself
            own = word(mapping(p.get("metadata"), at).get("name"))
            named.append(word(p.get("alertPolicyRef")) or own)
            if own:
                policies[own] = mapping(p.get("spec"), at)
    return _Slo(name, word(spec.get("service")), named, at)
