"""A telephone's width: whatever things are called, no page is wider than the screen, and words that have a place keep it whole."""

from __future__ import annotations

import time

import pytest

from release_dossier.web.pages.release import TABS
from release_dossier.web.place import Place
from tests.town import TESTS, Town
from tests.web.browsing import ARGS, chromium, served

LONG = "a" + "bcdefghij" * 20
NAME = "x" * 64  # the longest a piece of evidence may have
SETTINGS = f"""
[[evidence]]
name = "{NAME}"
kind = "tests"

[[objective]]
name = "{LONG}"
service = "shop"
target = "{LONG}"
alerts = ["{LONG}"]
failure_modes = ["{LONG}"]
"""
ISSUE = f"""# {LONG}

## Objective
{LONG}

## In scope
- `app/**`
- `other/{LONG}/**`
- {LONG}

## Out of scope
- {LONG}

## Affected features
- {LONG}

## Risks
- R1 (high, @ann): {LONG}

## Owner
ann
"""
# How far the page is wider than the screen, and which words of the navigation are on two lines.
MEASURE = """() => ({
  wide: document.documentElement.scrollWidth - innerWidth,
  broken: [...document.querySelectorAll('.top nav a')].filter(a => a.clientHeight > 48).map(a => a.textContent),
})"""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, list[str]]:
    """A project of which every name is long and has no break, in two rounds; and the addresses of its pages."""
    root = tmp_path_factory.mktemp("long")
    town, dossiers = Town(root, settings=TESTS + SETTINGS), []
    town.write(f"other/{LONG}/{LONG}.py", "x = 1\n")
    (root / "issue.md").write_text(ISSUE)
    town.git("branch", "-m", f"fix/{LONG[:100]}")
    for n in (1, 2):
        town.write(f"app/{LONG}.py", f"x = {n}\n")
        town.commit(f"{LONG} {n}")
        town.open()
        town.dossier("collect", "tests")
        file = root / f"{LONG[:150]}.xml"
        case = f'<testcase classname="{LONG}" name="{LONG}"><failure message="{LONG}{n}"/></testcase>'
        file.write_text(f'<testsuite name="{LONG}" tests="2">{case}<testcase name="b{LONG}"/></testsuite>')
        town.dossier("collect", NAME, "--from", str(file))
        dossiers.append(town.dossier("assemble")["dossier"]["digest"])
        town.gate()
    now = town.now
    place = Place(town.repo, town.env, lambda: now, time.monotonic)
    row = place.board(place.clock()).rows[0]
    base, (first, last) = f"/releases/{row.service}/{row.version}", dossiers
    pages = [
        "/",
        f"/?q={LONG}",
        "/log",
        "/compare",
        f"/compare?a={first}&b={last}",
        "/posture",
        "/rules",
        "/rules/shop",
        "/passkey?person=ann",
    ]
    pages += ["/passkey?person=ann", *(f"{base}?tab={tab}" for tab, _ in TABS)]
    pages += [f"/payload/{last[7:]}?audience={a}" for a in ("raw", "github")]
    pages += [f"/sign/{last[7:]}?what={what}&person=ann&reason={LONG}" for what in ("approval", "rejection", "waiver")]
    pages += [f"/{'evidence' if e.type == 'evidence' else 'd'}/{e.digest[7:]}" for e in place.catalog.entries("1")]
    return place, pages


@pytest.fixture(scope="module")
def measured(long: tuple[Place, list[str]]) -> dict[str, dict[str, object]]:
    if chromium() is None:
        pytest.skip("needs chromium")
    from playwright.sync_api import sync_playwright

    place, pages = long
    with served(place) as s, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium(), args=ARGS)
        page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
        found = {}
        for address in pages:
            answer = page.goto(s.url + address)
            assert answer is not None
            found[address] = {**page.evaluate(MEASURE), "status": answer.status}
        browser.close()
    return found


def test_no_page_is_wider_than_the_screen(measured: dict[str, dict[str, object]]) -> None:
    """Names of 180 letters without a break, in issue, paths, branch, evidence, tests, objectives and alerts."""
    assert {a: m["wide"] for a, m in measured.items() if m["wide"]} == {}
    assert sum(m["status"] == 200 for m in measured.values()) >= 25


def test_words_of_the_navigation_stay_whole(measured: dict[str, dict[str, object]]) -> None:
    """What may be cut anywhere is what people called something, not what the page calls itself."""
    assert {a: m["broken"] for a, m in measured.items() if m["broken"]} == {}
