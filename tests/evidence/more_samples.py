"""Samples of formats about how a system is watched, built, changed and run; see samples.py."""

from __future__ import annotations

from tests.evidence.samples import Sample

_FOUR = {"alerts": "SocialPredictDown,SocialPredictNotReady,SocialPredictErrorBudgetBurnFast,SocialPredictLedgerGap"}
_WINDOW = {"start": "1795394668", "end": "1795395568", "step": "15"}

MORE_SAMPLES: tuple[Sample, ...] = (
    Sample("alert-history", "alert-history.json", "alert-coverage", 4, (b"1795395163", b"1795395568"), expectations=_FOUR | _WINDOW),
    Sample("alertmanager-alerts", "alertmanager-alerts.json", "alert-coverage", 3, None, expectations=_FOUR, verdict="inconclusive"),
    Sample("alertmanager-config", "alertmanager-config.yml", "alert-coverage", 1, None, False, verdict="inconclusive"),
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
