"""Every page as a server gives it, without a browser: complete, light, with nothing inside that the content policy would stop."""

from __future__ import annotations

import hashlib
import html
import json
import re
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from release_dossier.errors import Corrupt
from release_dossier.gate import step
from release_dossier.web import api_read, views
from release_dossier.web import place as places
from release_dossier.web.app import make_app
from release_dossier.web.catalog import Catalog
from release_dossier.web.comparing import Side, compared, markdown
from release_dossier.web.exhibits import exhibit
from release_dossier.web.pages import evidence
from release_dossier.web.pages.release import TABS
from release_dossier.web.place import Place
from release_dossier.web.rounds import Round, Unmet
from tests.store.conftest_store import envelope_in, exchange

BYTES_MAX = 150 * 1024


def addresses(place: Place) -> Iterator[str]:
    """Every page of the demo: each list, each release on each tab, each round, each document, each piece of evidence."""
    yield "/rules/simulate?ref=main"
    yield from (f"/explain/{r.dossier[7:]}/{u.id}" for r in place.catalog.rounds.values() for u in r.unmet)
    yield from ("/compare", "/posture", "/rules", "/rules?service=trading", "/log", "/log/0", "/log/17", "/log?type=decision")
    yield from ("/", "/?q=trading&status=blocked", "/?q=nothing-like-it", "/?sort=ending")
    for r in place.catalog.rounds.values():
        yield from (f"/payload/{r.dossier[7:]}?audience={a}" for a in ("customer", "github") if r.dossier)
        yield from (f"/releases/{r.service}/{r.version}?tab={tab}" for tab, _ in TABS)
        yield f"/releases/{r.service}/{r.version}?change={r.change[7:23]}"
    for e in place.catalog.entries("1 order by n"):
        yield f"/evidence/{e.digest[7:]}" if e.type == "evidence" else f"/d/{e.digest[7:]}"


def test_every_page_is_whole_and_light(client: TestClient, place: Place) -> None:
    """200, a title, one heading of the first level, when and by which version it was made; no script, style or handler inside; with
    style sheet and scripts at most 150 KB."""
    assets = sum(len(client.get(f"/static/{n}").content) for n in ("dossier.css", "app.js", "htmx-4.0.1.min.js"))
    seen = 0
    for address in addresses(place):
        answer = client.get(address)
        assert answer.status_code == 200, address
        text = answer.text
        assert len(re.findall(r"<h1[ >]", text)) == 1, address
        assert "Generated at" in text, address
        assert "schemas v1" in text, address
        assert not re.search(r"\sstyle=|<style|<script(?![^>]*\ssrc=)|\son[a-z]+=|javascript:", text), address
        assert not re.search(r"(src|href|action)=\"(https?:)?//", text), address
        shown = re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)  # documents and artifacts as they are weigh what they weigh
        assert len(shown.encode()) + assets <= BYTES_MAX, f"{address}: {len(shown.encode()) + assets}"
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), f"{address}: {sorted(i for i in ids if ids.count(i) > 1)}"
        seen += 1
    assert seen > 100


def test_links_lead_to_pages(client: TestClient) -> None:
    """Whatever a page of the demo links to is there."""
    waiting, seen = ["/"], set()
    while waiting and len(seen) < 150:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        if "text/html" in answer.headers["content-type"]:
            found = re.findall(r'href="(/[^"#]*)', answer.text)
            waiting += [a.replace("&amp;", "&") for a in found if not a.startswith(("/theme", "/static", "/api"))]


def test_the_policy_lets_nothing_else_in(client: TestClient) -> None:
    """Only the server's own scripts, styles and pictures; no frame around it; a download never runs as a page of ours."""
    headers = client.get("/").headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")


def test_what_is_not_there_says_the_next_thing_to_do(client: TestClient) -> None:
    """An unknown release, tab, digest or filter is a page with the four things of a refusal and the way on."""
    for address, status, code in (
        ("/releases/trading/9.9.9", 404, "page.unknown"),
        ("/releases/trading/3.8.1?tab=luck", 404, "page.unknown"),
        ("/d/ffffffffffff", 404, "digest.unknown"),
        ("/d/xyzxyzxyz", 422, "digest.syntax"),
        ("/?sort=luck", 422, "page.filter"),
        ("/?page=0", 422, "page.filter"),
    ):
        answer = client.get(address)
        assert (answer.status_code, code in answer.text) == (status, True), address


