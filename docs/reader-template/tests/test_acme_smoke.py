"""The reader keeps the contract every reader keeps, and says what its file says."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import acme_smoke

from release_dossier.evidence.readers import read
from release_dossier.evidence.readers.trial import faults

SAMPLE = Path(__file__).resolve().parents[1] / "sample.json"
RUN = json.loads(SAMPLE.read_bytes())


def says(run: object) -> str:
    return read(io.BytesIO(json.dumps(run).encode()), format="acme-smoke").verdict


def test_it_keeps_the_contract() -> None:
    """Cut, hurt, empty and doubled files lead to less, or to a refusal by type."""
    assert faults(acme_smoke, SAMPLE.read_bytes(), clock=time.monotonic) == []


def test_verdicts() -> None:
    """One page that was not fine fails; one that was not tried is not a pass; none tried is missing."""
    assert says(RUN) == "pass"
    assert says(RUN | {"pages": [{"url": "/", "ok": False}]}) == "fail"
    assert says(RUN | {"planned": 3}) == "inconclusive"
    assert says(RUN | {"pages": []}) == "missing"
