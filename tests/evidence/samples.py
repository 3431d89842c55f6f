"""One sample of each format: cut small from files real tools wrote, or written as the tool's documentation shows it.

`exit` is what must come with a format that can end anywhere. `flip` turns what is good in it into what is not: the verdict turns too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).with_name("samples")


class Sample(NamedTuple):
    """See the module. `verdict` is the sample's own, with `exit` and `asked`; `delimited`: cut anywhere, it can be told from whole."""

    format: str
    file: str
    kind: str
    looked_at: int
    flip: tuple[bytes, bytes] | None
    delimited: bool = True
    exit: int | None = None
    expectations: dict[str, str] = {}  # noqa: RUF012
    asked: dict[str, Any] = {}  # noqa: RUF012
    verdict: str = "pass"

    def raw(self) -> bytes:
        return (FOLDER / self.file).read_bytes()


HALF = {"minimum_percent": "40"}
SAMPLES: tuple[Sample, ...] = (
    Sample("clover", "clover.xml", "coverage", 2, (b'coveredstatements="2"', b'coveredstatements="3"')),
    Sample("cobertura", "cobertura.xml", "coverage", 2, (b'number="1" hits="3"', b'number="1" hits="0"'), expectations=HALF),
    Sample("coverage-py", "coverage-py.json", "coverage", 4, (b'"num_statements": 6', b'"num_statements": 7')),
    Sample("go-cover", "go-cover.out", "coverage", 38, (b" 1\n", b" x\n"), False, 0),
    Sample("istanbul-summary", "istanbul-summary.json", "coverage", 6, (b'"covered": 6', b'"covered": 7')),
    Sample("jacoco", "jacoco.xml", "coverage", 2, (b'ci="3"', b'ci="0"'), expectations=HALF),
    Sample("lcov", "lcov.info", "coverage", 35, (b"LH:2", b"LH:3"), False, 0),
    Sample("cyclonedx", "cyclonedx.json", "sbom", 6, (b'"type": "library"', b'"type": "thing"')),
    Sample("cyclonedx-xml", "cyclonedx-xml.xml", "sbom", 4, (b'<component bom-ref="pkg', b'<component type="x" bom-ref="pkg')),
    Sample("spdx", "spdx.json", "sbom", 6, (b'"downloadLocation"', b'"downloadPlace"')),
    Sample("spdx-tag-value", "spdx-tag-value.spdx", "sbom", 3, (b"PackageDownloadLocation", b"PackageDownloadPlace"), False, 0),
    Sample("spdx3", "spdx3.json", "sbom", 2, (b'"name": "github.com', b'"nome": "github.com')),
    Sample("syft-json", "syft-json.json", "sbom", 5, (b'"name": "github.com', b'"nome": "github.com')),
)
