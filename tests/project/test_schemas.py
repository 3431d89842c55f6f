"""Every statement we sign, held against its published JSON Schema by another library."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from release_dossier import bundle
from release_dossier.trust.statement import PREDICATE_BASE, WORDS

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {p.name.split(".")[0]: json.loads(p.read_text()) for p in (ROOT / "src/release_dossier/schemas").glob("*.json")}
BUNDLES = sorted((ROOT / "tests/thread/golden").glob("*.dossier"))


def statements() -> Iterator[dict[str, Any]]:
    """Every statement in the bundles kept for ever."""
    for file in BUNDLES:
        for name, raw in bundle.unpack(file).items():
            value = json.loads(raw) if name.endswith(".json") else None
            if isinstance(value, dict) and "payload" in value:
                statement = json.loads(base64.b64decode(value["payload"]))
                if statement["predicateType"].startswith(
                    PREDICATE_BASE
                ):  # a bundle holds others' predicates too, with schemas of their own
                    yield statement


def word_of(statement: dict[str, Any]) -> str:
    return str(statement["predicateType"]).removeprefix(PREDICATE_BASE).removesuffix("/v1")


def test_every_word_has_a_schema_that_is_one() -> None:
    """One file a word; each is itself valid, and names the predicate type it is for."""
    assert set(SCHEMAS) | {"posture"} == set(WORDS)
    for word, schema in SCHEMAS.items():
        jsonschema_rs.meta.validate(schema)
        assert schema["$id"] == schema["properties"]["predicateType"]["const"] == f"{PREDICATE_BASE}{word}/v1"


def test_what_we_sign_is_what_we_publish() -> None:
    """Statements of real bundles hold; the same without a field, with one of another type, or of another word do not."""
    seen = set()
    for statement in statements():
        word = word_of(statement)
        seen.add(word)
        holds = jsonschema_rs.validator_for(SCHEMAS[word]).is_valid
        assert holds(statement), (word, [e.message for e in jsonschema_rs.validator_for(SCHEMAS[word]).iter_errors(statement)][:3])
        assert not holds({**statement, "subject": []})
        assert not holds({**statement, "predicate": {k: v for k, v in statement["predicate"].items() if k != "project"}})
        assert not holds({**statement, "predicate": {**statement["predicate"], "project": 7}})
        assert not any(jsonschema_rs.is_valid(s, statement) for w, s in SCHEMAS.items() if w != word)
    assert seen >= {"change", "started", "evidence", "dossier", "approval", "waiver", "decision", "bundle"}, seen


@pytest.mark.parametrize("word", sorted(SCHEMAS))
def test_a_required_field_is_required(word: str) -> None:
    """The predicate's own fields are asked for."""
    schema = SCHEMAS[word]
    name = schema["properties"]["predicate"]["allOf"][0]["$ref"].rsplit("/", 1)[1]
    assert schema["$defs"][name]["required"], name
