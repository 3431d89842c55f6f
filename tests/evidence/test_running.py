"""What runs, how it says it is, what went wrong, and what was traced."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.otlp import Telemetry, from_json, from_protobuf
from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading
from release_dossier.evidence.topology import cores, size

SAMPLES = Path(__file__).with_name("samples")
ARTIFACTS = Path(__file__).resolve().parents[3] / "shared/socialpredict/artifacts"


def says(raw: Any, **more: Any) -> Reading:
    data = raw if isinstance(raw, bytes) else (raw if isinstance(raw, str) else json.dumps(raw)).encode()
    return read(io.BytesIO(data), expectations=more, exit_status=0)


def test_a_real_compose_file() -> None:
    """SocialPredict's production: six services, none with a limit, two asked whether they are ready, one that may steer its host."""
    r = says((SAMPLES / "compose.yaml").read_bytes(), services="backend,db,frontend")
    facts = {k: f.value for k, f in r.facts.items()}
    assert (r.verdict, r.looked_at, r.of) == ("pass", 3, 3)
    assert [facts[k] for k in ("containers", "containers_limited", "containers_probed", "containers_risky", "images_pinned")] == [
        6,
        0,
        2,
        1,
        0,
    ]
    assert "images named by variables that the file does not set: BACKEND_IMAGE_NAME, FRONTEND_IMAGE_NAME" in r.limits
    assert says((SAMPLES / "compose.yaml").read_bytes()).verdict == "inconclusive"
    assert says((SAMPLES / "compose.yaml").read_bytes(), services="bets").verdict == "fail"


def compose(**service: Any) -> dict[str, Any]:
    return {"services": {"a": {"image": "x/a:1"} | service}}


def test_another_size_is_another_topology() -> None:
    """A version may change; a limit, a number or another image may not, where a shape is asked for."""
    shape = says(compose()).facts["shape"].value
    assert says(compose(image="x/a:2")).facts["shape"].value == shape
    for other in ({"mem_limit": "1g"}, {"image": "x/b:1"}, {"deploy": {"replicas": 2}}, {"cpus": 2}):
        assert says(compose(**other)).facts["shape"].value != shape
        assert says(compose(**other), services="a", same_as=shape).verdict == "fail"
    assert says(compose(image="x/a:2"), services="a", same_as=shape).verdict == "pass"


def test_units() -> None:
    """Cores and bytes as compose and Kubernetes write them; what is no number is none."""
    assert [cores(x) for x in ("500m", "2", 0.5, "x", "-1", "nan")] == [0.5, 2.0, 0.5, None, None, None]
    assert [size(x) for x in ("512Mi", "1G", "1Ki", 7, "x", "0")] == [512 * 2**20, 10**9, 1024, 7, None, None]
    assert [size(x, binary=True) for x in ("1g", "512m", "1k")] == [2**30, 512 * 2**20, 1024]


def test_kubernetes() -> None:
    """Containers, limits and probes; replicas that are not ready are said; a list of resources is read as its parts."""
    pod = {"spec": {"containers": [{"name": "a", "image": "i"}]}}
    one: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "status": {"readyReplicas": 2}}
    one["spec"] = {"replicas": 3, "template": pod}
    r = says({"apiVersion": "v1", "kind": "List", "items": [one]}, services="a")
    assert (r.verdict, r.cause) == ("inconclusive", "2 of 3 replicas are ready")
    one["status"] = {"readyReplicas": 3}
    assert says(one, services="a").verdict == "pass"
    assert says({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}, services="").verdict == "missing"


@pytest.mark.parametrize(
    ("raw", "verdict", "looked_at"),
    [
        ({"status": "ok"}, "pass", 1),
        ({"status": "UP", "components": {"db": {"status": "UP"}, "disk": {"status": "DOWN"}}}, "fail", 3),
        ({"status": "UP", "components": {"db": {"status": "UNKNOWN"}}}, "inconclusive", 1),
        ({"status": "pass", "checks": {"a": [{"status": "pass"}, {"status": "fail"}]}}, "fail", 3),
        ({"status": "degraded"}, "inconclusive", 0),
        ("[+]ping ok\n[+]etcd ok\nreadyz check passed\n", "pass", 2),
        ("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n", "fail", 2),
    ],
)
def test_health(raw: Any, verdict: str, looked_at: int) -> None:
    """A part that is down fails the whole, whatever the whole says; a word nobody knows is no health."""
    r = says(raw)
    assert (r.kind, r.verdict, r.looked_at) == ("readiness", verdict, looked_at)
    assert says(raw, checks="gone").verdict in ("fail", "inconclusive")


def test_ops_status() -> None:
    """Flags decide; durations are milliseconds."""
    status = json.loads((SAMPLES / "ops-status.json").read_text())
    status["dbPool"]["waitDurationNanoseconds"] = 2_500_000
    assert says(status).facts["db_wait"].value == 2.5
    assert says(status | {"ready": False}).verdict == "fail"
    assert says(status | {"ready": "yes"}).verdict == "inconclusive"


