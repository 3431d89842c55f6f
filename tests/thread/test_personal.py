"""Values a kind's schema marks personal: committed to in what is signed, opened beside, erased by a signed word."""

from __future__ import annotations

import hashlib
import html
import json
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from release_dossier import bundle
from release_dossier.evidence.personal import commit, mark
from release_dossier.evidence.reading import Counterexample, Fact, Reading
from release_dossier.web.app import make_app
from release_dossier.web.place import Place
from tests.thread.test_erase import erase
from tests.town import TESTS, Town

KIND = """
[[evidence]]
name = "support"
kind = "support"
[[kind]]
name = "support"
unit = "tickets"
proves = "each ticket was answered"
does_not_prove = "that it helped"
passes = "doc.tickets.all(t, t.answered)"
looked_at = "size(doc.tickets)"
examples = "doc.tickets.filter(t, !t.answered).map(t, t.who + ' got no answer')"
[[kind.facts]]
name = "first"
value = "doc.tickets[0].who"
unit = "name"
[kind.schema.properties.tickets.items.properties.who]
type = "string"
x-personal = true
"""


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path, settings=TESTS + KIND)
    town.open()
    town.dossier("collect")
    return town


def brought(town: Town, *answered: tuple[str, bool]) -> Any:
    file = town.root / "tickets.json"
    file.write_text(json.dumps({"tickets": [{"who": who, "answered": yes} for who, yes in answered]}))
    return town.dossier("collect", "support", "--from", str(file))["evidence"][0]


def test_a_statement_shows_commitments_and_their_openings_lie_beside(town: Town) -> None:
    """No name is in the signed words; each commitment is the SHA-256 of an opening that lies in the store, salted anew each time."""
    e = brought(town, ("frank miller", False), ("bob", True))
    said = town.dossier("show", e["digest"])["predicate"]
    assert "frank" not in json.dumps(said)
    opening = next(a for a in said["artifacts"] if a["name"] == "personal/1.json")
    raw = (town.repo / ".dossier" / "artifacts" / opening["digest"][7:9] / opening["digest"][7:]).read_bytes()
    assert json.loads(raw)["value"] == "frank miller"
    assert len(json.loads(raw)["salt"]) == 64
    assert "sha256:" + hashlib.sha256(raw).hexdigest() == opening["digest"]
    assert said["counterexamples"][0]["text"] == f"[personal {opening['digest'][:23]}] got no answer"
    assert said["facts"]["first"] == {"value": opening["digest"], "unit": "commitment"}
    assert len(said["artifacts"]) == 2  # bob is nowhere in the words, so nothing is committed to
    again = brought(town, ("frank miller", False))
    assert again["facts"]["first"]["value"] != opening["digest"]


def test_erasing_a_value_keeps_the_old_decision_and_not_the_new(town: Town) -> None:
    """The opening is gone and the old bundle says so and verifies; a new set counts what passed on it as withheld. Where else it stands
    is said."""
    e = brought(town, ("frank miller", True))
    digest = town.dossier("assemble")["dossier"]["digest"]
    decision = town.gate()["digest"]
    town.dossier("export", digest, "-o", str(town.root / "old.dossier"))
    value = e["facts"]["first"]["value"]
    said = [c["detail"] for c in town.dossier("verify", str(town.root / "old.dossier"), ok=(0, 10))["checks"] if c["name"] == "personal"]
    assert said == ["1 personal value committed to: 1 opened beside, 0 withheld"]
    gone = erase(town, value[7:23])
    assert [x["name"] for x in gone["also_in"]] == ["tickets.json"]
    assert gone["artifact"] == value
    assert erase(town, value)["digest"] == gone["digest"]
    erase(town, gone["also_in"][0]["artifact"])
    held = [p for p in (town.repo / ".dossier").rglob("*") if p.is_file() and b"frank miller" in p.read_bytes()]
    assert held == []
    assert town.dossier("replay", decision)["equal"]
    town.dossier("export", digest, "-o", str(town.root / "new.dossier"))
    found = town.dossier("verify", str(town.root / "new.dossier"), ok=(0, 10))
    assert found["verified"]
    checks = {c["name"]: c["detail"] for c in found["checks"]}
    assert checks["personal"] == "1 personal value committed to: 0 opened beside, 1 withheld"
    assert checks[f"artifacts/{value[7:]}"].startswith("withheld: erased by ann")
    assert f"artifacts/{value[7:]}" not in bundle.unpack(town.root / "new.dossier")
    town.dossier("verify", str(town.root / "old.dossier"), ok=(0, 10))
    assert town.refused("gate", digest)["code"] == "dossier.withheld"
    newer = town.dossier("assemble")["dossier"]
    attempt = next(a for a in town.dossier("show", newer["digest"])["predicate"]["evidence"] if a["name"] == "support")
    assert attempt["withheld"].startswith("erased by ann")


