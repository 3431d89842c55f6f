"""JMH's JSON: a score of each benchmark, with its forks' iterations."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import timings
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "jmh"


def recognises(head: bytes) -> bool:
    """A list of benchmarks with their score."""
    top = outline(head)
    return top.get("") == "[" and "[].benchmark" in top and ("[].primaryMetric" in top or "[].jmhVersion" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every benchmark.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    return timings.reading(NAME, parse, stream, given)


def parse(stream: IO[bytes]) -> timings.Report:
    """The report. Sample time has a histogram in place of values: then its score stands for them."""
    d = whole_json(stream)
    if not isinstance(d, list):
        wrong_shape("file", d, "a list of benchmarks")
    out = timings.Report("JMH")
    for i, b in enumerate(objects(d, "file")):
        out.tool_version = word(b.get("jmhVersion")) or out.tool_version
        out.words["jdk"] = word(b.get("jdkVersion")) or out.words.get("jdk", "")
        params = ", ".join(f"{k}={v}" for k, v in mapping(b.get("params"), f"[{i}].params").items())
        name = word(b.get("benchmark")) + (f"({params})" if params else "")
        metric = mapping(b.get("primaryMetric"), f"[{i}].primaryMetric")
        values = _flat(metric.get("rawData"))
        score = metric.get("score")
        if not values and isinstance(score, (int, float)) and not isinstance(score, bool):
            values = [float(score)]
        if not values or not word(metric.get("scoreUnit")) or not name:
            out.broken.append(f"[{i}] {name}: no score")
            continue
        out.add(name, word(metric["scoreUnit"]), *values)
    return out


def _flat(raw: Any) -> list[float]:
    forks = raw if isinstance(raw, list) else []
    return [float(x) for f in forks if isinstance(f, list) for x in f if isinstance(x, (int, float)) and not isinstance(x, bool)]
