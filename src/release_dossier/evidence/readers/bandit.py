"""Bandit's JSON: results, files that could not be parsed, and per file how many issues of each severity there were.

Looked at: the files in `metrics`, less those in `errors`. Found: results with file and line. It ends with 0 where a folder was not there.
No proof where a file was not parsed, or where it counts an issue that it does not show: `-l`, `-i` and `-b` hide results, not figures.
"""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.evidence.readers import lint
from release_dossier.evidence.readers.given import Given, mapping, objects, whole, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "bandit"
_WORDS = {"high": "error", "undefined": "error", "medium": "warning", "low": "note"}
_VERSION = re.compile(r"https://bandit\.readthedocs\.io/en/(\d+(?:\.\d+)+)/")


def recognises(head: bytes) -> bool:
    """Its metrics beside results."""
    top = outline(head)
    return top.get("metrics") == "{" and "metrics._totals.SEVERITY.HIGH" in top and "generated_at" in top


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every result.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return lint.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> lint.Report:
    """The report. What it counts must be what it shows."""
    d = mapping(whole_json(stream), "file")
    if not isinstance(d.get("results"), list) or not isinstance(d.get("metrics"), dict) or not isinstance(d.get("errors"), list):
        wrong_shape("file", ", ".join(list(d)[:5]), "results, metrics and errors")
    out = lint.Report("bandit")
    for i, x in enumerate(objects(d["results"], "results")):
        level = lint.level(x.get("issue_severity"), _WORDS, f"results[{i}].issue_severity")
        out.found.append(
            lint.Found(level, word(x.get("test_id")), word(x.get("issue_text")), word(x.get("filename")), whole(x.get("line_number")))
        )
        named = _VERSION.match(word(x.get("more_info")))
        out.tool_version = out.tool_version or (named[1] if named else "")
    unread = {word(e.get("filename")): word(e.get("reason")) for e in objects(d["errors"], "errors")}
    out.unread = [f"{file}: {why}"[:300] for file, why in unread.items()]
    out.files = len((d["metrics"].keys() - {"_totals"}) | unread.keys())
    totals = mapping(d["metrics"].get("_totals"), "metrics._totals")
    _compare(out, totals)
    hushed = [whole(totals.get(k)) for k in ("nosec", "skipped_tests")]
    if any(hushed):
        out.limits.append(f"lines hushed by `# nosec`: {hushed[0]} whole, {hushed[1]} for some test; what was found there is in no file")
    return out


def _compare(out: lint.Report, totals: dict[str, Any]) -> None:
    """Figures beside results, by severity. More shown than counted is a broken file."""
    levels = [f.level for f in out.found]
    counted = dict.fromkeys(lint.LEVELS, 0)
    for severity, level in _WORDS.items():
        said = whole(totals.get(f"SEVERITY.{severity.upper()}"))
        if said is None:
            out.broken.append(f"metrics._totals does not count severity {severity.upper()}")
            return
        counted[level] += said
    out.hidden = {n: counted[n] - levels.count(n) for n in lint.LEVELS if counted[n] > levels.count(n)}
    out.broken += [f"it counts {counted[n]} of level {n} and shows {levels.count(n)}" for n in lint.LEVELS if counted[n] < levels.count(n)]
