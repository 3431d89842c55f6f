"""A delivery of GitHub's webhook, whichever of its events: who did what, where, and to which commit. Unknown fields mean nothing.

The payload does not name its event (a header does); it is told from what it carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

# Where each event keeps the commit it is about, most telling first.
_COMMITS = (
    ("pull_request", "head", "sha"),
    ("check_run", "head_sha"),
    ("check_suite", "head_sha"),
    ("workflow_run", "head_sha"),
    ("workflow_job", "head_sha"),
    ("merge_group", "head_sha"),
    ("deployment", "sha"),
    ("comment", "commit_id"),
    ("build", "commit"),
    ("commit_oid",),
    ("sha",),
    ("after",),
)
_ZERO = "0" * 40  # `after` of a deleted branch
# What an event is called, by a key only it has. In this order: a review carries a pull request, a comment an issue.
_NAMES = (
    ("deployment_status", "deployment_status"),
    ("deployment", "deployment"),
    ("check_run", "check_run"),
    ("check_suite", "check_suite"),
    ("workflow_job", "workflow_job"),
    ("workflow_run", "workflow_run"),
    ("review", "pull_request_review"),
    ("thread", "pull_request_review_thread"),
    ("merge_group", "merge_group"),
    ("release", "release"),
    ("alert", "alert"),
    ("discussion", "discussion"),
    ("security_advisory", "security_advisory"),
    ("commits", "push"),
    ("pages", "gollum"),
    ("inputs", "workflow_dispatch"),
    ("client_payload", "repository_dispatch"),
    ("build", "page_build"),
    ("forkee", "fork"),
    ("zen", "ping"),
)


class Event(msgspec.Struct, frozen=True):
    """One delivery. `head` is the commit it is about, empty where it is about none (a branch that was deleted, too); `repository` is
    `owner/name`, empty where it is about an organisation; `actor` is the login of who did it, empty where GitHub itself did."""

    name: str
    action: str
    repository: str
    actor: str
    head: str
    at: str


def event(payload: Mapping[str, Any]) -> Event:
    """What a delivery says."""
    return Event(
        name=_name(payload),
        action=_word(payload.get("action")),
        repository=_word(_table(payload.get("repository")).get("full_name")),
        actor=_word(_table(payload.get("sender")).get("login")),
        head=_head(payload),
        at=_moment(payload),
    )


def _name(payload: Mapping[str, Any]) -> str:
    found = next((name for key, name in _NAMES if key in payload), "")
    if found:
        return found
    if "comment" in payload:
        return "pull_request_review_comment" if "pull_request" in payload else "issue_comment" if "issue" in payload else "commit_comment"
    if "state" in payload and "context" in payload:
        return "status"
    if "issue" in payload:
        return "issues"
    return next((k for k in ("pull_request", "label", "milestone", "member", "team", "installation") if k in payload), "other")


def _head(payload: Mapping[str, Any]) -> str:
    for path in _COMMITS:
        value: Any = payload
        for step in path:
            value = _table(value).get(step)
        if isinstance(value, str) and value and value != _ZERO:
            return value
    return ""


def _moment(payload: Mapping[str, Any]) -> str:
    for key in ("pull_request", "check_run", "check_suite", "workflow_run", "workflow_job", "review", "release", "deployment", "issue"):
        each = _table(payload.get(key))
        for name in ("updated_at", "completed_at", "submitted_at", "published_at", "created_at"):
            if _word(each.get(name)):
                return _word(each.get(name))
    return ""


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
