"""Reading over the API: the same facts as on the command line, immutable where they are, page by page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient

from release_dossier.store.tail import Tail
from release_dossier.trust.log import leaf_data, leaf_of
from release_dossier.trust.merkle import node_hash
from release_dossier.trust.tiles import root_at
from release_dossier.web.board import STATUSES
from release_dossier.web.place import Place
from tests.town import Town


def get(client: TestClient, path: str, expected: int = 200, /, **params: Any) -> Any:
    answer = client.get(f"/api/v1{path}", params=params)
    assert answer.status_code == expected, answer.text
    return answer.json()


def test_releases_page_by_page(client: TestClient) -> None:
    """Cursor pages of one give the list in order, with the same total and facets on each; a filter leaves what its facet counted."""
    for sort in ("newest", "ending"):
        whole = get(client, "/releases", sort=sort, limit=500)
        cursor, pages = "", []
        while True:
            page = get(client, "/releases", sort=sort, limit=1, cursor=cursor)
            pages += page["items"]
            assert (page["total"], page["facets"]) == (whole["total"], whole["facets"])
            cursor = page["next"]
            if not cursor:
                break
        assert pages == whole["items"]
        assert len(pages) == whole["total"] > 3
    for status, count in whole["facets"]["status"].items():
        assert get(client, "/releases", status=status)["total"] == count
    assert get(client, "/releases", q="9ef6530b nothing")["items"] == []
    assert get(client, "/releases", q="v3.8.1")["total"] >= 1


def test_pages_between_services_of_one_change(tmp_path: Path) -> None:
    """Three services of one change stand at the same place of the log: pages of one still show each once."""
    from tests.api.conftest import served
    from tests.town import TESTS

    more = "".join(f'\n[[service]]\nname = "{n}"\npaths = ["{n}/**"]\n' for n in ("alpha", "zeta"))
    town = Town(tmp_path, settings=TESTS + more)
    for n in ("alpha", "zeta"):
        town.write(f"{n}/x", "1")
    town.commit("more")
    town.open()
    with served(town) as c:
        for sort in ("newest", "ending"):
            cursor, seen = "", []
            while True:
                page = get(c, "/releases", sort=sort, limit=1, cursor=cursor)
                seen += [r["service"] for r in page["items"]]
                cursor = page["next"]
                if not cursor:
                    break
            assert sorted(seen) == ["alpha", "shop", "zeta"]


def test_the_description_is_whole(client: TestClient) -> None:
    """Every reference in it leads somewhere, every operation has a name of its own, a summary and a described failure."""
    described = get(client, "/openapi.json")
    text = json.dumps(described)
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in described["components"]["schemas"], name
    operations = [o for methods in described["paths"].values() for o in methods.values()]
    assert len({o["operationId"] for o in operations}) == len(operations) > 40
    assert all(o["summary"] and "4XX" in o["responses"] for o in operations)
    for name, schema in described["components"]["schemas"].items():
        assert (name.isidentifier(), schema.get("title", name)) == (True, name)  # generators name a class by either
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}), name


def test_one_release_is_its_row(client: TestClient) -> None:
    """By service and version; another is not there."""
    row = get(client, "/releases")["items"][0]
    assert get(client, f"/releases/{row['service']}/{row['version']}") == row
    assert get(client, "/releases/trading/9.9.9", 404)["code"] == "page.unknown"


def test_documents_page_by_page(client: TestClient, place: Place) -> None:
    """The log from either end; filters by type, change and key leave exactly those."""
    size = place.catalog.refresh()
    for newest in (False, True):
        cursor, seen = "", []
        while True:
            page = get(client, "/documents", limit=7, newest=newest, cursor=cursor)
            seen += [e["n"] for e in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
        assert seen == sorted(range(size), reverse=newest)
    decisions = get(client, "/documents", type="decision", limit=500)["items"]
    assert {e["type"] for e in decisions} == {"decision"}
    change = get(client, "/documents", type="change")["items"][0]
    mine = get(client, "/documents", change=change["digest"], limit=500)["items"]
    assert {e["change"] for e in mine} == {change["digest"]}
    assert get(client, "/documents", key=change["key"], type="change")["items"][0] == change


def test_a_document_is_for_ever(client: TestClient) -> None:
    """Its ETag is its digest; who has it is told so; a prefix names it today and is not kept for ever."""
    e = get(client, "/documents", type="dossier")["items"][0]
    answer = client.get(f"/api/v1/documents/{e['digest']}")
    assert answer.headers["etag"] == f'"{e["digest"]}"'
    assert "immutable" in answer.headers["cache-control"]
    assert "private" in answer.headers["cache-control"]
    again = client.get(f"/api/v1/documents/{e['digest']}", headers={"if-none-match": f'W/"x", "{e["digest"]}"'})
    assert (again.status_code, again.content) == (304, b"")
    prefix = client.get(f"/api/v1/documents/{e['digest'][:20]}")
    assert (prefix.json(), prefix.headers["cache-control"]) == (answer.json(), "no-cache")
    assert get(client, "/documents/sha256:00000000", 404)["code"] == "digest.unknown"
    assert get(client, "/documents/short", 422)["code"] == "api.parameter"


def test_a_documents_envelope_is_what_was_signed(client: TestClient) -> None:
    """The DSSE envelope byte for byte: its payload has the statement's digest."""
    e = get(client, "/documents", type="decision")["items"][0]
    body = client.get(f"/api/v1/documents/{e['digest']}/envelope").json()
    payload = base64.b64decode(body["payload"])
    assert "sha256:" + hashlib.sha256(payload).hexdigest() == e["digest"]
    assert json.loads(payload)["predicate"] == get(client, f"/documents/{e['digest']}")["predicate"]


