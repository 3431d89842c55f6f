"""The fuzzer sees what it looks for."""

from __future__ import annotations

import random
import time

import pytest

from release_dossier.errors import Refused
from tools import fuzz


def refuse(raw: bytes) -> object:
    raise Refused("fuzz.no", at="x", found="y", expected="z")


def test_an_untyped_error_and_a_slow_call_are_faults_and_a_refusal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly what is no answer, no refusal, or too late."""
    assert fuzz.fault(len, b"x") == fuzz.fault(refuse, b"x") == ""
    assert fuzz.fault(lambda raw: {}[raw], b"x").startswith("KeyError")
    monkeypatch.setattr(fuzz, "SECONDS_MAX", 0.001)
    assert fuzz.fault(lambda raw: time.sleep(0.002), b"x").endswith(" s")


def test_a_fault_is_found_again_by_its_number() -> None:
    """The same seed makes the same mutations, and they differ from what they began with."""
    begin = b'{"a": [1, 2, 3]}'
    made = [fuzz.mutated(begin, random.Random(f"x{i}")) for i in range(200)]
    assert made == [fuzz.mutated(begin, random.Random(f"x{i}")) for i in range(200)]
    assert sum(m != begin for m in made) > 190


def test_every_target_reads_what_it_begins_from() -> None:
    """A target that refuses its own seed would try nothing: each answers it, and none faults in a few hundred mutations."""
    found = fuzz.seeds()
    for name, (begin, call) in fuzz.targets(found).items():
        assert begin, name
        for raw in begin:
            call(raw)
        assert fuzz.play(name, begin, call, 40) == []
    free = fuzz.unseen(found["bundle"], found["trust"], range(0, len(found["bundle"]), 997), None)
    assert free == []
