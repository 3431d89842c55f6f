"""Pyrra's ServiceLevelObjective resources: objectives, and the burn-rate alert it makes of each, `ErrorBudgetBurn` unless named."""

from __future__ import annotations

import re
from typing import IO

from release_dossier.errors import Refused
from release_dossier.evidence import alerting, promql
from release_dossier.evidence.alerting import Alert
from release_dossier.evidence.readers.given import Given, mapping, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.sniff import top
from release_dossier.evidence.readers.yaml_tree import documents
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example

NAME = "pyrra"
_VERSION = "pyrra.dev/v1alpha1"
_INDICATORS = ("ratio", "latency", "latencyNative", "latency_native", "bool_gauge", "boolGauge")
_WINDOW = re.compile(r"(?:\d+[smhdwy])+\Z")


def recognises(head: bytes) -> bool:
    """Pyrra's resource."""
    keys = top(head)
    return keys.get("apiVersion", "").startswith("pyrra.dev/") and keys.get("kind") == "ServiceLevelObjective"


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every objective.

    Raises:
        Refused: `yaml.*`, `evidence.shape`, `evidence.version`.
    """
    alerts: list[Alert] = []
    faults: list[Counterexample] = []
    every = documents(stream)
    for i, doc in enumerate(every):
        at = f"document {i + 1}"
        if not isinstance(doc, dict):
            wrong_shape(at, doc, "a ServiceLevelObjective")
        if doc.get("apiVersion") != _VERSION:
            wrong_version(f"{at} apiVersion", doc.get("apiVersion"), _VERSION)
        metadata, spec = mapping(doc.get("metadata"), f"{at} metadata"), mapping(doc.get("spec"), f"{at} spec")
        name = word(metadata.get("name"))
        at = name or at
        try:
            target = float(spec.get("target"))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            target = -1.0
        if not 0 <= target <= 100:
            faults.append(example(f"{name} has a target of {spec.get('target')!r}", at))
        if not _WINDOW.match(str(spec.get("window", ""))):
            faults.append(example(f"{name} has a window of {spec.get('window')!r}", at))
        indicator = mapping(spec.get("indicator"), f"{at} indicator")
        kinds = [k for k in _INDICATORS if k in indicator]
        if len(kinds) != 1:
            faults.append(example(f"{name} has {len(kinds)} indicators", at))
        for kind in kinds:
            for part, each in mapping(indicator[kind], f"{at} {kind}").items():
                query = word(each.get("metric")) if isinstance(each, dict) else ""
                if query:
                    try:
                        promql.parse(query, f"{at} {kind}.{part}")
                    except Refused as e:
                        faults.append(example(f"{e.at}: {e.found}", at))
        labels = {k.removeprefix("pyrra.dev/"): str(v) for k, v in mapping(metadata.get("labels"), f"{at} labels").items()}
        settings = mapping(spec.get("alerting"), f"{at} alerting")
        if settings.get("burnrates") is not False and settings.get("disabled") is not True:
            alerts.append(Alert(name=word(settings.get("name")) or "ErrorBudgetBurn", at=at, labels=labels | {"slo": name}))
    return alerting.reading(
        NAME,
        alerts,
        given,
        faults=faults,
        facts={"slos": Fact(len(every), "objectives")},
        limits=("what Pyrra would make of it; whether a Prometheus has these rules is not said",),
        tool="pyrra",
    )
