"""What holds for every reader, over one sample of each format (see samples.py)."""

from __future__ import annotations

import io
import json
import random
import time
from typing import Any

import jsonschema_rs
import pytest

from release_dossier.errors import DossierError, Refused
from release_dossier.evidence.kinds import kind, schema
from release_dossier.evidence.readers import NAMES, read
from release_dossier.evidence.reading import Reading
from tests.evidence.more_samples import MORE_SAMPLES
from tests.evidence.samples import SAMPLES, Sample

CUTS = 60  # places a sample is cut at, besides each of its last bytes
MUTATIONS = 60  # broken copies of each sample; `make fuzz-readers` tries 100,000


def says(s: Sample, raw: bytes, **more: Any) -> Reading:
    given: dict[str, Any] = {"exit_status": s.exit, "expectations": s.expectations, "asked": s.asked} | more
    return read(io.BytesIO(raw), **given)


def verdict(s: Sample, raw: bytes, **more: Any) -> str:
    try:
        return says(s, raw, **more).verdict
    except Refused:
        return "refused"


EVERY = (*SAMPLES, *MORE_SAMPLES)
each = pytest.mark.parametrize("s", EVERY, ids=[s.format for s in EVERY])


def test_every_reader_has_a_sample() -> None:
    """Of each format one is tried here."""
    assert set(NAMES) == {s.format for s in EVERY}


@each
def test_the_sample(s: Sample) -> None:
    """It is recognised by its content, says what is known of it, and gives facts its kind names, in their units."""
    r = says(s, s.raw())
    assert (r.format, r.kind, r.verdict, r.looked_at) == (s.format, s.kind, s.verdict, s.looked_at)
    units = {name: unit for name, unit, _ in kind(r.kind).facts if unit}
    assert {n: units[n] for n in r.facts if n in units} == {n: f.unit for n, f in r.facts.items() if n in units}
    assert set(r.facts) & set(units), "no fact its kind knows"
    assert s.format in kind(r.kind).formats
    jsonschema_rs.validate(schema(kind(r.kind)), json.loads(json.dumps(r.as_json()))["facts"])


@each
def test_cut_anywhere(s: Sample) -> None:
    """Cut at any byte a delimited format never passes; one that can end anywhere passes only where a line ends, and never having looked
    at more."""
    raw = s.raw().rstrip()
    ends = {*range(0, len(raw), max(1, len(raw) // CUTS)), *range(max(0, len(raw) - 80), len(raw))} - {len(raw)}
    for end in sorted(ends):
        try:
            r = says(s, raw[:end])
        except Refused:
            continue
        assert r.verdict != "pass" or (not s.delimited and raw[:end].endswith(b"\n") and r.looked_at <= s.looked_at), end


@each
def test_without_its_exit_status(s: Sample) -> None:
    """What can end anywhere never passes without the exit status, and does not know of how many; with a bad one nothing passes."""
    if s.exit is not None:
        r = says(s, s.raw(), exit_status=None)
        assert r.verdict != "pass"
        assert r.of is None
    assert verdict(s, s.raw(), exit_status=3) != "pass"


@each
def test_flipped(s: Sample) -> None:
    """What is wrong in it turns the verdict; put together with a good one, in any order, or twice, it stays so."""
    if s.flip is None:
        return
    good = s.raw()
    bad = good.replace(s.flip[0], s.flip[1], 1)
    assert bad != good, "the sample does not hold what is to be flipped"
    for raw in (bad, good + bad, bad + good, bad + bad, good + b"\n" + bad):
        assert verdict(s, raw) != "pass"


@each
def test_twice(s: Sample) -> None:
    """A file put behind itself never says more than it did alone: not a larger share, and no pass where there was none."""
    alone = says(s, s.raw())
    try:
        both = says(s, s.raw() + s.raw())
    except Refused:
        return
    if alone.of and both.of:
        assert both.looked_at * alone.of <= alone.looked_at * both.of
    assert both.verdict != "pass" or alone.verdict == "pass"


def broken(raw: bytes, luck: random.Random) -> bytes:
    """A copy with a few bytes changed, taken out, doubled or moved."""
    out = bytearray(raw)
    for _ in range(luck.randint(1, 6)):
        at = luck.randrange(len(out) + 1)
        what = luck.randrange(5)
        if what == 0:
            out[at : at + 1] = bytes([luck.randrange(256)])
        elif what == 1:
            del out[at : at + luck.randint(1, 40)]
        elif what == 2:
            out[at:at] = out[at : at + luck.randint(1, 40)]
        elif what == 3:
            out[at:at] = luck.choice(
                [b"\0", b'"', b"{", b"}", b"[", b"]", b"-1", b"1e999", b"NaN", b"null", b"\xff\xfe", b"\n", b"<", b"&a;"]
            )
        else:
            digits = [i for i, c in enumerate(out) if 48 <= c <= 57] or [0]
            out[(i := luck.choice(digits)) : i + 1] = luck.choice([b"0", b"9", b"-", b"99999999999999999999", b"0.5"])
    return bytes(out)


def words(r: Reading) -> list[str]:
    """Every text of a reading."""
    facts = [x for n, f in r.facts.items() for x in (n, f.unit, f.value) if isinstance(x, str)]
    examples = [x for c in r.counterexamples for x in (c.text, c.where, *c.detail.values())]
    return [r.cause, r.tool, r.tool_version, *r.limits, *facts, *examples]


def test_control_characters_go_nowhere() -> None:
    """What would move a terminal is gone from limits, facts and names of tools, and no text is without an end."""
    report = {"jmhVersion": "1\x1b[2J", "benchmark": "a\x07b", "primaryMetric": {"score": 1.0, "scoreUnit": "us\x1b]0;x/op"}}
    r = read(io.BytesIO(json.dumps([report, report | {"benchmark": "c\x00", "primaryMetric": {}}]).encode()))
    assert (r.format, r.verdict) == ("jmh", "inconclusive")
    assert "".join(words(r)).isprintable()
    assert len(read(io.BytesIO(json.dumps([report | {"benchmark": "x" * 9000}]).encode())).facts.popitem()[0]) < 2200


@each
def test_broken_in_any_way(s: Sample) -> None:
    """Changed bytes lead to a reading or a refusal by type, within a second; numbers stay numbers of things."""
    luck = random.Random(s.format)
    raw = s.raw()
    for _ in range(MUTATIONS):
        hurt = broken(raw, luck)
        began = time.process_time()
        for given in ({"format": s.format}, {}):
            try:
                r = says(s, hurt, **given)
            except DossierError:
                continue
            assert r.looked_at >= 0
            assert r.of is None or r.looked_at <= r.of
            assert "".join(words(r)).isprintable()
        assert time.process_time() - began < 2


@each
def test_read_as_any_other_format(s: Sample) -> None:
    """Whatever format a file is said to be, it is read or refused by type. Dredd's report is JUnit XML as well, and its tests are tests."""
    for name in NAMES:
        try:
            r = says(s, s.raw(), format=name)
        except DossierError:
            continue
        assert r.looked_at >= 0
        assert r.of is None or r.looked_at <= r.of
        assert name in (s.format, {"dredd": "junit"}.get(s.format)) or r.verdict != "pass" or r.looked_at == 0 or r.kind == s.kind, name
