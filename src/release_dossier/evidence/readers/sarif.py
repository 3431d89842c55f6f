"""SARIF 2.1.0: the results of static analysis, one or several runs.

1. A result is open unless every one of its suppressions is accepted, its kind is not `fail`, or its baseline says `absent`.
2. An open result is a counterexample when its level is `warning` or `error`; `fail_on` among the expectations (`error`, `warning`, `note`)
   says otherwise. One the baseline says `unchanged` is old: it counts among the facts, and is told apart from what is new.
3. The level is the result's own, else its rule's, else `warning`.
4. A run without `results` did not look; one whose tool says that it failed, or whose results lie in another file, cannot tell; and
   where the file does not say that the tool finished, its exit status must.
5. Where the base release's own log comes along and this one says nothing of a baseline, a result of the same rule, message and file as one
   there is old, as many times as it is there.
6. Versions 1.0, 2.0 and 2.2 use the same words for other things: they are refused by name.
"""

from __future__ import annotations

import io
from collections import Counter
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.lint import NOT_READ
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Counterexample, Coverage, Fact, Reading, example, first

NAME = "sarif"
LEVELS = ("error", "warning", "note", "none")  # worst first
_STATES = ("new", "unchanged", "updated", "absent")


def recognises(head: bytes) -> bool:
    """Runs of a tool, or the schema's name."""
    top = outline(head)
    schema = top.get("$schema", "").lower()
    return top.get("") == "{" and "runs" in top and ("sarif" in schema or "version" in top or "runs[].tool" in top)


class _Tally:
    def __init__(self, fail_on: str) -> None:
        self.failing = LEVELS[: LEVELS.index(fail_on) + 1]
        self.results = self.suppressed = self.looked_at = 0
        self.open = dict.fromkeys(LEVELS, 0)
        self.states = dict.fromkeys(_STATES, 0)
        self.rules: set[str] = set()
        self.files: set[str] = set()
        self.bad: list[tuple[int, Counterexample]] = []
        self.old = 0
        self.alike: Counter[tuple[str, str, str]] = Counter()  # open results by what stays when lines move
        self.before: Counter[tuple[str, str, str]] | None = None  # those of the base release
        self.broken: list[str] = []
        self.causes: list[str] = []
        self.scanned: set[str] = set()


def read(stream: IO[bytes], given: Given) -> Reading:
    """Judge every result of every run.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    log = mapping(whole_json(stream), "file")
    if log.get("version") != "2.1.0":
        wrong_version("version", log.get("version"), "SARIF 2.1.0")
    if not isinstance(log.get("runs"), list):
        wrong_shape("runs", log.get("runs"), "a list of runs")
    fail_on = given.expectations.get("fail_on", "warning")
    if fail_on not in LEVELS[:3]:
        wrong_shape("expectations.fail_on", fail_on, "error, warning or note")
    runs = objects(log["runs"], "runs")
    tally = _Tally(fail_on)
    if given.base:
        tally.before = _before(given, fail_on)
    for i, run in enumerate(runs):
        _run(run, f"runs[{i}]", tally, given)
    return _reading(runs, tally)


def _before(given: Given, fail_on: str) -> Counter[tuple[str, str, str]]:
    """The open results of the base release's own log."""
    log = mapping(whole_json(plain(io.BytesIO(given.base or b""))), "base")
    if log.get("version") != "2.1.0":
        wrong_version("base version", log.get("version"), "SARIF 2.1.0")
    tally = _Tally(fail_on)
    for i, run in enumerate(objects(log.get("runs"), "base runs")):
        _run(run, f"base runs[{i}]", tally, given)
    return tally.alike


def _run(run: dict[str, Any], at: str, tally: _Tally, given: Given) -> None:
    driver = mapping(mapping(run.get("tool"), f"{at}.tool").get("driver"), f"{at}.tool.driver")
    if not word(driver.get("name")):
        wrong_shape(f"{at}.tool.driver.name", driver.get("name"), "the name of the tool")
    name = word(driver["name"])
    invocations = objects(run.get("invocations"), f"{at}.invocations")
    said = [i.get("executionSuccessful") for i in invocations]
    worst = [n for i in invocations for n in _notifications(i, at) if n.get("level") == "error" or _unread(n)]
    artifacts = objects(run.get("artifacts"), f"{at}.artifacts")
    tally.scanned |= {u for a in artifacts if (u := word(mapping(a.get("location"), f"{at}.artifacts").get("uri")))}
    if name == "Staticcheck" and "results" not in run and said and all(s is True for s in said):
        run = run | {"results": []}  # it leaves an empty list out
    if name == "govulncheck":  # a warning of its means imported and not called, which is no finding of its own either
        known = objects(run.get("results"), f"{at}.results")
        run = run | {"results": [r | {"level": "note"} if r.get("level") == "warning" else r for r in known]}
    if run.get("results") is None:
        tally.causes.append(f"{name} has no results: it did not look")
        return
    if mapping(run.get("externalPropertyFileReferences"), f"{at}.externalPropertyFileReferences").get("results"):
        tally.causes.append(f"results of {name} lie in another file")
    if any(s is False for s in said):
        tally.causes.append(f"{name} says that it did not end well")
    elif worst:
        tally.causes.append(f"{name} reports {len(worst)} errors of its own: {_text(worst[0].get('message'), {})}")
    elif not (said and all(s is True for s in said)) and given.exit_status is None:
        tally.causes.append(f"nothing says that {name} finished: neither the file nor an exit status")
    tally.looked_at += not any(s is False for s in said)
    rules, extensions = _rules(driver, f"{at}.tool.driver"), objects(mapping(run["tool"], at).get("extensions"), f"{at}.tool.extensions")
    by_tool = [rules, *(_rules(e, f"{at}.tool.extensions[{i}]") for i, e in enumerate(extensions))]
    for i, result in enumerate(objects(run["results"], f"{at}.results")):
        try:
            _result(result, f"{at}.results[{i}]", by_tool, artifacts, tally)
        except Refused as e:
            tally.results += 1
            tally.broken.append(f"{e.at}: found {e.found}, expected {e.expected}")


