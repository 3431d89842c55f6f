"""Over a real socket: streams that resume, clients that are slow, break off or announce too much."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from release_dossier.errors import Unavailable
from release_dossier.limits import UPLOAD_IDLE_SECONDS_MAX
from release_dossier.store.access import AccessStore
from release_dossier.web import api_watch, api_write
from release_dossier.web.app import make_app
from release_dossier.web.desk import Desk
from release_dossier.web.gauge import Gauge, Tracer
from release_dossier.web.place import Options, Place
from tests.api.conftest import served
from tests.api.live import running
from tests.town import ISSUE, JUNIT, TESTS, Town


class Live:
    """A town's server on a port."""

    def __init__(self, town: Town, port: int) -> None:
        self.town, self.port = town, port

    def ask(self, method: str, path: str, body: Any = None, timeout: float = 60, **headers: str) -> tuple[int, Any]:
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            said = {k.replace("_", "-"): v for k, v in headers.items()}
            c.request(method, path, json.dumps(body) if isinstance(body, dict) else body, {"content-type": "application/json", **said})
            answer = c.getresponse()
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None
        finally:
            c.close()

    def open(self) -> str:
        status, body = self.ask("POST", "/api/v1/changes", {"issue": ISSUE, "branch": "fix/rounding"})
        assert status == 201, body
        return str(body["change"]["digest"])

    def raw(self, head: str) -> socket.socket:
        s = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        s.sendall(head.encode())
        return s


@pytest.fixture
def live(town: Town) -> Iterator[Live]:
    with running(served(town).app) as port:
        yield Live(town, port)


class Listener:
    """An open stream of events."""

    def __init__(self, live: Live, after: str = "", last: str = "", authorization: str = "") -> None:
        header = f"Last-Event-ID: {last}\r\n" if last else ""
        header += f"Authorization: {authorization}\r\n" if authorization else ""
        self.s = live.raw(f"GET /api/v1/events{after} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n")
        self.buffer = b""
        self.head = self._until(b"\r\n\r\n")

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            piece = self.s.recv(65536)
            assert piece, self.buffer
            self.buffer += piece
        part, _, self.buffer = self.buffer.partition(mark)
        return part

    def next(self) -> tuple[int, str, Any]:
        """The next event: id, kind, data."""
        while True:
            text = self._until(b"\n\n").decode()
            m = re.search(r"id: (\d+)\nevent: (\S+)\ndata: (.*)", text)
            if m:
                return int(m[1]), m[2], json.loads(m[3])


def test_events_come_as_they_happen_and_resume(live: Live) -> None:
    """Two listeners hear each entry once, in order; one that was away hears what it missed, whoever wrote it."""
    early, second = Listener(live), Listener(live)
    assert b"text/event-stream" in early.head
    change = live.open()
    assert early.next()[:2] == second.next()[:2] == (0, "change")
    status, _ = live.ask("POST", f"/api/v1/changes/{change}/evidence/tests?filename=r.xml", JUNIT)
    assert status == 201
    assert [early.next()[1] for _ in range(2)] == ["started", "evidence"]
    live.town.dossier("assemble")  # another process, another door
    n, kind, data = early.next()
    assert (n, kind, data["type"]) == (3, "dossier", "dossier")
    early.s.close()
    back = Listener(live, last="1")
    assert [back.next()[0] for _ in range(2)] == [2, 3]
    start = Listener(live, after="?after=-1")
    assert [start.next()[0] for _ in range(4)] == [0, 1, 2, 3]
    assert live.ask("GET", "/api/v1/events", Last_Event_ID="x")[0] == 422
    for listener in (second, back, start):
        listener.s.close()