def test_filters_stand_in_the_address_and_can_be_taken_away(client: TestClient) -> None:
    """A filtered list says what filters it and links to itself without each; the counts are links that add one."""
    text = client.get("/?status=blocked&service=trading&q=3.6").text
    assert "trading@3.6.0" in text
    assert "trading@3.8.1" not in text
    assert 'href="/?q=3.6&amp;service=trading"' in text
    assert 'href="/?status=blocked&amp;service=trading"' in text


def test_a_release_says_what_stands_between_it_and_shipping(client: TestClient) -> None:
    """One sentence, the next command, requirements grouped with looked-at and limit, in the words of the stored decision."""
    text = client.get("/releases/trading/3.6.0").text
    assert re.search(r"Blocked: of \d+ requirements (\d[\w ]+, )?\d are missing", text)
    assert "dossier collect tests" in text
    first = client.get("/releases/trading/3.6.0?tab=history").text
    earlier = re.search(r'href="(/releases/trading/3\.6\.0\?tab=history&amp;change=[0-9a-f]+)">round 1', first)
    assert earlier is not None
    old = client.get(earlier[1].replace("&amp;", "&").replace("tab=history&", "")).text
    assert "erin has 197 credits too many" in old
    assert "no waiver is accepted" in old


def test_a_found_risk_has_the_owner_of_its_requirement(client: TestClient, place: Place) -> None:
    """The dossier itself says who answers for what evidence found, so page, payload and command agree."""
    found = 0
    for r in place.catalog.rounds.values():
        closed = place.read(r.dossier).statement.predicate if r.dossier else {"risks": ()}
        for risk in (x for x in closed["risks"] if x.get("source") == "found"):
            asked = [q["owner"] for q in closed["rules"]["requirements"] if f"{q['service']}/{q['evidence']}" == risk["id"]]
            assert risk["owner"] in (asked or [", ".join(o["owners"]) for o in closed["owners"]])
            page = client.get(f"/releases/{r.service}/{r.version}?tab=risks&change={r.change[7:23]}").text
            assert f'<span class="nowrap">{html.escape(risk["owner"])}</span>' in page
            found += 1
    assert found


def test_a_failure_that_lasts_is_not_collected_again() -> None:
    """Where no retry is left, the sentence says what the command says: mend it and commit. Otherwise it is the rule's own remedy."""
    spent = "its only attempt failed and no failure is tolerated: it needs a new fingerprint or a waiver"
    left = "its only attempt failed and 1 failure is tolerated: collect it again"
    for reason, words, command in ((spent, "Tests: mend it and commit, then:", "dossier run"), (left, "Tests:", "dossier collect tests")):
        first, do = step("fail", reason, "dossier collect tests")
        need = {"title": "Tests", "state": "fail", "group": "unmet", "step": {"first": first, "command": do}}
        said = views._blocked([need])
        assert (said.next, said.command) == (words, command)
    assert step("fail", spent, "dossier collect tests --from FILE") == ("", "dossier collect tests --from FILE")
    assert step("missing", spent, "dossier collect tests") == ("", "dossier collect tests")


def test_what_was_not_said_about_a_file_is_named() -> None:
    """The same file brought again lacks the same: the step names the option that says it."""
    cut, wrote = "the exit status did not come with it: it may have been cut off", "which build wrote what was looked at is unknown: x"
    assert step("inconclusive", cut, "dossier collect cover --from FILE") == ("", "dossier collect cover --from FILE --exit N")
    assert step("inconclusive", wrote, "dossier collect pay --from DB") == ("", "dossier collect pay --from DB --written-by VERSION")
    for remedy in ("dossier collect cover", "dossier collect pay --from DB --written-by VERSION", "https://ex.org"):
        assert step("inconclusive", wrote, remedy) == ("", remedy)