def _notifications(invocation: dict[str, Any], at: str) -> list[dict[str, Any]]:
    names = ("toolExecutionNotifications", "toolConfigurationNotifications")
    return [n for name in names for n in objects(invocation.get(name), f"{at}.invocations.{name}")]


def _unread(notification: dict[str, Any]) -> bool:
    """Whether it says that part of a file was not read, whatever its level: Semgrep calls that a warning."""
    return word(mapping(notification.get("descriptor"), "descriptor").get("id")) in NOT_READ


def _rules(component: dict[str, Any], at: str) -> list[dict[str, Any]]:
    return objects(component.get("rules"), f"{at}.rules")


def _result(result: dict[str, Any], at: str, by_tool: list[list[dict[str, Any]]], artifacts: list[dict[str, Any]], tally: _Tally) -> None:
    rule, rule_id = _rule(result, at, by_tool)
    level, kind = _level(result, rule, at), result.get("kind", "fail")
    state = result.get("baselineState")
    if state is not None and state not in _STATES:
        wrong_shape(f"{at}.baselineState", state, ", ".join(_STATES))
    suppressions = objects(result.get("suppressions"), f"{at}.suppressions")
    message, where = _text(result.get("message"), rule), _where(result, at, artifacts)
    if not message and not isinstance(result.get("message"), dict):
        wrong_shape(f"{at}.message", result.get("message"), "a message")
    tally.results += 1
    file = where.rpartition(":")[0] if where.rpartition(":")[2].isdecimal() else where
    hushed = bool(suppressions) and all(
        s.get("status", "accepted") == "accepted" and s.get("state", "accepted") == "accepted" for s in suppressions
    )
    if state is None and tally.before is not None and not hushed and kind == "fail":
        state = "unchanged" if tally.before[rule_id, message, file] > 0 else "new"
        tally.before[rule_id, message, file] -= 1
    if state:
        tally.states[state] += 1
    if rule_id:
        tally.rules.add(rule_id)
    if where:
        tally.files.add(file)
    if hushed:
        tally.suppressed += 1
    elif kind == "fail" and state != "absent":
        tally.open[level] += 1
        tally.alike[rule_id, message, file] += 1
        if level in tally.failing and state == "unchanged":
            tally.old += 1
        elif level in tally.failing:
            tally.bad.append((LEVELS.index(level), example(f"{rule_id}: {message}" if rule_id else message, where, level=level)))


def _rule(result: dict[str, Any], at: str, by_tool: list[list[dict[str, Any]]]) -> tuple[dict[str, Any], str]:
    """The rule's description, empty when there is none, and its id."""
    reference = mapping(result.get("rule"), f"{at}.rule")
    component = mapping(reference.get("toolComponent"), f"{at}.rule.toolComponent").get("index", -1)
    known = by_tool[component + 1] if isinstance(component, int) and -1 <= component < len(by_tool) - 1 else by_tool[0]
    rule_id = word(result.get("ruleId")) or word(reference.get("id"))
    index = result.get("ruleIndex", reference.get("index", -1))
    if isinstance(index, bool) or not isinstance(index, int) or index < -1 or (known and index >= len(known)):
        wrong_shape(f"{at}.ruleIndex", str(index), f"the place of one of {len(known)} rules")
    if 0 <= index < len(known):
        return known[index], rule_id or word(known[index].get("id"))
    parent = rule_id.partition("/")[0]
    found = next((r for r in known if word(r.get("id")) in (rule_id, parent)), {}) if rule_id else {}
    return found, rule_id


