"""Who looked at a change before it was released, and what the platform's checks said of it."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="review",
    unit="reviews",
    age_max=30 * DAY,
    about_data=False,
    proves="these people approved this commit, and these checks of it passed, as the platform says",
    does_not_prove="that they looked closely; an approval in this tool is another thing, and signed",
    facts=(
        ("reviews", "reviews", "in the file"),
        ("approvals", "reviews", "that stand and are of the commit that is released"),
        ("approvals_stale", "reviews", "that stand and are of an earlier commit"),
        ("changes_requested", "reviews", "that stand and ask for changes"),
        ("checks", "checks", "in the file"),
        ("checks_passed", "checks", "of them passed"),
        ("checks_failed", "checks", "of them failed"),
        ("checks_open", "checks", "of them that did not end"),
        ("checks_skipped", "checks", "of them skipped or cancelled"),
        ("files", "files", "that changed"),
        ("files_without_owner", "files", "of them nobody owns"),
        ("files_unapproved", "files", "of them whose owners did not approve"),
        ("deliveries", "deliveries", "of a webhook"),
    ),
    formats=("github-review", "github-webhook"),
    personal=("by",),
)
