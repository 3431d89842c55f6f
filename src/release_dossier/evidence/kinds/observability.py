"""Whether what should be measured is measured, and still."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="observability",
    unit="samples",
    age_max=DAY,
    about_data=False,
    proves="these series were there, had numbers, and reached the end of the window that was asked for",
    does_not_prove="that the numbers are right, or that anybody looks at them",
    facts=(
        ("series", "series", "in the answer"),
        ("samples", "samples", "in the answer"),
        ("samples_nan", "samples", "of them NaN or infinite: they are not looked at"),
        ("min", "value", "the least of all samples"),
        ("max", "value", "the greatest of all samples"),
        ("last_min", "value", "the least of the last samples"),
        ("last_max", "value", "the greatest of the last samples"),
        ("age_at_end", "s", "between the last sample of the series that ended first and the end of the window"),
        ("targets", "targets", "that are scraped"),
        ("targets_up", "targets", "of them answering"),
        ("spans", "spans", "in the export"),
        ("spans_failed", "spans", "of them failed"),
        ("traces", "traces", "they belong to"),
        ("services", "services", "that reported"),
        ("root_p95", "ms", "95 % of the root spans were shorter"),
        ("queries", "queries", "asked of a server"),
        ("last_min.<query>", "value", "the least of the last samples of one query"),
        ("last_max.<query>", "value", "the greatest of the last samples of one query"),
        ("queries_answered", "queries", "of them answered with numbers up to the end"),
    ),
    formats=("otlp", "prometheus-query", "prometheus-recording", "prometheus-targets", "prometheus-text"),
)
