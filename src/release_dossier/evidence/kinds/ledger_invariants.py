"""Whether a ledger holds its own laws; made by `dossier ledger verify`."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="ledger-invariants",
    unit="checks",
    age_max=DAY,
    about_data=True,
    proves="the rows of this ledger hold their own laws",
    does_not_prove="what left no row; see docs/ledger-checks.md",
    facts=(
        ("checks_failed", "checks", "laws that are broken"),
        ("checks_warned", "checks", "laws that hold, with something worth a look"),
        ("minted", "credits", "made by sales, lawfully and unbacked"),
        ("burned", "credits", "lost in pools nobody won"),
        ("ruleset", "name", "the rules it was judged under"),
    ),
    formats=("dossier ledger verify",),
)
