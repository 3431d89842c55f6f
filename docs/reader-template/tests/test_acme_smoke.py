"""The reader keeps the contract every reader keeps, and says what its file says."""

from __future__ import annotations

import io
import json
import time

import acme_smoke

from release_dossier.evidence.readers import read
from release_dossier.evidence.readers.trial import faults

RUN = {"acme_smoke": 1, "planned": 2, "pages": [{"url": "/", "ok": True, "ms": 12}, {"url": "/markets", "ok": True, "ms": 40}]}


def says(run: object) -> str:
    return read(io.BytesIO(json.dumps(run).encode()), format="acme-smoke").verdict


def test_it_keeps_the_contract() -> None:
    """Cut, hurt, empty and doubled files lead to less, or to a refusal by type."""
    assert faults(acme_smoke, json.dumps(RUN).encode(), clock=time.monotonic) == []


def test_verdicts() -> None:
    """One page that was not fine fails; one that was not tried is not a pass; none tried is missing."""
    assert says(RUN) == "pass"
    assert says(RUN | {"pages": [{"url": "/", "ok": False}]}) == "fail"
    assert says(RUN | {"planned": 3}) == "inconclusive"
    assert says(RUN | {"pages": []}) == "missing"
