"""Which versions of a tool each reader was tried with: a file of another one is read, and says that nobody looked.

Only formats that are one tool's own stand here. Those of many tools (JUnit, SARIF, CycloneDX, SPDX, LCOV) have a version of their own,
which their readers name or refuse.
"""

from __future__ import annotations

import re

import msgspec

from release_dossier.evidence.reading import Reading

# format → oldest and newest version among the files it was tried with; tests/evidence/test_tried.py holds them to the samples.
TRIED: dict[str, tuple[str, str]] = {
    "bandit": ("1.9.4", "1.9.4"),
    "benchmark-dotnet": ("0.12.1", "0.15.2"),
    "clover": ("3.2.0", "3.2.0"),
    "coverage-py": ("7.6.1", "7.6.1"),
    "dredd": ("14.1.0", "14.1.0"),
    "gatling-log": ("3.9.5", "3.9.5"),
    "govulncheck": ("1.1.4", "1.1.4"),
    "grype": ("0.100.0", "0.100.0"),
    "jmh": ("1.29", "1.37"),
    "prometheus-recording": ("2.42.0", "2.42.0"),
    "pytest-benchmark": ("3.2.2", "5.1.0"),
    "schemathesis": ("4.32.5", "4.32.5"),
    "semgrep": ("1.182.0", "1.182.0"),
    "trivy": ("0.67.0", "0.67.0"),
}
_NUMBERS = re.compile(r"v?(\d+(?:\.\d+)*)")


def with_version(reading: Reading) -> Reading:
    """The reading, its limits saying so where the tool that wrote it is older or newer than any that was tried.

    A later patch of the newest version that was tried is that version: formats change with minor versions or major ones.
    """
    if reading.format not in TRIED or not reading.tool_version:
        return reading
    oldest, newest = TRIED[reading.format]
    found = _parts(reading.tool_version)
    if found and _parts(oldest) <= found and found[:2] <= _parts(newest)[:2]:
        return reading
    tried = oldest if oldest == newest else f"{oldest} to {newest}"
    said = f"{reading.tool or reading.format} {reading.tool_version} was not tried: this reader was, with {tried}"
    return msgspec.structs.replace(reading, limits=(*reading.limits, said))


def _parts(version: str) -> tuple[int, ...]:
    found = _NUMBERS.match(version)
    return tuple(int(n) for n in found[1].split(".")) if found else ()
