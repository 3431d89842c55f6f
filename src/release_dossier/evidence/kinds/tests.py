"""Results of tests, whatever tool ran them."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="tests",
    unit="test results",
    age_max=7 * DAY,
    about_data=False,
    proves="these tests ran on this code and this is how each ended",
    does_not_prove="anything no test asks; a skipped test counts as not looked at",
    facts=(
        ("tests", "tests", "results in the file"),
        ("passed", "tests", "of them passed"),
        ("failed", "tests", "of them failed or broke"),
        ("skipped", "tests", "of them skipped"),
    ),
    formats=("junit", "go-test-json", "vitest-json", "dotnet-xml", "tap", "ctrf", "pytest-json"),
)
