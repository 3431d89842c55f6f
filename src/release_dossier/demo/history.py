"""`dossier demo --history`: what each of SocialPredict's 27 tags shipped, looked at after the fact.

The repository holds the captured history: every commit with its date, message, pseudonymous author and the paths it changed. What stood in
those files was not captured, so each holds a line that says so; commits therefore have other names than the real ones, which they give.

Each tag gets a retrospective dossier by the commands a user has. Criteria are today's, so none is ever allowed, and none is a baseline.
Evidence is what was captured of that very release; the rest is missing, and shown as missing.
"""

from __future__ import annotations

import json
import lzma
import subprocess
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from typing import Any

import msgspec

from release_dossier.demo.place import HISTORY, Place
from release_dossier.demo.story import Stage
from release_dossier.errors import Corrupt

# What was captured of which release, besides ledgers: evidence → (file below captures/, more words for `collect`)
_SERVICES = ("trading", "frontend")
_CAPTURED: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "v3.8.0": (
        ("tests", "go-test.ndjson", ("--exit", "0")),
        ("tests-frontend", "vitest-junit.xml", ("--observed-at", "2026-11-23T01:30:00Z")),
        ("latency", "k6-summary.json", ("--observed-at", "2026-11-23T01:40:00Z")),
    ),
    "v3.8.1": (
        ("tests", "go-test.ndjson", ("--exit", "0")),
        ("tests-postgres", "go-test-postgres.ndjson", ("--exit", "1")),
        ("tests-frontend", "vitest-junit.xml", ("--observed-at", "2026-11-23T01:30:00Z")),
        ("latency", "k6-summary.json", ("--observed-at", "2026-11-23T01:40:00Z")),
        ("replay-protection", "scenarios.json", ("--observed-at", "2026-11-23T01:23:00Z")),
        ("alert-coverage", "alertmanager-webhook.ndjson", ()),
    ),
}


class Looked(msgspec.Struct, frozen=True):
    """One tag as it was judged: its dossier and decision, what evidence there was, and how many requirements have which state."""

    tag: str
    dossier: str
    decision: str
    outcome: str
    evidence: tuple[str, ...]
    states: dict[str, int]


def captured_tags() -> list[dict[str, Any]]:
    """The 27 tags, oldest first."""
    raw = (resources.files("release_dossier.demo") / "data" / HISTORY / "tags.ndjson").read_text("utf-8")
    return [json.loads(line) for line in raw.splitlines()]


def captured_commits() -> list[dict[str, Any]]:
    """The commits those tags reach, parents first."""
    raw = (resources.files("release_dossier.demo") / "data" / HISTORY / "commits.ndjson.xz").read_bytes()
    found = {c["commit"]: c for c in map(json.loads, lzma.decompress(raw).splitlines())}
    out: dict[str, dict[str, Any]] = {}
    stack = [(name, False) for name in found]
    while stack:
        name, parents_done = stack.pop()
        if name in out:
            continue
        if parents_done:
            out[name] = found[name]
        else:
            stack += [(name, True), *((p, False) for p in found[name]["parents"])]
    return list(out.values())


def write_history(place: Place) -> None:
    """The captured history into the place's empty repository: commits, tags as they were (annotated or not), and main at the newest tag."""
    commits, tags = captured_commits(), captured_tags()
    marks = {c["commit"]: i for i, c in enumerate(commits, 1)}
    feed = b"".join((*(_commit(c, marks) for c in commits), *(_tag(t, marks) for t in tags)))
    feed += f"reset refs/heads/main\nfrom :{marks[tags[-1]['commit']]}\n\n".encode()
    command = ["git", "fast-import", "--quiet", "--date-format=raw"]
    done = subprocess.run(command, cwd=place.repo, env=dict(place.env), input=feed, capture_output=True)
    if done.returncode:
        raise Corrupt("demo.history", at="git fast-import", found=done.stderr.decode("utf-8", "replace"), expected="the captured history")
    place.git("reset", "-q", "--hard", "main")


def _commit(c: dict[str, Any], marks: dict[str, int]) -> bytes:
    who = f"{c['author']} <{c['author']}@example.invalid>"
    message = f"{c['subject']}\n\nStands for {c['commit']} of openpredictionmarkets/socialpredict."
    lines = [
        "commit refs/heads/imported",
        f"mark :{marks[c['commit']]}",
        f"author {who} {_raw(c['authorDate'])}",
        f"committer {c['committer']} <{c['committer']}@example.invalid> {_raw(c['committerDate'])}",
        *_data(message),
        *(f"{'merge' if i else 'from'} :{marks[p]}" for i, p in enumerate(c["parents"])),
    ]
    for f in c["files"]:
        text = f"{f['path']} as {c['commit'][:12]} left it: +{f['added']} -{f['deleted']} lines. What stood in it was not captured.\n"
        lines += [f"M 100644 inline {json.dumps(f['path'], ensure_ascii=False)}", *_data(text)]
    return ("\n".join(lines) + "\n\n").encode()


def _tag(t: dict[str, Any], marks: dict[str, int]) -> bytes:
    at = f"from :{marks[t['commit']]}"
    if t["type"] == "lightweight":
        return f"reset refs/tags/{t['tag']}\n{at}\n\n".encode()
    who = t["tagger"] or "unknown"
    lines = [f"tag {t['tag']}", at, f"tagger {who} <{who}@example.invalid> {_raw(t['creatorDate'])}", *_data(t["subject"])]
    return ("\n".join(lines) + "\n").encode()


def _data(text: str) -> tuple[str, str]:
    return f"data {len(text.encode())}", text


def _raw(stamp: str) -> str:
    t = datetime.fromisoformat(stamp)
    return f"{int(t.timestamp())} {t.strftime('%z')}"


def look_back(s: Stage) -> Iterator[Looked]:
    """Open, bring what was captured, assemble and decide, tag after tag."""
    for t in captured_tags():
        tag, version = t["tag"], t["tag"].removeprefix("v")
        since = ("--base", t["previousTag"]) if t["previousTag"] else ()
        services = [w for name in _SERVICES for w in ("--service", f"{name}={version}")]
        s.dossier("open", "--retrospective", tag, *since, "--owner", "ann", *services)
        change = ("--change", f"refs/tags/{tag}")
        brought = []
        if (s.place.captures / tag / "ledger.sqlite").exists():
            s.bring("ledger-invariants payouts", f"{tag}/ledger.sqlite", version, *change)
            brought += ["ledger-invariants", "payouts"]
        for name, file, words in _CAPTURED.get(tag, ()):
            s.bring(name, f"{tag}/{file}", version, *change, *words)
            brought.append(name)
        dossier = str(s.dossier("assemble", *change)["dossier"]["digest"])
        decision = s.dossier("gate", dossier)["decision"]
        states: dict[str, int] = {}
        for r in decision["requirements"]:
            states[r["state"]] = states.get(r["state"], 0) + 1
        if decision["outcome"] != "DENY":
            raise Corrupt("demo.other-outcome", at=tag, found=decision["outcome"], expected="DENY: the criteria came later")
        yield Looked(tag, dossier, str(decision["digest"]), str(decision["outcome"]), tuple(brought), states)
