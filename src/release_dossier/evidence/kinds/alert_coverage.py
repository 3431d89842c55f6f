"""Which declared failures have an alert, and which alert was ever seen firing."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="alert-coverage",
    unit="alerts",
    age_max=14 * DAY,
    about_data=False,
    proves="these alerts were seen firing and resolving when something was broken on purpose",
    does_not_prove="that somebody is awake; an alert that was not provoked is not looked at",
    facts=(
        ("alerts_declared", "alerts", "that should be seen"),
        ("alerts_fired", "alerts", "of them seen firing"),
        ("alerts_resolved", "alerts", "of them seen resolving again"),
        ("rules", "rules", "rules that were checked"),
    ),
    formats=("fire-drill", "promtool"),
)
