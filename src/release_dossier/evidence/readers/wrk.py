"""wrk and wrk2: the page they print at the end. wrk2 (`-R`) corrects for waiting; wrk without `--latency` has no percentiles."""

from __future__ import annotations

import re
from typing import IO

from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, Lines, whole
from release_dossier.evidence.reading import Reading

NAME = "wrk"
_TIME = r"(\d+(?:\.\d+)?(?:us|ms|s|m|h))"
_SENT = re.compile(rf"\s*(\d+) requests in {_TIME}, \S+ read\Z")
_LATENCY = re.compile(rf"\s*Latency\s+{_TIME}\s+{_TIME}\s+{_TIME}\s")
_PERCENTILE = re.compile(rf"\s*(\d{{1,3}}(?:\.\d+)?)%\s+{_TIME}\Z")
_ERRORS = re.compile(r"\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)\Z")


def recognises(head: bytes) -> bool:
    """Its first line."""
    return re.match(rb"\s*Running \S+ test @ \S+", head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """The figures of the page. It ends with what was transferred; without that it was cut."""
    run = load.Run("wrk")
    lines = Lines(stream)
    ended = runs = errors = 0
    for number, raw in lines:
        line = raw.decode("utf-8", "replace")
        runs += line.strip().startswith("Running ")
        if found := _SENT.match(line):
            run.requests += int(found[1])
        elif found := _LATENCY.match(line):
            run.figures["latency_mean"] = (load.milliseconds(found[1]), "ms")
            run.figures["latency_max"] = (load.milliseconds(found[3]), "ms")
        elif found := _PERCENTILE.match(line):
            run.figures.setdefault(f"latency_p{float(found[1]):g}", (load.milliseconds(found[2]), "ms"))
        elif found := _ERRORS.match(line):
            errors += sum(int(x) for x in found.groups())
            run.errors += [
                (int(n), f"socket errors: {w}", "")
                for n, w in zip(found.groups(), ("connect", "read", "write", "timeout"), strict=True)
                if int(n)
            ]
        elif line.strip().startswith("Non-2xx or 3xx responses:"):
            bad = whole(line.partition(":")[2].strip())
            if bad is None:
                run.broken.append(f"line {number}: {line.strip()!r}")
            else:
                errors += bad
                run.errors.append((bad, "answers that were neither 2xx nor 3xx", ""))
        elif line.startswith("Requests/sec:"):
            run.figures["throughput"] = (_number(line), "1/s")
        elif line.startswith("Transfer/sec:") and re.search(r"\d[KMGT]?B\Z", line.rstrip()):
            ended += 1
        elif "Recorded Latency" in line or line.strip().startswith("Thread calibration"):
            run.tool = "wrk2"
    run.failed = errors
    if runs > 1 or ended > runs:
        run.broken.append(f"it holds {runs} runs")
    run.cut = "" if ended == runs else "it does not end with what was transferred: it was cut off"
    run.limits.append(
        f"percentiles as {run.tool} computed them" if "latency_p50" in run.figures else "without --latency it has no percentiles"
    )
    if run.tool == "wrk":
        run.limits.append("a server that stalls is asked less by wrk, so its figures look better than what users saw")
    return load.reading(NAME, run, given)


def _number(line: str) -> float | None:
    try:
        return float(line.partition(":")[2])
    except ValueError:
        return None