def test_a_machine_that_is_not_listed_is_sent_to_be() -> None:
    """A commit alone would be run by the same nobody again."""
    reason = "attempt 1: it is signed by SHA256:x, which is no producer of trust version 3"
    words = "list its key (dossier doctor says how) and commit: what it ran before stays nobody's"
    assert step("error", reason, "dossier collect tests") == (words, "dossier run")


@pytest.mark.parametrize("remedy", ["dossier collect tests", "dossier collect tests --from FILE"])
def test_what_was_skipped_is_run_or_allowed(remedy: str) -> None:
    """Collecting it again skips the same: the step says how a skip is allowed, and what makes the new criteria count."""
    words, command = step("inconclusive", "2 of 3 looked at, 100 % asked for; skipped: TestPg", remedy)
    assert words == "run what was skipped, or allow it by name on the protected branch (skips, docs/rules.md) and rebase"
    assert command == (remedy if "--from" in remedy else "dossier run")
    assert step("inconclusive", "2 of 3 looked at, 100 % asked for", remedy) == ("", remedy)


def test_time_shows_and_decides_nothing(place: Place, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days later the same release is still what was decided; its page says whose time has run out."""
    from datetime import timedelta

    then = place.clock() + timedelta(days=30)
    monkeypatch.setattr(place, "clock", lambda: then)
    text = client.get("/releases/trading/3.8.1").text
    assert "Since it was decided, the time of" in text
    assert "pill large is-released" in text


def test_where_nothing_can_be_signed_the_page_says_so(client: TestClient) -> None:
    """A released dossier offers no form, says why, and still lets people take back what they said; a blocked one is signed as ever."""
    text = client.get("/releases/trading/3.8.1?tab=approvals").text
    assert 'name="seat"' not in text
    assert "dossier approve" not in text
    assert "may sign" not in text
    assert "nothing is left to sign" in text
    assert "what=withdrawal" in text
    assert 'name="seat"' in client.get("/releases/trading/3.6.0?tab=approvals").text


def test_a_retrospective_offers_no_waiver(copied: Callable[[], Path], environ: dict[str, str], place: Place) -> None:
    """It is never allowed, so the requirements it does not meet are shown without a way around them."""
    own = Place(copied() / "socialpredict", environ, place.clock, time.monotonic)
    with TestClient(make_app(own), base_url="http://127.0.0.1") as c:
        assert 'value="waiver"' in c.get("/releases/trading/3.6.0").text
        for key, r in own.catalog.rounds.items():
            own.catalog.rounds[key] = msgspec.structs.replace(r, label="retrospective")
        own.catalog.edition += 1
        assert 'value="waiver"' not in c.get("/releases/trading/3.6.0").text
        text = c.get("/releases/trading/3.6.0?tab=approvals").text
        assert "nothing to sign or to waive" in text
        assert 'name="seat"' not in text


def test_rules_are_those_of_the_release_one_comes_from(client: TestClient) -> None:
    """Every link from a release to the rules names its service."""
    text = client.get("/releases/trading/3.8.1?tab=rules").text
    assert set(re.findall(r'href="(/rules[^"]*)"', text)) == {"/rules?service=trading"}
    assert "Rules of trading" in client.get("/rules?service=trading").text
    assert 'href="/rules"' in client.get("/").text


def test_examples_claim_no_order(client: TestClient, place: Place) -> None:
    """Where more is wrong than is shown, the page says how many of how many, and nothing about their order."""
    sql = "select digest from evidence where verdict = 'fail'"
    texts = [client.get(f"/evidence/{d.hex()}").text for (d,) in place.catalog.rows(sql)]
    assert any(re.search(r"\d in all, 20 of them shown", t) for t in texts)
    assert not any("worst first" in t for t in texts)


def test_a_long_first_fold_is_announced(
    copied: Callable[[], Path], environ: dict[str, str], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a new index reads once how much there is to fold; a short fold says nothing."""
    said: list[str] = []
    heard = threading.Event()
    root, real = copied() / "socialpredict", Catalog.refresh

    def slow(self: Catalog) -> int:
        assert heard.wait(60)
        return real(self)

    def note(words: str) -> None:
        said.append(words)
        heard.set()

    with monkeypatch.context() as m:
        m.setattr(places, "INDEXING_SECONDS", 0.001)
        m.setattr(Catalog, "refresh", slow)
        size = Place(root, environ, place.clock, time.monotonic, note).catalog.size
    assert said == [f"indexing {size} entries…"]
    monkeypatch.setattr(places, "INDEXING_SECONDS", 60)
    Place(root, environ, place.clock, time.monotonic, note)
    assert len(said) == 1


def test_a_statement_of_account_comes_from_the_stored_ledger(client: TestClient, place: Place) -> None:
    """The user the evidence names has 197 credits more than the lines come to, to the credit."""
    digest = place.catalog.rows("select digest from evidence where name = 'payouts' order by n limit 1")[0][0].hex()
    text = client.get(f"/evidence/{digest}/account/erin").text
    balances = re.findall(r'<td class="num strong">(-?\d+)', text)
    assert (balances[-2], balances[-1]) == ("-404", "-207")


def test_an_artifact_is_a_download_with_its_own_digest(client: TestClient, place: Place) -> None:
    """The bytes are those of the digest, named as they were, in a sandbox; a name from outside cannot leave its header."""
    read = place.catalog.read(place.catalog.entries("type = 'evidence' order by n")[0])
    a = read.statement.predicate["artifacts"][0]
    answer = client.get(f"/artifacts/{a['digest'][7:]}", params={"name": 'a"\r\nx: y/../.sqlite'})
    assert len(answer.content) == a["bytes"]
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["content-disposition"] == 'attachment; filename="a___x__y_.._.sqlite"'
    whole = client.get(f"/artifacts/{a['digest'][7:]}", headers={"range": "items=0-1"})
    assert (whole.status_code, whole.content) == (200, answer.content)
    part = client.get(f"/artifacts/{a['digest'][7:]}", headers={"range": "Bytes=1-2"})
    assert (part.status_code, part.content) == (206, answer.content[1:3])
    assert answer.headers["cache-control"].startswith("private")  # no cache in between keeps what a login guards
    for path in (f"/artifacts/{a['digest'][7:]}", f"/api/v1/artifacts/{a['digest']}"):
        assert client.get(path).content == answer.content
        assert client.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert client.get(f"/artifacts/{'0' * 64}").status_code == 404
    assert client.get("/artifacts/..%2f..%2fkeys").status_code in (404, 422)


@pytest.mark.parametrize(
    ("name", "format", "raw", "form", "first"),
    [
        (
            "r.xml",
            "junit",
            b"<testsuite><testcase name='a'/><testcase name='b'><failure message='no'>x</failure></testcase></testsuite>",
            "table",
            "fail",
        ),
        (
            "r.json",
            "sarif",
            json.dumps(
                {
                    "runs": [
                        {
                            "results": [
                                {
                                    "level": "error",
                                    "ruleId": "R",
                                    "message": {"text": "m"},
                                    "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.go"}, "region": {"startLine": 7}}}],
                                }
                            ]
                        }
                    ]
                }
            ).encode(),
            "table",
            "fail",
        ),
        ("r.xml", "junit", b"<testsuite><testcase", "text", ""),
        ("r.xml", "junit", b'<!DOCTYPE a [<!ENTITY b "c">]><testsuite>&b;</testsuite>', "text", ""),
        ("k.json", "k6-summary", b'{"metrics": []}', "text", ""),
        ("x.bin", "plain", b"\xff\xfe\x00", "bytes", ""),
        ("x.txt", "plain", b"a\x1b[31mb\x00", "text", ""),
        ("x.json", "plain", b"[" * 100_000, "text", ""),
    ],
)
def test_an_artifact_is_shown_as_what_it_is(name: str, format: str, raw: bytes, form: str, first: str) -> None:
    """What cannot be read as it claims is text, what is no text is bytes; bad rows come first; no control character is left."""
    seen = exhibit(raw, name, format)
    assert seen.form == form
    assert (seen.rows[0][0] if seen.rows else "") == first
    assert "\x1b" not in seen.text
    assert "\x00" not in seen.text


