"""Kinds without code, readers from other packages, and the contract they are held against."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import json
import sys
import time
import types
from collections.abc import Iterator
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from release_dossier.cli.evidence import evidence
from release_dossier.errors import Refused
from release_dossier.evidence.kinds import kind
from release_dossier.evidence.readers import READERS, read
from release_dossier.evidence.readers.plugged import plugged
from release_dossier.evidence.readers.trial import faults
from release_dossier.evidence.reading import Reading
from release_dossier.project import OwnFact, OwnKind, parse_settings
from tests.evidence.more_samples import MORE_SAMPLES
from tests.evidence.samples import SAMPLES

TEMPLATE = Path(__file__).resolve().parents[2] / "docs/reader-template"
SETTINGS = """
[project]
name = "p"
protected_branch = "main"
trust = "sha256:0"
[[service]]
name = "bets"
paths = ["**"]
[[kind]]
name = "settlement"
unit = "payouts"
proves = "every payout of the batch was booked"
does_not_prove = "that the batch is complete"
passes = "doc.payouts.all(p, p.booked)"
looked_at = "size(doc.payouts)"
of = "doc.planned"
examples = "doc.payouts.filter(p, !p.booked).map(p, p.user + ' was not paid')"
[kind.schema]
type = "object"
required = ["payouts", "planned"]
[kind.schema.properties.planned]
type = "integer"
[kind.schema.properties.payouts]
type = "array"
items = { type = "object", required = ["user", "booked"], properties = { user = { type = "string" }, booked = { type = "boolean" } } }
[[kind.facts]]
name = "payouts"
value = "size(doc.payouts)"
unit = "payouts"
[[kind.facts]]
name = "share"
value = "double(doc.slow) / double(size(doc.payouts))"
unit = "ratio"
"""
OWN = parse_settings(SETTINGS.encode()).kind[0]


def settled(*booked: bool, **more: Any) -> dict[str, Any]:
    return {"planned": len(booked), "payouts": [{"user": f"u{i}", "booked": b} for i, b in enumerate(booked)], "slow": 0} | more


def says(doc: Any, own: OwnKind = OWN, exit_status: int | None = 0) -> Reading:
    return read(io.BytesIO(json.dumps(doc).encode()), own=own, exit_status=exit_status)


def changed(**fields: Any) -> OwnKind:
    import msgspec

    return msgspec.structs.replace(OWN, **fields)


@pytest.mark.parametrize(
    ("doc", "verdict", "looked_at", "of"),
    [
        (settled(True, True), "pass", 2, 2),
        (settled(True, False), "fail", 2, 2),
        (settled(), "missing", 0, 0),
        (settled(True, planned=0), "inconclusive", 0, 0),
        (settled(True, slow="x"), "inconclusive", 1, 1),
        (settled(True, planned=2**53), "inconclusive", 1, None),
    ],
)
def test_a_kind_without_code(doc: Any, verdict: str, looked_at: int, of: int | None) -> None:
    """Its expressions decide; an empty list is nothing looked at, however true `all` is of it; a fact that cannot be computed is said."""
    r = says(doc)
    assert (r.kind, r.format, r.verdict, r.looked_at, r.of) == ("settlement", "custom", verdict, looked_at, of)


def test_what_it_says() -> None:
    """Counterexamples and facts are the expressions', with the units declared; a tool that failed does not pass."""
    r = says(settled(True, False))
    assert [c.text for c in r.counterexamples] == ["u1 was not paid"]
    assert (r.facts["payouts"].value, r.facts["payouts"].unit) == (2, "payouts")
    assert says(settled(True), exit_status=1).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"passes": "doc.gone"}, "inconclusive"),
        ({"passes": "doc.planned"}, "inconclusive"),
        ({"passes": "'true'"}, "inconclusive"),
        ({"looked_at": "doc.gone"}, "missing"),
        ({"looked_at": "-1"}, "missing"),
        ({"looked_at": "1.5"}, "missing"),
        ({"of": "1"}, "inconclusive"),
        ({"examples": "doc.planned"}, "inconclusive"),
        ({"examples": ""}, "pass"),
    ],
)
def test_expressions_that_have_no_answer(fields: dict[str, Any], verdict: str) -> None:
    """The engine's errors are text, and text is true to Python: nothing of that becomes a pass."""
    assert says(settled(True, True), changed(**fields)).verdict == verdict


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"passes": "doc."}, "own.expression"),
        ({"passes": "other.x"}, "own.expression"),
        ({"schema": {"type": "nonsense"}}, "own.schema"),
        ({"schema": {"$ref": "http://127.0.0.1:9/x.json"}}, "own.schema"),
        ({"facts": (*OWN.facts, OWN.facts[0])}, "own.twice"),
        ({"schema": {"type": "array"}}, "evidence.shape"),
    ],
)
def test_kinds_that_cannot_be_read(fields: dict[str, Any], code: str) -> None:
    """A schema that is none or points outside, an expression that is none, a file that is not as the schema says."""
    with pytest.raises(Refused) as e:
        says(settled(True), changed(**fields))
    assert e.value.code == code


