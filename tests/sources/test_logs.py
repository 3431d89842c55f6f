"""Asking a log or a witness over HTTP: whatever a server sends or does not send is an answer in time, or a typed refusal."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from release_dossier.errors import Unavailable
from release_dossier.sources.logs import ask

Talk = Callable[[socket.socket], None]


@pytest.fixture
def server() -> Iterator[Callable[[Talk], str]]:
    """A server that reads one request, says what it is told, and hangs up."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(talk: Talk) -> str:
        def once() -> None:
            with suppress(OSError), listening.accept()[0] as c:  # whoever gave up may be gone
                c.recv(65_536)
                talk(c)

        threading.Thread(target=once, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/add-checkpoint"

    yield serve
    listening.close()


@pytest.mark.parametrize(
    "said",
    [
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 409 Conflict\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_what_is_no_whole_answer_is_unavailable(server: Callable[[Talk], str], said: bytes) -> None:
    """Noise, half an answer of any status, too many or too long headers, packing that is none: 30, and nobody is accused."""
    with pytest.raises(Unavailable) as found:
        ask(server(lambda c: c.sendall(said)), b"x")
    assert found.value.code == "log.unreachable"


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 409 C\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 200"]
)
def test_a_server_that_drips_is_given_up(server: Callable[[Talk], str], head: bytes) -> None:
    """A byte now and then, of the body or of the headers, is no answer: the limit is for all of it."""

    def drip(c: socket.socket) -> None:
        c.sendall(head)
        for _ in range(600):
            c.sendall(b"x")
            time.sleep(0.1)

    since = time.monotonic()
    with pytest.raises(Unavailable):
        ask(server(drip), b"x", 0.5)
    assert time.monotonic() - since < 30


def test_a_log_may_pack_what_it_serves(server: Callable[[Talk], str]) -> None:
    """C2SP lets a log send its entries as gzip without being asked; the entries are what is inside."""
    body = gzip.compress(b"entries" * 1000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert ask(server(lambda c: c.sendall(head + body))) == (200, b"entries" * 1000)


def test_a_redirect_is_an_answer(server: Callable[[Talk], str]) -> None:
    """A log is where it says it is."""
    said = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nhi"
    assert ask(server(lambda c: c.sendall(said))) == (302, b"hi")
