"""Where a program spent its time or memory: the raw material of hot spots."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="profile",
    unit="samples",
    age_max=30 * DAY,
    about_data=False,
    proves="in these samples, time or memory went to these functions",
    does_not_prove="anything under another load, or that what costs much could cost less",
    facts=(
        ("samples", "samples", "in it"),
        ("functions", "functions", "seen"),
        ("total", "", "of what was sampled, in the unit of the file"),
        ("sampled", "words", "what was: cpu, delay, inuse_space"),
        ("duration", "s", "it was sampled for"),
        ("flat:<function>", "", "measured in it, of those with most"),
        ("cum:<function>", "", "measured in it and in what it called, of those with most"),
        ("share_<service>", "ratio", "of the total, in the service's code or in what it called"),
    ),
    formats=("collapsed-stacks", "pprof", "pprof-cpu", "pprof-text", "speedscope"),
)