def test_its_name_is_its_own() -> None:
    """As rules and pages see it; the name of another kind is refused, and an unknown one lists it."""
    assert kind("settlement", (OWN,)).unit == "payouts"
    with pytest.raises(Refused) as e:
        kind("tests", (changed(name="tests"),))
    assert e.value.code == "kind.taken"
    with pytest.raises(Refused) as e:
        kind("gone", (OWN,))
    assert "settlement" in e.value.expected


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`evidence read --kind` and `evidence kinds` know the kinds of the dossier.toml here."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dossier.toml").write_text(SETTINGS)
    (tmp_path / "f.json").write_text(json.dumps(settled(True)))
    r = CliRunner().invoke(evidence, ["read", "f.json", "--kind", "settlement", "--json"], standalone_mode=False)
    assert (json.loads(r.stdout)["verdict"], r.return_value) == ("pass", 0)
    assert "settlement" in [
        k["name"] for k in json.loads(CliRunner().invoke(evidence, ["kinds", "--json"], standalone_mode=False).stdout)["kinds"]
    ]
    assert "no [[kind]] gone" in str(CliRunner().invoke(evidence, ["read", "f.json", "--kind", "gone"], standalone_mode=False).exception)


@pytest.fixture
def acme() -> Iterator[Any]:
    """The template's module, as an installed package would give it."""
    spec = importlib.util.spec_from_file_location("acme_smoke", TEMPLATE / "acme_smoke.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["acme_smoke"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["acme_smoke"]


def plug(monkeypatch: pytest.MonkeyPatch, **modules: Any) -> None:
    class Point:
        def __init__(self, name: str, module: Any) -> None:
            self.name, self.module = name, module

        def load(self) -> Any:
            if isinstance(self.module, Exception):
                raise self.module
            return self.module

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Point(n, m) for n, m in modules.items()])
    plugged.cache_clear()


@pytest.fixture(autouse=True)
def nothing_plugged() -> Iterator[None]:
    yield
    plugged.cache_clear()


RUN = b'{"acme_smoke": 1, "planned": 1, "pages": [{"url": "/", "ok": true}]}'