def test_every_document_fits_its_description(client: TestClient) -> None:
    """What the description says of a document of each type holds for a real one."""
    described = get(client, "/openapi.json")
    schema = {"$ref": "#/components/schemas/Document", "components": described["components"]}
    check = jsonschema_rs.validator_for(schema)
    types = set()
    for e in get(client, "/documents", limit=500)["items"]:
        check.validate(get(client, f"/documents/{e['digest']}"))
        types.add(e["type"])
    assert {"change", "started", "evidence", "dossier", "decision", "approval", "waiver", "release", "deployment"} <= types


def test_evidence_by_what_it_says(client: TestClient) -> None:
    """Filters leave exactly those, newest first."""
    everything = get(client, "/evidence", limit=500)["items"]
    assert [e["n"] for e in everything] == sorted((e["n"] for e in everything), reverse=True)
    for column in ("kind", "verdict", "service", "name", "change"):
        value = everything[0][column]
        assert get(client, "/evidence", limit=500, **{column: value})["items"] == [e for e in everything if e[column] == value]
    first = get(client, "/evidence", limit=2)
    rest = get(client, "/evidence", limit=500, cursor=first["next"])
    assert first["items"] + rest["items"] == everything


def test_an_artifact_is_kept_and_never_run(client: TestClient) -> None:
    """Byte for byte, as a download in a sandbox, whatever it holds."""
    for e in get(client, "/evidence", limit=500)["items"]:
        for a in get(client, f"/documents/{e['digest']}")["predicate"]["artifacts"]:
            answer = client.get(f"/api/v1/artifacts/{a['digest']}")
            assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == a["digest"]
            assert answer.headers["content-disposition"].startswith("attachment")
            assert "sandbox" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            return
    pytest.fail("no artifact")


