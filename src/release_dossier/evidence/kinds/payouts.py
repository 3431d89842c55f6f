"""Whether every user has what the rules give; made by `dossier ledger verify`."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="payouts",
    unit="users",
    age_max=DAY,
    about_data=True,
    proves="every user's balance is what an independent replay of the rules gives",
    does_not_prove="that the rules are wise, or what happens to the next order",
    facts=(
        ("users", "users", "looked at"),
        ("users_wrong", "users", "with another balance than the rules give"),
        ("unexplained", "credits", "by which balances are off, taken together"),
        ("dust_high", "credits", "the most that rounding of sales can account for"),
        ("ruleset", "name", "the rules it was judged under"),
    ),
    formats=("dossier ledger verify",),
)
