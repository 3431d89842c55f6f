"""What tools found that read the code without running it."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="static-analysis",
    unit="analyses",
    age_max=14 * DAY,
    about_data=False,
    proves="these tools looked at this code, and this is what they found that nobody suppressed",
    does_not_prove="what no rule of theirs asks; a limit of the tool on how much it reports hides the rest",
    facts=(
        ("results", "results", "findings in the file, suppressed ones among them"),
        ("suppressed", "results", "of them suppressed"),
        ("errors", "results", "open, of level error"),
        ("warnings", "results", "open, of level warning"),
        ("notes", "results", "open, of level note"),
        ("results_new", "results", "new against the base, where the file says so"),
        ("results_old", "results", "there in the base already"),
        ("results_gone", "results", "there in the base and no more"),
        ("rules", "rules", "that found something"),
        ("files", "files", "in which something was found"),
    ),
    formats=(
        "actionlint",
        "bandit",
        "checkstyle",
        "eslint",
        "go-vet-json",
        "golangci-lint",
        "gosec",
        "sarif",
        "semgrep",
        "staticcheck",
        "zizmor",
    ),
)
