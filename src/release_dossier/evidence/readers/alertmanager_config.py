"""Alertmanager's configuration: which way an alert goes. It never passes: a route is no alarm that anybody heard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from release_dossier.evidence.readers.given import Given, mapping, objects, word, wrong_shape
from release_dossier.evidence.readers.sniff import top
from release_dossier.evidence.readers.yaml_tree import documents
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first
from release_dossier.limits import JSON_DEPTH_MAX

NAME = "alertmanager-config"
_INTERVALS = ("time_intervals", "mute_time_intervals", "active_time_intervals")  # the first two define some, the last two use them


def recognises(head: bytes) -> bool:
    """A route and its receivers."""
    return {"route", "receivers"} <= top(head).keys()


def read(stream: IO[bytes], given: Given) -> Reading:
    """Receivers, routes, and receivers that lead nowhere.

    Raises:
        Refused: `yaml.*`, `evidence.shape`.
    """
    docs = documents(stream)
    if len(docs) != 1 or not isinstance(docs[0], dict):
        wrong_shape("file", f"{len(docs)} documents", "one configuration")
    config = docs[0]
    faults: list[Counterexample] = []
    receivers: dict[str, bool] = {}
    for i, each in enumerate(objects(config.get("receivers"), "receivers")):
        name = word(each.get("name"))
        if not name or name in receivers:
            faults.append(example(f"receiver {name} is there twice" if name else "a receiver without a name", f"receivers[{i}]"))
        receivers[name] = any(k.endswith("_configs") and v for k, v in each.items())
    route = mapping(config.get("route"), "route")
    routes = list(_routes(route, "route"))
    used = {name for _, name in routes if name}
    if not word(route.get("receiver")):
        faults.append(example("the first route has no receiver", "route"))
    if any(k in route for k in ("match", "match_re", "matchers")):
        faults.append(example("the first route takes only some alerts: the others go nowhere", "route"))
    faults += [example(f"{at} sends to {name}, which is no receiver", at) for at, name in routes if name and name not in receivers]
    intervals = {word(i.get("name")) for k in _INTERVALS[:2] for i in objects(config.get(k), k)}
    faults += [example(f"{at} goes by the time interval {n}, which is none", at) for at, n in _timed(route, "route") if n not in intervals]
    silent = sorted(n for n in used if receivers.get(n) is False)
    words = ["a route is no alarm: nothing was seen delivered"]
    words += [f"alerts sent to {', '.join(silent[:5])} reach nobody"] if silent else []
    return Reading(
        kind="alert-coverage",
        format=NAME,
        verdict="fail" if faults else "inconclusive",
        looked_at=len(routes),
        of=len(routes),
        cause="" if faults else "; ".join(words),
        counterexamples=first(faults),
        counterexamples_total=len(faults),
        facts={
            "routes": Fact(len(routes), "routes"),
            "receivers": Fact(len(receivers), "receivers"),
            "receivers_silent": Fact(len(silent), "receivers"),
        },
        limits=tuple(f"no route leads to receiver {n}" for n in sorted(set(receivers) - used)[:10]),
        tool="alertmanager",
    )


def _routes(route: dict[str, Any], at: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """(place, receiver) of every route; a route without one sends where its parent does."""
    yield at, word(route.get("receiver"))
    if depth < JSON_DEPTH_MAX:
        for i, child in enumerate(objects(route.get("routes"), f"{at}.routes")):
            yield from _routes(child, f"{at}.routes[{i}]", depth + 1)


def _timed(route: dict[str, Any], at: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """(place, name) of every time interval a route goes by."""
    for key in _INTERVALS[1:]:
        names = route.get(key)
        yield from ((at, word(n)) for n in (names if isinstance(names, list) else []))
    if depth < JSON_DEPTH_MAX:
        for i, child in enumerate(objects(route.get("routes"), f"{at}.routes")):
            yield from _timed(child, f"{at}.routes[{i}]", depth + 1)
