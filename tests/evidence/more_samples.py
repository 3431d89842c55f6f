"""Samples of formats about how a system is watched, built, changed and run; see samples.py."""

from __future__ import annotations

from tests.evidence.samples import Sample

_COMMIT = {"commit": "3d978faac6b3391d5b6a9af4aa37a283d48699a7"}
_FOUR = {"alerts": "SocialPredictDown,SocialPredictNotReady,SocialPredictErrorBudgetBurnFast,SocialPredictLedgerGap"}
_WINDOW = {"start": "1795394668", "end": "1795395568", "step": "15"}

MORE_SAMPLES: tuple[Sample, ...] = (
    Sample("alert-history", "alert-history.json", "alert-coverage", 4, (b"1795395163", b"1795395568"), expectations=_FOUR | _WINDOW),
    Sample("alert-set", "alert-set.tar", "alert-coverage", 4, (b'"blackbox-health"} == 0', b'"blackbox-health"} <  0'), expectations=_FOUR),
    Sample("alertmanager-alerts", "alertmanager-alerts.json", "alert-coverage", 3, None, expectations=_FOUR, verdict="inconclusive"),
    Sample("alertmanager-config", "alertmanager-config.yml", "alert-coverage", 1, None, False, verdict="inconclusive"),
    Sample("attestation", "attestation.json", "provenance", 0, None, asked=_COMMIT, verdict="inconclusive"),
    Sample("in-toto-link", "in-toto-link.json", "provenance", 0, None, asked=_COMMIT, verdict="inconclusive"),
    Sample("in-toto-statement", "in-toto-statement.json", "provenance", 0, None, asked=_COMMIT, verdict="inconclusive"),
    Sample("dredd", "dredd.xml", "api-contract", 4, (b"<system-out>", b"<failure/><system-out>")),
    Sample("oasdiff", "oasdiff.json", "api-contract", 19, None, exit=None, verdict="fail"),
    Sample("openapi", "openapi.yaml", "api-contract", 0, None, False, verdict="inconclusive"),
    Sample("schemathesis", "schemathesis.ndjson", "api-contract", 2, None, False, verdict="fail"),
    Sample("compose", "compose.yaml", "topology", 1, None, False, 0, expectations={"services": "backend"}),
    Sample("compose-ps", "compose-ps.ndjson", "readiness", 2, (b'"healthy"', b'"unhealthy"'), False, 0, {"services": "backend,db"}),
    Sample("prometheus-recording", "prometheus-recording.ndjson", "observability", 48, (b'[1795395568,"1"]', b'[1795395468,"1"]')),
    Sample("github-review", "github-review.json", "review", 1, (b'"SUCCESS"', b'"FAILURE"')),
    Sample("github-webhook", "github-webhook.json", "review", 1, None, verdict="inconclusive"),
    Sample("health", "health.json", "readiness", 3, (b'[{"status": "pass"}]', b'[{"status": "fail"}]')),
    Sample("incidents", "incidents.json", "incidents", 1, (b'"resolved"', b'"open"')),
    Sample("kubernetes", "kubernetes.yaml", "topology", 1, None, False, 0, expectations={"services": "bets"}),
    Sample("migrations-diff", "migrations-diff.diff", "migrations", 2, (b"+\t", b"+DROP TABLE users;"), False, 0),
    Sample("ops-status", "ops-status.json", "readiness", 2, (b'"ready":true', b'"ready":false')),
    Sample("otlp", "otlp.pb", "observability", 1, None, False, expectations={"services": "socialpredict-client"}),
    Sample("postmortem", "postmortem.md", "incidents", 1, (b"resolved_at", b"answered_at"), False, 0),
    Sample("openslo", "openslo.yaml", "alert-coverage", 1, None, False, verdict="inconclusive"),
    Sample("prometheus-alerts", "prometheus-alerts.json", "alert-coverage", 3, None, expectations=_FOUR, verdict="inconclusive"),
    Sample(
        "prometheus-query", "prometheus-query.json", "observability", 48, (b'[1795395568,"1"]', b'[1795395468,"1"]'), expectations=_WINDOW
    ),
    Sample("prometheus-rules", "prometheus-rules.yml", "alert-coverage", 4, None, False, expectations=_FOUR, verdict="inconclusive"),
    Sample("prometheus-rules-answer", "prometheus-rules-answer.json", "alert-coverage", 6, None, verdict="inconclusive"),
    Sample("prometheus-targets", "prometheus-targets.json", "observability", 5, (b'"health":"up"', b'"health":"down"')),
    Sample(
        "prometheus-text",
        "prometheus-text.prom",
        "observability",
        1,
        (b"\nsp_", b"\n%sp_"),
        False,
        0,
        {"series": "sp_client_requests_total"},
    ),
    Sample("pyrra", "pyrra.yaml", "alert-coverage", 1, None, False, verdict="inconclusive"),
    Sample("sloth", "sloth.yml", "alert-coverage", 1, None, False, verdict="inconclusive"),
)