def test_what_comes_while_one_looks_is_not_slept_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that is written after a listener looked, and before it waits, wakes it: it does not wait until silence is broken."""
    monkeypatch.setattr(api_watch, "STILL_SECONDS", 3600)
    monkeypatch.setattr(api_watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(api_watch, "entry", lambda e: {})
    log: list[Any] = []
    feed = api_watch.Feed(SimpleNamespace(tail=SimpleNamespace(stamp=lambda: len(log))))  # type: ignore[arg-type]

    def after(place: Any, seen: int) -> list[Any]:
        found = log[seen + 1 :]
        if not log:
            log.append(SimpleNamespace(n=0, type="evidence"))
        return found

    async def still() -> bool:
        return True

    async def first() -> bytes:
        heard = api_watch._events(feed, -1, still)
        return await anext(text async for text in heard if text.startswith(b"id: "))

    async def listen() -> bytes:
        return await asyncio.wait_for(first(), 30)

    monkeypatch.setattr(api_watch, "_after", after)
    assert asyncio.run(listen()) == b"id: 0\nevent: evidence\ndata: {}\n\n"


def test_who_is_let_in_no_more_hears_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream ends with the token it was asked for with, before the next entry."""
    monkeypatch.setattr(api_watch, "STILL_SECONDS", 0.2)
    town = Town(
        tmp_path, settings=TESTS + '\n[access]\nlogin = "github"\nclient_id = "d"\nclient_secret_env = "S"\nhosts = ["127.0.0.1"]\n'
    )
    place = Place(town.repo, town.env, town.tick, time.monotonic)
    app = make_app(place, Options(base_url="http://127.0.0.1", login=True))
    store: AccessStore = app.state.access
    until = (town.now + timedelta(days=1)).isoformat()
    token, text = store.make_token("t", "viewer", (), "", town.now.isoformat(), until)
    with running(app) as port:
        heard = Listener(Live(town, port), last="", authorization=f"Bearer {text}")
        store.revoke(token.id, town.now.isoformat())
        town.open()
        with pytest.raises(AssertionError):  # the end of the stream
            heard.next()
        heard.s.close()
        assert heard.buffer.endswith(b"0\r\n\r\n")
        assert b"event:" not in heard.buffer


def test_slow_clients_hold_up_nobody(live: Live) -> None:
    """Thirty clients that begin a request and an upload and say no more; others are answered at once."""
    change = live.open()
    slow = [live.raw("GET /api/v1/releases HTT") for _ in range(15)]
    upload = f"POST /api/v1/changes/{change}/evidence/tests HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nsome"
    slow += [live.raw(upload) for _ in range(15)]
    given_up = UPLOAD_IDLE_SECONDS_MAX - 1
    assert live.ask("GET", "/healthz", timeout=given_up)[0] == 200
    assert live.ask("GET", "/api/v1/releases", timeout=given_up)[0] == 200
    assert live.ask("POST", f"/api/v1/changes/{change}/evidence/tests?filename=r.xml", JUNIT, timeout=given_up)[0] == 201
    for s in slow:
        s.close()


