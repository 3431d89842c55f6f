"""What runs with which resources, as files that start it declare: containers with their image, limits, probes and number.

Two deployments are the same topology when they run the same containers with the same images' names, numbers and limits: `shape` is a
digest of that, so that evidence measured on another shape can be told apart. Versions of images and names of variables are not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from release_dossier.digest import digest_of
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first

if TYPE_CHECKING:
    from release_dossier.evidence.readers.given import Given  # its package reads with this module

_UNSET = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_UNITS = {"": 1, "b": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4, "ki": 1024, "mi": 1024**2, "gi": 1024**3, "ti": 1024**4,
          "kb": 1024, "mb": 1024**2, "gb": 1024**3}  # fmt: skip


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a deployment. Empty where the file does not say."""

    name: str
    image: str
    count: int = 1
    cpu: float | None = None  # cores it may use
    memory: int | None = None  # bytes it may use
    probed: bool = False  # something asks it whether it is ready
    risky: tuple[str, ...] = ()  # what it may do to its host

    @property
    def pinned(self) -> bool:
        """Whether its image is named by digest: a tag can come to mean another."""
        return "@sha256:" in self.image

    @property
    def unset(self) -> tuple[str, ...]:
        """Variables its image is named with, which this file alone does not resolve."""
        return tuple(_UNSET.findall(self.image))


def cores(value: Any) -> float | None:
    """`0.5`, `500m` or `2` as cores."""
    text = str(value)
    try:
        found = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError:
        return None
    return found if 0 < found < 1e6 else None


def size(value: Any, *, binary: bool = False) -> int | None:
    """`512Mi`, `1g` or bytes. `binary`: a bare `k`, `m`, `g` is a power of 1024, as in compose."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([a-zA-Z]{0,2})", str(value))
    unit = found[2].lower() if found else ""
    if found is None or unit not in _UNITS:
        return None
    factor = _UNITS[f"{unit}i"] if binary and unit in ("k", "m", "g", "t") else _UNITS[unit]
    return int(float(found[1]) * factor) or None


def reading(
    format_: str, containers: Sequence[Container], given: Given, *, broken: Sequence[str] = (), of_known: bool = True, **more: Any
) -> Reading:
    """What is declared to run. `services` declares what must be there, `same_as` a shape it must have."""
    wanted = given.declared("services")
    names = {c.name for c in containers}
    bad: list[Counterexample] = [example(f"service {n} is declared and not there", n) for n in wanted if n not in names]
    shape = digest_of(
        [[c.name, _bare(c.image), c.count, str(c.cpu or ""), c.memory or 0] for c in sorted(containers, key=lambda c: c.name)]
    )
    same = given.expectations.get("same_as", "")
    if same and not shape.startswith(same):
        bad.append(example(f"its shape is {shape[:19]}, not {same}", "same_as"))
    words = [] if wanted else ["which services should run is not declared"]
    words += list(broken)
    free = [c.name for c in containers if c.cpu is None and c.memory is None]
    loose = sorted({v for c in containers for v in c.unset})
    limits = [f"{c.name} may {what}" for c in containers for what in c.risky][:10]
    limits += [f"no limit of its resources: {n}" for n in free[:10]]
    limits += [f"images named by variables that the file does not set: {', '.join(loose[:10])}"] if loose else []
    verdict: Any = "fail" if bad else "missing" if not containers else "inconclusive" if words else "pass"
    return Reading(
        kind="topology",
        format=format_,
        verdict=verdict,
        looked_at=sum(n in names for n in wanted) if wanted else len(containers),
        of=(len(wanted) or len(containers) or None) if of_known else None,
        cause="" if verdict in ("pass", "fail") else "it starts nothing" if verdict == "missing" else "; ".join(words),
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=_facts(containers, shape, free) | more.pop("facts", {}),
        limits=(*limits, "what is declared to run, not what runs", *more.pop("limits", ())),
        **more,
    )


def _facts(containers: Sequence[Container], shape: str, free: list[str]) -> dict[str, Fact]:
    cpus = [c.cpu * c.count for c in containers if c.cpu is not None]
    memory = [c.memory * c.count for c in containers if c.memory is not None]
    facts = {
        "containers": Fact(len(containers), "containers"),
        "containers_limited": Fact(len(containers) - len(free), "containers"),
        "containers_probed": Fact(sum(c.probed for c in containers), "containers"),
        "containers_risky": Fact(sum(bool(c.risky) for c in containers), "containers"),
        "images_pinned": Fact(sum(c.pinned for c in containers), "containers"),
        "instances": Fact(sum(c.count for c in containers), "instances"),
        "shape": Fact(shape, "words"),
    }
    if cpus:
        facts["cpu_limit"] = Fact(round(sum(cpus), 3), "cores", samples=len(cpus))
    if memory:
        facts["memory_limit"] = Fact(sum(memory), "bytes", samples=len(memory))
    return facts


def _bare(image: str) -> str:
    """An image without its version."""
    name = image.partition("@")[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail and "}" not in tail else name
