"""What went wrong before, and what of it is still to be done."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="incidents",
    unit="incidents",
    age_max=7 * DAY,
    about_data=False,
    proves="these incidents were written down, and none of them goes on",
    does_not_prove="that nothing else happened, or that what was learned was done",
    facts=(
        ("incidents", "incidents", "in the file"),
        ("incidents_open", "incidents", "of them that go on"),
        ("incidents_severe", "incidents", "of them of the highest severities"),
        ("incidents_detected_by_alert", "incidents", "of them where an alert is named that noticed it"),
        ("incidents_of_<service>", "incidents", "in one service"),
        ("duration", "min", "of all of them together, where it is written down"),
        ("duration_longest", "min", "of the longest"),
        ("actions", "actions", "that were to be done"),
        ("actions_open", "actions", "of them not done"),
    ),
    formats=("incidents", "postmortem"),
)
