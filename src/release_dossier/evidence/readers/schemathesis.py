"""schemathesis' NDJSON report: which operations of an API were tried against its description, and how they failed.

The stream ends with `EngineFinished`; without it the run was cut. Operations the description has and no scenario tried are not looked at.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, count, lines, mapping, record, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first

NAME = "schemathesis"


def recognises(head: bytes) -> bool:
    """Its first event names its version."""
    return "Initialize.schemathesis_version" in outline(head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every scenario of every phase.

    Raises:
        Refused: `evidence.shape` when no line is an event.
    """
    tried: set[str] = set()
    failed: dict[str, Counterexample] = {}
    broken = cases = errors = events = 0
    of: int | None = None
    version = stopped = ""
    for number, line in lines(stream):
        event = record(line)
        name, body = next(iter(event.items())) if event and len(event) == 1 else ("", None)
        if not isinstance(body, dict):
            broken += 1
            continue
        events += 1
        if name == "Initialize":
            version = word(body.get("schemathesis_version"))
        elif name == "LoadingFinished":
            operations = mapping(mapping(body.get("statistic"), "statistic").get("operations"), "statistic.operations")
            of = count(operations.get("selected"))
        elif name == "ScenarioFinished":
            recorder = mapping(body.get("recorder"), f"line {number} recorder")
            label = word(recorder.get("label"))
            cases += len(mapping(recorder.get("cases"), f"line {number} cases"))
            if body.get("status") != "skip" and not label.startswith("Stateful"):
                tried.add(label)
            failed |= _failures(recorder, label, number)
            if body.get("status") in ("failure", "error") and not any(key.startswith(f"{label} ") for key in failed):
                failed[f"{label} {number}"] = example(f"{label}: {body.get('status')}", f"line {number}")
        elif name in ("NonFatalError", "FatalError"):
            errors += 1
        elif name == "EngineFinished":
            stopped = word(body.get("stop_reason")) or "completed"
    if not events:
        wrong_shape("file", f"{broken} lines that are no event", "a report of schemathesis")
    bad = list(failed.values())
    words = [] if stopped == "completed" else [f"the run ended as {stopped}" if stopped else "the run did not end: it was cut off"]
    words += [f"{errors} operations could not be tried"] if errors else []
    words += [f"{broken} lines could not be read"] if broken else []
    words += [f"{of - len(tried)} operations were not tried"] if of is not None and of > len(tried) else []
    verdict: Any = "fail" if bad else "missing" if not tried or not cases else "inconclusive" if words else "pass"
    return Reading(
        kind="api-contract",
        format=NAME,
        verdict=verdict,
        looked_at=len(tried),
        of=max(of, len(tried)) if of is not None else None,
        cause="" if verdict in ("pass", "fail") else "; ".join(words) or "nothing was tried",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={"cases": Fact(cases, "requests"), "failures": Fact(len(bad), "failures"), "operations": Fact(of or 0, "operations")},
        limits=("requests made at random: another run makes others",),
        tool="schemathesis",
        tool_version=version,
    )


def _failures(recorder: dict[str, Any], label: str, number: int) -> dict[str, Counterexample]:
    """One for each operation and check that failed, with the request that showed it."""
    out: dict[str, Counterexample] = {}
    cases = recorder.get("cases") if isinstance(recorder.get("cases"), dict) else {}
    for case, checks in mapping(recorder.get("checks"), f"line {number} checks").items():
        for check in checks if isinstance(checks, list) else ():
            if not isinstance(check, dict) or check.get("status") != "failure":
                continue
            name = word(check.get("name"))
            value = cases.get(case, {}) if isinstance(cases, dict) else {}
            request = value.get("value", {}) if isinstance(value, dict) else {}
            how = f"{word(request.get('method'))} {word(request.get('path'))}" if isinstance(request, dict) else ""
            info = check.get("failure_info")
            failure = info.get("failure") if isinstance(info, dict) else None
            said = word(failure.get("title")) if isinstance(failure, dict) else ""
            out.setdefault(f"{label} {name}", example(f"{label}: {name}: {said}".rstrip(": "), f"line {number}", request=how.strip()))
    return out
