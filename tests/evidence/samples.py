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


SAMPLES: tuple[Sample, ...] = (
    Sample("cyclonedx", "cyclonedx.json", "sbom", 6, (b'"type": "library"', b'"type": "thing"')),
    Sample("cyclonedx-xml", "cyclonedx-xml.xml", "sbom", 4, (b'<component bom-ref="pkg', b'<component type="x" bom-ref="pkg')),
    Sample("spdx", "spdx.json", "sbom", 6, (b'"downloadLocation"', b'"downloadPlace"')),
    Sample("spdx-tag-value", "spdx-tag-value.spdx", "sbom", 3, (b"PackageDownloadLocation", b"PackageDownloadPlace"), False, 0),
    Sample("spdx3", "spdx3.json", "sbom", 2, (b'"name": "github.com', b'"nome": "github.com')),
    Sample("syft-json", "syft-json.json", "sbom", 5, (b'"name": "github.com', b'"nome": "github.com')),
)