def test_a_theme_is_kept_and_leads_back_here_only(client: TestClient) -> None:
    """Chosen without JavaScript; a link from outside cannot send a reader elsewhere."""
    answer = client.get("/theme?to=dark&back=/log", follow_redirects=False)
    client.cookies.clear()
    assert answer.headers["location"] == "/log"
    assert 'data-theme="dark"' in client.get("/", headers={"cookie": "theme=dark"}).text
    assert 'data-theme="x' not in client.get("/", headers={"cookie": "theme=x"}).text
    for back in ("https://example.org", "//example.org", "/\\example.org"):
        assert client.get("/theme", params={"to": "dark", "back": back}, follow_redirects=False).headers["location"] == "/"
    client.cookies.clear()


def test_static_files_are_those_that_were_vendored() -> None:
    """htmx is the published file, and its licence stands beside it."""
    import hashlib

    static = Path(__file__).parents[2] / "src/release_dossier/web/static"
    digest = hashlib.sha256((static / "htmx-4.0.1.min.js").read_bytes()).hexdigest()
    assert digest in (static / "VENDORED.md").read_text()


def _round(version: int, value: float, kind: str = "dot", topology: str = "a") -> dict[str, Any]:
    facts = {"latency_p95": {"value": value, "unit": "ms"}, "topology": {"value": topology, "unit": "words"}}
    return {"version": f"1.0.{version}", "kind": kind, "facts": {"latency": {"facts": facts, "environment": "e", "digest": "sha256:x"}}}


