"""What became of requests that were sent more than once."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="replay-protection",
    unit="scenarios",
    age_max=14 * DAY,
    about_data=True,
    proves="how often a request that was sent several times was accepted, and what it moved",
    does_not_prove="other requests, or another interleaving of these",
    facts=(
        ("scenarios", "scenarios", "in the file"),
        ("accepted_too_often", "scenarios", "in which more was accepted than there was"),
    ),
    formats=("replay-scenarios",),
)
