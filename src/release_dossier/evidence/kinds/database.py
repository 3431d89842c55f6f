"""What statements and tables cost in the database, and who waited for whom."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="database",
    unit="statements, tables or sessions",
    age_max=7 * DAY,
    about_data=False,
    proves="since its statistics were reset, or in these samples, the database spent its time so",
    does_not_prove="anything under another load; a statement is laid to tables by its words",
    facts=(
        ("statements", "statements", "that differ"),
        ("calls", "calls", "of them all"),
        ("time", "ms", "spent in them all"),
        ("tables", "tables", "of users"),
        ("rows", "rows", "alive in them all"),
        ("sessions", "rows", "of locks or sessions, over all samples"),
        ("waiting", "rows", "of them waiting"),
        ("moments", "samples", "that were taken"),
        ("time_of:<statement>", "ms", "spent in one statement, by its queryid"),
        ("time_on:<table>", "ms", "spent in statements that name the table"),
        ("read:<table>", "rows", "read from it"),
        ("written:<table>", "rows", "inserted, updated or deleted in it"),
        ("scans:<table>", "scans", "of the whole table"),
        ("dead:<table>", "rows", "of it that are dead"),
        ("waits_on:<table>", "rows", "that waited on it"),
        ("waits_for:<event>", "rows", "that waited for it"),
    ),
    formats=("pg-stat-statements", "pg-stat-user-tables", "pg-waits"),
)
