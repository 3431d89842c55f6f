"""Prometheus rule files, plain or as PrometheusRule of the operator: every rule, every fault, and what the alerts watch.

What Prometheus itself would refuse is a fault: PromQL that does not parse, an unknown field, a rule that records and alerts, a group twice,
a template that does not stand. A rule file alone never passes: that its alerts fire is for a drill or a history to show.
"""

from __future__ import annotations

import re
from typing import IO, Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence import alerting
from release_dossier.evidence.alerting import Alert
from release_dossier.evidence.readers.given import Given, wrong_shape
from release_dossier.evidence.readers.sniff import top
from release_dossier.evidence.readers.yaml_tree import Table, documents
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example

NAME = "prometheus-rules"
_GROUP = {"name", "interval", "query_offset", "limit", "labels", "rules", "partial_response_strategy"}
_RULE = {"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
_DURATION = re.compile(r"(?=.)(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?\Z")
_LEGACY = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_ACTION = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
_TEMPLATE_CHARS_MAX = 10_000  # characters of one annotation; people write some hundred
_OPENS, _KNOWN = ("if", "range", "with", "define", "block"), frozenset(["labels", "value", "externalLabels", "externalURL"])


class Rules:
    """What was found in files of rules so far."""

    def __init__(self, legacy: bool) -> None:
        self.legacy = legacy
        self.rules = self.records = self.groups = 0
        self.alerts: list[Alert] = []
        self.recorded: set[str] = set()
        self.faults: list[Counterexample] = []
        self.strange: list[str] = []
        self.seen: set[str] = set()
        self.twins = 0


def recognises(head: bytes) -> bool:
    """`groups` on top, or a PrometheusRule."""
    keys = top(head)
    if keys.get("apiVersion", "").startswith("monitoring.coreos.com/"):
        return keys.get("kind") in ("PrometheusRule", "PrometheusRuleList")
    return "groups" in keys and not {"openapi", "status", "apiVersion", "route"} & keys.keys()


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every rule of every group of every document.

    Raises:
        Refused: `yaml.*`, `evidence.shape`.
    """
    file = Rules(given.expectations.get("name_validation") == "legacy")
    unread = collect(file, stream)
    twins = (f"{file.twins} rules are there twice",) if file.twins else ()
    return alerting.reading(
        NAME,
        file.alerts,
        given,
        rules=file.rules,
        recorded=frozenset(file.recorded),
        faults=file.faults,
        unread=unread,
        facts={"recording_rules": Fact(file.records, "rules"), "groups": Fact(file.groups, "groups")},
        limits=twins,
        tool="prometheus",
    )


def collect(file: Rules, stream: IO[bytes]) -> list[str]:
    """Enter every rule of a stream into `file`; what of it could not be looked at.

    Raises:
        Refused: `yaml.*`, `evidence.shape`.
    """
    late, strange = 0, len(file.strange)
    for i, document in enumerate(documents(stream)):
        before = file.rules
        for groups, at in _groups(document):
            _read_groups(file, groups, at)
        late += file.rules - before if i and "apiVersion" not in document else 0
    unread = [f"{late} rules stand behind the first document, where Prometheus does not look"] if late else []
    new = file.strange[strange:]
    return unread + ([f"{len(new)} rules are in a dialect of PromQL that is not read here: {new[0]}"] if new else [])


def _groups(document: Any) -> list[tuple[Any, str]]:
    """(groups, where) of a document: a file of its own, one resource, or a list of them."""
    if not isinstance(document, dict):
        wrong_shape("file", document, "groups of rules")
    if "apiVersion" not in document:
        return [(document, "groups")]
    items = document.get("items") if "items" in document else [document]
    if not isinstance(items, list):
        wrong_shape("items", items, "a list of PrometheusRule")
    out = []
    for i, item in enumerate(items):
        spec = item.get("spec") if isinstance(item, dict) else None
        if not isinstance(spec, dict):
            wrong_shape(f"items[{i}].spec", spec, "an object with groups")
        out.append((Table(groups=spec.get("groups")), f"spec of {_name(item)}"))
    return out


def _name(item: dict[str, Any]) -> str:
    metadata = item.get("metadata")
    return str(metadata.get("name", "?")) if isinstance(metadata, dict) else "?"


def _read_groups(file: Rules, holder: Any, at: str) -> None:
    groups = holder.get("groups")
    file.faults += [example(f"unknown field {k}", at) for k in holder if k not in ("groups", "namespace")]
    if groups is None:
        return
    if not isinstance(groups, list):
        wrong_shape(at, groups, "a list of groups")
    names: set[str] = set()
    for i, group in enumerate(groups):
        if not isinstance(group, dict):
            wrong_shape(f"{at}[{i}]", group, "a group of rules")
        file.groups += 1
        name = str(group.get("name") or "")
        where = f"group {name}" if name else f"{at}[{i}]"
        if not name:
            file.faults.append(example("a group without a name", where))
        elif name in names:
            file.faults.append(example(f"group {name} is there twice", where))
        names.add(name)
        file.faults += [example(f"unknown field {k}", where) for k in group if k not in _GROUP]
        if "interval" in group:
            _duration(file, group["interval"], f"{where} interval")
        rules = group.get("rules")
        if rules is not None and not isinstance(rules, list):
            wrong_shape(f"{where} rules", rules, "a list of rules")
        for j, rule in enumerate(rules or ()):
            place = f"{where}[{j}]" + (f" line {rule.line}" if isinstance(rule, Table) and rule.line else "")
            if not isinstance(rule, dict):
                file.faults.append(example("not a rule", place))
            else:
                _read_rule(file, rule, place)


def _read_rule(file: Rules, rule: dict[str, Any], at: str) -> None:
    """One rule, as rulefmt of Prometheus judges it."""
    file.rules += 1
    record, alert, expr = rule.get("record"), rule.get("alert"), rule.get("expr")
    before = len(file.faults)
    file.faults += [example(f"unknown field {k}", at) for k in rule if k not in _RULE]
    if record and alert:
        file.faults.append(example("a rule records or alerts, not both", at))
    if not record and not alert:
        file.faults.append(example("a rule without record or alert", at))
    text = "" if expr is None else str(expr)
    if not text.strip():
        file.faults.append(example(f"{alert or record} has no expression", at))
    if record:
        file.records += 1
        file.recorded.add(str(record))
        _recording(file, rule, str(record), at)
    labels, annotations = _texts(file, rule, "labels", at), _texts(file, rule, "annotations", at)
    for label in labels:
        if label == "__name__" or not label or (file.legacy and not _LEGACY.match(label)):
            file.faults.append(example(f"{label!r} is no name for a label", at))
    file.faults += [example(f"{n!r} is no name for an annotation", at) for n in annotations if file.legacy and not _LEGACY.match(n)]
    for key in ("for", "keep_firing_for"):
        if alert and key in rule:
            _duration(file, rule[key], f"{at} {key}")
    if alert:
        for where, each in (*labels.items(), *annotations.items()):
            fault = template_fault(each)
            file.faults += [example(f"the template of {where} does not stand: {fault}", at)] if fault else []
    same = repr((record, alert, text, sorted(labels.items())))
    file.twins += same in file.seen
    file.seen.add(same)
    _expression(file, Alert(name=str(alert or ""), at=at, labels=labels, annotations=annotations, expr=text), len(file.faults) > before)


def _expression(file: Rules, alert: Alert, faulty: bool) -> None:
    """Parse it; enter the alert, or what is wrong with it."""
    if alert.expr.strip():
        try:
            alert = alerting.judged(alert)
        except Refused as e:
            file.faults.append(example(f"{alert.name or 'the rule'}: {e.found}", alert.at))
            faulty = True
        if alert.state == "dialect":
            file.strange.append(alert.why)
    if alert.name:
        file.alerts.append(msgspec.structs.replace(alert, state="refused") if faulty else alert)


def _recording(file: Rules, rule: dict[str, Any], record: str, at: str) -> None:
    file.faults += [example(f"a recording rule has no {k}", at) for k in ("for", "keep_firing_for", "annotations") if rule.get(k)]
    if (file.legacy and not _METRIC.match(record)) or any(c in record for c in '{}"') or not record.strip():
        file.faults.append(example(f"{record!r} is no name for a series", at))


def _texts(file: Rules, rule: dict[str, Any], key: str, at: str) -> dict[str, str]:
    value = rule.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or any(isinstance(v, (dict, list)) for v in value.values()):
        file.faults.append(example(f"{key} is no mapping of texts", at))
        return {}
    return {str(k): "" if v is None else str(v) for k, v in value.items()}


def _duration(file: Rules, value: Any, at: str) -> None:
    if not (isinstance(value, str) and _DURATION.match(value)) and value != 0 and value != "0":
        file.faults.append(example(f"{value!r} is no duration", at))


def template_fault(text: str) -> str:
    """What is wrong with a template of an alert; empty when nothing is seen. Text outside `{{ }}` means nothing."""
    if len(text) > _TEMPLATE_CHARS_MAX:
        return f"{len(text)} characters"
    rest = _ACTION.sub("", text)
    if "{{" in rest:
        return "{{ without }}"
    known, depth = set(_KNOWN), 0
    for found in _ACTION.finditer(text):
        action = _STRING.sub('""', found[1]).strip()
        if action.startswith("/*"):
            continue
        if not action:
            return "an empty {{ }}"
        known |= set(re.findall(r"\$([A-Za-z_]\w*)(?:\s*,\s*\$[A-Za-z_]\w*)?\s*:=", action)) | set(
            re.findall(r",\s*\$([A-Za-z_]\w*)\s*:=", action)
        )
        unknown = next((v for v in _VARIABLE.findall(action) if v not in known), None)
        if unknown:
            return f"undefined variable ${unknown}"
        if '"' in action.replace('""', "") or action.count("(") != action.count(")"):
            return f"cannot be read: {action[:40]}"
        word = action.split()[0]
        depth += (word in _OPENS) - (word == "end")
        if depth < 0:
            return "end without a beginning"
    return "a block without its end" if depth else ""