def test_a_reader_of_another_package(acme: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads what no reader here recognises, and by its name; what it cannot take is a built-in's name or file, or everybody down."""
    with pytest.raises(Refused):
        read(io.BytesIO(RUN))
    thief = types.SimpleNamespace(NAME="thief", recognises=lambda head: True, read=acme.read)
    taken = types.SimpleNamespace(NAME="junit", recognises=acme.recognises, read=acme.read)
    plug(monkeypatch, acme=acme, broken=ImportError("gone"), empty=types.SimpleNamespace(), taken=taken)
    assert read(io.BytesIO(RUN)).format == "acme-smoke"
    assert read(io.BytesIO(RUN), format="acme-smoke").verdict == "pass"
    modules, wrong = plugged()
    assert [m.NAME for m in modules] == ["acme-smoke"]
    assert wrong == ("broken: ImportError: gone", "empty: no NAME, recognises and read", "taken: a reader called junit is there already")
    plug(monkeypatch, thief=thief)
    assert read(io.BytesIO(b'<testsuite><testcase name="a"/></testsuite>')).format == "junit"


def test_a_reader_is_slow_when_it_is_so_every_time(acme: Any) -> None:
    """A machine that was busy once accuses nobody; a reader that takes long again and again is named, with how long."""
    sample = (TEMPLATE / "sample.json").read_bytes()
    once, always = chain((0.0, 9.0), repeat(9.0)), count(0, 2)
    assert faults(acme, sample, clock=lambda: next(once)) == []
    assert faults(acme, sample, clock=lambda: next(always)) == ["a hurt file took 2.0 s"]


def test_the_template_keeps_the_contract(acme: Any) -> None:
    """Its own tests say so; from the command line too."""
    sample = TEMPLATE / "sample.json"
    assert faults(acme, sample.read_bytes(), clock=time.monotonic) == []
    r = CliRunner().invoke(evidence, ["try", "acme_smoke", str(sample), "--json"], standalone_mode=False)
    assert (json.loads(r.stdout)["faults"], r.return_value) == ([], 0)


def always(**fields: Any) -> Any:
    """A `read` that says the same of everything."""
    said = Reading(**({"kind": "tests", "format": "acme-smoke", "verdict": "pass", "looked_at": 1, "of": 1} | fields))
    return {"read": lambda stream, given: said}


def falls(stream: Any, given: Any) -> Reading:
    json.loads(stream.read())
    return Reading(kind="tests", format="acme-smoke", verdict="inconclusive", cause="c", looked_at=0, of=1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"NAME": "Acme Smoke"}, "NAME is"),
        ({"recognises": lambda head: True}, "recognises b''"),
        ({"recognises": lambda head: False}, "does not recognise the file"),
        ({"read": lambda stream, given: None}, "not a Reading"),
        (always(), "as much as the whole"),
        (always(looked_at=0), "looked at nothing"),
        (always(kind="nothing", verdict="fail"), "kind nothing is none"),
        (always(format="x", verdict="missing", looked_at=0), "with cause ''"),
        (always(verdict="fail"), "a fail without a counterexample"),
        ({"read": falls}, "cut at byte 1: JSONDecodeError"),
    ],
)
def test_the_contract_bites(acme: Any, change: dict[str, Any], words: str) -> None:
    """A reader that breaks one of its rules is told which."""
    broken = types.SimpleNamespace(
        **{"__doc__": acme.__doc__, "NAME": acme.NAME, "recognises": acme.recognises, "read": acme.read} | change
    )
    found = faults(broken, RUN)
    assert any(words in f for f in found), found


# pprof's old text has its totals in its first line: cut behind its samples, only names of libraries are gone.
EVERY = [s for s in (*SAMPLES, *MORE_SAMPLES) if len(s.raw()) < 4_000 and s.format != "pprof-text"]


@pytest.mark.parametrize("s", EVERY, ids=[s.format for s in EVERY])
def test_readers_here_keep_it(s: Any) -> None:
    """What is asked of other packages holds for every reader here that has a small sample."""
    reader = next(r for r in READERS if s.format == r.NAME)
    found = faults(reader, s.raw(), exit_status=s.exit, expectations=s.expectations)
    assert found == []


def test_a_number_no_document_can_hold() -> None:
    """Beyond 2^53 - 1 canonical JSON cannot tell a number from its neighbours: no usable value, and no attempt that never ends."""
    r = says(settled(True, slow=2**53), changed(facts=(OwnFact(name="slow", value="doc.slow", unit="ms"),)))
    assert (r.verdict, r.cause, r.facts) == ("inconclusive", "no usable value for fact slow", {})
