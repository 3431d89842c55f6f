"""JMeter's results as XML (JTL): samples, some inside of others. A transaction's parts count, not the transaction; what a request loads by
itself (redirects, images) is part of it and does not."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, local, whole, xml_events
from release_dossier.evidence.readers.jmeter import TRANSACTION, Tally
from release_dossier.evidence.readers.sniff import root
from release_dossier.evidence.reading import Reading

NAME = "jmeter-xml"
_SAMPLES = ("httpSample", "sample")


def recognises(head: bytes) -> bool:
    """Its root."""
    return root(head)[0] == "testResults"


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every sample.

    Raises:
        Refused: `xml.*`.
    """
    tally = Tally()
    broken: list[str] = []
    inside: list[bool] = []  # of each open sample, whether it is a transaction
    for event, element in xml_events(stream):
        if local(element.tag) not in _SAMPLES:
            continue
        if event == "start":
            inside.append((element.get("rm") or "").startswith(TRANSACTION))
            continue
        transaction = inside.pop()
        if transaction:
            tally.transactions += 1
        elif all(inside):
            _sample(element, tally, broken)
        element.clear()
    run = tally.run()
    run.broken = broken
    return load.reading(NAME, run, given)


def _sample(element: Any, tally: Tally, broken: list[str]) -> None:
    elapsed, good = whole(element.get("t")), (element.get("s") or "").lower()
    label = element.get("lb") or ""
    failed = [
        a
        for a in element
        if local(a.tag) == "assertionResult" and any((c.text or "").strip() == "true" for c in a if local(c.tag) in ("failure", "error"))
    ]
    if elapsed is None or good not in ("true", "false"):
        broken.append(f"sample {tally.times.count + len(broken) + 1} {label}: t={element.get('t')!r} s={element.get('s')!r}")
        return
    what = f"{element.get('rc') or ''} {element.get('rm') or ''}".strip()
    tally.sample(whole(element.get("ts")), elapsed, good == "true" and not failed, label, "an assertion failed" if failed else what)