def test_chance_is_told_of_releases_measured_alike() -> None:
    """Not of rounds that were not released, nor of those on another machine; of few, how many more it takes."""
    dossier = {"drift": []}
    alike = [_round(i, 10.0 + i % 5) for i in range(39)]
    told = views.multiples(dossier, "s", [*alike, _round(39, 99.0, "here")], 12)[0]
    assert told["chance"] == "+87 ms from the median of 39 [+86, +88]; p = 0.05, q = 0.05"
    assert told["count"] == 12
    others = [_round(40, 1.0, "open"), _round(41, 1.0, topology="b")]
    few = views.multiples(dossier, "s", [*alike[:6], *others, _round(42, 12.0, "here")], 12)[0]
    assert few["chance"] == "+0.5 ms from the median of 6 [-2, +2]; p = 1, q = 1; inconclusive: needs 33 more"
    assert views.multiples(dossier, "s", [*alike[:2], _round(3, 12.0, "here")], 12)[0]["chance"].startswith(
        "by chance? inconclusive: needs 37"
    )
    assert views.multiples(dossier, "s", [*others, _round(3, 12.0, "here")], 12)[0]["chance"] == ""


def test_the_grid_of_rules_shows_what_was_observed(client: TestClient) -> None:
    """Each cell: state, looked-at, and the figures the rule names, as they were in that round; the limit beside the rule's name."""
    text = client.get("/releases/trading/3.8.1?tab=rules").text
    grid = re.sub(r"<[^>]+>", " ", text.split('class="heat"')[1])
    rows = re.sub(r"\s+", " ", grid)
    assert "payouts users_wrong == 0, 100 % looked at ✕ fails 9 of 9 users_wrong 5 users ✓ met 9 of 9 users_wrong 0 users" in rows
    assert re.search(r"latency-budget latency_p95 <= 300.0, .* latency_p95 43.37 ms .* latency_p95 37.24 ms", rows.replace("&lt;", "<"))


def test_another_rule_is_proposed_by_form_and_code(client: TestClient) -> None:
    """The form's answers become the keys that differ, as code; the page tries them on history, lints them and says who may make it so."""
    asked = {"service": "trading", "id": "latency-budget", "condition": "facts.latency_p95 <= 40.0", "severity": "block", "retries": "2"}
    text = client.get("/rules/propose", params=asked).text
    code = 'id = "latency-budget"\nservice = "trading"\ncondition = "facts.latency_p95 <= 40.0"\nseverity = "block"\n'
    assert f"[[rules.requirement]]\n{code}" in html.unescape(text)
    assert re.search(r"latency-budget of trading: pass \(warns\) → <strong>fail</strong>", text)
    assert "which ann or dee signs as rule owner" in text
    other = '[[rules.requirement]]\nid = "latency-budget"\nservice = "trading"\nneeds = [{ fact = "nothing", type = "int", unit = "ms" }]\n'
    other += 'condition = "facts.nothing <= 40"\n'
    found = client.get("/rules/simulate", params={"code": other}).text.split("<h2>Lint</h2>")[1].split("</section>")[0]
    assert "nothing" in found
    for params, code in (
        ({"code": "[project]\nname = 'mine'"}, "settings.syntax"),
        ({"code": "x" * 4001}, "page.filter"),
        ({"code": other.replace("facts.nothing", "facts.other")}, "rules.condition-needs"),
        ({"code": "[[rules.requirement]]\nid = 'tests'\nsurely = 1"}, "rules."),
    ):
        answer = client.get("/rules/simulate", params=params)
        assert (answer.status_code, code in answer.text) == (422, True), params
    for bad in ({**asked, "retries": "-1"}, {**asked, "id": "none"}):
        assert client.get("/rules/propose", params=bad).status_code == 422


