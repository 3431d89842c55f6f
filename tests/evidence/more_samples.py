"""Samples of formats about how a system is watched, built, changed and run; see samples.py."""

from __future__ import annotations

from tests.evidence.samples import Sample

_COMMIT = {"commit": "3d978faac6b3391d5b6a9af4aa37a283d48699a7"}
_FOUR = {"alerts": "SocialPredictDown,SocialPredictNotReady,SocialPredictErrorBudgetBurnFast,SocialPredictLedgerGap"}
_WINDOW = {"start": "1795394668", "end": "1795395568", "step": "15"}

MORE_SAMPLES: tuple[Sample, ...] = (
    Sample("alert-history", "alert-history.json", "alert-coverage", 4, (b"1795395163", b"1795395568"), expectations=_FOUR | _WINDOW),
    Sample("alertmanager-alerts", "alertmanager-alerts.json", "alert-coverage", 3, None, expectations=_FOUR, verdict="inconclusive"),
    Sample("alertmanager-config", "alertmanager-config.yml", "alert-coverage", 1, None, False, verdict="inconclusive"),
    Sample("attestation", "attestation.json", "provenance", 0, None, asked=_COMMIT, verdict="inconclusive"),
    Sample("in-toto-link", "in-toto-link.json", "provenance", 0, None, asked=_COMMIT, verdict="inconclusive"),
    Sample("in-toto-statement", "in-toto-statement.json", "provenance", 0, None, asked=_COMMIT, verdict="inconclusive"),
    Sample("oasdiff", "oasdiff.json", "api-contract", 19, None, exit=None, verdict="fail"),
    Sample("openapi", "openapi.yaml", "api-contract", 0, None, False, verdict="inconclusive"),
    Sample("schemathesis", "schemathesis.ndjson", "api-contract", 2, None, False, verdict="fail"),
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