def test_the_log_can_be_checked_from_tiles(client: TestClient, place: Place) -> None:
    """The root from the tiles is the checkpoint's; a proof leads to it; a tile beyond the log is not there."""
    checkpoint = client.get("/api/v1/log/checkpoint").text.splitlines()
    size, root = int(checkpoint[1]), base64.b64decode(checkpoint[2])

    def fetch(path: str) -> bytes:
        answer = client.get(f"/api/v1/log/{path}")
        assert answer.status_code == 200, answer.text
        return answer.content

    assert root_at(fetch, size) == root
    e = get(client, "/documents", type="release")["items"][0]
    proof = get(client, f"/documents/{e['digest']}/proof")
    line = place.ground().world.store.entries()[e["n"]].line()
    assert leaf_data(line) in fetch(f"tile/entries/000.p/{size}" if size < 256 else "tile/entries/000")
    at, n, last = leaf_of(line), e["n"], size - 1
    for h in map(bytes.fromhex, proof["path"]):  # RFC 9162, 2.1.3.2
        if n & 1 or n == last:
            at = node_hash(h, at)
            while n and not n & 1:
                n, last = n >> 1, last >> 1
        else:
            at = node_hash(at, h)
        n, last = n >> 1, last >> 1
    assert at == root
    assert proof["root"] == f"sha256:{root.hex()}"
    for path in ("tile/0/001", "tile/0/x01", "tile/9/000", "tile/entries/000.p/256"):
        assert client.get(f"/api/v1/log/{path}").status_code == 404


def test_what_the_command_line_says(client: TestClient, demo: Path) -> None:
    """Posture, compare and payload are the same JSON as the commands of those names."""
    assert [p["service"] for p in get(client, "/posture")["posture"]] == ["trading"]
    assert get(client, "/posture", at="2027-01-01T00:00:00Z")["hypothetical"] is True
    assert get(client, "/posture", at="0001-01-01T00:00:00Z") == {"posture": [], "hypothetical": True}
    assert get(client, "/posture", 422, at="soon")["code"] == "time.syntax"
    same = get(client, "/compare", a="v3.8.0", b="v3.8.1")
    assert same["a"] != same["b"]
    assert {f["fact"] for f in same["facts"]}
    payload = get(client, f"/dossiers/{same['b']}/payload", audience="customer")
    assert payload["dossier"] == same["b"]
    assert payload["withheld"]
    assert get(client, f"/dossiers/{same['b']}/payload", 422, audience="everyone")["code"] == "api.parameter"


def test_schemas_are_published(client: TestClient) -> None:
    """At /schemas/ and below the API, each valid JSON Schema, each there by its name."""
    names = client.get("/schemas").json()["schemas"]
    assert {"/schemas/dossier.v1.json", "/schemas/erasure.v1.json", "/schemas/facts/payouts.v1.json"} <= set(names)
    for name in names:
        answer = client.get(name)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
        jsonschema_rs.meta.validate(answer.json())
        assert client.get(f"/api/v1{name}").content == answer.content
    for path in ("/schemas/nothing.v1.json", "/schemas/..%2f__init__.py", "/schemas/facts", "/schemas/facts/nothing.v1.json"):
        assert client.get(path).status_code in (404, 422)


def test_a_cursor_is_only_for_its_own_list(client: TestClient) -> None:
    """Another list's cursor, half of one or nonsense is refused, whatever the order."""
    cursor = get(client, "/releases", limit=1)["next"]
    for path, params in (
        ("/documents", {"cursor": cursor}),
        ("/releases", {"cursor": cursor, "sort": "ending"}),
        ("/releases", {"cursor": cursor[:-3]}),
        ("/evidence", {"cursor": "AAAA"}),
        ("/documents", {"cursor": base64.urlsafe_b64encode(b"[true]").decode().rstrip("=")}),
        ("/documents", {"cursor": base64.urlsafe_b64encode(b"[99999999999999999999999]").decode().rstrip("=")}),
    ):
        assert get(client, path, 422, **params)["code"] in ("api.cursor", "api.parameter")


def test_failures_are_problems(client: TestClient) -> None:
    """RFC 9457 with code, at, found, expected; the id of the request stands in it and in its header."""
    for method, path, status in (
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/releases", 405),
        ("GET", "/api/v1/releases?limit=0", 422),
    ):
        answer = client.request(method, path)
        body = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, body["status"]) == (status, status)
        assert {"type", "title", "detail", "code", "at", "found", "expected", "help"} <= set(body)
        assert body["request_id"] == answer.headers["x-request-id"]
    assert client.get("/api/v1/nothing", headers={"x-request-id": "mine-1"}).json()["request_id"] == "mine-1"
    assert client.get("/api/v1/nothing", headers={"x-request-id": "not\tmine"}).headers["x-request-id"] != "not\tmine"


