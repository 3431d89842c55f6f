"""hey: the page it prints. It ends with the distribution of status codes, or of errors."""

from __future__ import annotations

import re
from typing import IO

from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Reading

NAME = "hey"
_LINE = re.compile(r"\s*(Total|Slowest|Fastest|Average|Requests/sec):\s+(\d+(?:\.\d+)?)(?: secs)?\Z")
_PERCENTILE = re.compile(r"\s*(\d{1,2})%+ in (\d+(?:\.\d+)?) secs\Z")
_COUNT = re.compile(r"\s*\[(\d+)\]\s+(.*?)(?: responses)?\Z")


def recognises(head: bytes) -> bool:
    """Its first lines."""
    return re.match(rb"\s*Summary:\s*\n\s*Total:\s+[\d.]+ secs\s*\n\s*Slowest:", head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """The figures of the page. Requests are those with an answer and those that ended in an error."""
    run = load.Run("hey")
    lines = Lines(stream)
    section = ""
    errors = summaries = 0
    for number, raw in lines:
        line = raw.decode("utf-8", "replace")
        if line.rstrip().endswith(("distribution:", "histogram:", "Summary:", "(average, fastest, slowest):")):
            section = line.strip()
            summaries += section == "Summary:"
        elif section == "Summary:" and (found := _LINE.match(line)):
            name = {"Slowest": "latency_max", "Average": "latency_mean", "Requests/sec": "throughput"}.get(found[1])
            if name:
                run.figures[name] = (float(found[2]), "1/s") if name == "throughput" else (float(found[2]) * 1000, "ms")
        elif section.startswith("Latency") and (found := _PERCENTILE.match(line)):
            run.figures[f"latency_p{found[1]}"] = (float(found[2]) * 1000, "ms")
        elif section.startswith("Status code") and (found := _COUNT.match(line)):
            n = int(found[2]) if found[2].isdigit() and len(found[2]) < 16 else None
            if n is None or not line.endswith(" responses"):
                run.broken.append(f"line {number}: {line.strip()!r}")
                continue
            run.requests += n
            if not found[1].startswith(("2", "3")):
                errors += n
                run.errors.append((n, f"answers with status {found[1]}", ""))
        elif section.startswith("Error") and (found := _COUNT.match(line)):
            n = int(found[1]) if len(found[1]) < 16 else 0
            run.requests, errors = run.requests + n, errors + n
            run.errors.append((n, found[2], ""))
    run.failed = errors
    if summaries > 1:
        run.broken.append(f"it holds {summaries} runs")
    counted = section.startswith(("Status code", "Error"))
    run.cut = "" if counted and lines.ended else "it does not end with its answers by status: it was cut off"
    if counted and not run.cut and given.exit_status is None:
        run.cut = "the exit status did not come with it, and more errors may have followed"
    run.limits.append("percentiles as hey computed them, over the answers it kept (at most a million)")
    return load.reading(NAME, run, given)