def _level(result: dict[str, Any], rule: dict[str, Any], at: str) -> str:
    if result.get("kind", "fail") != "fail":
        return "none"
    level = result.get("level")
    if level is None:
        level = mapping(rule.get("defaultConfiguration"), f"{at}: its rule's defaultConfiguration").get("level", "warning")
    if level not in LEVELS:
        wrong_shape(f"{at}.level", level, ", ".join(LEVELS))
    return str(level)


def _text(message: Any, rule: dict[str, Any]) -> str:
    if not isinstance(message, dict):
        return ""
    text = word(message.get("text")) or word(message.get("markdown"))
    if not text and word(message.get("id")):
        strings = rule.get("messageStrings")
        found = strings.get(message["id"]) if isinstance(strings, dict) else None
        text = word(found.get("text")) if isinstance(found, dict) else ""
        text = text or word(message["id"])
    arguments = message.get("arguments")
    for i, value in enumerate(arguments if isinstance(arguments, list) else ()):
        text = text.replace(f"{{{i}}}", str(value))
    return " ".join(text.split())


def _where(result: dict[str, Any], at: str, artifacts: list[dict[str, Any]]) -> str:
    """`file:line` of the first location; empty when there is none."""
    for i, location in enumerate(objects(result.get("locations"), f"{at}.locations")):
        place = mapping(location.get("physicalLocation"), f"{at}.locations[{i}].physicalLocation")
        file = mapping(place.get("artifactLocation"), f"{at}.locations[{i}].physicalLocation.artifactLocation")
        index = file.get("index", -1)
        if isinstance(index, bool) or not isinstance(index, int) or (artifacts and index >= len(artifacts)):
            wrong_shape(f"{at}.locations[{i}].physicalLocation.artifactLocation.index", str(index), f"one of {len(artifacts)} artifacts")
        uri = word(file.get("uri"))
        if not uri and 0 <= index < len(artifacts):
            uri = word(mapping(artifacts[index].get("location"), f"{at}.locations[{i}]").get("uri"))
        line = mapping(place.get("region"), f"{at}.locations[{i}].physicalLocation.region").get("startLine")
        if line is not None and (isinstance(line, bool) or not isinstance(line, int) or line < 0):  # 0: Staticcheck, of a whole package
            wrong_shape(f"{at}.locations[{i}].physicalLocation.region.startLine", str(line), "a line from 1")
        if uri:
            return f"{uri.removeprefix('file://')}:{line}" if line else uri.removeprefix("file://")
    return ""


def _reading(runs: list[dict[str, Any]], tally: _Tally) -> Reading:
    bad = [e for _, e in sorted(tally.bad, key=lambda pair: pair[0])]
    if tally.broken:
        tally.causes.append(f"{len(tally.broken)} results could not be read, the first at {tally.broken[0]}")
    verdict: Any = "fail" if bad else "missing" if tally.looked_at == 0 else "inconclusive" if tally.causes else "pass"
    drivers = [r["tool"]["driver"] for r in runs]
    facts = {
        "results": Fact(tally.results, "results"),
        "suppressed": Fact(tally.suppressed, "results"),
        "errors": Fact(tally.open["error"], "results"),
        "warnings": Fact(tally.open["warning"], "results"),
        "notes": Fact(tally.open["note"], "results"),
        "rules": Fact(len(tally.rules), "rules"),
        "files": Fact(len(tally.files), "files"),
    }
    tally.before = None if tally.before is None else +tally.before
    if any(tally.states.values()) or tally.before is not None:
        facts |= {
            "results_new": Fact(tally.states["new"] + tally.states["updated"], "results"),
            "results_old": Fact(tally.states["unchanged"], "results"),
            "results_gone": Fact(tally.states["absent"] + sum((tally.before or Counter()).values()), "results"),
        }
    files = len(tally.scanned)
    ends = [word(i.get("endTimeUtc")) for r in runs for i in objects(r.get("invocations"), "invocations")]
    limits = [f"{tally.old} open results were there in the base already"] if tally.old else []
    limits += [f"not read: {b}" for b in tally.broken[:10]]
    if not any(tally.states.values()) and bad:
        limits.append("without a baseline in the file, new findings and old ones look alike")
    return Reading(
        kind="static-analysis",
        format=NAME,
        verdict=verdict,
        looked_at=tally.looked_at,
        of=len(runs),
        cause="" if verdict in ("pass", "fail") else "; ".join(tally.causes) or "it holds no run",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts,
        coverage=(Coverage("analyses", tally.looked_at, len(runs)), *([Coverage("files", files, None)] if files else [])),
        limits=tuple(limits),
        tool=", ".join(dict.fromkeys(word(d.get("name")) for d in drivers)),
        tool_version=", ".join(dict.fromkeys(v for d in drivers if (v := word(d.get("semanticVersion")) or word(d.get("version"))))),
        observed_at=_utc(max(ends, default="")),
    )


def _utc(text: str) -> str | None:
    return text if len(text) in (20, 24) and text.endswith("Z") else None
