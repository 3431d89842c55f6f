"""`docker compose ps --format json`: one container a line (one list, in older versions): which of them run, and are healthy.

It is no proof where a declared service is not in it, a container has not been asked yet whether it is healthy, or the exit status did not
come along: the lines can end anywhere. `services` declares what must run. Without `--all` the command leaves out what has stopped.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, Lines, objects, record, whole_json, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "compose-ps"


def recognises(head: bytes) -> bool:
    """A container of a project and a service."""
    keys = outline(head)
    return any({f"{p}Service", f"{p}State", f"{p}Health", f"{p}ExitCode"} <= keys.keys() for p in ("", "[]."))


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every container.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    every, broken, doubt = _containers(stream, given)
    bad, waiting, done = [], [], []
    for c in every:
        name, state, health = word(c.get("Name")), word(c.get("State")), word(c.get("Health"))
        if state == "exited" and c.get("ExitCode") == 0:
            done.append(name)
        elif health == "unhealthy" or state in ("exited", "dead", "restarting", "paused", "removing"):
            bad.append(example(f"{name} is {health or state}", name, status=word(c.get("Status"))))
        elif health == "starting" or state != "running":
            waiting.append(name)
    wanted, names = given.declared("services"), {word(c.get("Service")) for c in every}
    bad += [example(f"service {s} does not run", s) for s in wanted if s not in names]
    words = [] if wanted else ["which services should run is not declared"]
    words += [f"not known yet: {', '.join(waiting[:5])}"] if waiting else []
    words += ["nothing runs any more: every container ended with 0"] if every and len(done) == len(every) else []
    words += [f"{broken} lines could not be read"] if broken else []
    words += [doubt] if doubt else []
    verdict: Any = "fail" if bad else "missing" if not every else "inconclusive" if words else "pass"
    asked = sum(word(c.get("Health")) != "" for c in every)
    limits = [f"ended with 0: {', '.join(done[:10])}"] if done else []
    if asked < len(every):
        limits.append(f"{len(every) - asked} containers have no health check: that they run is all that is known")
    return Reading(
        kind="readiness",
        format=NAME,
        verdict=verdict,
        looked_at=len(every) - len(waiting),
        of=None if doubt else len(every) + broken + sum(s not in names for s in wanted),
        cause="" if verdict in ("pass", "fail") else "nothing runs" if verdict == "missing" else "; ".join(words),
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={
            "containers": Fact(len(every), "containers"),
            "containers_running": Fact(sum(c.get("State") == "running" for c in every), "containers"),
            "containers_probed": Fact(asked, "containers"),
        },
        limits=tuple(limits),
        tool="docker compose",
    )


def _containers(stream: IO[bytes], given: Given) -> tuple[list[dict[str, Any]], int, str]:
    """(containers, lines that are none, why there may be more)."""
    start = stream.read(1)
    stream.seek(0)
    if start == b"[":
        return objects(whole_json(stream), "file"), 0, ""
    text = Lines(stream)
    rows = [record(line) for _, line in text]
    return [r for r in rows if r is not None], sum(r is None for r in rows), text.doubt(given.exit_status)
