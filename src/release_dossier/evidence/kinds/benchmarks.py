"""How long small pieces of code take, with how often that was measured."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="benchmarks",
    unit="benchmarks",
    age_max=14 * DAY,
    about_data=False,
    proves="these benchmarks ran on this machine, and took so long in so many samples",
    does_not_prove="anything on another machine, or that a difference is more than chance where samples overlap",
    facts=(
        ("benchmarks", "benchmarks", "measured"),
        ("samples", "samples", "in all"),
        ("samples_min", "samples", "of the benchmark with the fewest"),
        ("rows", "rows", "a comparison has"),
        ("rows_changed", "rows", "of them with a difference beyond chance"),
        ("rows_open", "rows", "of them that tell nothing"),
        ("cpu", "words", "the processor, as the tool names it"),
        ("goos", "words", "the operating system, as Go names it"),
        ("goarch", "words", "the architecture, as Go names it"),
        ("jdk", "words", "the Java it ran on"),
        ("runtime", "words", "the .NET it ran on"),
        ("median:<benchmark>", "", "the median of one benchmark, in the unit of the file"),
        ("spread:<benchmark>", "percent", "highest less lowest sample, of the median"),
    ),
    formats=("benchmark-dotnet", "benchstat", "go-bench", "hyperfine", "jmh", "pytest-benchmark"),
)
