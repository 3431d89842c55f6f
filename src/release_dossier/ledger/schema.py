"""Which releases a ledger's schema fits: told by its migration table and its columns, never guessed.

The money rules changed between releases that share a schema, so a schema names a family of releases, not one.
A migration that no release of SocialPredict has is said to be unknown: nothing is certain under it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence

import msgspec

# release family → the migrations it added to those before it (backend/migration/migrations at each tag)
FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("v2.0.0", ("20251013080000",)),
    ("v2.1.0–v3.1.0", ("20251020140500",)),
    (
        "v3.2.0–v3.4.0",
        (
            "20251027090000", "20251103090000", "20251110090000", "20251117090000", "20251124090000", "20251201090000", "20251208090000",
            "20251215090000", "20251222090000", "20251229090000", "20260105090000", "20260112090000", "20260119090000", "20260607090000",
            "20260607091000", "20260607092000", "20260607093000", "20260607094000",
        ),
    ),
    ("v3.5.0–v3.8.1", ("20260612090000", "20260614090000", "20260614100000", "20260616090000", "20260618090000")),
)  # fmt: skip
KNOWN = frozenset(m for _, added in FAMILIES for m in added)
# the releases whose rules a family may have been written under, oldest first: names of `rulesets.NAMED`
RELEASES = {
    "v2.0.0": ("v2.0.0",),
    "v2.1.0–v3.1.0": ("v2.1.0", "v3.0.0", "v3.0.1", "v3.1.0"),
    "v3.2.0–v3.4.0": ("v3.2.0", "v3.3.0", "v3.4.0"),
    "v3.5.0–v3.8.1": ("v3.5.0", "v3.5.1", "v3.5.2", "v3.6.0", "v3.7.0", "v3.7.1", "v3.8.0", "v3.8.1"),
}
# optional table or column → migration it came with
SINCE = {
    "markets.rejected_at": "20251110090000",
    "markets.proposal_cost": "20251117090000",
    "markets.steward_username": "20251208090000",
    "moderator_role_audits": "20251027090000",
    "market_stewardship_audits": "20251208090000",
    "market_accounting_snapshots": "20260607090000",
    "market_groups": "20260612090000",
    "market_group_members": "20260612090000",
    "market_group_answer_additions": "20260614090000",
}
# what an older or cut ledger lacks → checks that see less without it
NARROWS: dict[str, tuple[str, ...]] = {
    "markets.lifecycle_status": ("S5", "S6"),
    "markets.proposal_cost": ("S10", "R6", "R8", "T"),
    "markets.steward_username": ("S17", "R6", "R8", "T"),
    "markets.rejected_at": ("S13", "R6", "T"),
    "markets.deleted_at": ("S14",),
    "users.deleted_at": ("S14",),
    "bets.deleted_at": ("S14",),
    "market_groups": ("S7", "S8", "S11", "S17", "R6", "R8", "T"),
    "market_group_members": ("S7", "S8", "S10", "S11", "S17", "R6", "R8", "T"),
    "market_group_answer_additions": ("S11", "S17", "S18", "R6", "T"),
    "market_stewardship_audits": ("S17", "R6", "R8", "T"),
    "moderator_role_audits": ("S18",),
    "market_accounting_snapshots": ("S16",),
    "schema_migrations": (),
}


class Schema(msgspec.Struct, frozen=True):
    """A family of releases, the newest migration applied (`none` without), and why nothing is certain; empty where all is known."""

    family: str
    newest: str
    doubt: str


def told(migrations: Collection[str] | None, lacks: Collection[str]) -> Schema:
    """What a migration table (None: there is none) and missing columns say.

    Builds between two releases have some migrations of the newer one: they count as the newer family.
    """
    if migrations is None:
        newer = [column for column in ("markets.lifecycle_status", "markets.proposal_cost") if column not in lacks]
        return Schema("before migrations were kept", "none", f"there is no migration table, yet {newer[0]} is there" if newer else "")
    if not migrations:
        return Schema("unknown", "none", "the migration table is empty: a restore was not finished, or another tool made these tables")
    newest = max(migrations)
    unknown = sorted(set(migrations) - KNOWN)
    family = next((name for name, added in reversed(FAMILIES) if not set(added).isdisjoint(migrations)), "unknown")
    if unknown:
        return Schema(family, newest, f"no release has migration {', '.join(unknown[:3])}{' and more' if len(unknown) > 3 else ''}")
    skipped = sorted(m for m in KNOWN - set(migrations) if m < newest)
    return Schema(family, newest, f"migration {skipped[0]} was skipped" if skipped else "")


def lost(lacks: Sequence[str], applied: Sequence[tuple[str, int | None]]) -> list[str]:
    """What a ledger has not although the migration it came with ran: an older release never had it, here it was dropped or not copied."""
    ran = {m for m, _ in applied}
    return [x for x in lacks if SINCE.get(x) in ran]


def lived_through(applied: Sequence[tuple[str, int | None]], moments: Sequence[int]) -> list[tuple[str, int | None, tuple[str, ...]]]:
    """(family, moment its first migration ran, its releases) in order: the only trace an upgrade leaves, and a downgrade leaves none.

    Args:
        moments: when rows were made, in order; a family during which none was made was only passed through by the first start.
    """
    ran = dict(applied)
    came = []
    for name, added in FAMILIES:
        at = [ran[m] for m in added if m in ran]
        if at:
            came.append((name, min((t for t in at if t is not None), default=None), RELEASES[name]))
    out: list[tuple[str, int | None, tuple[str, ...]]] = []
    for i, (name, since, releases) in enumerate(came):
        until = came[i + 1][1] if i + 1 < len(came) else None
        used = until is not None and bisect_left(moments, until) > (bisect_left(moments, since) if out and since is not None else 0)
        if used or i + 1 == len(came):
            out.append((name, since, releases))
    return out
