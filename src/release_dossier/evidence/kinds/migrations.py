"""Which changes of the database a release carries, and what they cannot give back."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="migrations",
    unit="migrations",
    age_max=30 * DAY,
    about_data=False,
    proves="the migrations in this change were read, and none that destroys something was left unnamed",
    does_not_prove="that they run, how long they lock, or that the way back was tried",
    facts=(
        ("migrations", "migrations", "that are new"),
        ("migrations_destructive", "migrations", "of them that drop, empty, rename or retype something"),
        ("migrations_irreversible", "migrations", "of them without a way back"),
        ("migrations_edited", "migrations", "that were there before and are changed"),
        ("tables", "tables", "touched"),
        ("tables_touched", "words", "their names"),
        ("files", "files", "in the diff"),
    ),
    formats=("migrations-diff",),
)
