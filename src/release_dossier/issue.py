"""A scoped issue: objective, what is in and out of scope, features, risks, owner. Markdown, or GitHub's issue JSON around it.

Headings are matched by their words, in any level and case. A list item under a heading is one line; under Objective the text is kept.
Scope lines bind files through what stands in backticks, globs, service names and feature names; other lines bind nothing and say so.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from release_dossier.change import Issue, Risk, Scope
from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.limits import ISSUE_BYTES_MAX
from release_dossier.paths import matches
from release_dossier.project import Settings

HEADINGS = "write `## Objective` with a sentence and `## In scope` with a list such as `- src/**`"
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?(.*\S)\s*$")
_TICKS = re.compile(r"`([^`]+)`")
_RISK = re.compile(r"^(?:(?P<id>[A-Za-z][\w-]{0,20}\d[\w-]*)\s*)?(?:\((?P<inside>[^)]*)\))?\s*[:–-]?\s*(?P<text>.*)$")
_PARTS = {
    "objective": ("objective", "goal"),
    "in_scope": ("in scope", "scope"),
    "out_of_scope": ("out of scope", "not in scope", "non-goals"),
    "features": ("affected features", "features", "affected feature"),
    "risks": ("risks", "risk", "declared risks"),
    "owner": ("owner",),
}


class ScopedIssue(msgspec.Struct, frozen=True):
    """What an issue says, in its own words."""

    issue: Issue
    objective: str
    in_scope: tuple[str, ...]
    out_of_scope: tuple[str, ...]
    features: tuple[str, ...]
    risks: tuple[Risk, ...]
    owner: str


def parse_issue(raw: bytes, at: str) -> ScopedIssue:
    """`raw` as a scoped issue.

    Raises:
        Refused: `issue.*`: too large, not text, JSON without a body, no objective, empty scope.
    """
    if len(raw) > ISSUE_BYTES_MAX:
        raise Refused("issue.too-large", at=at, found=f"{len(raw)} bytes", expected=f"at most {ISSUE_BYTES_MAX} bytes")
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return _from_github(parse_json(raw, at, ISSUE_BYTES_MAX), at)
    try:
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as e:
        raise Refused(
            "issue.encoding", at=f"{at} byte {e.start}", found=repr(raw[e.start : e.start + 8]), expected="Markdown in UTF-8"
        ) from e
    title = next((m[2] for line in text.splitlines() if (m := _HEADING.match(line))), "")
    return _from_markdown(text, Issue(title=title, source=at), "", at)


def _from_github(value: Any, at: str) -> ScopedIssue:
    """GitHub's issue object, or a webhook event that holds one (`issue`, else `pull_request`)."""
    # An issue that is a pull request says so in a `pull_request` of its own, without the text.
    thing = value if "title" in value else value.get("issue") or value.get("pull_request") or value
    body = thing.get("body")
    if not isinstance(thing, dict) or not isinstance(body, str) or not body.strip():
        raise Refused("issue.no-body", at=f"{at} body", found="nothing", expected="the issue's text")
    number = thing.get("number")
    url = thing.get("html_url")
    people = [a.get("login", "") for a in thing.get("assignees") or [] if isinstance(a, dict)]
    issue = Issue(
        title=str(thing.get("title") or ""),
        number=number if isinstance(number, int) else None,
        url=url if isinstance(url, str) else "",
        source="github",
    )
    return _from_markdown(body, issue, people[0] if people else "", at)


def _from_markdown(text: str, issue: Issue, owner: str, at: str) -> ScopedIssue:
    parts = _sections(text)
    objective = " ".join(parts.get("objective", "").split())
    if not objective:
        raise Refused(
            "issue.no-objective",
            at=at,
            found="no text under a heading Objective",
            expected="one sentence under `## Objective`",
            help=HEADINGS,
        )
    inside = _items(parts.get("in_scope", ""))
    if not inside:
        raise Refused(
            "issue.empty-scope",
            at=at,
            found="no list item under In scope",
            expected="at least one path, glob, service or feature",
            help=HEADINGS,
        )
    declared = " ".join(parts.get("owner", "").split()).lstrip("-* ")
    return ScopedIssue(
        issue=issue,
        objective=objective,
        in_scope=inside,
        out_of_scope=_items(parts.get("out_of_scope", "")),
        features=_items(parts.get("features", "")),
        risks=tuple(_risk(line, i) for i, line in enumerate(_items(parts.get("risks", "")), 1)),
        owner=(declared or owner).lstrip("@"),
    )


def _sections(text: str) -> dict[str, str]:
    """Text under each known heading; a fenced block is text, never a heading."""
    out: dict[str, list[str]] = {}
    here: str | None = None
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        m = None if fenced else _HEADING.match(line)
        if m:
            words = m[2].strip(" :*_").lower()
            here = next((part for part, names in _PARTS.items() if words in names), None)
        elif here is not None:
            out.setdefault(here, []).append(line)
    return {k: "\n".join(v) for k, v in out.items()}


def _items(text: str) -> tuple[str, ...]:
    found = (m[1].strip() for line in text.splitlines() if (m := _ITEM.match(line)))
    return tuple(t for t in found if t.lower() not in ("none", "none.", "n/a", "-"))


def _risk(line: str, number: int) -> Risk:
    """`R2 (high, @ops): text. Mitigation: …`, each part but the text optional."""
    m = _RISK.match(line)
    assert m is not None
    inside = [w.strip() for w in (m["inside"] or "").split(",") if w.strip()]
    severity = next((w.lower() for w in inside if w.lower() in ("low", "medium", "high")), "unknown")
    owner = next((w for w in inside if w.startswith("@")), "")
    text, _, mitigation = m["text"].partition("Mitigation:")
    return Risk(id=m["id"] or f"R{number}", text=text.strip() or line, severity=severity, owner=owner, mitigation=mitigation.strip())


def globs_of(line: str, settings: Settings) -> tuple[str, ...]:
    """The globs one scope line binds: backticked or bare paths and globs, a service's or feature's paths; none for plain words."""
    out: list[str] = []
    ticked = _TICKS.findall(line)
    for word in ticked or [line]:
        word = word.strip()
        service = settings.service_named(word) or (settings.service_named(word.removesuffix(" service")))
        feature = next((f for f in settings.feature if f.name.lower() == word.lower()), None)
        if service is not None:
            out.extend(service.paths)
        elif feature is not None:
            out.extend(feature.paths)
        elif (word and ticked) or (" " not in word and ("/" in word or "*" in word or "." in word)):
            out.append(word)
    return tuple(out)


def bind_scope(issue: ScopedIssue, settings: Settings, files: tuple[str, ...]) -> Scope:
    """Which changed files the issue's lines put inside, outside, or nowhere. A path named both ways is outside."""
    inside = [g for line in (*issue.in_scope, *issue.features) for g in globs_of(line, settings)]
    outside = [g for line in issue.out_of_scope for g in globs_of(line, settings)]
    lines = (*issue.in_scope, *issue.out_of_scope, *issue.features)
    unmapped = tuple(line for line in lines if not globs_of(line, settings))
    out = tuple(f for f in files if matches(f, outside))
    into = tuple(f for f in files if f not in out and matches(f, inside))
    rest = tuple(f for f in files if f not in out and f not in into)
    verdict = "fail" if out else "inconclusive" if rest or not files else "pass"
    return Scope(verdict=verdict, inside=into, outside=out, unbound=rest, unmapped=unmapped)
