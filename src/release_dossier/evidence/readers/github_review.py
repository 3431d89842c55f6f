"""Reviews and checks as GitHub gives them: `gh pr view --json author,headRefOid,reviews,statusCheckRollup,files`, the list of reviews, the
list of check runs, and the combined status of a commit."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence import review
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading
from release_dossier.evidence.review import Change, Check, Review

NAME = "github-review"


def recognises(head: bytes) -> bool:
    """One of the four shapes."""
    keys = outline(head)
    if keys.get("") == "[":
        return {"[].state", "[].commit_id", "[].user.login"} <= keys.keys()
    return (
        "check_runs" in keys
        or {"statuses", "state"} <= keys.keys()
        or ("statusCheckRollup" in keys or ("reviews" in keys and ("headRefOid" in keys or "reviewDecision" in keys or "author" in keys)))
    )


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every review and check.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    value = whole_json(stream)
    if isinstance(value, list):
        change = Change(reviews=tuple(_rest_review(r) for r in objects(value, "file")))
    else:
        change = _object(mapping(value, "file"))
    return review.reading(NAME, change, given)


def _object(value: dict[str, Any]) -> Change:
    if "check_runs" in value:
        return _check_runs(value)
    if "statuses" in value:
        every = objects(value.get("statuses"), "statuses")
        checks = tuple(Check(word(s.get("context")), _state(word(s.get("state")))) for s in every)
        return Change(head=word(value.get("sha")), checks=checks)
    return _pull_request(value)


def _check_runs(value: dict[str, Any]) -> Change:
    """`total_count` says how many there are: a page of a hundred is not all of them."""
    runs = objects(value.get("check_runs"), "check_runs")
    total = value.get("total_count")
    left = total - len(runs) if isinstance(total, int) and not isinstance(total, bool) and total > len(runs) else 0
    heads = {word(r.get("head_sha")) for r in runs}
    checks = tuple(Check(word(r.get("name")), word(r.get("conclusion")).lower() if r.get("status") == "completed" else "") for r in runs)
    return Change(head=heads.pop() if len(heads) == 1 else "", checks=checks, unread=left)


def _rest_review(r: dict[str, Any]) -> Review:
    user = mapping(r.get("user"), "user")
    return Review(word(user.get("login")), word(r.get("state")).upper(), word(r.get("commit_id")), word(r.get("submitted_at")))


def _pull_request(value: dict[str, Any]) -> Change:
    """The command's own field names."""
    reviews = None
    if "reviews" in value:
        reviews = tuple(
            Review(
                word(mapping(r.get("author"), "reviews.author").get("login")),
                word(r.get("state")).upper(),
                word(mapping(r.get("commit"), "reviews.commit").get("oid")),
                word(r.get("submittedAt")),
            )
            for r in objects(value["reviews"], "reviews")
        )
    checks = None
    if "statusCheckRollup" in value:
        checks = tuple(_rollup(c) for c in objects(value["statusCheckRollup"], "statusCheckRollup"))
    files = tuple(word(f.get("path")) for f in objects(value.get("files"), "files"))
    author = word(mapping(value.get("author"), "author").get("login"))
    return Change(author=author, head=word(value.get("headRefOid")), reviews=reviews, checks=checks, files=files)


def _rollup(c: dict[str, Any]) -> Check:
    if "context" in c:
        return Check(word(c.get("context")), _state(word(c.get("state"))))
    return Check(word(c.get("name")), word(c.get("conclusion")).lower() if word(c.get("status")).upper() == "COMPLETED" else "")


def _state(state: str) -> str:
    """A status as a conclusion: `pending` and `expected` have none yet."""
    return "" if state.lower() in ("pending", "expected") else state.lower()
