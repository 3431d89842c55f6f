"""Which code a run of tests ran, by service and of what the change touches."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="coverage",
    unit="statements or lines",
    age_max=7 * DAY,
    about_data=False,
    proves="these statements or lines ran while the tests ran",
    does_not_prove="that anything looked at what they did; a statement that ran is not a statement that was tested",
    facts=(
        ("covered", "ratio", "of statements, or lines where the format has none, that ran"),
        ("statements", "statements", "measured"),
        ("statements_covered", "statements", "of them ran"),
        ("lines", "lines", "measured"),
        ("lines_covered", "lines", "of them ran"),
        ("branches", "branches", "measured"),
        ("branches_covered", "branches", "of them taken"),
        ("functions", "functions", "measured"),
        ("functions_covered", "functions", "of them called"),
        ("files", "files", "measured"),
        ("changed_lines", "lines", "measured, that the change touches"),
        ("changed_lines_covered", "lines", "of them ran"),
        ("changed_covered", "ratio", "of the lines the change touches that ran"),
        ("covered_<service>", "ratio", "the same as covered, of the files of one service"),
    ),
    formats=("clover", "cobertura", "coverage-py", "go-cover", "istanbul-summary", "jacoco", "lcov"),
)