def test_badges_and_status(client: TestClient) -> None:
    """A picture with word and sign, and the same as JSON, for the newest release; a service without one is not there."""
    status = get(client, "/status/trading")
    assert (status["version"], status["status"]) == ("3.8.1", "released")
    svg = client.get("/badges/trading.svg")
    assert svg.headers["content-type"] == "image/svg+xml"
    assert f"{status['label']}: {status['message']}" in svg.text
    assert get(client, "/status/nothing", 404)["code"] == "api.unknown"
    from release_dossier.web.api_watch import _LOOKS, picture

    assert set(_LOOKS) == set(STATUSES)
    assert b"<script>" not in picture("<script>", '"><script>', "red")


def test_metrics_health_and_readiness(client: TestClient, place: Place) -> None:
    """Prometheus text that promtool's grammar knows, counting by route and never by address; ready while log, outbox and folder are."""
    client.get("/api/v1/releases/trading/3.8.1")
    text = client.get("/metrics").text
    assert 'route="/api/v1/releases/{service}/{version}"' in text
    assert "3.8.1" not in text
    assert f"dossier_log_entries {place.catalog.refresh()}" in text
    for line in text.splitlines():
        assert line.startswith("# TYPE ") or len(line.rpartition(" ")[0]) > 3
    assert client.get("/healthz").json() == {"status": "ok", "checks": {}}
    assert client.get("/readyz").json()["status"] == "ok"


def test_not_ready_says_why(town: Town) -> None:
    """A journal that cannot be read: 503 with the code of what is wrong; alive all the same."""
    from tests.api.conftest import served

    box = town.repo / ".dossier/outbox"
    box.mkdir()
    (box / "deliveries.ndjson").write_text("{}{}\n")
    with served(town) as c:
        answer = c.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["outbox"]) == (503, "outbox.journal")
        assert c.get("/healthz").status_code == 200


def test_the_api_reads_what_git_has(demo: Path, client: TestClient) -> None:
    """The project names its services, and what whoever asks may do."""
    card = get(client, "/project")
    assert {s["name"] for s in card["services"]} >= {"trading", "frontend"}
    assert card["may"] == ["read", "write", "sign", "release", "admin"]
    head = subprocess.run(["git", "rev-parse", "v3.8.1"], cwd=demo / "socialpredict", capture_output=True, text=True, check=True)
    assert head.stdout.strip()
    assert Tail(demo / "socialpredict/.dossier", card["project"]).stamp() != (0, 0, 0, 0)


def test_a_head_is_what_get_would_say(client: TestClient) -> None:
    """HEAD has GET's status and headers and nothing behind them, also of a stream; another method is told which there are."""
    for path in ("/", "/api/v1/releases", "/healthz", "/badges/trading.svg", "/static/app.js", "/api/v1/nothing"):
        head, get_ = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (get_.status_code, b""), path
        assert head.headers["content-type"] == get_.headers["content-type"]
    assert client.head("/api/v1/events").headers["content-type"].startswith("text/event-stream")
    for path, allowed in (("/api/v1/releases", "GET"), ("/api/v1/drafts", "POST"), ("/", "GET")):
        answer = client.request("DELETE", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    told = client.delete("/api/v1/drafts").json()
    assert (told["code"], told["at"], told["found"], told["expected"]) == ("api.method", "/api/v1/drafts", "DELETE", "POST")


def test_so_many_listen_and_no_more(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """One listener more is asked to come again later, and told how many there are."""
    monkeypatch.setattr("release_dossier.web.api_watch.LISTENERS_MAX", 0)
    told = get(client, "/events", 503)
    assert (told["code"], told["at"], told["found"]) == ("api.listeners", "/api/v1/events", "0 listen")
    assert told["expected"] == "at most 0"
