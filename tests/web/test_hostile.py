"""Words from outside: whatever stands in an issue, a file name or an evidence file is shown as words, on every page and in every copy."""

from __future__ import annotations

import html
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from release_dossier.web.app import make_app
from release_dossier.web.pages.release import TABS
from release_dossier.web.place import Place
from tests.town import Town

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}${7*7}javascript:alert(3)\u202edednuor\u2066"
TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
TESTS = """
[[evidence]]
name = "tests"
kind = "tests"
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A project in which everything that may be written is an attack: issue, risks, branch, names and messages of tests, a file's name."""
    root = tmp_path_factory.mktemp("hostile")
    town = Town(root, settings=TESTS)
    e = html.escape(EVIL, quote=True)
    case = f'<testcase classname="{e}" name="{e}"><failure message="{e}">{e}</failure></testcase>'
    case += f'<testcase name="b {e}"><skipped message="{e}"/></testcase>'
    (root / "evil<img src=x>.xml").write_text(f'<testsuite name="{e}" tests="2">{case}</testsuite>')
    lines = ["# " + EVIL, "", "## Objective", EVIL, "", "## In scope", f"- `app/pay.py` {EVIL}", "", "## Out of scope", f"- {EVIL}", ""]
    lines += ["## Affected features", f"- {EVIL}", "", "## Risks", f"- R1 (high, @ann): {EVIL}", "", "## Owner", "ann", ""]
    (root / "issue.md").write_text("\n".join(lines))
    town.git("branch", "-m", "fix/<b>rounding</b>")
    town.dossier("open", "--issue", str(root / "issue.md"))
    town.run("collect", "tests", "--from", str(root / "evil<img src=x>.xml"), "--json")
    town.dossier("assemble")
    town.run("gate", "--json")
    now = town.now
    return Place(town.repo, town.env, lambda: now, time.monotonic)


class Elements(HTMLParser):
    """What a page must not hold: pictures, scripts without address, handlers, styles, links that run something."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        runs = any((v or "").strip().lower().startswith(("javascript:", "data:")) for k, v in attrs if k in ("href", "src", "action"))
        if tag in ("img", "iframe", "object", "style") or (tag == "script" and not given.get("src")) or runs:
            self.strange.append(f"{tag} {given}")
        self.strange += [f"{tag} {k}" for k in given if k.startswith("on") or k == "style"]


def every_page(place: Place) -> list[str]:
    """Addresses of all pages that show something of it."""
    r = place.board(place.clock()).rows[0]
    base = f"/releases/{r.service}/{r.version}"
    out = [
        "/",
        f"/?q={EVIL}&status={EVIL}&owner={EVIL}",
        "/log",
        "/compare",
        "/posture",
        "/rules",
        f"/payload/{r.dossier[7:]}?audience=raw",
    ]
    out += [f"{base}?tab={tab}" for tab, _ in TABS]
    out += [
        f"/sign/{r.dossier[7:]}?what=rejection&person=ann&reason={EVIL}",
        f"/releases/{EVIL}/1",
        f"/d/{EVIL}",
        f"/passkey?person={EVIL}",
    ]
    out += [f"/{'evidence' if e.type == 'evidence' else 'd'}/{e.digest[7:]}" for e in place.catalog.entries("1")]
    return out


def test_no_word_becomes_markup(hostile: Place) -> None:
    """On no page is there an element, a handler or a link that a word made; the words themselves are there to be read."""
    client = TestClient(make_app(hostile), base_url="http://127.0.0.1")
    seen = 0
    for address in every_page(hostile):
        text = client.get(address).text
        elements = Elements()
        elements.feed(text)
        assert not elements.strange, address
        assert "{{49}}" not in text, address
        seen += "&lt;script&gt;alert(1)" in text
        assert not TURNS.search(re.sub(r'<input type="hidden"[^>]*>', "", text)), address
    assert seen >= 12


def test_what_turns_letters_around_is_seen_and_signed_as_it_is(hostile: Place) -> None:
    """The words to sign show a mark in its place, the bytes its number, and the form brings it back as it was said."""
    client = TestClient(make_app(hostile), base_url="http://127.0.0.1")
    r = hostile.board(hostile.clock()).rows[0]
    said = "it pays \u202edednuor\u202c credits, \u200fזה טוב"
    page = client.get(f"/sign/{r.dossier[7:]}", params={"what": "rejection", "person": "ann", "reason": said}).text
    assert "<bdi>it pays \ufffddednuor\ufffd credits, \u200fזה טוב</bdi>" in page
    assert "it pays \\u202edednuor\\u202c credits" in page
    assert f'name="reason" value="{said}"' in page


def test_a_browser_runs_none_of_it(hostile: Place) -> None:
    """Chromium shows every page and runs nothing: no dialog, no request, no error, no picture called x; Markdown copies are escaped."""
    from tests.web.browsing import ARGS, Watch, chromium, served

    if chromium() is None:
        pytest.skip("needs chromium")
    from playwright.sync_api import sync_playwright

    with served(hostile) as s, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium(), args=ARGS)
        page: Any = browser.new_page()
        watch = Watch(page, s.url)
        for address in every_page(hostile):
            answer = page.goto(s.url + address)
            assert page.locator("img[src=x]").count() == 0, address
            if answer.status != 200:
                watch.faults = [f for f in watch.faults if "Failed to load resource" not in f]
        browser.close()
    assert not watch.faults


def test_a_download_keeps_its_name_inside_its_header(hostile: Place) -> None:
    """The name of an artifact cannot end its header or name a folder."""
    client = TestClient(make_app(hostile), base_url="http://127.0.0.1")
    entry = hostile.catalog.entries("type = 'evidence'")[0]
    a = hostile.catalog.read(entry).statement.predicate["artifacts"][0]
    answer = client.get(f"/artifacts/{a['digest'][7:]}", params={"name": a["name"]})
    assert answer.headers["content-disposition"] == 'attachment; filename="evil_img_src_x_.xml"'
    assert Path(a["name"]).name == a["name"]
