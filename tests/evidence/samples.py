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


_FOUR = {"alerts": "SocialPredictDown,SocialPredictNotReady,SocialPredictErrorBudgetBurnFast,SocialPredictLedgerGap"}
_WINDOW = {"start": "1795394668", "end": "1795395568", "step": "15"}

SAMPLES: tuple[Sample, ...] = (
    Sample("alert-history", "alert-history.json", "alert-coverage", 4, (b"1795395163", b"1795395568"), expectations=_FOUR | _WINDOW),
    Sample("alertmanager-alerts", "alertmanager-alerts.json", "alert-coverage", 3, None, expectations=_FOUR, verdict="inconclusive"),
    Sample("alertmanager-config", "alertmanager-config.yml", "alert-coverage", 1, None, False, verdict="inconclusive"),
    Sample("cyclonedx", "cyclonedx.json", "sbom", 6, (b'"type": "library"', b'"type": "thing"')),
    Sample("cyclonedx-xml", "cyclonedx-xml.xml", "sbom", 4, (b'<component bom-ref="pkg', b'<component type="x" bom-ref="pkg')),
    Sample("openslo", "openslo.yaml", "alert-coverage", 1, None, False, verdict="inconclusive"),
    Sample("prometheus-alerts", "prometheus-alerts.json", "alert-coverage", 3, None, expectations=_FOUR, verdict="inconclusive"),
    Sample(
        "prometheus-query", "prometheus-query.json", "observability", 48, (b'[1795395568,"1"]', b'[1795395468,"1"]'), expectations=_WINDOW
    ),
    Sample("prometheus-rules", "prometheus-rules.yml", "alert-coverage", 4, None, False, expectations=_FOUR, verdict="inconclusive"),
    Sample("prometheus-rules-answer", "prometheus-rules-answer.json", "alert-coverage", 6, None, verdict="inconclusive"),
    Sample("prometheus-targets", "prometheus-targets.json", "observability", 5, (b'"health":"up"', b'"health":"down"')),
    Sample(
        "prometheus-text",
        "prometheus-text.prom",
        "observability",
        1,
        (b"\nsp_", b"\n%sp_"),
        False,
        0,
        {"series": "sp_client_requests_total"},
    ),
    Sample("pyrra", "pyrra.yaml", "alert-coverage", 1, None, False, verdict="inconclusive"),
    Sample("sloth", "sloth.yml", "alert-coverage", 1, None, False, verdict="inconclusive"),
    Sample("spdx", "spdx.json", "sbom", 6, (b'"downloadLocation"', b'"downloadPlace"')),
    Sample("spdx-tag-value", "spdx-tag-value.spdx", "sbom", 3, (b"PackageDownloadLocation", b"PackageDownloadPlace"), False, 0),
    Sample("spdx3", "spdx3.json", "sbom", 2, (b'"name": "github.com', b'"nome": "github.com')),
    Sample("syft-json", "syft-json.json", "sbom", 5, (b'"name": "github.com', b'"nome": "github.com')),
)
