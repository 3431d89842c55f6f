"""One incident or postmortem in Markdown with front matter: `service`, `severity`, `started_at`, `resolved_at`, `detected_by`; its tasks
(`- [ ]`, `- [x]`) are its actions."""

from __future__ import annotations

import io
import re
from typing import IO, Any

from release_dossier.evidence import incidents
from release_dossier.evidence.incidents import Incident
from release_dossier.evidence.readers.given import Given, wrong_shape
from release_dossier.evidence.readers.yaml_tree import documents
from release_dossier.evidence.reading import Reading
from release_dossier.limits import DOCUMENT_BYTES_MAX

NAME = "postmortem"
_FRONT = re.compile(rb"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*\r?\n", re.DOTALL)
_KEY = re.compile(rb"^(?:started_at|start|began|resolved_at|detected_by|severity|incident)\s*:", re.MULTILINE)
_SECOND = re.compile(rb"^---[ \t]*\r?\n[A-Za-z_]{1,40}:", re.MULTILINE)
_TASK = re.compile(r"^\s*[-*] \[([ xX])\] ", re.MULTILINE)


def recognises(head: bytes) -> bool:
    """Front matter with words of an incident, two of them at least."""
    front = _FRONT.match(head)
    return front is not None and len(_KEY.findall(front[1])) >= 2


def read(stream: IO[bytes], given: Given) -> Reading:
    """The incident.

    Raises:
        Refused: `yaml.*`, `evidence.shape`.
    """
    raw = stream.read(DOCUMENT_BYTES_MAX)
    front = _FRONT.match(raw)
    tables = documents(io.BytesIO(front[1])) if front else []
    if front is None or len(tables) != 1 or not isinstance(tables[0], dict):
        wrong_shape("front matter", f"{len(tables)} documents", "one mapping between two lines of ---")
    if _SECOND.search(raw, front.end()):
        wrong_shape("file", "a second front matter", "one incident a file")
    said: dict[str, Any] = tables[0]
    body = raw[front.end() :].decode("utf-8", "replace")
    tasks = _TASK.findall(body)
    title = re.search(r"^# +(.+)$", body, re.MULTILINE)

    def text(*names: str) -> str:
        return next((str(said[n]) for n in names if said.get(n) not in (None, "") and not isinstance(said[n], (dict, list))), "")

    incident = Incident(
        name=text("title", "incident", "id") or (title[1].strip() if title else "the incident"),
        at=text("id", "incident") or "front matter",
        service=text("service", "component"),
        severity=text("severity", "priority"),
        state=text("status", "state"),
        began=text("started_at", "start", "began"),
        ended=text("resolved_at", "ended_at", "end", "ended"),
        detected_by=text("detected_by", "alert"),
        actions=len(tasks),
        actions_open=sum(t == " " for t in tasks),
    )
    whole = raw.endswith((b"\n", b"\r")) and given.exit_status is not None
    return incidents.reading(
        NAME, [incident], given, unread=0, doubt="" if whole else "text can end anywhere, and its exit status did not come with it"
    )
