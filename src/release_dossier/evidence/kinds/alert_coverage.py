"""Which declared failures have an alert, and which alert was ever seen firing."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="alert-coverage",
    unit="alerts",
    age_max=14 * DAY,
    about_data=False,
    proves="these alerts were seen firing and resolving when something was broken on purpose",
    does_not_prove="that somebody is awake; an alert that was not provoked is not looked at, and a rule is no alarm",
    facts=(
        ("alerts_declared", "alerts", "that should be seen"),
        ("alerts_fired", "alerts", "of them seen firing"),
        ("alerts_resolved", "alerts", "of them seen resolving again"),
        ("rules", "rules", "rules that were checked"),
        ("lint_errors", "rules", "faults for which Prometheus, or the tool that makes rules of it, refuses the file"),
        ("alerts", "alerts", "in the file, watchdogs left out"),
        ("alerts_present", "alerts", "of those declared"),
        ("alerts_owned", "alerts", "with an owner"),
        ("alerts_with_runbook", "alerts", "with a runbook"),
        ("alerts_never", "alerts", "that can never fire"),
        ("failure_modes", "failure modes", "declared"),
        ("failure_modes_covered", "failure modes", "of them watched by an alert that can fire"),
        ("services", "services", "declared"),
        ("services_covered", "services", "of them watched by an alert that can fire"),
        ("slos", "objectives", "in a file of objectives"),
        ("firing", "alerts", "at the moment that was looked at, watchdogs among them"),
        ("notifications", "notifications", "that Alertmanager sent"),
        ("routes", "routes", "of Alertmanager"),
        ("receivers_silent", "receivers", "of Alertmanager that reach nobody"),
    ),
    formats=(
        "alert-history",
        "alert-set",
        "alertmanager-alerts",
        "alertmanager-config",
        "fire-drill",
        "openslo",
        "prometheus-alerts",
        "prometheus-rules",
        "prometheus-rules-answer",
        "promtool",
        "pyrra",
        "sloth",
    ),
)