def test_rules_are_linted_on_their_page(client: TestClient) -> None:
    """Of the service that is shown, not of others."""
    lint = lambda service: client.get("/rules", params={"service": service}).text.split("<h2>Lint</h2>")[1].split("</section>")[0]  # noqa: E731
    assert "@identity, whom the trust document does not know" in lint("identity")
    assert "@identity" not in lint("trading")


def test_rounds_of_one_version_have_names_of_their_own(client: TestClient, place: Place) -> None:
    """Compare offers every round with a dossier by a name that is its own and says what it came to, and finds it by that name; a
    round's page compares that round."""
    rounds = [r for r in place.catalog.rounds.values() if r.dossier]
    text = client.get("/compare").text
    offered = re.findall(r'<option value="([^"]+)"(?: selected)?>([^<]+)</option>', text.partition('id="b"')[0])
    assert len(offered) == len(rounds) == len({name for name, _ in offered}) == len({words for _, words in offered})
    several = [name for name, _ in offered if ":" in name]
    assert several, "the demo has a release that went round"
    early = next(r for r in rounds if several[0] == f"{r.service}@{r.version}:{r.dossier[7:15]}")
    name = several[0].partition(":")[0]
    both = client.get("/compare", params={"a": several[0], "b": name}).text
    assert f"From {several[0]} to {name}" in both
    assert early.dossier[:19] in client.get("/compare.md", params={"a": several[0], "b": name}).text
    shown = client.get(f"/releases/{early.service}/{early.version}?change={early.change[7:23]}").text
    assert f"/compare?b={early.service}%40{early.version}%3A{early.dossier[7:15]}" in shown


def test_figures_of_two_services_say_whose_they_are(place: Place) -> None:
    """A change of two services has two of many figures; no two lines of the comparison begin alike. With one, nothing is said."""

    def facts(*services: str) -> list[str]:
        sides = []
        for r in [r for r in place.catalog.rounds.values() if r.dossier][-2:]:
            d = place.read(r.dossier).statement.predicate
            doubled = [{**e, "service": s} for e in d["evidence"] for s in services]
            sides.append(Side(r.branch, r.dossier, {**d, "evidence": doubled}, None))
        lines = markdown(*sides, compared(*sides)).partition("### Facts")[2].partition("###")[0].splitlines()
        return [line.partition(": ")[0] for line in lines if line.startswith("- ")]

    one, two = facts("trading"), facts("trading", "web")
    assert len(two) == len(set(two)) == 2 * len(one) > 0
    assert not any(" of " in x for x in one)


def test_hot_spots_are_those_of_the_profiles_in_the_dossier(tmp_path: Path, client: TestClient) -> None:
    """The function that cost most stands first, with its figures, and what cost most by what it called stands there too; where no profile
    is planned, the page says so and offers no command that would be refused."""
    from tests.town import TESTS, Town

    town = Town(tmp_path, settings=TESTS + '\n[[evidence]]\nname = "cpu"\nkind = "profile"\n')
    (tmp_path / "cpu.txt").write_text("main;handle;settle 12\nmain;idle 40\nmain;handle;settle;<b>read 3\n")
    town.open()
    now = town.now
    empty = TestClient(make_app(Place(town.repo, town.env, lambda: now, time.monotonic)), base_url="http://127.0.0.1")
    r = empty.get("/api/v1/releases").json()["items"][0]
    address = f"/releases/{r['service']}/{r['version']}?tab=hotspots"
    assert "dossier collect cpu --from FILE" in empty.get(address).text
    town.run("collect", "cpu", "--from", str(tmp_path / "cpu.txt"))
    town.dossier("assemble")
    text = TestClient(make_app(Place(town.repo, town.env, lambda: town.now, time.monotonic)), base_url="http://127.0.0.1").get(address).text
    assert "No profile" not in text
    assert text.index(">idle<") < text.index(">settle<") < text.index(">&lt;b&gt;read<") < text.index(">main<") < text.index(">handle<")
    assert text.count("not among the most") == 2
    demo = client.get("/releases/trading/3.8.1?tab=hotspots").text
    assert "Plan one" in demo
    assert "dossier collect" not in demo


