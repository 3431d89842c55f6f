"""Sending: what was queued arrives, once, whatever is killed in between; what came of every try is kept."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import standardwebhooks

from release_dossier.cli import send as cli
from release_dossier.delivery import BACKOFF_SECONDS, Began, ended
from release_dossier.events import parse_event
from release_dossier.payload import read_payload
from release_dossier.store import outbox
from tests.sources.test_github import DESCRIPTION, GitHub
from tests.town import TESTS, Town

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """A webhook endpoint: `answers` are used up one by one, then 204. `got` holds headers and body of every request."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/hook"

    def ids(self) -> list[str]:
        return [h["webhook-id"] for h, _ in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.http.shutdown()
    receiver.http.server_close()


def town_with(root: Path, *destinations: str) -> Town:
    town = Town(root, settings=TESTS + "".join(f"\n[[destination]]\n{d}\n" for d in destinations))
    town.env["HOOK"] = SECRET
    return town


def hook(url: str, *more: str) -> str:
    words = ['name = "ops"', 'kind = "webhook"', 'audience = "webhook"', f'url = "{url}"', 'secret_env = "HOOK"', "private = true"]
    return "\n".join([*words, *more])


@pytest.fixture
def town(tmp_path: Path, receiver: Receiver) -> Town:
    return town_with(tmp_path, hook(receiver.url))


def test_a_payload_arrives_signed_as_a_cloudevent(town: Town, receiver: Receiver) -> None:
    """The reference library accepts the signature, the event is valid, and its data is what `payload` shows."""
    digest = town.assembled()
    town.gate()
    sent = town.dossier("send", digest, "--to", "ops")
    assert [d["outcome"] for d in sent["deliveries"]] == ["delivered"]
    headers, body = receiver.got[0]
    with mock.patch("standardwebhooks.webhooks.datetime") as clock:
        clock.now.return_value = town.now
        clock.fromtimestamp = datetime.fromtimestamp
        standardwebhooks.Webhook(SECRET).verify(body, headers)
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    event = parse_event(json.loads(body))
    assert (event.id, event.subject, event.extensions) == (headers["webhook-id"], digest, {"audience": "webhook"})
    shown = town.dossier("payload", digest, "--audience", "webhook")
    assert event.data == {"payload": shown["payload"], "signature": shown["signature"]}
    assert (sent["bytes"], sent["withheld"], sent["included"]) == (shown["bytes"], shown["withheld"], shown["included"])
    assert read_payload(json.dumps(event.data["payload"]).encode(), "event").audience == "webhook"


def test_sending_again_sends_nothing(town: Town, receiver: Receiver) -> None:
    """The same payload for the same destination is one delivery; a new decision is another."""
    digest = town.assembled()
    first = town.dossier("send", digest, "--to", "ops")
    assert town.dossier("send", digest, "--to", "ops")["deliveries"] == first["deliveries"]
    assert len(receiver.got) == 1
    town.gate()
    town.dossier("send", digest, "--to", "ops")
    assert len(set(receiver.ids())) == len(receiver.got) == 2
    listed = town.dossier("send", "--list")["deliveries"]
    assert [d["outcome"] for d in listed] == ["delivered", "delivered"]


def test_a_failure_is_tried_again_under_the_same_id(town: Town, receiver: Receiver) -> None:
    """5xx and 429 are worth another try, at the time the backoff or the receiver says; each try's answer is kept."""
    digest = town.assembled()
    receiver.answers = [(503, {}), (429, {"Retry-After": "600"})]
    first = town.dossier("send", digest, "--to", "ops", ok=(30,))["deliveries"][0]
    assert (first["outcome"], first["tries"][0]["status"]) == ("failed", 503)
    assert town.dossier("send", "--due")["deliveries"] == []
    town.later(seconds=6)
    second = town.dossier("send", "--due", ok=(30,))["deliveries"][0]
    assert (datetime.fromisoformat(second["next_at"]) - town.now).total_seconds() == pytest.approx(600, abs=5)
    town.later(seconds=601)
    third = town.dossier("send", "--due")["deliveries"][0]
    assert [t["outcome"] for t in third["tries"]] == ["failed", "failed", "delivered"]
    assert len(set(receiver.ids())) == 1
    assert len({body for _, body in receiver.got}) == 1
    assert "HTTP 204" in third["tries"][2]["detail"]


def test_a_clock_that_went_back_holds_up_no_delivery(town: Town, receiver: Receiver) -> None:
    """A try by a clock that was a week ahead: what is due a week and some seconds from now is tried now."""
    digest = town.assembled()
    receiver.answers = [(503, {})]
    town.later(days=7)
    town.dossier("send", digest, "--to", "ops", ok=(30,))
    assert town.dossier("send", "--due")["deliveries"] == []
    town.later(days=-7)
    assert [d["outcome"] for d in town.dossier("send", "--due")["deliveries"]] == ["delivered"]
    assert len(set(receiver.ids())) == 1


def test_a_retry_after_may_be_a_date() -> None:
    """RFC 9110 allows both forms; a date that is over, far, or none asks for nothing more than the schedule, or the bound."""
    at, began = datetime(2026, 11, 24, 9, 0, tzinfo=UTC), Began(id="msg_1", n=1, at="")
    for said, seconds in (
        ("Tue, 24 Nov 2026 09:10:00 GMT", 600),
        ("Tue, 24 Nov 2026 09:10:00 -0000", 600),
        ("Tuesday, 24-Nov-26 09:10:00 GMT", 600),
        ("Mon, 23 Nov 2026 09:10:00 GMT", 5),
        ("Tue, 24 Nov 2099 09:10:00 GMT", 86_400),
        ("Tue, 99 Nov 2026 09:10:00 GMT", 5),
        ("soon", 5),
        ("", 5),
    ):
        found = ended(began, at, 503, "", {"retry-after": said})
        assert (datetime.fromisoformat(found.next_at) - at).total_seconds() == seconds, said


def test_waiting_for_the_next_try(town: Town, receiver: Receiver) -> None:
    """--wait goes on as long as the next try is that near, and says what it waits for."""
    digest = town.assembled()
    receiver.answers = [(500, {}), (500, {})]
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        town.later(seconds=seconds)

    with mock.patch.object(cli, "pause", pause):
        d = town.dossier("send", digest, "--to", "ops", "--wait", "10", ok=(30,))["deliveries"][0]
    assert (len(waited), len(d["tries"]), d["outcome"]) == (1, 2, "failed")


def test_a_no_is_final(town: Town, receiver: Receiver) -> None:
    """4xx is the receiver's last word: exit 20, kept, never tried again."""
    digest = town.assembled()
    receiver.answers = [(410, {})]
    assert town.dossier("send", digest, "--to", "ops", ok=(20,))["deliveries"][0]["outcome"] == "refused"
    town.later(days=1)
    assert town.dossier("send", "--due")["deliveries"] == []
    assert len(receiver.got) == 1


def test_the_backoff_ends() -> None:
    """After the last wait of the schedule a delivery has failed for good, and says after how many tries."""
    at = datetime(2026, 11, 24, tzinfo=UTC)
    waits = []
    for n in range(1, len(BACKOFF_SECONDS) + 2):
        e = ended(Began(id="m", n=n, at=""), at, 500, "HTTP 500", {"retry-after": "x"})
        waits.append((datetime.fromisoformat(e.next_at) - at).total_seconds() if e.next_at else None)
    assert waits == [*BACKOFF_SECONDS, None]
    assert (e.outcome, "given up after 10 tries" in e.detail) == ("refused", True)
    many = ended(Began(id="m", n=1, at=""), at, 429, "", {"retry-after": "999999999"})
    assert (datetime.fromisoformat(many.next_at) - at).total_seconds() == 86_400


@pytest.mark.parametrize(("point", "arrived"), [("outbox.queued", 0), ("outbox.began", 0), ("outbox.sent", 1)])
def test_a_kill_loses_and_doubles_nothing(town: Town, receiver: Receiver, point: str, arrived: int) -> None:
    """Killed before, at or after sending: the next run delivers under the same id, and the killed try is shown."""
    digest = town.assembled()
    command = [sys.executable, "-m", "release_dossier", "-C", str(town.repo), "send", digest, "--to", "ops"]
    killed = subprocess.run(command, env={**town.env, "DOSSIER_KILL_AT": point}, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed
    assert len(receiver.got) == arrived
    words = "not tried yet" if point == "outbox.queued" else "killed before an answer was kept"
    assert f" · {words}; again: dossier send --due" in town.run("send", "--list")[1]
    town.later(minutes=1)
    d = town.dossier("send", "--due")["deliveries"][0]
    assert d["outcome"] == "delivered"
    assert [t["outcome"] for t in d["tries"]] == (["delivered"] if point == "outbox.queued" else ["interrupted", "delivered"])
    assert set(receiver.ids()) == {d["id"]}
    assert town.dossier("send", digest, "--to", "ops")["deliveries"] == [d]


def test_half_a_line_of_a_killed_run_did_not_happen(town: Town) -> None:
    """A torn journal line is cut off by the next write; an altered one is an integrity failure."""
    digest = town.assembled()
    town.dossier("send", digest, "--to", "ops")
    journal = town.repo / ".dossier/outbox/deliveries.ndjson"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"began":{"id":"ms')
    town.gate()
    town.dossier("send", digest, "--to", "ops")
    assert len(town.dossier("send", "--list")["deliveries"]) == 2
    journal.write_bytes(whole.replace(b'"began"', b'"begun"').replace(b'"id"', b'"ix"'))
    assert town.refused("send", "--list", code=40)["code"] == "outbox.journal"


def test_an_outbox_that_cannot_be_used(town: Town) -> None:
    """A file where its folder should be, a folder where its journal should be: unavailable, naming the place, and nothing is sent."""
    box = town.repo / ".dossier" / "outbox"
    digest = town.assembled()
    send, listed = ["send", digest, "--to", "ops"], ["send", "--list"]
    for broken, command, place, why in (
        ("", send, "deliveries.ndjson", "Not a directory"),
        ("", listed, "deliveries.ndjson", "Not a directory"),
        ("locks", send, "locks", "File exists"),
        ("deliveries.ndjson/x", listed, "deliveries.ndjson", "Is a directory"),
    ):
        (box / broken).parent.mkdir(parents=True, exist_ok=True)
        (box / broken).write_text("in the way")
        refused = town.refused(*command, code=30)
        assert (refused["code"], refused["at"], refused["found"]) == ("outbox.file-system", str(box / place), why)
        assert refused["expected"] == "a folder that can be written"
        shutil.rmtree(box) if broken else box.unlink()


def test_a_process_that_was_stopped_while_it_wrote_is_not_waited_for_without_end(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped with the outbox in its hands, it holds up a second one for so long and no longer; then that one says so."""
    digest = town.assembled()
    town.dossier("send", "--list")
    monkeypatch.setattr(outbox, "LOCK_SECONDS_MAX", 0.2)
    locks = town.repo / ".dossier" / "outbox" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / "queue").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = town.refused("send", digest, "--to", "ops", code=30)
    assert (said["code"], said["at"]) == ("outbox.locked", str(locks / "queue"))
    assert town.dossier("send", digest, "--to", "ops")["deliveries"][0]["outcome"] == "delivered"


def test_inside_addresses_are_refused_unless_the_project_says_so(tmp_path: Path, receiver: Receiver) -> None:
    """Without `private` nothing reaches loopback: the delivery is refused and says why."""
    url = receiver.url.replace("http://", "https://")
    town = town_with(tmp_path, hook(url).replace("private = true", ""))
    d = town.dossier("send", town.assembled(), "--to", "ops", ok=(20,))["deliveries"][0]
    assert "outside.private" in d["tries"][0]["detail"]
    assert receiver.got == []


def test_unreachable_is_said_to_be(tmp_path: Path) -> None:
    """Nobody there: exit 30, the address and the reason, and it stays to be sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        town = town_with(tmp_path, hook(f"http://{at}/hook"))
        d = town.dossier("send", town.assembled(), "--to", "ops", ok=(30,))["deliveries"][0]
    assert (d["outcome"], d["tries"][0]["status"]) == ("failed", 0)
    assert at in d["tries"][0]["detail"]


def test_a_branch_does_not_say_where_things_go(town: Town) -> None:
    """A destination that only the branch under judgement names is unknown; so is any before adoption."""
    settings = town.read("dossier.toml")
    town.write("dossier.toml", settings.replace('name = "ops"', 'name = "mine"'))
    town.commit("mine")
    digest = town.assembled()
    refusal = town.refused("send", digest, "--to", "mine")
    assert (refusal["code"], refusal["expected"]) == ("send.destination", "ops")


@pytest.mark.parametrize(
    ("condition", "sent"),
    [
        ("facts.outcome == 'ALLOW'", False),
        ("facts.outcome == 'DENY' && facts.unmet >= 0", True),
        ("facts.waived == 0 && facts.bytes < 100000", True),
        ("facts.missing_approvals == 0", False),
    ],
)
def test_the_destinations_condition(tmp_path: Path, receiver: Receiver, condition: str, sent: bool) -> None:
    """CEL over the decision holds or nothing is even queued."""
    town = town_with(tmp_path, hook(receiver.url, f'condition = "{condition}"'))
    digest = town.assembled()
    town.gate()
    if sent:
        town.dossier("send", digest, "--to", "ops")
    else:
        assert town.refused("send", digest, "--to", "ops")["code"] == "send.condition"
        assert town.dossier("send", "--list")["deliveries"] == []


def test_a_condition_about_a_decision_does_not_hold_without_one(tmp_path: Path, receiver: Receiver) -> None:
    """Undecided, nothing is known to be met: `unmet == 0` is not true about nothing."""
    town = town_with(tmp_path, hook(receiver.url, 'condition = "facts.unmet == 0"'))
    assert "does not say unmet" in town.refused("send", town.assembled(), "--to", "ops")["found"]


def test_no_secret_no_send(town: Town, receiver: Receiver) -> None:
    """Unsigned is not sent; the secret is never shown."""
    digest = town.assembled()
    del town.env["HOOK"]
    d = town.dossier("send", digest, "--to", "ops", ok=(20,))["deliveries"][0]
    assert "send.no-secret" in d["tries"][0]["detail"]
    assert receiver.got == []
    assert town.dossier("send", "--due")["deliveries"] == []
    town.env["HOOK"] = SECRET
    again = town.dossier("send", digest, "--to", "ops")["deliveries"][0]
    assert [t["outcome"] for t in again["tries"]] == ["refused", "delivered"]
    assert town.dossier("send", digest, "--to", "ops")["deliveries"][0] == again


def test_a_destination_that_is_gone_holds_up_no_other(tmp_path: Path, receiver: Receiver) -> None:
    """Its own delivery ends, saying so; what is due to others is sent. Where it came back elsewhere, sending again goes there."""
    one, two = hook(receiver.url), hook(receiver.url).replace('"ops"', '"two"')
    town = town_with(tmp_path, one, two)
    digest = town.assembled()
    receiver.answers = [(500, {})] * 2
    for name in ("ops", "two"):
        town.dossier("send", digest, "--to", name, ok=(30,))

    def protected(old: str, new: str) -> None:
        town.git("switch", "-q", "main")
        town.write("dossier.toml", town.read("dossier.toml").replace(old, new))
        town.commit("destinations")
        town.git("switch", "-q", "-")

    protected(one, one.replace('"ops"', '"other"'))
    town.later(seconds=10)
    due = town.dossier("send", "--due", ok=(20,))["deliveries"]
    assert [(d["destination"], d["outcome"]) for d in due] == [("ops", "refused"), ("two", "delivered")]
    assert "send.destination" in due[0]["tries"][-1]["detail"]
    protected('"other"', '"ops"')
    protected(one, one.replace("/hook", "/elsewhere"))
    assert town.dossier("send", digest, "--to", "ops")["deliveries"][0]["outcome"] == "delivered"


def test_what_was_queued_for_one_address_goes_to_no_other(town: Town, receiver: Receiver) -> None:
    """A destination that moved since is refused for what is due to it; sending again is somebody's own word, and goes there."""
    digest = town.assembled()
    receiver.answers = [(500, {})]
    town.dossier("send", digest, "--to", "ops", ok=(30,))
    town.git("switch", "-q", "main")
    town.write("dossier.toml", town.read("dossier.toml").replace("/hook", "/elsewhere"))
    town.commit("moved")
    town.git("switch", "-q", "-")
    town.later(seconds=10)
    (due,) = town.dossier("send", "--due", ok=(20,))["deliveries"]
    elsewhere, before = receiver.url.replace("/hook", "/elsewhere"), f"{receiver.url}, as when it was queued"
    assert due["tries"][-1]["detail"].startswith(f"send.moved: at destination ops: found {elsewhere}, expected {before}")
    assert len(receiver.got) == 1
    assert town.dossier("send", digest, "--to", "ops")["deliveries"][0]["outcome"] == "delivered"


def test_a_receivers_no_is_final(town: Town, receiver: Receiver) -> None:
    """What it refused is not sent again, also when somebody asks."""
    digest = town.assembled()
    receiver.answers = [(410, {})]
    for _ in range(2):
        assert town.dossier("send", digest, "--to", "ops", ok=(20,))["deliveries"][0]["outcome"] == "refused"
    assert len(receiver.got) == 1


@pytest.fixture
def github() -> Iterator[GitHub]:
    if not DESCRIPTION.exists():
        pytest.skip("needs ../shared: GitHub's published description")
    server = GitHub(json.loads(DESCRIPTION.read_text()))
    yield server
    server.http.shutdown()
    server.http.server_close()


def at_github(root: Path, github: GitHub, kind: str) -> tuple[Town, str]:
    words = [f'name = "pr"\nkind = "{kind}"\naudience = "github"\ntoken_env = "TOKEN"\nrepository = "octo-org/shop"']
    town = town_with(root, *words)
    town.env |= {"GITHUB_API_URL": github.url, "TOKEN": "t0ken"}
    issue = {
        "number": 7,
        "title": "Round",
        "html_url": "https://github.com/octo-org/shop/issues/7",
        "body": (root / "issue.md").read_text(),
    }
    (root / "issue.json").write_text(json.dumps(issue))
    town.dossier("open", "--issue", str(root / "issue.json"))
    town.dossier("collect")
    return town, str(town.dossier("assemble")["dossier"]["digest"])


@pytest.mark.conformance
def test_a_comment_as_github_describes_it(tmp_path: Path, github: GitHub) -> None:
    """One comment on the change's issue, valid against GitHub's description, with the mark we look for after a kill."""
    town, digest = at_github(tmp_path, github, "github-comment")
    town.gate()
    github.answers["/repos/octo-org/shop/issues/7/comments"] = 201, {}, b"{}"
    d = town.dossier("send", digest, "--to", "pr")["deliveries"][0]
    assert (d["outcome"], github.faults) == ("delivered", [])
    body = json.loads(github.bodies[0])["body"]
    assert d["id"] in body
    assert "DENY" in body
    assert digest in body


@pytest.mark.conformance
@pytest.mark.parametrize("kind", ["github-comment", "github-check"])
def test_a_kill_after_posting_posts_no_second(tmp_path: Path, github: GitHub, kind: str) -> None:
    """GitHub knows no idempotency key: we look for our own mark before we post again."""
    town, digest = at_github(tmp_path, github, kind)
    posts = "/repos/octo-org/shop/" + ("issues/7/comments" if kind == "github-comment" else "check-runs")
    github.answers[posts] = 201, {}, b"{}"
    command = [sys.executable, "-m", "release_dossier", "-C", str(town.repo), "send", digest, "--to", "pr"]
    killed = subprocess.run(command, env={**town.env, "DOSSIER_KILL_AT": "outbox.sent"}, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed
    posted: dict[str, Any] = json.loads(github.bodies[0])
    head = town.git("rev-parse", "HEAD")
    look = posts if kind == "github-comment" else f"/repos/octo-org/shop/commits/{head}/check-runs"
    first = [{}] * 100  # a page full of others
    mine = [posted]
    pages = [first, mine] if kind == "github-comment" else [{"check_runs": first}, {"check_runs": mine}]
    middle = "?" if kind == "github-comment" else "?filter=all&"
    for n, page in enumerate(pages, 1):
        github.answers[f"{look}{middle}per_page=100&page={n}"] = 200, {}, json.dumps(page).encode()
    town.later(minutes=1)
    assert town.dossier("send", "--due")["deliveries"][0]["outcome"] == "delivered"
    assert len([a for a in github.asked if a[0] == "POST"]) == 1
    assert github.faults == []


@pytest.mark.conformance
def test_a_check_run_as_github_describes_it(tmp_path: Path, github: GitHub) -> None:
    """A completed check on the head: success only for ALLOW, failure for DENY, neutral while nothing is decided."""
    town, digest = at_github(tmp_path, github, "github-check")
    github.answers["/repos/octo-org/shop/check-runs"] = 201, {}, b"{}"
    town.dossier("send", digest, "--to", "pr")
    town.gate()
    town.dossier("send", digest, "--to", "pr")
    first, second = (json.loads(b) for b in github.bodies)
    assert (first["conclusion"], second["conclusion"], second["head_sha"]) == ("neutral", "failure", town.git("rev-parse", "HEAD"))
    assert github.faults == []


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("headers", "outcome"),
    [({"x-ratelimit-remaining": "0"}, "failed"), ({"retry-after": "60"}, "failed"), ({"x-ratelimit-remaining": "9"}, "refused")],
)
@pytest.mark.parametrize("kind", ["github-comment", "github-check"])
def test_githubs_limit_of_requests_is_no_refusal(tmp_path: Path, github: GitHub, kind: str, headers: dict[str, str], outcome: str) -> None:
    """GitHub says 403 both for asked too often and for not allowed: the first is tried again, when it says so."""
    town, digest = at_github(tmp_path, github, kind)
    posts = "/repos/octo-org/shop/" + ("issues/7/comments" if kind == "github-comment" else "check-runs")
    github.answers[posts] = 403, headers, b"{}"
    tried = town.dossier("send", digest, "--to", "pr", ok=(30 if outcome == "failed" else 20,))["deliveries"][0]
    assert (tried["outcome"], tried["tries"][0]["status"], tried["tries"][0]["detail"][:8]) == (outcome, 403, "HTTP 403")
    if "retry-after" in headers:
        wait = datetime.fromisoformat(tried["next_at"]) - datetime.fromisoformat(tried["tries"][0]["at"])
        assert wait.total_seconds() == 60


@pytest.mark.conformance
def test_no_token_and_no_issue(tmp_path: Path, github: GitHub) -> None:
    """Without a token nothing is posted; a comment needs an issue that has a number."""
    town, digest = at_github(tmp_path, github, "github-comment")
    del town.env["TOKEN"]
    assert "send.no-token" in town.dossier("send", digest, "--to", "pr", ok=(20,))["deliveries"][0]["tries"][0]["detail"]
    town.write("app/pay.py", "def pay(x):\n    return round(x)\n")
    town.commit("round again")
    assert town.refused("send", town.assembled(), "--to", "pr")["code"] == "send.no-issue"
    assert github.asked == []