def test_an_upload_that_pauses_or_breaks_off_leaves_nothing(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given up after the pause with 408, or with the connection; no attempt is begun, no file stays."""
    change = live.open()
    head = f"POST /api/v1/changes/{change}/evidence/tests HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nsome"
    with monkeypatch.context() as short:
        short.setattr(api_write, "UPLOAD_IDLE_SECONDS_MAX", 0.2)
        with live.raw(head) as s:
            answer = b""
            while b'"help"' not in answer:
                answer += s.recv(65536)
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b'"code":"api.slow","at":"body","found":"nothing for 0.2 s","expected":"the rest of it"' in answer
    cut = live.raw(head)
    cut.close()
    assert live.ask("POST", f"/api/v1/changes/{change}/evidence/tests?filename=r.xml", JUNIT)[0] == 201
    _, found = live.ask("GET", "/api/v1/documents?type=started")
    assert len(found["items"]) == 1
    until = time.monotonic() + 60  # the server hears of what was cut when it comes to it
    while (left := list((live.town.repo / ".dossier/tmp").glob("upload-*"))) and time.monotonic() < until:
        time.sleep(0.01)
    assert left == []


def test_a_gigabyte_is_refused_before_it_is_sent(live: Live) -> None:
    """The answer comes on the announcement, while not one byte of it was sent, and the connection ends."""
    change = live.open()
    head = f"POST /api/v1/changes/{change}/evidence/tests HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    head += f"Content-Length: {1 << 30}\r\nExpect: 100-continue\r\n\r\n"
    with live.raw(head) as s:
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b"100 Continue" not in answer
    assert b"api.too-large" in answer


def test_a_fault_of_ours_is_a_problem_too(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is 500 as a problem with the request's id, and says nothing of our inside."""
    from fastapi.testclient import TestClient

    app = served(town).app
    monkeypatch.setattr("release_dossier.web.api_read.stand", lambda *_: 1 / 0)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as c:
        answer = c.get("/api/v1/posture", headers={"x-request-id": "r-9"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert (answer.json()["code"], answer.json()["request_id"]) == ("api.internal", "r-9")
    assert "ZeroDivision" not in answer.text


def test_spans_go_to_the_collector(tmp_path: Path) -> None:
    """OTEL_EXPORTER_OTLP_ENDPOINT: each request is a span of the caller's trace, as OTLP JSON; a collector that is away costs nothing."""
    got: list[dict[str, Any]] = []
    came = threading.Event()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            assert self.path == "/v1/traces"
            self.send_response(200)
            self.end_headers()
            came.set()

        def log_message(self, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    town = Town(tmp_path)
    town.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{http.server_port}"
    trace = "0af7651916cd43dd8448eb211c80319c"
    with served(town) as c:
        c.get("/api/v1/releases/a/b", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert came.wait(60)
    http.shutdown()
    http.server_close()
    span = got[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (span["traceId"], span["parentSpanId"]) == (trace, "b7ad6b7169203331")
    assert span["name"] == "GET /api/v1/releases/{service}/{version}"
    assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])

    dropped = Gauge()

    def away(_: bytes) -> None:
        raise OSError("nobody there")

    tracer = Tracer(away, lambda n: dropped.count("spans_dropped", n), "0")
    tracer.span(trace, "", "b7ad6b7169203331", "x", 1, 2, {"http.response.status_code": 500})
    tracer.close()
    assert dropped.counts == {("spans_dropped", ()): 1}


def test_what_was_to_be_sent_is_sent_by_the_next_server(tmp_path: Path) -> None:
    """A delivery left by a killed server goes out when the next one begins, without anybody asking."""
    import time

    from tests.send.test_send import Receiver, hook, town_with

    receiver = Receiver()
    try:
        town = town_with(tmp_path, hook(receiver.url))
        digest = town.assembled()
        receiver.answers = [(503, {})]
        town.dossier("send", digest, "--to", "ops", ok=(30,))
        town.later(minutes=1)
        app = make_app(Place(town.repo, town.env, town.tick, time.monotonic))
        with running(app):
            deadline = time.monotonic() + 60
            while len(receiver.got) < 2 and time.monotonic() < deadline:
                threading.Event().wait(0.05)
        assert receiver.ids() == [receiver.ids()[0]] * 2
    finally:
        receiver.http.shutdown()
        receiver.http.server_close()


def test_a_folder_that_cannot_be_read_for_a_while_ends_no_thread(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for what is due says so and looks again; whoever looks at the protected branch leaves it to the next look."""
    place = Place(town.repo, town.env, town.tick, time.monotonic)
    told: list[str] = []
    desk = Desk(place, told.append)
    closed = PermissionError(13, "Permission denied")
    lost = Unavailable("git.timeout", at="git", found="no answer", expected="an answer")
    monkeypatch.setattr(desk, "world", mock.Mock(side_effect=[closed, lost]))
    desk._send(mock.Mock(wait=mock.Mock(side_effect=[False, False, True])))
    assert told == [f"sending: {closed}", f"sending: {lost}"]
    monkeypatch.setattr(place, "_look", mock.Mock(side_effect=closed))
    assert place._turn.acquire(blocking=False)
    place._look_behind()
    assert not place._turn.locked()


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_serves_and_ends(town: Town, word: signal.Signals) -> None:
    """`dossier serve` answers where it says, in words and as one object, writes a line a request when asked, says so when the port is
    taken, and ends on Ctrl-C or when it is told to, also while somebody listens."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "release_dossier", "-C", str(town.repo), "serve", "--json", "--log", "json", "--port"]
    server = subprocess.Popen([*command, "0"], env=town.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        assert server.stdout is not None
        port = int(server.stderr.readline().rpartition(":")[2].rstrip("/\n"))
        assert "without login" in server.stderr.readline()
        said = json.loads(server.stdout.readline())
        assert said == {"project": str(town.repo), "url": f"http://127.0.0.1:{port}/", "login": False}
        assert Live(town, port).ask("GET", "/healthz") == (200, {"status": "ok", "checks": {}})
        assert json.loads(server.stderr.readline())["path"] == "/healthz"
        second = subprocess.run([*command, str(port)], env=town.env, capture_output=True, text=True)
        assert (second.returncode, json.loads(second.stdout)["error"]["code"]) == (30, "serve.port")
        listens = urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/events", timeout=60)
        assert listens.readline() == b"retry: 2000\n"
    finally:
        server.send_signal(word)
        _, told = server.communicate(timeout=60)
    listens.close()
    assert server.returncode in ((0, 130, -word) if word is signal.SIGINT else (-word,))
    assert "Traceback" not in told, "a page that is open listens: nobody is told of it when the server ends"