def test_who_signed_is_said_as_a_list_is(client: TestClient) -> None:
    """Three names are a list with one `and`."""
    assert "signed by bo, cy and dee." in client.get("/releases/trading/3.8.1").text


def test_what_was_waived_or_only_warns_is_not_called_met(demo_now: datetime) -> None:
    """The sentence of what is allowed, or awaits approval, says how everything that denies came to let it through."""
    r = Round(change="sha256:0", service="shop", n=1, updated=1, status="allowed", needed=1, signed=1)
    said = lambda **more: views.sentence(msgspec.structs.replace(r, **more), [], demo_now).words  # noqa: E731
    assert said() == "Allowed: every requirement is met and signed."
    assert said(needed=0, signed=0, waived=2) == "Allowed: every requirement is met or waived."
    unmet = (Unmet("latency", "missing", "latency"),)
    assert said(unmet=unmet, status="unsigned", signed=0) == "Every requirement that denies is met; 1 of 1 approvals is missing."


def test_a_page_behind_the_last_is_the_last(client: TestClient) -> None:
    """A link from when there were more releases still shows some: never that there is none."""
    for path in ("/?page=9", "/?status=blocked&page=9"):
        page = client.get(path).text
        assert "trading@3.6.0" in page
        assert "No release" not in page


def test_a_large_artifact_is_held_and_sent_piece_by_piece(copied: Callable[[], Path], environ: dict[str, str], demo_now: datetime) -> None:
    """It is never whole in memory, over the pages nor over the API, and yet one that was altered is sent to nobody."""
    place = Place(copied() / "socialpredict", environ, lambda: demo_now, time.monotonic)
    digest = f"sha256:{hashlib.sha256(bytes(32 << 20)).hexdigest()}"
    file = place.tail.artifact_file(digest)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(bytes(32 << 20))
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "app": make_app(place)})
    tracemalloc.start()
    try:
        for make in (lambda: evidence.artifact(request, digest[7:]), lambda: api_read.artifact(request, digest)):
            assert make().status_code == 200
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    file.write_bytes(bytes(32 << 20) + b"1")
    for make in (lambda: evidence.artifact(request, digest[7:]), lambda: api_read.artifact(request, digest)):
        with pytest.raises(Corrupt, match="altered-artifact"):
            make()


def test_what_cannot_be_read_is_not_called_undecided(copied: Callable[[], Path], environ: dict[str, str], demo_now: datetime) -> None:
    """A release one of whose decisions was altered: no tab says that nothing was decided, collected or asked, nor to assemble it again."""
    repo = copied() / "socialpredict"
    place = Place(repo, environ, lambda: demo_now, time.monotonic)
    n = place.catalog.entry(next(r for r in place.board(demo_now).rows if r.version == "3.8.0").decision).n
    exchange(repo / ".dossier", n, envelope_in(repo / ".dossier", n).replace(b"payload", b"paYload"))
    for index in repo.glob(".dossier/index.sqlite*"):
        index.unlink()
    client = TestClient(make_app(Place(repo, environ, lambda: demo_now, time.monotonic)), base_url="http://127.0.0.1")
    assert "none asked" not in client.get("/?status=unreadable").text
    for tab, _ in TABS:
        page = client.get(f"/releases/trading/3.8.0?tab={tab}").text
        assert "It cannot be read: decision of log entry" in page
        assert not re.search("Nothing was decided|No evidence in a dossier|Nothing to sign yet|dossier assemble", page), tab
