"""Incidents as JSON: a list, or `{"incidents": […]}`, with the names most trackers use for the same things; or GitHub's issues, where a
label says that they are incidents (`label` among the expectations, else `incident` or `postmortem`)."""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.evidence import incidents
from release_dossier.evidence.incidents import Incident
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "incidents"
_BEGAN = ("started_at", "startedAt", "began_at", "start", "start_time", "impact_started_at", "created_at", "createdAt", "began")
_ENDED = ("resolved_at", "resolvedAt", "ended_at", "endedAt", "end", "end_time", "impact_ended_at", "closed_at", "closedAt", "ended")
_BY = ("detected_by", "detectedBy", "alert", "alertname", "detection")
_SEVERITY = ("severity", "priority", "impact", "urgency")
_STATE = ("status", "state")
_TASK = re.compile(r"^\s*[-*] \[([ xX])\] ", re.MULTILINE)
_SERVICE = re.compile(r"(?:service|component|area)[:/ ]\s*(\S+)", re.IGNORECASE)


def recognises(head: bytes) -> bool:
    """Incidents by that name, or issues with labels."""
    keys = outline(head)
    if "incidents" in keys:
        return "incidents[]" in keys or keys["incidents"] == "["
    if keys.get("") != "[":
        return False
    return ("[].labels" in keys and ("[].number" in keys) and "[].title" in keys) or (
        any(f"[].{k}" in keys for k in ("severity", "detected_by", "postmortem")) and any(f"[].{k}" in keys for k in _BEGAN)
    )


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every incident.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    value = whole_json(stream)
    every = objects(mapping(value, "file").get("incidents") if isinstance(value, dict) else value, "incidents")
    label = given.expectations.get("label", "")
    issues = bool(every) and "labels" in every[0] and "number" in every[0]
    found = []
    for i, each in enumerate(every):
        if issues:
            names = [word(x.get("name")) if isinstance(x, dict) else word(x) for x in each.get("labels") or ()]
            if "pull_request" not in each and any(n == label if label else re.search("incident|post-?mortem", n, re.I) for n in names):
                found.append(_issue(each, names))
        else:
            found.append(_record(each, f"incidents[{i}]"))
    return incidents.reading(NAME, found, given, tool="github" if issues else "")


def _first(each: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = each.get(name)
        if isinstance(value, dict):
            value = value.get("name") or value.get("summary")
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def _record(each: dict[str, Any], at: str) -> Incident:
    actions = each.get("actions", each.get("action_items"))
    listed = [a for a in actions if isinstance(a, dict)] if isinstance(actions, list) else []
    done = sum(a.get("done") is True or word(a.get("status")).lower() in ("done", "closed", "completed") for a in listed)
    return Incident(
        name=_first(each, ("title", "name", "id", "number")) or at,
        at=_first(each, ("id", "number", "url")) or at,
        service=_first(each, ("service", "component")),
        severity=_first(each, _SEVERITY),
        state=_first(each, _STATE),
        began=_first(each, _BEGAN),
        ended=_first(each, _ENDED),
        detected_by=_first(each, _BY),
        actions=len(listed),
        actions_open=len(listed) - done,
    )


def _issue(each: dict[str, Any], labels: list[str]) -> Incident:
    """An issue: tasks in its text are its actions, a label or a line names the service."""
    body = word(each.get("body"))
    tasks = _TASK.findall(body)
    service = next((m[1] for n in labels if (m := _SERVICE.match(n))), "")
    by = re.search(r"^\s*(?:\*\*)?(?:detected by|alert)(?:\*\*)?:\s*(\S.*)$", body, re.IGNORECASE | re.MULTILINE)
    return Incident(
        name=f"#{each.get('number')} {word(each.get('title'))}",
        at=word(each.get("html_url")) or word(each.get("url")) or f"#{each.get('number')}",
        service=service,
        severity=next((n for n in labels if n.lower() in incidents.SEVERE or n.lower().startswith("sev")), ""),
        state=word(each.get("state")).lower(),
        began=_first(each, ("created_at", "createdAt")),
        ended=_first(each, ("closed_at", "closedAt")),
        detected_by=by[1].strip() if by else "",
        actions=len(tasks),
        actions_open=sum(t == " " for t in tasks),
    )
