"""BenchmarkDotNet's JSON: statistics of each benchmark in nanoseconds. One without statistics failed."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import timings
from release_dossier.evidence.readers.given import Given, mapping, objects, whole, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading, example

NAME = "benchmark-dotnet"


def recognises(head: bytes) -> bool:
    """Its host's information."""
    top = outline(head)
    return "HostEnvironmentInfo" in top and ("Benchmarks" in top or "HostEnvironmentInfo.BenchmarkDotNetVersion" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every benchmark.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return timings.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> timings.Report:
    """The report."""
    d = mapping(whole_json(stream), "file")
    if not isinstance(d.get("Benchmarks"), list):
        wrong_shape("Benchmarks", d.get("Benchmarks"), "a list")
    about = mapping(d.get("HostEnvironmentInfo"), "HostEnvironmentInfo")
    out = timings.Report("BenchmarkDotNet", word(about.get("BenchmarkDotNetVersion")))
    out.words = {"cpu": word(about.get("ProcessorName")), "runtime": word(about.get("RuntimeVersion"))}
    for i, b in enumerate(objects(d["Benchmarks"], "Benchmarks")):
        name = word(b.get("FullName")) or word(b.get("DisplayInfo")) or word(b.get("Method"))
        stats = b.get("Statistics")
        if stats is None:
            out.failed.append(example(f"{name} has no result: it failed", name))
            continue
        said = mapping(stats, f"Benchmarks[{i}].Statistics")
        values = said.get("OriginalValues")
        samples = [float(x) for x in values if isinstance(x, (int, float)) and not isinstance(x, bool)] if isinstance(values, list) else []
        three = [float(x) for k in ("Min", "Median", "Max") if isinstance(x := said.get(k), (int, float)) and not isinstance(x, bool)]
        if samples:
            out.add(name, "ns", *samples)
        elif len(three) == 3 and whole(said.get("N")):
            out.add(name, "ns", *three, count=whole(said.get("N")) or 0)
        else:
            out.broken.append(f"Benchmarks[{i}] {name}: neither values nor lowest, median and highest")
    return out
