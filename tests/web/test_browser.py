"""The pages in Chromium: what reviewers do with them, by mouse, by keyboard, without JavaScript, on a telephone and on paper."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from release_dossier.web.pages.release import TABS
from release_dossier.web.place import Place
from tests.send.test_send import SECRET, Receiver, hook, receiver
from tests.web.browsing import ARGS, SCREENSHOTS, Served, Watch, chromium, served

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs chromium")
__all__ = ["receiver"]  # a fixture
SHIFT_MAX = 0.02  # of the screen that may move while a page loads (cumulative layout shift); 0.1 is called good


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a worker."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        found = p.chromium.launch(executable_path=chromium(), args=ARGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def home(place: Place) -> Iterator[Served]:
    """The demo, served."""
    with served(place) as s:
        yield s


@pytest.fixture
def visit(browser: Any, home: Served) -> Iterator[Callable[..., Any]]:
    """Opens a page of its own; what it must never do fails the test at its end."""
    contexts, watches = [], []

    def opened(path: str = "/", base: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(30_000)
        page = context.new_page()
        contexts.append(context)
        watches.append(Watch(page, base or home.url))
        page.goto((base or home.url) + path)
        return page

    yield opened
    faults = [f for w in watches for f in w.faults]
    for c in contexts:
        c.close()
    assert not faults


def pages(place: Place) -> dict[str, str]:
    """One page of each kind, by the name its screenshot gets."""
    evidence = {name: d.hex() for d, name in place.catalog.rows("select digest, name from evidence order by n desc")}
    r = next(x for x in place.board(place.clock()).rows if x.version == "3.8.1")
    b = next(x for x in place.board(place.clock()).rows if x.version == "3.6.0")
    wrong = place.catalog.rows("select digest from evidence where name = 'payouts' and verdict = 'fail'")[0][0].hex()
    return {
        "releases": "/",
        "releases-filtered": "/?status=blocked&q=trading",
        "releases-none": "/?q=nothing-like-it",
        **{f"release-{tab}": f"/releases/trading/3.8.1?tab={tab}" for tab, _ in TABS},
        "release-blocked": "/releases/trading/3.6.0",
        "release-unsigned": "/releases/trading/3.6.0?tab=approvals",
        "release-open": "/releases/frontend/3.8.0",
        "evidence-ledger": f"/evidence/{wrong}",
        "evidence-tests": f"/evidence/{evidence['tests-frontend']}",
        "evidence-latency": f"/evidence/{evidence['latency']}",
        "account": f"/evidence/{wrong}/account/erin",
        "compare": "/compare",
        "posture": "/posture",
        "rules": "/rules?service=trading",
        "log": "/log",
        "log-entry": "/log/17",
        "document": f"/d/{r.decision[7:]}",
        "payload": f"/payload/{r.dossier[7:]}?audience=customer",
        "sign": f"/sign/{b.dossier[7:]}?seat=bo/release-manager",
        "passkey": "/passkey",
    }


LOOK = """() => new Promise(done => {
  let shift = 0;
  const seen = list => { for (const e of list.getEntries()) if (!e.hadRecentInput) shift += e.value; };
  new PerformanceObserver(seen).observe({type: 'layout-shift', buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => done({shift, wide: document.documentElement.scrollWidth - innerWidth})));
})"""


@pytest.mark.parametrize(("theme", "width", "height"), [("light", 1280, 900), ("dark", 390, 844)])
def test_every_page_can_be_read_by_everybody(visit: Callable[..., Any], home: Served, theme: str, width: int, height: int) -> None:
    """In both themes, on a screen and on a telephone: axe-core finds no violation, nothing moves while it loads, nothing sticks out. Each
    page is kept as a picture."""
    from axe_playwright_python.sync_playwright import Axe

    page = visit("/", color_scheme=theme, reduced_motion="reduce", viewport={"width": width, "height": height})
    # What another theme and width can change is contrast, and what scrolls; all of axe's rules are asked once.
    rules = {
        "resultTypes": ["violations"],
        **({"runOnly": ["color-contrast", "target-size", "scrollable-region-focusable"]} if theme == "dark" else {}),
    }
    axe, faults = Axe(), []
    SCREENSHOTS.mkdir(exist_ok=True)
    for name, path in pages(home.place).items():
        page.goto(home.url + path)
        seen = page.evaluate(LOOK)
        if seen["shift"] > SHIFT_MAX:
            faults.append(f"{name}: moves by {seen['shift']:.3f}")
        if seen["wide"] > 0:
            faults.append(f"{name}: {seen['wide']} pixels too wide")
        for v in axe.run(page, options=rules).response["violations"]:
            faults.append(f"{name}: {v['id']}: {v['nodes'][0]['html'][:160]}")
        page.screenshot(path=SCREENSHOTS / f"{name}-{theme}-{width}.png", full_page=True)
    assert not faults, "\n".join(faults)


def test_no_tab_is_cut_off(visit: Callable[..., Any]) -> None:
    """Every tab of a release, and every section of the header, stands whole on the screen, on as many lines as it takes."""
    page = visit("/releases/trading/3.8.1", viewport={"width": 1280, "height": 844})
    ends = page.eval_on_selector_all(".tabs a, #sections a", "all => all.map(a => a.getBoundingClientRect().right)")
    assert len(ends) == len(TABS) + 5
    assert max(ends) <= 1280


@pytest.mark.parametrize("scripts", [True, False])
def test_tabs_on_a_telephone_are_one_row(visit: Callable[..., Any], scripts: bool) -> None:
    """The row scrolls inside itself; the tab one is on, and the one the keyboard is on, can be seen."""
    page = visit("/releases/trading/3.8.1?tab=raw", viewport={"width": 390, "height": 844}, java_script_enabled=scripts)
    assert page.locator(".tabs").bounding_box()["height"] < 60
    for stop in (page.locator(".tabs [aria-current]"), page.locator(".tabs a").first):
        stop.focus()
        box = stop.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_the_header_follows_the_page(visit: Callable[..., Any]) -> None:
    """Only the middle of a page is exchanged, and yet the header says which section it is, and leads to the rules of the release shown."""
    page = visit("/")
    page.click("a.name[href='/releases/trading/3.8.1']")
    page.click("#sections a[href='/rules?service=trading']")
    page.wait_for_selector("#sections a[href='/rules'][aria-current=page]")
    assert page.locator("h1").inner_text() == "Rules of trading"
    page.go_back()
    page.wait_for_selector("#sections a[href='/rules?service=trading']")


def test_filter_search_and_open_a_release(visit: Callable[..., Any]) -> None:
    """A filter changes list, chips and address without loading the page anew; `/` leads to the search; a row leads to its release."""
    page = visit()
    page.evaluate("window.mark = 1")
    page.get_by_role("link", name=re.compile("^blocked")).click()
    page.wait_for_url("**/?status=blocked")
    assert page.get_by_role("row").count() == 2
    assert page.get_by_role("link", name="Remove filter").count() == 1
    assert page.evaluate("window.mark") == 1
    page.get_by_role("link", name="Clear").click()
    page.locator("tbody tr").nth(2).wait_for()
    page.keyboard.press("/")
    page.keyboard.type("3.8.1")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=3.8.1*")
    page.get_by_role("link", name="trading@3.8.1").click()
    page.wait_for_url("**/releases/trading/3.8.1")
    assert page.get_by_role("heading", level=1).inner_text() == "trading@3.8.1"
    page.go_back()
    page.wait_for_url("**q=3.8.1*")


def test_tabs_change_the_part_and_the_address(visit: Callable[..., Any]) -> None:
    """Each tab shows its own part, says that it is the current one, and can be linked to."""
    page = visit("/releases/trading/3.8.1")
    for tab, words in TABS[1:4]:
        page.get_by_role("navigation", name="Parts of this release").get_by_role("link", name=re.compile(f"^.?{re.escape(words)}")).click()
        page.wait_for_url(f"**tab={tab}")
        page.wait_for_selector(f"section[aria-label='{words}']")
        assert page.locator(".tabs [aria-current=page]").inner_text().strip("✓✕○◔?~! \n").startswith(words)


def test_evidence_opens_over_the_page_and_has_an_address(visit: Callable[..., Any]) -> None:
    """The drawer has the evidence's own address; Escape and the back button close it; the address alone is the whole page."""
    page = visit("/releases/trading/3.8.1?tab=evidence")
    page.get_by_role("link", name="replay-protection").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("heading", name="replay-protection").wait_for()
    page.wait_for_url("**/evidence/*")
    where = page.url
    assert "seq_duplicate_bet" in drawer.inner_text()
    page.keyboard.press("Escape")
    page.wait_for_url("**/releases/trading/3.8.1?tab=evidence")
    assert not drawer.is_visible()
    page.get_by_role("link", name="latency").click()
    drawer.get_by_role("heading", name="latency", exact=True).wait_for()
    page.go_back()
    page.locator("#drawer[open]").wait_for(state="detached")
    page.goto(where)
    assert page.get_by_role("heading", level=1).inner_text() == "replay-protection"


