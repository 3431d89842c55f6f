"""Reviews of a pull request, checks of its head, and who owns the files: what stands, and what only looks as if it did.

1. Of each reviewer the latest decision counts; a comment is none, and a dismissed one no more.
2. An approval counts only of the commit that is released: what came after it nobody looked at.
3. Nobody approves his own change.
4. A check that did not end is not one that passed; one that was skipped did not look.
5. Of CODEOWNERS the last line that matches a file decides, as GitHub has it; a file without a line has no owner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence.reading import Coverage, Fact, Reading, example, first

if TYPE_CHECKING:
    from release_dossier.evidence.readers.given import Given  # its package reads with this module

PASSED = frozenset(["success", "neutral"])
FAILED = frozenset(["failure", "timed_out", "action_required", "startup_failure", "error", "stale"])
NOT_LOOKED = frozenset(["skipped", "cancelled"])


class Review(msgspec.Struct, frozen=True):
    """One review: `state` in GitHub's words, upper case; `commit` it was of, empty where the source does not say."""

    by: str
    state: str
    commit: str
    at: str


class Check(msgspec.Struct, frozen=True):
    """One check run or status: `conclusion` in GitHub's words, lower case, empty while it runs."""

    name: str
    conclusion: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What the source says of a pull request. None where it does not speak of that part."""

    author: str = ""
    head: str = ""
    reviews: tuple[Review, ...] | None = None
    checks: tuple[Check, ...] | None = None
    files: tuple[str, ...] = ()
    unread: int = 0


def standing(reviews: Sequence[Review], author: str) -> dict[str, Review]:
    """The decision of each reviewer that stands (rules 1 and 3)."""
    out: dict[str, Review] = {}
    for r in sorted(reviews, key=lambda r: r.at):
        if r.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED") and r.by and r.by != author:
            out[r.by] = r
    return {by: r for by, r in out.items() if r.state != "DISMISSED"}


def owners(codeowners: str) -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    """Patterns and owners in the order of the file."""
    out = []
    for line in codeowners.splitlines()[:10_000]:
        words = line.split("#")[0].split()
        if words and not words[0].startswith("["):
            out.append((_pattern(words[0]), tuple(w for w in words[1:] if "@" in w)))
    return out


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    """As .gitignore has it: a slash inside anchors at the root, `*` stays within a folder, `**` does not."""
    anchored = "/" in glob.rstrip("/")
    body = glob.strip("/")
    parts = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", body)
    words = {"**/": "(?:[^/]+/)*", "/**": "/.+", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(words.get(p, re.escape(p)) for p in parts)
    tail = "/.+" if glob.endswith("/") else "" if body.endswith("*") else "(?:/.+)?"
    return re.compile(("" if anchored else "(?:.*/)?") + text + tail + r"\Z")


def owners_of(file: str, rules: Sequence[tuple[re.Pattern[str], tuple[str, ...]]]) -> tuple[str, ...]:
    """Who owns a file (rule 5)."""
    return next((who for pattern, who in reversed(rules) if pattern.match(file)), ())


def reading(format_: str, change: Change, given: Given, **more: Any) -> Reading:
    """What the change's reviews and checks prove. Expectations: `approvals` (how many, 1), `checks` (names that must have passed),
    `codeowners` (that file's text); `commit` that is released comes with what was asked."""
    commit = str(given.asked.get("commit", "")) or change.head
    wanted = given.declared("checks")
    approvers = given.expectations.get("approvals", "1")
    if not (approvers.isascii() and approvers.isdecimal() and len(approvers) < 4):
        raise Refused("evidence.shape", at="expectations.approvals", found=approvers, expected="a whole number of people")
    need = int(approvers)
    stands = standing(change.reviews or (), change.author)
    approvals = [r for r in stands.values() if r.state == "APPROVED"]
    stale = [r for r in approvals if commit and r.commit and r.commit != commit]
    good = [r for r in approvals if r not in stale]
    against = [r for r in stands.values() if r.state == "CHANGES_REQUESTED"]
    checks = change.checks or ()
    failed = [c for c in checks if c.conclusion in FAILED]
    open_ = [c for c in checks if c.conclusion not in FAILED | PASSED | NOT_LOOKED]
    skipped = [c for c in checks if c.conclusion in NOT_LOOKED]
    passed = {c.name for c in checks if c.conclusion in PASSED} - {c.name for c in (*failed, *open_)}
    bad = [example(f"{r.by} asked for changes", r.by, by=r.by) for r in against]
    bad += [example(f"check {c.name}: {c.conclusion}", c.name) for c in failed]
    words = [] if commit or not approvals else ["which commit is released did not come with it"]
    if change.reviews is not None and len(good) < need:
        words.append(f"{len(good)} of {need} approvals" + (f"; {len(stale)} are of an earlier commit" if stale else ""))
    gone = [n for n in wanted if n not in passed and not any(c.name == n for c in failed)]
    words += [f"checks that did not pass: {', '.join(gone)}"] if gone else []
    words += [f"{len(open_)} checks did not end: {open_[0].name}"] if open_ else []
    words += [f"{change.unread} entries could not be read"] if change.unread else []
    facts, unowned = _owned(change, given, good)
    words += [f"no owner approved {unowned[0]}" + (f" and {len(unowned) - 1} more files" if len(unowned) > 1 else "")] if unowned else []
    nothing = not (change.reviews or checks)
    verdict: Any = "fail" if bad else "missing" if nothing else "inconclusive" if words else "pass"
    coverage = _coverage(change, good, need, checks, passed, open_, skipped, failed)
    worst = min(coverage, key=lambda c: c.looked_at / c.of if c.of else 0.0, default=Coverage("reviews", 0, 0))
    return Reading(
        kind="review",
        format=format_,
        verdict=verdict,
        looked_at=worst.looked_at,
        of=worst.of,
        cause=""
        if verdict in ("pass", "fail")
        else "nobody reviewed it and nothing checked it"
        if verdict == "missing"
        else "; ".join(words),
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={
            "reviews": Fact(len(change.reviews or ()), "reviews"),
            "approvals": Fact(len(good), "reviews"),
            "approvals_stale": Fact(len(stale), "reviews"),
            "changes_requested": Fact(len(against), "reviews"),
            "checks": Fact(len(checks), "checks"),
            "checks_passed": Fact(len(passed), "checks"),
            "checks_failed": Fact(len(failed), "checks"),
            "checks_open": Fact(len(open_), "checks"),
            "checks_skipped": Fact(len(skipped), "checks"),
        }
        | facts,
        coverage=coverage,
        limits=(*(f"skipped: {c.name} {c.conclusion}" for c in skipped[:10]), *more.pop("limits", ())),
        tool="github",
        **more,
    )


def _coverage(
    change: Change,
    good: list[Review],
    need: int,
    checks: Sequence[Check],
    passed: set[str],
    open_: list[Check],
    skipped: list[Check],
    failed: list[Check],
) -> tuple[Coverage, ...]:
    out = [Coverage("reviews", min(len(good), need), need)] if change.reviews is not None else []
    if change.checks is not None and checks:
        names = {c.name for c in checks}
        left = {c.name for c in (*open_, *skipped)} - passed - {c.name for c in failed}
        out.append(Coverage("checks", len(names) - len(left), len(names)))
    return tuple(out)


def _owned(change: Change, given: Given, good: list[Review]) -> tuple[dict[str, Fact], list[str]]:
    """Files whose owners approved. A team cannot be looked into here: a file only teams own counts as approved by any approval."""
    text = given.expectations.get("codeowners", "")
    if not text or not change.files:
        return {}, []
    rules = owners(text)
    who = {f"@{r.by}".lower() for r in good}
    unowned, orphans = [], 0
    for file in change.files:
        named = owners_of(file, rules)
        orphans += not named
        people = {n.lower() for n in named if "/" not in n}
        if named and not (people & who) and not (good and len(people) < len(named)):
            unowned.append(file)
    facts = {
        "files": Fact(len(change.files), "files"),
        "files_without_owner": Fact(orphans, "files"),
        "files_unapproved": Fact(len(unowned), "files"),
    }
    return facts, unowned
