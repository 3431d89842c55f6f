"""pytest-benchmark's JSON: statistics of each benchmark, and its rounds where they were saved. Times are seconds."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import timings
from release_dossier.evidence.readers.given import Given, mapping, moment, objects, whole, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "pytest-benchmark"


def recognises(head: bytes) -> bool:
    """Benchmarks beside the machine and the commit."""
    top = outline(head)
    return "benchmarks" in top and "machine_info" in top


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every benchmark.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return timings.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> timings.Report:
    """The report."""
    d = mapping(whole_json(stream), "file")
    if not isinstance(d.get("benchmarks"), list):
        wrong_shape("benchmarks", d.get("benchmarks"), "a list")
    out = timings.Report("pytest-benchmark", word(d.get("version")))
    out.observed_at = moment(d.get("datetime"))
    cpu = mapping(mapping(d.get("machine_info"), "machine_info").get("cpu"), "machine_info.cpu")
    out.words["cpu"] = word(cpu.get("brand_raw")) or word(cpu.get("brand"))
    for i, b in enumerate(objects(d["benchmarks"], "benchmarks")):
        stats, name = mapping(b.get("stats"), f"benchmarks[{i}].stats"), word(b.get("fullname")) or word(b.get("name"))
        data = stats.get("data")
        samples = [x for x in data if isinstance(x, (int, float)) and not isinstance(x, bool)] if isinstance(data, list) else []
        three = [stats.get(k) for k in ("min", "median", "max")]
        rounds = whole(stats.get("rounds"))
        if samples and (not isinstance(data, list) or len(samples) == len(data)):
            out.add(name, "s", *map(float, samples))
        elif rounds and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in three):
            out.add(name, "s", *(float(x) for x in three if isinstance(x, (int, float))), count=rounds)
        else:
            out.broken.append(f"benchmarks[{i}] {name}: no rounds with lowest, median and highest")
    return out