def test_two_releases_are_compared_and_copied(visit: Callable[..., Any]) -> None:
    """Chosen from two lists; the copy is the Markdown of the address beside it."""
    page = visit("/compare", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("From").select_option("trading@3.6.0")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**a=trading%403.6.0*")
    page.get_by_text("As Markdown", exact=True).click()
    page.get_by_role("button", name="Copy as Markdown").click()
    page.get_by_text("copied", exact=True).first.wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("## trading\\@3.6.0 → trading\\@3.8.1")
    assert copied == page.evaluate("fetch(document.querySelector('a[href^=\"/compare.md\"]').href).then(r => r.text())")


def test_a_payload_is_chosen_and_copied_whole(visit: Callable[..., Any], home: Served) -> None:
    """Another audience, other bytes; what is copied are exactly the bytes that the download has."""
    page = visit("/releases/trading/3.8.1", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Payload").click()
    page.wait_for_url("**/payload/*")
    page.get_by_role("link", name="customer").click()
    page.wait_for_url("**audience=customer")
    page.get_by_role("button", name="Copy the payload").click()
    page.get_by_text("copied", exact=True).first.wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.evaluate("fetch(document.querySelector('a[href*=\"/file?\"]').href).then(r => r.text())")
    assert "@ledger" not in copied


def test_a_payload_is_sent_and_what_came_of_it_is_shown(
    visit: Callable[..., Any], copied: Callable[[], Path], environ: dict[str, str], receiver: Receiver
) -> None:
    """To a destination of the protected branch: one click, one signed request, and the answer on the page without reloading by hand."""
    repo = copied() / "socialpredict"
    run = lambda *args: subprocess.run(["git", *args], cwd=repo, env=environ, check=True, capture_output=True)  # noqa: E731
    run("switch", "-q", "main")
    with (repo / "dossier.toml").open("a") as settings:
        settings.write(f"\n[[destination]]\n{hook(receiver.url)}\n")
    run("-c", f"user.signingkey={repo.parent / 'keys' / 'ann'}", "commit", "-qam", "where things go")
    real = datetime.fromisoformat("2026-11-23T10:00:00+00:00")
    place = Place(repo, {**environ, "HOOK": SECRET}, lambda: real.astimezone(UTC), lambda: time.monotonic() * 1000)
    with served(place) as s:
        page = visit("/releases/trading/3.8.1", base=s.url)
        page.get_by_role("link", name="Payload").click()
        page.wait_for_url("**/payload/*")
        page.get_by_role("button", name="Send it").click()
        sent = page.locator("#sent")
        sent.get_by_text("try 1").wait_for()
        sent.get_by_text("204").wait_for()
    ((headers, body),) = receiver.got
    signed = standardwebhooks.Webhook(SECRET).sign(headers["webhook-id"], real, body.decode())
    assert (headers["webhook-signature"], headers["webhook-timestamp"]) == (signed, str(int(real.timestamp())))


def test_no_answer_and_no_page_are_said(browser: Any, home: Served) -> None:
    """A server that is gone, a login elsewhere, a machine's words: the page stays as it was, says so, and a link goes there; an answer
    takes the words away."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(home.url + "/releases/trading/3.8.1?tab=evidence")

    def said(address: str) -> None:
        page.locator("#said.trouble").wait_for()
        assert "did not answer with a page" in page.locator("#said").inner_text()
        assert page.evaluate("document.querySelector('#said a').href") == home.url + address
        assert page.url == home.url + "/releases/trading/3.8.1?tab=evidence"
        assert page.locator("#main h1").inner_text() == "trading@3.8.1"

    context.set_offline(True)
    page.locator("nav.tabs a[href$='tab=rules']").click()
    said("/releases/trading/3.8.1?tab=rules")
    page.locator("#main a[data-drawer]").first.click()
    page.locator("#said a:not([href*='tab=rules'])").wait_for()
    assert not page.evaluate("document.getElementById('drawer').open")
    context.set_offline(False)
    page.get_by_role("link", name=re.compile("^History")).click()
    page.get_by_role("heading", name="What happened").wait_for()
    assert page.locator("#said").inner_text() == ""
    page.go_back()
    page.get_by_role("heading", name="Every attempt").wait_for()
    context.route("**/*tab=risks", lambda route: route.fulfill(status=303, headers={"location": "https://login.example/"}))
    context.route("**/*tab=scope", lambda route: route.fulfill(status=429, content_type="application/problem+json", body="{}"))
    for tab in ("risks", "scope"):
        page.locator(f"nav.tabs a[href$='tab={tab}']").click()
        page.locator(f"#said a[href$='tab={tab}']").wait_for()
        said(f"/releases/trading/3.8.1?tab={tab}")
    context.close()


def test_without_javascript_everything_is_there(visit: Callable[..., Any], home: Served) -> None:
    """List, filter, search, tabs, evidence, comparison, payload and signing are links and forms."""
    page = visit("/", java_script_enabled=False)
    page.get_by_role("link", name=re.compile("^blocked")).click()
    assert page.url.endswith("/?status=blocked")
    page.get_by_role("link", name="trading@3.6.0").click()
    page.get_by_role("link", name=re.compile("Approvals")).click()
    page.get_by_label("As", exact=True).select_option("bo/release-manager")
    page.get_by_role("button", name="Read and sign").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Approve as bo"
    assert page.get_by_label("Signature").is_visible()
    page.goto(home.url + "/releases/trading/3.8.1?tab=evidence")
    page.get_by_role("link", name="latency").click()
    assert page.get_by_role("heading", level=1).inner_text() == "latency"
    assert page.get_by_role("img", name=re.compile("p\\(95\\)")).is_visible()
    page.goto(home.url + "/")
    page.get_by_label(re.compile("^Search")).fill("3.8.0")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=3.8.0*")
    assert page.get_by_role("link", name="frontend@3.8.0").is_visible()


def test_the_keyboard_alone_is_enough(visit: Callable[..., Any]) -> None:
    """The first stop skips to the content; every stop is visible; a release and its evidence are reached, opened and left again."""
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(60):
        page.keyboard.press("Tab")
        box = page.evaluate("(() => { const r = document.activeElement.getBoundingClientRect(); return [r.width, r.height]; })()")
        assert min(box) > 0
        if page.evaluate("document.activeElement.textContent") == "trading@3.8.1":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    page.wait_for_url("**/releases/trading/3.8.1")
    page.locator("a[data-drawer][href^='/evidence/']").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("heading", level=1).wait_for()
    assert page.evaluate("document.getElementById('drawer').contains(document.activeElement)")
    page.keyboard.press("Escape")
    page.wait_for_url("**/releases/trading/3.8.1")
    page.locator("[data-drawer]:focus").wait_for()


def test_on_paper_only_what_was_said_is_left(visit: Callable[..., Any]) -> None:
    """Printed, a release has no navigation and no buttons, is black on white, and every requirement is on it."""
    page = visit("/releases/trading/3.8.1", color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator(".top nav").is_visible()
    assert not page.locator(".copy").first.is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".need h3").first.is_visible()
    paper = page.pdf()
    assert paper.startswith(b"%PDF")
    SCREENSHOTS.mkdir(exist_ok=True)
    (SCREENSHOTS / "release.pdf").write_bytes(paper)


def test_a_passkey_is_made_listed_and_signs(visit: Callable[..., Any], copied: Callable[[], Path], environ: dict[str, str]) -> None:
    """Made in the browser, signed into the trust document by those who may, committed; then it approves, and the approval is theirs."""
    root = copied()
    repo = root / "socialpredict"
    began, real = time.monotonic(), datetime.fromisoformat("2026-11-23T10:00:00+00:00")
    place = Place(repo, environ, lambda: real.astimezone(UTC), lambda: (time.monotonic() - began) * 1000)
    with served(place) as s:
        page = visit("/passkey?person=bo", base=s.url)
        cdp = page.context.new_cdp_session(page)
        cdp.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        cdp.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}})
        page.get_by_role("button", name="Make a passkey").click()
        line = page.locator("#passkey-line").inner_text()
        assert re.fullmatch(r"sk-ecdsa-sha2-nistp256@openssh\.com AAAA\S+ passkey:\S+", line.strip())
        (root / "bo.pub").write_text(line)
        _listed(repo, root, environ)
        row = next(r for r in place.board(place.clock()).rows if r.version == "3.6.0")
        page.goto(f"{s.url}/sign/{row.dossier[7:]}?seat=bo/release-manager")
        page.get_by_role("button", name="Sign with my passkey").click()
        page.wait_for_url("**tab=approvals*")
        assert "1 of 1" in page.get_by_role("row", name=re.compile("release-manager")).inner_text()
    said = place.catalog.read(place.catalog.entries("type = 'approval' order by n desc")[0])
    assert [kind for kind, _, _ in said.envelope.typed_signatures] == ["webauthn"]


def _listed(repo: Path, root: Path, environ: dict[str, str]) -> None:
    """The proposal of bo's passkey, signed by ann and committed on the protected branch."""
    import os
    from unittest import mock

    from click.testing import CliRunner

    from release_dossier.cli import edge, main

    run = lambda *args: subprocess.run(["git", *args], cwd=repo, env=environ, check=True, capture_output=True)  # noqa: E731
    run("switch", "-q", "main")
    now = datetime.fromisoformat("2026-11-23T09:59:00+00:00")
    words = ["trust", "propose", "--person", "bo", "--public", str(root / "bo.pub"), "--key", str(root / "keys" / "ann")]
    clock = mock.Mock(return_value=now)
    with mock.patch.dict(os.environ, environ, clear=True), mock.patch.object(edge, "clock", clock), CliRunner().isolation() as out:
        assert main.run(["-C", str(repo), *words]) == 0, out[1].getvalue()
    run("config", "user.signingkey", str(root / "keys" / "ann"))
    run("commit", "-qam", "trust: bo's passkey")


def test_two_tabs_see_what_is_signed_in_a_third(visit: Callable[..., Any], copied: Callable[[], Path], environ: dict[str, str]) -> None:
    """Without being loaded again: the list and the approvals of a release change when somebody signs; what a reader was typing stays."""
    from tests.web.test_signing import Desk

    desk = Desk(copied(), datetime.fromisoformat("2026-11-23T10:00:00+00:00"), environ)
    with served(desk.place) as s:
        board, approvals = visit("/", base=s.url), visit("/releases/trading/3.6.0?tab=approvals", base=s.url)
        for page in (board, approvals):
            page.evaluate("window.mark = 1")
        approvals.get_by_label("Comment, or why not").fill("half a sentence")
        row = board.get_by_role("row", name=re.compile("trading@3.6.0"))
        assert "0 of 3" in row.inner_text()
        fields = desk.read(seat="bo/release-manager")
        assert desk.record(fields, desk.run(fields["command"], "bo")).status_code == 303
        row.get_by_text("1 of 3").wait_for()
        approvals.get_by_role("row", name=re.compile("release-manager")).get_by_text("1 of 1").wait_for()
        assert approvals.get_by_label("Comment, or why not").input_value() == "half a sentence"
        assert [p.evaluate("window.mark") for p in (board, approvals)] == [1, 1]


def test_what_is_signed_before_a_page_listens_is_seen(browser: Any, copied: Callable[[], Path], environ: dict[str, str]) -> None:
    """A page asks for what came after the last entry it knows of, however long its stream takes to begin."""
    from tests.web.test_signing import Desk

    desk, signed = Desk(copied(), datetime.fromisoformat("2026-11-23T10:00:00+00:00"), environ), []
    with served(desk.place) as s:
        context = browser.new_context()
        context.set_default_timeout(30_000)
        page = context.new_page()

        def late(route: Any) -> None:
            if not signed:
                fields = desk.read(seat="bo/release-manager")
                signed.append(desk.record(fields, desk.run(fields["command"], "bo")).status_code)
            route.continue_()

        context.route("**/api/v1/events*", late)
        page.goto(s.url)
        page.get_by_role("row", name=re.compile("trading@3.6.0")).get_by_text("1 of 3").wait_for()
        context.close()
    assert signed == [303]


def test_eight_tabs_are_open_and_one_listens(browser: Any, copied: Callable[[], Path], environ: dict[str, str]) -> None:
    """A browser has six connections to a server: more tabs than that load, and see what is signed when the one that listened is closed."""
    from tests.web.test_signing import Desk

    desk = Desk(copied(), datetime.fromisoformat("2026-11-23T10:00:00+00:00"), environ)
    with served(desk.place) as s:
        context = browser.new_context()
        context.set_default_timeout(30_000)
        tabs = [context.new_page() for _ in range(8)]
        for tab in tabs:
            tab.goto(s.url)
        tabs[0].close()
        fields = desk.read(seat="bo/release-manager")
        assert desk.record(fields, desk.run(fields["command"], "bo")).status_code == 303
        for tab in tabs[1:]:
            tab.get_by_role("row", name=re.compile("trading@3.6.0")).get_by_text("1 of 3").wait_for()
        context.close()