def test_telemetry_is_the_same_in_both_forms() -> None:
    """The protobuf of a real export counts what its JSON counts."""
    raw = (SAMPLES / "otlp.pb").read_bytes()
    t = Telemetry()
    from_protobuf(raw, t)
    assert (t.spans, t.failed, t.roots, len(t.traces), t.services) == (57, 5, 11, 12, {"socialpredict-client": 57})
    if ARTIFACTS.exists():
        j = Telemetry()
        from_json(json.loads((ARTIFACTS / "otlp/traces.otlp.ndjson").read_text().splitlines()[0]), j)
        assert (j.spans, j.failed, j.roots, j.traces and len(j.traces), j.services) == (57, 5, 11, 12, t.services)
    for end in range(1, len(raw), 61):
        with pytest.raises(Refused) as e:
            from_protobuf(raw[:end], Telemetry())
        assert e.value.code == "otlp.protobuf"


def test_telemetry() -> None:
    """Who should report is declared; another commit is said; one bad line hides none."""
    raw = (SAMPLES / "otlp.ndjson").read_bytes()
    assert says(raw, services="socialpredict-client").verdict == "pass"
    assert says(raw, services="socialpredict-client,ledger").cause == "nothing of ledger"
    assert says(raw + b"noise\n", services="socialpredict-client").cause == "1 parts could not be read"
    r = read(io.BytesIO(raw), expectations={"services": "socialpredict-client"}, asked={"commit": "f" * 40})
    assert "it is of commit 3d978faac6b3391d5b6a9af4aa37a283d48699a7, not ffff" in r.cause
    assert says({"resourceSpans": []}).verdict == "missing"


INCIDENT = {
    "title": "a",
    "service": "bets",
    "severity": "sev1",
    "started_at": "2026-01-01T00:00:00Z",
    "resolved_at": "2026-01-01T01:00:00Z",
}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "pass"),
        ({"resolved_at": None}, "fail"),
        ({"status": "monitoring"}, "fail"),
        ({"status": "resolved", "resolved_at": None}, "inconclusive"),
        ({"resolved_at": "2025-01-01T00:00:00Z", "status": "resolved"}, "inconclusive"),
        ({"service": "accounts", "resolved_at": None}, "pass"),
    ],
)
def test_incidents(change: dict[str, Any], verdict: str) -> None:
    """One that goes on fails; one nobody finished writing down cannot be judged; another service's does not count here."""
    r = says({"incidents": [INCIDENT, INCIDENT | change]}, services="bets")
    assert r.verdict == verdict
    assert says({"incidents": []}).verdict == "inconclusive"


def test_incidents_as_issues() -> None:
    """GitHub's issues: a label makes one an incident, tasks are actions, a pull request is none."""
    labels = [{"name": n} for n in ("incident", "service: bets", "sev1")]
    issue = {"number": 5, "title": "bets down", "state": "closed", "labels": labels}
    issue |= {"created_at": "2026-01-01T00:00:00Z", "closed_at": "2026-01-01T02:00:00Z"}
    issue |= {"body": "Detected by: SocialPredictDown\n- [x] a\n- [ ] b\n"}
    other = issue | {"number": 6, "labels": [{"name": "bug"}]}
    r = says([issue, other, issue | {"number": 7, "pull_request": {}}])
    facts = {k: f.value for k, f in r.facts.items()}
    assert (r.verdict, facts["incidents"], facts["actions"], facts["actions_open"], facts["duration"]) == ("pass", 1, 2, 1, 120.0)
    assert (facts["incidents_of_bets"], facts["incidents_severe"], facts["incidents_detected_by_alert"]) == (1, 1, 1)
    assert says([issue | {"state": "open", "closed_at": None}]).verdict == "fail"
    assert says([issue, other], label="bug").facts["incidents"].value == 1


def test_a_postmortem() -> None:
    """Front matter says when; tasks say what is left."""
    raw = (SAMPLES / "postmortem.md").read_text()
    r = says(raw)
    assert (r.verdict, r.facts["duration"].value, r.facts["actions_open"].value) == ("pass", 30.0, 1)
    assert says(raw.replace("resolved_at: 2026-11-20T10:30:00Z\n", "")).verdict == "fail"


@pytest.mark.parametrize(
    ("change", "services", "verdict"),
    [
        ({}, "a", "pass"),
        ({}, "", "inconclusive"),
        ({}, "a,b", "fail"),
        ({"Health": "unhealthy"}, "a", "fail"),
        ({"Health": "starting"}, "a", "inconclusive"),
        ({"State": "restarting"}, "a", "fail"),
        ({"State": "created"}, "a", "inconclusive"),
    ],
)
def test_containers_of_compose(change: dict[str, str], services: str, verdict: str) -> None:
    """Running and healthy, or not known yet, or not; a declared service that is not there fails; a list is the same as lines."""
    row = {"Name": "p-a-1", "Service": "a", "State": "running", "Health": "healthy", "ExitCode": 0} | change
    for raw in (row, [row]):
        assert says(json.dumps(raw) + "\n", services=services).verdict == verdict
