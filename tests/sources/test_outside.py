"""Requests to the world outside: nothing inside a network is reached by an address somebody gave, however it is dressed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from release_dossier.errors import Refused, Unavailable
from release_dossier.sources import outside
from release_dossier.sources.outside import addresses, request


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """A server on loopback; its address and what it was asked."""
    asked: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self)
            answer(self)

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_port}", asked
    finally:
        http.shutdown()
        http.server_close()


def says(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(h: BaseHTTPRequestHandler) -> None:
        h.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            h.send_header(name, value)
        h.end_headers()
        h.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2001:db8::1",
    ],
)
def test_addresses_inside_are_refused(address: str) -> None:
    """Every private, loopback, link-local, shared and reserved range, also dressed as IPv6, also beside a public address."""
    for found in ([address], ["93.184.215.14", address]):
        with pytest.raises(Refused, match=r"outside\.private"):
            addresses("https://name.example/x", resolver=lambda h, p, found=found: found)  # type: ignore[misc]


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_pass(address: str) -> None:
    """What is on the internet may be asked."""
    assert addresses("https://name.example:8443/x", resolver=lambda h, p: [address])[1:] == (8443, [address])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https:///x",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nx: y",
        "https://[::1",
        "//example.com/",
        "example.com",
        "",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    """Only https, with a host and without credentials, which are never shown either."""
    with pytest.raises(Refused, match=r"outside\.address") as e:
        addresses(url, resolver=lambda h, p: ["93.184.215.14"])
    assert "secret" not in str(e.value)


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost", "017700000001"])
def test_other_spellings_of_loopback(host: str) -> None:
    """However the system reads a name, it is the address that counts."""
    with pytest.raises((Refused, Unavailable), match=r"outside\.(private|unreachable)"):
        request("GET", f"https://{host}/", {})


def test_a_name_is_resolved_once() -> None:
    """A name that is public when it is checked and private when it is used reaches nobody: it is asked for its address once."""
    calls: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        calls.append(host)
        return ["192.0.2.1"] if len(calls) == 1 else ["127.0.0.1"]

    with server(says(200, b"inside")) as (url, asked):
        port = url.rpartition(":")[2]
        with pytest.raises((Refused, Unavailable)):
            request("GET", f"http://rebind.example:{port}/", {}, private=True, resolver=rebinding, seconds=2)
        assert (calls, asked) == (["rebind.example"], [])


def test_every_redirect_is_held_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public address that answers with one inside is not followed there. Public is here what answers, and TLS is left out."""
    hops: dict[str, list[str]] = {"outside.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]}
    monkeypatch.setattr(outside, "_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(outside.ssl, "create_default_context", lambda: SimpleNamespace(wrap_socket=lambda s, server_hostname: s))
    with server(says(302, Location="https://inside.example/latest/meta-data")) as (url, asked):
        with pytest.raises(Refused, match=r"outside\.private.*inside\.example is 10\.0\.0\.1"):
            request("GET", f"https://outside.example:{url.rpartition(':')[2]}/", {}, resolver=lambda h, p: hops[h])
        assert len(asked) == 1


def test_a_secret_stays_at_its_host_and_a_body_is_never_sent_on() -> None:
    """Authorization is not carried to another origin; a POST that is redirected ends there."""
    with server(says(200, b"there")) as (there, got), server(lambda h: says(302, Location=f"{there}/x")(h)) as (here, _):
        assert request("GET", here, {"Authorization": "Bearer s"}, private=True).body == b"there"
        assert "authorization" not in {k.lower() for k in got[0].headers}
        assert request("POST", here, {}, b"body", private=True).status == 302
        assert len(got) == 1


def test_redirects_end() -> None:
    """A circle is refused."""
    with server(lambda h: says(302, Location=h.path)(h)) as (url, _), pytest.raises(Refused, match=r"outside\.redirects"):
        request("GET", url, {}, private=True)


def test_an_answer_is_bounded_in_bytes_and_time() -> None:
    """Too much is refused; one that drips is given up at the limit, however long each drop takes."""
    with server(says(200, b"x" * 5000)) as (url, _), pytest.raises(Refused, match=r"outside\.too-large"):
        request("GET", url, {}, private=True, bytes_max=4999)

    stop = threading.Event()

    def drip(h: BaseHTTPRequestHandler) -> None:
        h.send_response(200)
        h.end_headers()
        while not stop.wait(0.05):
            try:
                h.wfile.write(b"x")
            except OSError:
                return

    with server(drip) as (url, _):
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"outside\.unreachable"):
            request("GET", url, {}, private=True, seconds=0.4)
        stop.set()
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("drop", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"X-A: b\r\n", b"1;x"])
def test_what_drips_before_a_body_is_bounded_too(drop: bytes) -> None:
    """A status line, interim answers, headers or the line of a chunk that come byte by byte: the limit is one for all of it."""
    head = {b"X-A: b\r\n": b"HTTP/1.1 200 OK\r\n", b"1;x": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}.get(drop, b"")
    stop = threading.Event()

    def drip(h: BaseHTTPRequestHandler) -> None:
        h.wfile.write(head)
        while not stop.wait(0.05):
            try:
                h.wfile.write(drop)
            except OSError:
                return

    with server(drip) as (url, _):
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no whole answer within the time allowed"):
            request("POST", url, {}, b"{}", private=True, seconds=0.4)
        stop.set()
    assert time.monotonic() - began < 30


def test_a_resolver_that_does_not_answer_is_given_up() -> None:
    """The limit is one of the whole, and a name that is not resolved is part of it."""
    stop = threading.Event()

    def silent(host: str, port: int) -> list[str]:
        stop.wait(100)
        return ["127.0.0.1"]

    began = time.monotonic()
    with pytest.raises(Unavailable) as e:
        request("GET", "https://slow.example/", {}, seconds=0.3, resolver=silent)
    stop.set()
    assert (e.value.code, time.monotonic() - began < 30) == ("outside.unreachable", True)


def test_unreachable_is_said_to_be() -> None:
    """Nobody there, no such name and a silent server are unavailable, with the address."""

    def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"{port}.*refused"):
            request("GET", f"http://127.0.0.1:{port}/", {}, private=True)
        taken.listen()
        with pytest.raises(Unavailable, match=r"within the time|timed out"):
            request("GET", f"http://127.0.0.1:{port}/", {}, private=True, seconds=0.3)
    with pytest.raises(Unavailable, match=r"no address for name\.invalid"):
        request("GET", "https://name.invalid/", {}, resolver=nobody)
