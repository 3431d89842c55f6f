"""Dredd's xunit report: which operations of an API answered as its description says, and how the others did not.

Looked at are the operations that were called, of all the report names. It is written anew at the end of a run with how many transactions
there were: where that differs from those in it, the run was cut. What the description has and the report does not name is not seen here.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import IO, Any

from release_dossier.errors import shown
from release_dossier.evidence.readers.given import Given, local, moment, whole, xml_events
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first
from release_dossier.limits import LIMITS_MAX

NAME = "dredd"
_SUITE = "Dredd Tests"
_TITLE = re.compile(r"(\S+) \((\d{3}|default)\) (\S+)")  # method, the answer that is described, path
_VERSION = re.compile(r"User-Agent: Dredd/(\d[\w.-]{0,20})")


def recognises(head: bytes) -> bool:
    """A suite under the only name Dredd gives it."""
    name, attributes = root(head)
    return name == "testsuite" and f'name="{_SUITE}"' in attributes


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every transaction.

    Raises:
        Refused: `xml.*`.
    """
    called: set[str] = set()
    named: set[str] = set()
    bad: list[Counterexample] = []
    skipped: list[str] = []
    transactions = 0
    promised: int | None = None
    observed_at = version = ""
    for event, element in xml_events(stream):
        tag = local(element.tag)
        if event == "start" and tag == "testsuite":
            promised, observed_at = whole(element.get("tests")), _utc(element.get("timestamp", ""))
        elif event == "end" and tag == "testcase":
            transactions += 1
            title = " ".join(str(element.get("name", "")).split()) or "unnamed"
            operation = _operation(title)
            named.add(operation)
            parts = {local(part.tag): part for part in element}
            texts = [str(part.text) for part in element if part.text]
            version = version or next((found[0] for found in map(_VERSION.findall, texts) if found), "")
            if "skipped" in parts:
                skipped.append(title)
            else:
                called.add(operation)
                wrong = next((parts[name] for name in ("failure", "error") if name in parts), None)
                if wrong is not None:
                    said = wrong.text or str(wrong.get("message", ""))
                    bad.append(example(f"{title}: {_message(said)}", operation))
            element.clear()
    said_all = "nothing of" if promised is None else str(promised)
    words = [] if promised == transactions else [f"it says {said_all} transactions, {transactions} are in it"]
    words += [f"{len(skipped)} transactions were skipped: {', '.join(skipped[:3])}"] if skipped else []
    verdict: Any = "fail" if bad else "missing" if not called else "inconclusive" if words else "pass"
    return Reading(
        kind="api-contract",
        format=NAME,
        verdict=verdict,
        looked_at=len(called),
        of=len(named),
        cause="" if verdict in ("pass", "fail") else "; ".join(words) or "nothing was called",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={
            "operations": Fact(len(named), "operations"),
            "cases": Fact(transactions - len(skipped), "requests"),
            "failures": Fact(len(bad), "failures"),
        },
        limits=(
            "one example a described answer; what the report does not name was not called",
            *(f"skipped: {shown(s, 200)}" for s in skipped[:LIMITS_MAX]),
        ),
        tool=NAME,
        tool_version=version,
        observed_at=observed_at or None,
    )


def _operation(title: str) -> str:
    found = _TITLE.search(title)
    return f"{found[1]} {found[3]}" if found else title


def _message(said: str) -> str:
    """What came in between `Message:` or `Error:` and the next empty line."""
    body = re.sub(r"\A\s*(?:Message|Error):\s*", "", said)
    return " ".join(body.partition("\n\n")[0].split()) or "failed"


def _utc(text: str) -> str:
    """Its clock's text, always in GMT, as RFC 3339; empty where it is none."""
    try:
        return moment(parsedate_to_datetime(text).isoformat()) or ""
    except ValueError:
        return ""