def test_the_page_opens_what_lies_beside_and_says_what_was_erased(town: Town) -> None:
    """The page of the evidence shows the name, opened; once erased, the commitment, and who erased it and why. Its raw statement never
    shows it."""
    e = brought(town, ("frank miller", False))
    with TestClient(make_app(Place(town.repo, town.env, town.tick, time.monotonic)), base_url="http://127.0.0.1") as client:
        address = f"/evidence/{e['digest'][7:]}"
        assert "frank miller got no answer" in html.unescape(client.get(address).text)
        raw = client.get(f"/d/{e['digest'][7:]}?raw").text
        assert "frank miller" not in raw
        gone = erase(town, e["facts"]["first"]["value"])
        erase(town, gone["also_in"][0]["artifact"])
        page = html.unescape(client.get(address).text)
        assert "frank miller" not in page
        assert f"{mark(gone['artifact'])} got no answer" in page
        assert f"erased by ann: {gone['reason']}" in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("al sold", "X sold"),
        ("also sold", "also sold"),
        ("al, al", "X, X"),
        ("al smith sold", "Y sold"),
        ("nobody", "nobody"),
    ],
)
def test_whole_words_the_longest_first(text: str, shown: str) -> None:
    """A name inside another word is no name; of two that begin alike the longer one is meant; the same value has one commitment."""
    reading = Reading(
        kind="k", format="f", verdict="fail", looked_at=1, of=1, counterexamples=(Counterexample(text),), personal=("al", "al smith", "")
    )
    closed, openings = commit(reading, (), lambda: "5a" * 32)
    out = closed.counterexamples[0].text
    for raw in openings:
        mark = f"[personal sha256:{hashlib.sha256(raw).hexdigest()[:16]}]"
        out = out.replace(mark, {"al": "X", "al smith": "Y"}[json.loads(raw)["value"]])
    assert (out, closed.personal) == (shown, ())
    assert len(openings) == (shown != text)


def test_details_of_a_kind_and_figures() -> None:
    """A detail the kind marks is committed to in all texts; a fact that is a number stays a number."""
    reading = Reading(
        kind="review",
        format="f",
        verdict="fail",
        looked_at=1,
        of=1,
        cause="bob said no",
        counterexamples=(Counterexample("bob asked for changes", "bob", {"by": "bob"}),),
        facts={"n": Fact(7, "reviews"), "w": Fact("bob", "name")},
        personal=("7",),
    )
    closed, openings = commit(reading, ("by",), lambda: "5a" * 32)
    assert "bob" not in str(closed)
    assert closed.facts["n"] == Fact(7, "reviews")
    assert len(openings) == 1


PAID = """
[[evidence]]
name = "paid"
kind = "paid"
[[kind]]
name = "paid"
unit = "people"
proves = "everybody was paid"
does_not_prove = "that it was enough"
passes = "doc.people.all(p, p.paid)"
looked_at = "size(doc.people)"
[[kind.facts]]
name = "first"
value = "doc.people[0].salary"
unit = "credits"
[[kind.facts]]
name = "largest"
value = "doc.people[0].salary > doc.people[1].salary ? doc.people[0].salary : doc.people[1].salary"
unit = "credits"
[[kind.facts]]
name = "people"
value = "size(doc.people)"
unit = "people"
[[kind.facts]]
name = "together"
value = "doc.people[0].salary + doc.people[1].salary"
unit = "credits"
[kind.schema.properties.people.items.properties.salary]
type = "number"
x-personal = true
"""


def test_a_number_that_is_somebodys_own_is_committed_to_like_a_name(tmp_path: Path) -> None:
    """What a fact takes from a marked place, chosen or as it stands; a count that happens to be equal, and a sum, are figures."""
    town = Town(tmp_path, settings=TESTS + PAID)
    town.open()
    file = tmp_path / "paid.json"
    file.write_text(json.dumps({"people": [{"paid": True, "salary": 2}, {"paid": True, "salary": 31415}]}))
    facts = town.dossier("collect", "paid", "--from", str(file))["evidence"][0]["facts"]
    assert {n: facts[n]["unit"] for n in ("first", "largest")} == {"first": "commitment", "largest": "commitment"}
    assert (facts["people"], facts["together"]["value"]) == ({"value": 2, "unit": "people"}, 31417)
    assert "31415" not in json.dumps(facts)
