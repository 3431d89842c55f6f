"""hyperfine's JSON: commands with the time of each run, in seconds, and its exit code."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import timings
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading, example

NAME = "hyperfine"


def recognises(head: bytes) -> bool:
    """Results of commands."""
    top = outline(head)
    return top.get("results") == "[" and "results[].command" in top and "results[].mean" in top


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every command.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return timings.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> timings.Report:
    """The report. A run that ended badly fails: it measured how long it takes to fail."""
    d = mapping(whole_json(stream), "file")
    if not isinstance(d.get("results"), list):
        wrong_shape("results", d.get("results"), "a list of commands")
    out = timings.Report("hyperfine")
    for i, r in enumerate(objects(d["results"], "results")):
        parameters = mapping(r.get("parameters"), f"results[{i}].parameters")
        name = word(r.get("command")) + "".join(f" {k}={v}" for k, v in parameters.items())
        times, codes = r.get("times"), r.get("exit_codes")
        samples = [float(x) for x in times if isinstance(x, (int, float)) and not isinstance(x, bool)] if isinstance(times, list) else []
        bad = [c for c in codes if c != 0] if isinstance(codes, list) else []
        if bad:
            out.failed.append(example(f"{name} ended with {bad[0]} in {len(bad)} of its runs", name))
        if not name or not samples or not isinstance(times, list) or len(samples) != len(times):
            out.broken.append(f"results[{i}] {name}: no times of its runs")
        else:
            out.add(name, "s", *samples)
    return out
