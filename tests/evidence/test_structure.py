"""Values of another type anywhere in a JSON or YAML file: a reading whose counts fit, or a refusal by type. Nothing falls."""

from __future__ import annotations

import copy
import io
import json
import random
import re
from typing import Any

import pytest
import yaml

from release_dossier.errors import DossierError, Refused
from release_dossier.evidence.readers import read
from release_dossier.evidence.readers.yaml_tree import documents
from tests.evidence.more_samples import MORE_SAMPLES
from tests.evidence.samples import SAMPLES, Sample

TRIES = 120
OTHERS: list[Any] = [None, True, 0, -1, 1.5, "x", "", [], {}, [1], {"a": 1}, [None], [{}], "2026-01-01T00:00:00", 10**30, "NaN", [[]]]


def values(s: Sample) -> tuple[list[Any], str]:
    """The values of a sample, and how they were written: `lines` of JSON or `yaml`; none where it is neither."""
    raw = s.raw()
    try:
        return [json.loads(line) for line in raw.splitlines() if line.strip()], "lines"
    except ValueError:
        pass
    try:
        return [json.loads(raw)], "lines"
    except ValueError:
        pass
    try:
        found = documents(io.BytesIO(raw))
    except Refused:
        return [], ""
    return ([] if any(isinstance(v, str) for v in found) else json.loads(json.dumps(found))), "yaml"


def changed(value: Any, luck: random.Random) -> Any:
    """A copy in which up to three values are of another type."""
    whole = [copy.deepcopy(value)]
    for _ in range(luck.randint(1, 3)):
        holder: Any = whole
        key: Any = 0
        while isinstance(holder[key], (dict, list)) and holder[key] and luck.random() < 0.8:
            holder = holder[key]
            key = luck.choice(list(holder)) if isinstance(holder, dict) else luck.randrange(len(holder))
        holder[key] = copy.deepcopy(luck.choice(OTHERS))
    return whole[0]


STRUCTURED = [(s, *values(s)) for s in (*SAMPLES, *MORE_SAMPLES) if len(s.raw()) < 20_000]
STRUCTURED = [x for x in STRUCTURED if x[1]]


@pytest.mark.parametrize(("s", "found", "how"), STRUCTURED, ids=[x[0].format for x in STRUCTURED])
def test_another_type_anywhere(s: Sample, found: list[Any], how: str) -> None:
    """See the module. What comes out is plain JSON without NaN."""
    luck = random.Random(s.format)
    for _ in range(TRIES):
        made = changed(found, luck)
        rows = made if isinstance(made, list) else [made]
        text = "\n".join(json.dumps(x) for x in rows) if how == "lines" else yaml.safe_dump_all(rows)
        base = s.raw() if s.format == "openapi" else None
        status = luck.choice([None, 0])
        try:
            r = read(
                io.BytesIO(text.encode() + b"\n"),
                format=s.format,
                exit_status=status,
                expectations=s.expectations,
                asked=s.asked,
                base=base,
            )
        except DossierError:
            continue
        assert r.looked_at >= 0, text
        assert r.of is None or r.looked_at <= r.of, text
        json.dumps(r.as_json(), allow_nan=False)


@pytest.mark.parametrize("figure", [b"9" * 400, b"-" + b"9" * 350, b"1e400"])
@pytest.mark.parametrize("format", ["k6-stream", "pg-waits", "schemathesis"])
def test_a_figure_nobody_can_measure_hides_no_other_record(format: str, figure: bytes) -> None:
    """In a stream of records it is that record which is counted as unread; the others are read, and it does not pass."""
    s = next(s for s in (*SAMPLES, *MORE_SAMPLES) if s.format == format)
    rows, tried = s.raw().splitlines(), 0
    whole = read(io.BytesIO(s.raw()), format=format, exit_status=s.exit, expectations=dict(s.expectations))
    for i, row in enumerate(rows):
        at = re.search(rb"(?<=[:,\[ ])-?\d+(\.\d+)?(?=[,}\]])", row)
        if at:
            hurt = b"\n".join([*rows[:i], row[: at.start()] + figure + row[at.end() :], *rows[i + 1 :]]) + b"\n"
            r = read(io.BytesIO(hurt), format=format, exit_status=s.exit, expectations=dict(s.expectations))
            assert r.verdict != "pass"
            assert r.facts.keys() <= whole.facts.keys()
            tried += 1
    assert tried >= 3
    assert r.looked_at > 0
