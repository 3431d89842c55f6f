"""A Prometheus server asked for real, over HTTP: a small one that serves recorded answers of a drill."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from release_dossier.cli import main
from release_dossier.cli.evidence import evidence
from release_dossier.errors import Refused
from release_dossier.evidence.readers import read
from release_dossier.sources.prometheus import Asked, record

SAMPLES = Path(__file__).resolve().parents[1] / "evidence/samples"
AVAILABILITY = "sp:availability:ratio_rate1m"
ASKED = Asked(queries={"availability": AVAILABILITY}, start_s=1795394668, end_s=1795395568, step_s=15)
GONE = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()
BROKEN = json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error"}).encode()


class Small(BaseHTTPRequestHandler):
    """The answers, by path and query; what was asked is kept on the server."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        said = {k: v[0] for k, v in parse_qs(url.query).items()}
        self.server.seen.append((url.path, said, self.headers.get("authorization")))  # type: ignore[attr-defined]
        status, body = self.answer(url.path, said.get("query", ""))
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, path: str, query: str) -> tuple[int, bytes]:
        files = {"rules": "prometheus-rules-answer.json", "alerts": "prometheus-alerts.json", "targets": "prometheus-targets.json"}
        name = path.rpartition("/")[2]
        if name == "query_range":
            if query == AVAILABILITY:
                return 200, (SAMPLES / "prometheus-query.json").read_bytes()
            return (400, BROKEN) if "(" in query else (502, b"<html>") if query == "proxy" else (200, GONE)
        if name == "buildinfo":
            return 200, b'{"status":"success","data":{"version":"2.42.0"}}'
        return 200, (SAMPLES / files[name]).read_bytes()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Small) as s:
        s.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=s.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{s.server_address[1]}", s.seen  # type: ignore[attr-defined]
        s.shutdown()
        thread.join()


def says(raw: bytes, **more: str) -> Any:
    return read(io.BytesIO(raw), expectations=more)


def test_asked_and_read(server: tuple[str, list[Any]]) -> None:
    """The window travels with the answers, so the recording passes by itself; version, targets and values are facts."""
    raw = record(server[0], ASKED)
    r = says(raw)
    assert (r.format, r.verdict, r.looked_at, r.of, r.tool_version) == ("prometheus-recording", "pass", 48, 61, "2.42.0")
    assert (r.facts["targets_up"].value, r.facts["last_max.availability"].value) == (5, 1.0)
    assert r.observed_at == "2026-11-23T00:59:28.000Z"
    assert ("/api/v1/query_range", {"query": AVAILABILITY, "start": "1795394668", "end": "1795395568", "step": "15"}, None) in server[1]
    r = says(raw, **{"at_least.availability": "0.999"})
    assert r.verdict == "fail"
    assert r.counterexamples[0].text == "availability: 0.0196007, at least 0.999 is wanted"


def test_what_does_not_answer_is_said(server: tuple[str, list[Any]]) -> None:
    """A series that is not there, an error, something that is no JSON: each is named, none hides the others."""
    queries = {"availability": AVAILABILITY, "gone": "gone", "bad": "rate(x", "proxy": "proxy"}
    r = says(record(server[0], Asked(queries=queries, start_s=ASKED.start_s, end_s=ASKED.end_s, step_s=15)))
    assert (r.verdict, r.looked_at, r.facts["queries"].value, r.facts["queries_answered"].value) == ("inconclusive", 48, 4, 1)
    assert "gone: no series" in r.cause
    assert "bad: bad_data: parse error" in r.cause
    assert "proxy: json." in r.cause


def test_a_later_window_finds_series_that_ended(server: tuple[str, list[Any]]) -> None:
    """Asked up to an hour later, the same series ended before the window does."""
    late = Asked(queries=ASKED.queries, start_s=ASKED.start_s, end_s=ASKED.end_s + 3600, step_s=15)
    r = says(record(server[0], late))
    assert r.verdict == "inconclusive"
    assert "ended 2026-11-23T00:59:28.000Z, before the window does" in r.cause


def test_a_token_goes_in_a_header_and_nowhere_else(server: tuple[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command line: the token reaches the server and not the recording; an address with credentials is refused."""
    monkeypatch.setenv("PROM", "s3cr3t-token-of-ours")
    out = tmp_path / "out.ndjson"
    args = ["record", server[0], "--query", f"availability={AVAILABILITY}", "--end", "2026-11-23T00:59:28Z", "--window", "15m"]
    r = CliRunner().invoke(evidence, [*args, "--token-env", "PROM", "-o", str(out)], standalone_mode=False)
    assert r.return_value == 0, r.exception
    assert {a for _, _, a in server[1]} == {"Bearer s3cr3t-token-of-ours"}
    assert b"s3cr3t" not in out.read_bytes()
    assert says(out.read_bytes()).verdict == "pass"
    with pytest.raises(Refused) as e:
        record(server[0].replace("://", "://user:pw@"), ASKED)
    assert e.value.code == "outside.address"


def test_nobody_there(tmp_path: Path) -> None:
    """A server that answers nothing is unavailable (exit 30), and no file says that it was asked."""
    out = tmp_path / "out.ndjson"
    args = ["evidence", "record", "http://127.0.0.1:9", "--query", "up=up", "-o", str(out), "--json"]
    with CliRunner().isolation() as streams:
        assert main.run(args) == 30
        error = json.loads(streams[0].getvalue())["error"]
    assert (error["code"], error["at"], out.exists()) == ("prometheus.no-answer", "http://127.0.0.1:9", False)
    assert "outside.unreachable" in error["found"]


def test_a_recording_of_no_answers_proves_nothing() -> None:
    """Each answer that did not come stands in it with why."""
    rows = [
        {"prometheus_recording": 1, "server": "p", "version": "", "start": 1, "end": 31, "step": 15},
        {"name": "up", "query": "up", "error": "outside.unreachable: refused"},
        {"answers": 1},
    ]
    r = says(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    assert r.verdict == "missing"
    assert "outside.unreachable" in r.cause


def test_a_window_that_is_none() -> None:
    """Refused before anything is asked."""
    with pytest.raises(Refused) as e:
        record("http://127.0.0.1:9", Asked(queries={}, start_s=5, end_s=5, step_s=1))
    assert e.value.code == "prometheus.window"
