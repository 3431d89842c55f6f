"""Versions tried are those of real files; another one is read, and says so."""

from __future__ import annotations

import pytest

from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading
from release_dossier.evidence.tried import TRIED, with_version
from tests.evidence.more_samples import MORE_SAMPLES
from tests.evidence.samples import FOLDER, SAMPLES


def said(format: str, version: str) -> str:
    reading = Reading(kind="tests", format=format, verdict="pass", looked_at=1, of=1, tool="tool", tool_version=version)
    return " ".join(with_version(reading).limits)


@pytest.mark.parametrize("format", TRIED)
def test_every_range_is_of_a_sample(format: str) -> None:
    """The sample of the format names a version, and it is one that was tried."""
    sample = next(s for s in (*SAMPLES, *MORE_SAMPLES) if s.format == format)
    with (FOLDER / sample.file).open("rb") as stream:
        reading = read(stream, exit_status=sample.exit, expectations=sample.expectations, asked=sample.asked)
    assert reading.tool_version
    assert "was not tried" not in " ".join(reading.limits)


@pytest.mark.parametrize(
    ("version", "tried"),
    [
        ("3.2.1", False),
        ("3.2.2", True),
        ("4.0.0", True),
        ("5.1.0", True),
        ("5.1.7", True),
        ("5.2.0", False),
        ("6.0", False),
        ("v5.0.1", True),
        ("dev", False),
        ("", True),
    ],
)
def test_older_and_newer_are_said_to_be(version: str, tried: bool) -> None:
    """From the oldest to any patch of the newest; a version that is none was not tried; none named is nothing to say."""
    words = said("pytest-benchmark", version)
    assert words == ("" if tried else f"tool {version} was not tried: this reader was, with 3.2.2 to 5.1.0")


def test_formats_of_many_tools_say_nothing() -> None:
    """What wrote a SARIF file does not change what SARIF is."""
    assert said("sarif", "0.0.1") == ""
