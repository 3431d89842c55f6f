"""Two descriptions of an API: each way a client can be let down is seen, each harmless change is not, and a real tool agrees."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.contract import compare
from release_dossier.evidence.readers import read
from release_dossier.evidence.readers.yaml_tree import documents
from release_dossier.evidence.reading import Reading

SAMPLE = Path(__file__).with_name("samples") / "openapi.yaml"
ARTIFACTS = Path(__file__).resolve().parents[3] / "shared/socialpredict/artifacts"
BASE: Any = documents(io.BytesIO(SAMPLE.read_bytes()))[0]
Edit = Callable[[Any], Any]


def bet(d: Any) -> Any:
    return d["components"]["schemas"]["Bet"]


def post(d: Any) -> Any:
    return d["paths"]["/v0/bet"]["post"]


def get(d: Any) -> Any:
    return d["paths"]["/v0/markets/{id}"]["get"]


def title(d: Any) -> Any:
    return get(d)["responses"]["200"]["content"]["application/json"]["schema"]


def edited(edit: Edit) -> Any:
    head = copy.deepcopy(BASE)
    edit(head)
    return head


def ask_credentials(d: Any) -> None:
    d["components"]["securitySchemes"] = {"k": {"type": "http", "scheme": "bearer"}}
    post(d)["security"] = [{"k": []}]


def need_a_key(d: Any) -> None:
    bet(d)["required"].append("key")
    bet(d)["properties"]["key"] = {}


def close(d: Any) -> None:
    bet(d).update(additionalProperties=False, properties={"marketId": {"type": "integer"}}, required=["marketId"])


def rename_path(d: Any) -> None:
    item = d["paths"]["/v0/markets/{market}"] = d["paths"].pop("/v0/markets/{id}")
    item["get"]["parameters"][0]["name"] = "market"


OUTCOME = {"type": "string"}
QUERY = {"name": "q", "in": "query", "schema": {"type": "string"}}
BREAKS: list[tuple[str, Edit, str]] = [
    ("operation removed", lambda d: d["paths"].pop("/v0/bet"), "the operation is gone"),
    ("success removed", lambda d: post(d)["responses"].pop("201"), "response 201 is gone"),
    ("parameter added", lambda d: get(d)["parameters"].append(QUERY | {"required": True}), "query parameter q is required now"),
    ("parameter narrowed", lambda d: get(d)["parameters"][0]["schema"].update(minimum=1), "minimum 1 against none"),
    ("parameter's type", lambda d: get(d)["parameters"][0].update(schema={"type": "boolean"}), "type integer is not boolean"),
    ("property asked", need_a_key, ".key is needed"),
    ("enum value lost", lambda d: bet(d)["properties"]["outcome"].update(enum=["YES"]), "value 'NO' is not among the others"),
    ("enum value given", lambda d: bet(d)["properties"]["outcome"].update(enum=["YES", "NO", "N/A"]), "value 'N/A' is not among"),
    ("enum opened", lambda d: bet(d)["properties"].update(outcome=OUTCOME), "any value, not only"),
    ("length bound", lambda d: bet(d)["properties"].update(outcome=OUTCOME | {"maxLength": 2}), "maxLength 2 against 3"),
    ("property no longer given", lambda d: title(d).update(required=[]), ".title is needed"),
    ("response's type", lambda d: title(d)["properties"].update(title={"type": "integer"}), "type integer is not string"),
    ("response may be null", lambda d: title(d)["properties"]["title"].update(nullable=True), "type null is not string"),
    ("null as 3.1 has it", lambda d: title(d)["properties"].update(title={"type": ["string", "null"]}), "type null is not string"),
    ("media type", lambda d: post(d)["requestBody"].update(content={"text/plain": {}}), "application/json is no longer taken"),
    ("credentials asked", ask_credentials, "no credentials no longer suffices"),
    ("request closed", close, "is not among those allowed"),
]


@pytest.mark.parametrize(("edit", "words"), [b[1:] for b in BREAKS], ids=[b[0] for b in BREAKS])
def test_what_breaks(edit: Edit, words: str) -> None:
    """Each is named with its operation and place, and fails the comparison."""
    found = [b for b in compare(BASE, edited(edit)).breaks if not b.risky]
    assert any(words in f"{b.place} {b.what}" for b in found), found


HARMLESS: list[tuple[str, Edit]] = [
    ("nothing", lambda d: None),
    ("operation added", lambda d: d["paths"].update({"/v1": {"get": {"responses": {"200": {}}}}})),
    ("optional parameter", lambda d: get(d)["parameters"].append({"name": "q", "in": "query", "schema": {"type": "string"}})),
    ("path parameter renamed", rename_path),
    ("property given", lambda d: title(d)["properties"].update(more={"type": "string"})),
    ("request asks less", lambda d: post(d)["requestBody"].update(required=False)),
    ("response says more surely", lambda d: title(d)["properties"]["title"].update(minLength=1)),
    ("integer accepted as number", lambda d: get(d)["parameters"][0].update(schema={"type": "number"})),
    ("failure added", lambda d: post(d)["responses"].update({"409": {"description": "twice"}})),
    ("inlined reference", lambda d: post(d)["responses"]["201"]["content"]["application/json"].update(schema=copy.deepcopy(bet(d)))),
    ("allOf of the same", lambda d: d["components"]["schemas"].update(Bet={"allOf": [bet(d), {"type": "object"}]})),
]


@pytest.mark.parametrize("edit", [h[1] for h in HARMLESS], ids=[h[0] for h in HARMLESS])
def test_what_does_not(edit: Edit) -> None:
    """A client that keeps to the base notices nothing."""
    c = compare(BASE, edited(edit))
    assert [b for b in c.breaks if not b.risky] == []
    assert (c.compared, c.unread) == (2, ())


def test_a_scheme_by_another_name_is_the_same() -> None:
    """What lets a client in is compared by what it is."""

    def secured(name: str, scheme: str) -> Any:
        return edited(
            lambda d: (d["components"].update(securitySchemes={name: {"type": "http", "scheme": scheme}}), d.update(security=[{name: []}]))
        )

    assert compare(secured("A", "bearer"), secured("b", "Bearer")).breaks == ()
    assert compare(secured("A", "bearer"), secured("A", "basic")).breaks[0].what == "http bearer no longer suffices"
    assert compare(secured("A", "bearer"), BASE).breaks == ()


def test_circles_and_what_is_elsewhere() -> None:
    """A schema that holds itself ends; a reference to another file is not opened and is said to be unread."""
    tree = {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Bet"}}}
    head = edited(lambda d: d["components"]["schemas"].update(Bet=tree))
    assert compare(head, head).breaks == ()
    loop = edited(lambda d: d["components"]["schemas"].update(Bet={"$ref": "#/components/schemas/Bet"}))
    assert compare(loop, loop).unread == ("#/components/schemas/Bet",)
    far = edited(lambda d: d["components"]["schemas"].update(Bet={"$ref": "https://example.org/x.json"}))
    assert compare(BASE, far).unread == ("https://example.org/x.json",)


def says(head: Any, base: bytes | None) -> Reading:
    return read(io.BytesIO(json.dumps(head).encode()), base=base)


def test_the_reading() -> None:
    """Without a base nothing was compared; a harmless change passes; a break fails with its operation; unread parts are not a pass."""
    raw = SAMPLE.read_bytes()
    r = says(BASE, None)
    assert (r.verdict, r.looked_at, r.of) == ("inconclusive", 0, 2)
    r = says(edited(HARMLESS[1][1]), raw)
    assert (r.verdict, r.looked_at, r.of, r.facts["operations_added"].value) == ("pass", 2, 2, 1)
    r = says(edited(BREAKS[0][1]), raw)
    assert (r.verdict, r.counterexamples[0].text) == ("fail", "POST /v0/bet: the operation is gone")
    r = says(edited(lambda d: d["components"]["schemas"].update(Bet={"$ref": "other.yaml#/Bet"})), raw)
    assert r.verdict != "pass"
    r = says(edited(lambda d: bet(d)["properties"].pop("amount") and bet(d)["required"].remove("amount")), raw)
    assert any(x.startswith("risky: POST /v0/bet") for x in r.limits)
    for version in ("2.0", "3.2.0", "4"):
        with pytest.raises(Refused) as e:
            says(BASE | {"openapi": version}, raw)
        assert e.value.code == "evidence.version"


@pytest.mark.captured
@pytest.mark.parametrize(
    ("base", "head", "operations", "breaking"), [("v2.1.0", "v3.0.0", 13, 17), ("v3.4.0", "v3.5.0", 73, 306), ("v3.8.0", "v3.8.1", 0, 0)]
)
def test_a_real_tool_agrees(base: str, head: str, operations: int, breaking: int) -> None:
    """oasdiff finds the same operations broken between real releases, and as many changes; but that a scheme has another name breaks
    nobody, and there we differ."""
    if not ARTIFACTS.exists():
        pytest.skip("needs ../shared: API descriptions of real releases")
    a, b = (documents(io.BytesIO((ARTIFACTS / f"openapi/openapi-{v}.yaml").read_bytes()))[0] for v in (base, head))
    ours = [x for x in compare(a, b).breaks if not x.risky]
    listed = json.loads((ARTIFACTS / f"oasdiff/breaking-{base}..{head}.json").read_text())
    theirs = [e for e in listed if e["level"] == 3 and e["id"] != "api-security-removed"]
    assert {x.operation for x in ours} == {f"{e['operation']} {e['path']}" for e in theirs}
    assert (len({x.operation for x in ours}), len(ours), len(theirs)) == (operations, breaking, breaking)


def test_lists_of_oasdiff() -> None:
    """A list with an error fails; warnings alone do not; an empty list, or one without its exit status, proves nothing."""
    entry = {"id": "x", "text": "t", "level": 2, "operation": "GET", "path": "/a"}
    for entries, status, verdict in (([entry], 0, "pass"), ([entry], None, "inconclusive"), ([entry | {"level": 3}], 0, "fail")):
        assert read(io.BytesIO(json.dumps(entries).encode()), exit_status=status).verdict == verdict
    assert read(io.BytesIO(b"[]"), format="oasdiff", exit_status=0).verdict == "inconclusive"
    assert read(io.BytesIO(json.dumps([entry | {"level": 9}]).encode()), exit_status=0).verdict == "inconclusive"


def test_schemathesis() -> None:
    """A failing check fails, with the request that showed it; a run that was cut, or left an operation out, is inconclusive."""
    raw = (SAMPLE.parent / "schemathesis.ndjson").read_text()
    r = read(io.BytesIO(raw.encode()))
    assert (r.verdict, r.looked_at, r.of, r.counterexamples_total) == ("fail", 2, 2, 1)
    assert r.counterexamples[0].text == "POST /bets: negative_data_rejection: Schema-violating request accepted"
    good = raw.replace('"failure"', '"success"')
    assert read(io.BytesIO(good.encode())).verdict == "pass"
    lines = good.splitlines(keepends=True)
    for n in range(1, len(lines)):
        assert read(io.BytesIO("".join(lines[:n]).encode())).verdict != "pass"
    left = "".join(x for x in lines if not ("GET /bets/{bet}" in x and "ScenarioFinished" in x))
    assert read(io.BytesIO(left.encode())).cause == "1 operations were not tried"


def test_dredd() -> None:
    """Runs of Dredd 14.1: a missing property fails with what was wrong and where; what was skipped was not looked at."""
    good, failed = ((SAMPLE.parent / name).read_bytes() for name in ("dredd.xml", "dredd-failed.xml"))
    r = read(io.BytesIO(good))
    assert (r.format, r.verdict, r.looked_at, r.of, r.tool_version, r.observed_at) == (
        "dredd", "pass", 4, 4, "14.1.0", "2026-11-27T07:36:01.000Z",
    )  # fmt: skip
    r = read(io.BytesIO(failed))
    assert (r.verdict, r.looked_at, r.of, r.facts["cases"].value, r.facts["failures"].value) == ("fail", 3, 4, 3, 1)
    assert [(c.text, c.where) for c in r.counterexamples] == [
        ("GET (200) /markets/1: body: At '/id' Missing required property: id", "GET /markets/1")
    ]
    assert "skipped: DELETE (204) /markets/1" in r.limits


@pytest.mark.parametrize(
    ("old", "new", "verdict", "words"),
    [
        ('tests="4"', 'tests="5"', "inconclusive", "it says 5 transactions, 4 are in it"),
        ('tests="4"', "", "inconclusive", "it says nothing of transactions, 4 are in it"),
        ("<system-out>", "<skipped/><system-out>", "inconclusive", "1 transactions were skipped: GET (200) /markets"),
        ("<system-out>", "<failure/><system-out>", "fail", "GET (200) /markets: failed"),
        ("<system-out>", '<error message="ECONNREFUSED"/><system-out>', "fail", "GET (200) /markets: ECONNREFUSED"),
        ("<system-out>", "<failure>\nError: \nno answer\nStacktrace: \nx</failure><system-out>", "fail", "GET (200) /markets: no answer"),
    ],
)
def test_what_dredd_did_not_see_through(old: str, new: str, verdict: str, words: str) -> None:
    """A count that does not fit, an operation left out, an answer that never came."""
    raw = (SAMPLE.parent / "dredd.xml").read_text()
    assert old in raw
    r = read(io.BytesIO(raw.replace(old, new, 1).encode()))
    assert (r.verdict, r.format) == (verdict, "dredd")
    assert (r.counterexamples[0].text if r.counterexamples else r.cause).startswith(words)


def test_dredd_that_called_nothing() -> None:
    """Every transaction skipped, or none there: nothing was looked at."""
    raw = (SAMPLE.parent / "dredd.xml").read_text()
    assert read(io.BytesIO(raw.replace("<system-out>", "<skipped/><system-out>").encode())).verdict == "missing"
    assert read(io.BytesIO(b'<testsuite name="Dredd Tests" tests="0"></testsuite>')).verdict == "missing"
