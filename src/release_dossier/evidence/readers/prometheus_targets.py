"""Prometheus' answer to `/api/v1/targets`: what is scraped, and whether it answered. `jobs` declares which must be there."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word
from release_dossier.evidence.readers.prometheus_answer import data
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "prometheus-targets"


def recognises(head: bytes) -> bool:
    """A successful answer with targets."""
    keys = outline(head)
    return keys.get("status") == "success" and "data.activeTargets" in keys


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every target and its health.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    found, _ = data(whole_json(stream))
    every = objects(found.get("activeTargets"), "data.activeTargets")
    bad, jobs, up, unknown, last = [], set(), 0, 0, ""
    for i, target in enumerate(every):
        labels = mapping(target.get("labels"), f"data.activeTargets[{i}].labels")
        job, instance = word(labels.get("job")), word(labels.get("instance"))
        jobs.add(job)
        last = max(last, word(target.get("lastScrape")))
        health = target.get("health")
        up += health == "up"
        unknown += health not in ("up", "down")
        if health == "down":
            bad.append(example(f"{job} does not answer: {word(target.get('lastError'))}", instance))
    gone = [j for j in given.declared("jobs") if j not in jobs]
    bad += [example(f"nothing of job {j} is scraped", j) for j in gone]
    verdict: Any = "fail" if bad else "missing" if not every else "inconclusive" if unknown else "pass"
    cause = {"missing": "nothing is scraped", "inconclusive": f"{unknown} targets were not scraped yet"}.get(verdict, "")
    return Reading(
        kind="observability",
        format=NAME,
        verdict=verdict,
        looked_at=len(every) - unknown,
        of=len(every) + len(gone),
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={"targets": Fact(len(every), "targets"), "targets_up": Fact(up, "targets"), "jobs": Fact(len(jobs), "jobs")},
        limits=("that a target answers its scrape says nothing about what it scrapes for others (a probe, a database)",),
        tool="prometheus",
        observed_at=f"{last[:19]}Z" if len(last) > 19 and last.endswith("Z") and last[10:11] == "T" else None,
    )
