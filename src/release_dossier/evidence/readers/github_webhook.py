"""One delivery of GitHub's webhook: repository, actor, action and the commit it is about. It says what happened once, so it never passes;
a check or run that failed, or changes that were asked for, fail."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence import github_event
from release_dossier.evidence.readers.given import Given, mapping, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example
from release_dossier.evidence.review import FAILED

NAME = "github-webhook"
_ENDED = ("check_run", "check_suite", "workflow_run", "workflow_job")


def recognises(head: bytes) -> bool:
    """Somebody did something: a sender, and a repository, an organisation or an action. The sender may stand behind what was read."""
    keys = outline(head)
    if keys.get("") != "{":
        return False
    if "sender.login" in keys or ("action" in keys and "security_advisory" in keys):
        return True
    subjects = {"pull_request", "check_run", "check_suite", "workflow_run", "workflow_job", "repository", "issue"}
    return ("action" in keys or "ref" in keys) and bool(subjects & keys.keys()) and b'"https://api.github.com/' in head


def read(stream: IO[bytes], given: Given) -> Reading:
    """What the delivery says.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    payload = mapping(whole_json(stream), "file")
    e = github_event.event(payload)
    bad = _wrong(e.name, payload)
    texts = {"event": e.name, "action": e.action, "repository": e.repository, "actor": e.actor, "head": e.head}
    commit = str(given.asked.get("commit", ""))
    other = bool(commit and e.head and e.head != commit)
    return Reading(
        kind="review",
        format=NAME,
        verdict="fail" if bad and not other else "inconclusive",
        looked_at=1,
        of=None,
        cause="" if bad and not other else f"it is about {e.head}, not {commit}" if other else "one delivery says what happened once",
        counterexamples=tuple(bad),
        counterexamples_total=len(bad),
        facts={k: Fact(v, "words") for k, v in texts.items() if v} | {"deliveries": Fact(1, "deliveries")},
        tool="github",
        observed_at=e.at if len(e.at) == 20 and e.at.endswith("Z") else None,
    )


def _wrong(name: str, payload: dict[str, Any]) -> list[Any]:
    each = payload.get(name)
    if name in _ENDED and isinstance(each, dict) and word(each.get("conclusion")) in FAILED:
        return [example(f"{name} {word(each.get('name'))}: {each['conclusion']}".replace("  ", " "), word(each.get("html_url")))]
    review = payload.get("review")
    if name == "pull_request_review" and isinstance(review, dict) and word(review.get("state")).lower() == "changes_requested":
        return [example("changes were asked for", word(review.get("html_url")))]
    if name == "status" and word(payload.get("state")) in FAILED:
        return [example(f"status {word(payload.get('context'))}: {payload['state']}", word(payload.get("target_url")))]
    return []
