"""Alerts and measurements: rules that Prometheus would refuse, alerts that can never fire, series that end too early."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence import promql
from release_dossier.evidence.readers import read
from release_dossier.evidence.readers.prometheus_rules import template_fault
from release_dossier.evidence.readers.yaml_tree import documents
from release_dossier.evidence.reading import Reading

SAMPLES = Path(__file__).with_name("samples")
WINDOW = {"start": "0", "end": "60", "step": "15"}


def says(raw: str | bytes, **more: Any) -> Reading:
    return read(io.BytesIO(raw if isinstance(raw, bytes) else raw.encode()), expectations=more)


def rules(*each: str) -> str:
    return "groups:\n- name: g\n  rules:\n" + "".join(f"  - {{{x}}}\n" for x in each)


@pytest.mark.parametrize(
    "query",
    [
        "up < 0", "up > 1", "up == 2", "count(up) == 0", "count by (job) (up) < 1", "absent(up) == 0", "rate(x[5m]) < 0",
        "-rate(x[5m]) > 0",
        "x > 5 and x < 3", "x unless x", "vector(0) > 0", '{a="1",a="2"} > 0', "(up > 0) < 0", "0 > up", "sum(rate(x[5m])) + 1 < 1",
        "rate(x[1m]) / 2 > 1 and rate(x[1m]) / 2 < 0.5", "abs(x) < 0", "absent(up) != 1",
    ],
)  # fmt: skip
def test_never(query: str) -> None:
    """No value of any series makes it true: an alert on it is dead, and saying so is worth more than its being well formed."""
    assert promql.bounds(promql.parse(query, "q")).empty


@pytest.mark.parametrize(
    "query",
    [
        "up == 0", "count(up) < 2", "absent(up)", "rate(x[5m]) > 0", "x > 3 and x < 5", "x > 5 and on (a) x < 3", "x < 0", "x_total < 0",
        "1 - x > 0.1", "x > bool 5", "vector(1)", "(x or vector(0)) == 0", "sum(x) == 0", "delta(x[5m]) < 0", 
        "rate(x[5m]) - rate(y[5m]) < 0",
        "clamp_min(x, 1) < 5", "predict_linear(x[1h], 3600) < 0", "(1 - (x / y)) > 14.4 * (1 - 0.999)", "x == x", "up != 1",
        "x offset 1h > 5 and x < 3",
        "histogram_quantile(0.9, rate(b_bucket[5m])) > 1", "absent(vector(0) > 1)", "x * -1 > 5",
    ],
)  # fmt: skip
def test_maybe(query: str) -> None:
    """It can be true: an alert is called dead only when it is."""
    assert not promql.bounds(promql.parse(query, "q")).empty


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("alert: A, expr: 'up =='", "A: invalid promql query"),
        ("alert: A", "A has no expression"),
        ("expr: up", "without record or alert"),
        ("alert: A, record: b, expr: up", "not both"),
        ("record: b, expr: up, for: 5m", "has no for"),
        ("alert: A, expr: up, for: soon", "'soon' is no duration"),
        ("alert: A, expr: up, anotations: {a: b}", "unknown field anotations"),
        ("alert: A, expr: up, labels: {__name__: b}", "no name for a label"),
        ("alert: A, expr: up, annotations: {s: '{{ $label.x }}'}", "undefined variable $label"),
        ("alert: A, expr: up, annotations: {s: '{{ $value '}", "{{ without }}"),
        ("record: 'b{c=\"d\"}', expr: up", "no name for a series"),
    ],
)
def test_what_prometheus_refuses(rule: str, fault: str) -> None:
    """Each fault fails the file, is named with its group, rule and line, and hides no other rule."""
    r = says(rules("alert: Good, expr: up == 0, labels: {owner: ops}", rule), alerts="Good")
    assert r.verdict == "fail"
    assert fault in r.counterexamples[0].text
    assert r.counterexamples[0].where.startswith("group g[1] line 5")
    assert r.facts["rules"].value == 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ $value | humanize }} of {{ $labels.job }}", ""),
        ('{{ with query "up" }}{{ . | first | value }}{{ end }}', ""),
        ('{{ range $i, $x := query "up" }}{{ $x.Labels.job }}{{ $i }}{{ end }}', ""),
        ("{{ if gt $value 5.0 }}much", "a block without its end"),
        ("{{ end }}", "end without a beginning"),
        ("{{ $x }}", "undefined variable $x"),
        ("{{ }}", "an empty {{ }}"),
        ("{{- /* said */ -}} plain", ""),
    ],
)
def test_templates(text: str, fault: str) -> None:
    """Variables are those of Prometheus or defined before; blocks end."""
    assert template_fault(text) == fault


def test_what_is_declared() -> None:
    """Missing alerts, failure modes and services are counterexamples; a dead alert covers nothing, nor does a watchdog."""
    raw = rules(
        "alert: Down, expr: 'up{job=\"bets\"} == 0', labels: {owner: ops, failure_mode: outage}, annotations: {runbook_url: r}",
        "alert: Dead, expr: count(up) == 0, labels: {owner: ops}",
        "alert: Dog, expr: vector(1)",
    )
    r = says(raw, alerts="Down,Dead,Gone", failure_modes="outage,loss=Dead,both=Dead|Down", services="bets,accounts")
    assert r.verdict == "fail"
    assert [c.text for c in r.counterexamples] == [
        "Dead is declared and no rule makes it",
        "Gone is declared and no rule makes it",
        "failure mode loss has no alert",
        "service accounts has no alert",
        "Dead can never fire: count(up) == 0",
    ]
    facts = {k: f.value for k, f in r.facts.items()}
    assert (facts["failure_modes"], facts["failure_modes_covered"], facts["services_covered"]) == (3, 2, 1)
    assert (facts["alerts"], facts["alerts_never"], facts["alerts_with_runbook"], r.looked_at, r.of) == (2, 1, 1, 1, 3)


def test_a_rule_is_no_alarm() -> None:
    """Well formed, declared, owned: still nobody saw it firing, so it does not pass. Without an owner that is said too."""
    r = says(rules("alert: A, expr: up == 0, labels: {owner: ops}"), alerts="A")
    assert (r.verdict, r.cause) == ("inconclusive", "a rule is no alarm: none of them was seen firing")
    assert "nobody owns A" in says(rules("alert: A, expr: up == 0"), alerts="A").cause
    assert says("groups: []").verdict == "missing"


def test_series_that_nothing_gives() -> None:
    """With the series that exist declared, an alert on another one is dead, unless the file records it."""
    raw = rules("alert: A, expr: gone > 5, labels: {owner: o}", "alert: B, expr: made > 5, labels: {owner: o}", "record: made, expr: up")
    r = says(raw, alerts="A,B", metrics="up")
    assert [c.text for c in r.counterexamples] == ["A is declared and no rule makes it", "A can never fire: nothing gives gone"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("k0: &k0 [x, x]\n" + "".join(f"k{i}: &k{i} [*k{i - 1}, *k{i - 1}, *k{i - 1}]\n" for i in range(1, 20)), "yaml.too-large"),
        ("[" * 100 + "]" * 100, "json.too-deep"),
        ("a: " + "[" * 100, "yaml.too-deep"),
        ("a: 1\na: 2\n", "yaml.key-twice"),
        ("a: !!python/object/apply:os.system [ls]\n", "yaml.tag"),
        ("a: [\n", "yaml.syntax"),
        ("? [a]\n: b\n", "yaml.syntax"),
        ("a: *nothing\n", "yaml.syntax"),
    ],
)  # fmt: skip
def test_hostile_yaml(raw: str, code: str) -> None:
    """Bombs, depth, doubled keys, tags that would run something: refused by type, at once."""
    with pytest.raises(Refused) as e:
        documents(io.BytesIO(raw.encode()))
    assert e.value.code == code


def test_yaml_says_what_go_sees() -> None:
    """Core schema: no sexagesimal, no `yes`, no dates; anchors and merges; keys are text; several documents."""
    raw = (
        "on: yes\nat: 1:30\nd: 2026-01-01\nn: 0x10\nf: 1e3\nz: ~\nt: true\nq: '5'\n200: k\nbase: &b {x: 1}\nall: {<<: *b, y: 2}\n---\n- 1\n"
    )
    assert documents(io.BytesIO(raw.encode())) == [
        {"on": "yes", "at": "1:30", "d": "2026-01-01", "n": 16, "f": 1000.0, "z": None, "t": True, "q": "5", "200": "k", "base": {"x": 1},
         "all": {"x": 1, "y": 2}},
        [1],
    ]  # fmt: skip


def matrix(*series: tuple[dict[str, str], list[tuple[int, str]]]) -> str:
    result = [{"metric": m, "values": [list(v) for v in values]} for m, values in series]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


FULL = [(t, "0.5") for t in range(0, 61, 15)]


@pytest.mark.parametrize(
    ("raw", "more", "verdict", "looked_at"),
    [
        (matrix(({"a": "b"}, FULL)), WINDOW, "pass", 5),
        (matrix(({"a": "b"}, FULL)), {}, "inconclusive", 5),
        (matrix(({"a": "b"}, FULL[:3])), WINDOW, "inconclusive", 3),
        (matrix(({"a": "b"}, FULL), ({"a": "c"}, FULL[:3])), WINDOW, "inconclusive", 8),
        (matrix(({"a": "b"}, FULL), ({"a": "c"}, [(0, "NaN"), (60, "+Inf")])), WINDOW, "inconclusive", 5),
        (matrix(), WINDOW, "missing", 0),
        (matrix(({"a": "b"}, [(60, "NaN")])), WINDOW, "missing", 0),
        (matrix(({"a": "b"}, FULL)), WINDOW | {"at_least": "0.9"}, "fail", 5),
        (matrix(({"a": "b"}, FULL)), WINDOW | {"at_most": "0.9"}, "pass", 5),
        ('{"status":"error","errorType":"bad_data","error":"parse error"}', WINDOW, "inconclusive", 0),
    ],
)
def test_a_query(raw: str, more: dict[str, str], verdict: str, looked_at: int) -> None:
    """Present, with numbers, up to the end of the window: anything less is less than a pass; NaN and infinity are not numbers."""
    r = says(raw, **more)
    assert (r.verdict, r.looked_at) == (verdict, looked_at)


def test_a_series_that_ended_is_named_with_its_last_sample() -> None:
    """So that a person knows since when nothing is measured."""
    assert (
        says(matrix(({"__name__": "up", "job": "x"}, FULL[:3])), **WINDOW).cause
        == 'up{job="x"} ended 1970-01-01T00:00:30.000Z, before the window does'
    )


def history(*values: int) -> str:
    return matrix(({"__name__": "ALERTS", "alertname": "A", "alertstate": "firing", "owner": "o"}, [(t, "1") for t in values]))


@pytest.mark.parametrize(
    ("raw", "more", "verdict"),
    [
        (history(0, 15), WINDOW, "pass"),
        (history(30, 45, 60), WINDOW, "inconclusive"),
        (history(0, 15), {}, "inconclusive"),
        (history(), WINDOW, "missing"),
    ],
)
def test_a_history_of_alerts(raw: str, more: dict[str, str], verdict: str) -> None:
    """An alert that stopped firing before the window ended was seen firing and resolving; without the window nobody can tell."""
    assert says(raw, alerts="A", **more).verdict == verdict
    assert says(raw, alerts="A,B", **more).verdict != "pass"


def test_one_moment_never_passes() -> None:
    """Alerts as an API shows them: seen firing, and nobody saw them resolve; what does not fire just now is not absent."""
    for name in ("prometheus-alerts.json", "alertmanager-alerts.json", "prometheus-rules-answer.json"):
        r = says((SAMPLES / name).read_bytes(), alerts="SocialPredictDown")
        assert (r.verdict, r.looked_at, r.of) == ("inconclusive", 1, 1)
        assert "not seen resolving" in r.cause
        assert "never seen firing: Gone" in says((SAMPLES / name).read_bytes(), alerts="SocialPredictDown,Gone").cause or "rules" in name


@pytest.mark.parametrize(
    ("raw", "verdict", "word"),
    [
        ("route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: x}]}]\n", "inconclusive", "a route is no alarm"),
        ("route: {receiver: b}\nreceivers: [{name: a}]\n", "fail", "route sends to b, which is no receiver"),
        ("route: {receiver: a, matchers: [x=y]}\nreceivers: [{name: a}]\n", "fail", "the others go nowhere"),
        ("route: {receiver: a}\nreceivers: [{name: a}]\n", "inconclusive", "alerts sent to a reach nobody"),
        ("route: {receiver: a, routes: [{receiver: c}]}\nreceivers: [{name: a}]\n", "fail", "route.routes[0] sends to c"),
    ],
)
def test_routes(raw: str, verdict: str, word: str) -> None:
    """A route to nobody fails or is said; a good one is still no alarm that was heard."""
    r = says(raw)
    assert r.verdict == verdict
    assert word in (r.cause or r.counterexamples[0].text)


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        ('# TYPE a counter\na{b="c"} 1\na{b="d"} NaN\n# EOF\n', "pass"),
        ('# TYPE a counter\na{b="c"} 1\n', "inconclusive"),
        ("# TYPE a counter\nb 1\n# EOF\n", "fail"),
        ('# TYPE a counter\na{b="c"} 1\na{b="c"} 2\n# EOF\n', "fail"),
        ("# TYPE a counter\na one\n# EOF\n", "fail"),
        ("# TYPE a counter\n# EOF\n", "fail"),
    ],
)
def test_a_scrape(raw: str, verdict: str) -> None:
    """Declared series are there, each once, with a number; without its end it may have been cut."""
    assert says(raw, series="a").verdict == verdict


def tar(**files: bytes) -> bytes:
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, raw in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            t.addfile(info, io.BytesIO(raw))
    return out.getvalue()


DRILL = Path(__file__).resolve().parents[2] / "src/release_dossier/demo/data/v3.8.1/alertmanager-webhook.ndjson"
FOUR = "SocialPredictDown,SocialPredictNotReady,SocialPredictErrorBudgetBurnFast,SocialPredictLedgerGap"


def test_everything_about_alerts_together() -> None:
    """Rules, routes and a real drill: four of six alerts were seen; who owns them, whether they can fire and reach anybody is known. Each
    part that is not there is said, and a cut tar is none."""
    parts = {
        "rules.yml": (SAMPLES / "prometheus-rules.yml").read_bytes(),
        "alertmanager.yml": (SAMPLES / "alertmanager-config.yml").read_bytes(),
        "drill.ndjson": DRILL.read_bytes(),
    }
    r = says(tar(**parts), alerts=FOUR, failure_modes="outage=SocialPredictDown")
    assert (r.format, r.verdict, r.looked_at, r.of) == ("alert-set", "pass", 4, 4)
    facts = {k: f.value for k, f in r.facts.items()}
    assert (facts["alerts"], facts["alerts_fired"], facts["alerts_owned"], facts["failure_modes_covered"], facts["notifications"]) == (
        6,
        4,
        6,
        1,
        9,
    )
    assert "never seen firing: SocialPredictBetLatencyHigh" in says(tar(**parts), alerts=FOUR + ",SocialPredictBetLatencyHigh").cause
    for gone, words in (("drill.ndjson", "no drill shows that they fire"), ("alertmanager.yml", "whom they reach")):
        assert words in says(tar(**{k: v for k, v in parts.items() if k != gone}), alerts=FOUR).cause
    dead = parts["rules.yml"].replace(b'probe_success{job="blackbox-health"} == 0', b"count(up) == 0")
    assert says(tar(**parts | {"rules.yml": dead}), alerts=FOUR).verdict == "fail"
    assert "noise is of no format of alerts" in says(tar(**parts, noise=b"noise"), alerts=FOUR).cause
    raw = tar(**parts)
    for end in range(600, len(raw.rstrip(b"\0")) + 512, 997):
        try:
            assert says(raw[:end], alerts=FOUR).verdict != "pass"
        except Refused:
            continue
