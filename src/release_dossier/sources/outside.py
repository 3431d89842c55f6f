"""HTTP to the world outside, guarded: the only way anything here is fetched from or sent to an address that came from a person.

1. A name is resolved once; every address it has must be public, and the connection goes to the address that was checked. What a name
   resolves to later does not matter (DNS rebinding).
2. Private, loopback, link-local, shared, reserved and multicast ranges are refused, also inside IPv6 (mapped, 6to4, Teredo, NAT64), unless
   the caller says `private`.
3. Only https; http only where `private` is said. No proxy, no cookie, no credentials in the address.
4. A redirect is never followed with a body. A GET follows at most five, each held against 1 to 3 again; headers that carry secrets
   stay at their host.
5. One limit of time for all of it, one of bytes for the answer.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from release_dossier.aside import Aside
from release_dossier.errors import Refused, Unavailable
from release_dossier.limits import ANSWER_BYTES_MAX, OUTSIDE_SECONDS_MAX

REDIRECTS_MAX = 5
_SECRET = ("authorization", "cookie", "webhook-signature")
_CHUNK_BYTES = 16 * 1024
_LATE = "no whole answer within the time allowed"
Resolve = Callable[[str, int], list[str]]


class Answer(msgspec.Struct, frozen=True):
    """What came back: status, headers in lower case, at most the allowed bytes of body, and the address that was really asked."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, in the system's order."""
    return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    private: bool = False,
    follow: bool = True,
    seconds: float = OUTSIDE_SECONDS_MAX,
    bytes_max: int = ANSWER_BYTES_MAX,
    resolver: Resolve = resolve,
) -> Answer:
    """One request, and for a GET that may `follow` what it redirects to.

    Raises:
        Refused: `outside.*`: an address that may not be asked. Unavailable: `outside.unreachable`: nobody answered in time.
    """
    asked = _Asked(method, body, private, follow, time.monotonic() + seconds, bytes_max, resolver, [])
    said = {k.lower(): v for k, v in headers.items()}
    asking = Aside(lambda: _followed(asked, url, said))
    try:
        return asking.result(seconds)  # a resolver, and headers that drip, know no limit for the whole
    except TimeoutError as e:
        for connection in asked.under_way:
            connection.cut()
        raise Unavailable("outside.unreachable", at=url, found=_LATE, expected="an answer") from e


class _Asked(NamedTuple):
    """What stays the same wherever a request is redirected to; `under_way` are the connections made for it."""

    method: str
    body: bytes | None
    private: bool
    follow: bool
    deadline: float
    bytes_max: int
    resolver: Resolve
    under_way: list[_Pinned]


def _followed(asked: _Asked, url: str, said: dict[str, str]) -> Answer:
    for _ in range(REDIRECTS_MAX + 1):
        answer = _once(asked, url, said)
        there = answer.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or not there or asked.method != "GET" or not asked.follow:
            return answer
        onward = urljoin(url, there)
        if _origin(onward) != _origin(url):
            said = {k: v for k, v in said.items() if k not in _SECRET}
        url = onward
    raise Refused("outside.redirects", at=url, found=f"more than {REDIRECTS_MAX} redirects", expected="an answer")


def addresses(url: str, *, private: bool = False, resolver: Resolve = resolve) -> tuple[SplitResult, int, list[str]]:
    """The parts of `url`, its port, and the addresses it may be asked at.

    Raises:
        Refused: `outside.address`, `outside.private`. Unavailable: `outside.unreachable`: the name has no address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as e:
        raise Refused("outside.address", at=url, found=str(e), expected="an https address") from e
    host = parts.hostname or ""
    unfit = any(ord(c) <= 0x20 or ord(c) >= 0x7F for c in url)
    if (
        unfit
        or not host
        or parts.scheme not in ("https", "http")
        or parts.username
        or parts.password
        or (parts.scheme == "http" and not private)
    ):
        found = "credentials in it" if parts.username or parts.password else repr(url)
        raise Refused("outside.address", at=parts.hostname or "the address", found=found, expected="https://host/path")
    try:
        found_at = resolver(host, port)
    except (OSError, UnicodeError) as e:
        raise Unavailable("outside.unreachable", at=url, found=f"no address for {host}: {e}", expected="an answer") from e
    inside = next((a for a in found_at if not _public(a)), None)
    if inside is not None and not private:
        raise Refused(
            "outside.private",
            at=url,
            found=f"{host} is {inside}, which is not on the public internet",
            expected="a public address",
            help="private = true in the [[destination]] where it is meant",
        )
    return parts, port, found_at


def _public(address: str) -> bool:
    """Whether an address is one of the public internet, also when it is an IPv4 address dressed as IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        teredo = ip.teredo[1] if ip.teredo else None
        within = ip.ipv4_mapped or ip.sixtofour or teredo
        if within is None and any(ip in net for net in _NAT64):
            within = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if within is None and int(ip) >> 32 == 0:
            within = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if within is not None:
            ip = within
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


def _once(asked: _Asked, url: str, headers: Mapping[str, str]) -> Answer:
    parts, port, found_at = addresses(url, private=asked.private, resolver=asked.resolver)
    try:
        connection = _Pinned(parts, port, found_at, asked.deadline)
        asked.under_way.append(connection)
        try:
            sent = {"connection": "close", "user-agent": "release-dossier", **headers}
            connection.request(asked.method, _target(parts), asked.body, sent)
            with connection.getresponse() as answer:
                there = {k.lower(): v for k, v in answer.getheaders()}
                return Answer(answer.status, there, _body(answer, connection, asked, url), url)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as e:
        found = _LATE if time.monotonic() >= asked.deadline else str(e) or type(e).__name__
        raise Unavailable("outside.unreachable", at=url, found=found, expected="an answer") from e


class _Pinned(http.client.HTTPConnection):
    """A connection to one of the addresses that were checked; the name is only for TLS and the Host header."""

    def __init__(self, parts: SplitResult, port: int, found_at: list[str], deadline: float) -> None:
        super().__init__(parts.hostname or "", port)
        if parts.scheme == "https":
            self.default_port = 443
        self._tls, self._found_at, self._deadline = parts.scheme == "https", found_at, deadline
        self._held: socket.socket | None = None

    def connect(self) -> None:
        trouble: OSError | None = None
        for address in self._found_at:
            try:
                self.sock = socket.create_connection((address, self.port), timeout=self.left())
                break
            except OSError as e:
                trouble = e
        else:
            raise trouble or OSError("the name has no address")
        if self._tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
        self.sock.settimeout(self.left())
        self._held = self.sock

    def cut(self) -> None:
        """Whatever is being read of it ends now, for whoever reads in another thread."""
        if self._held is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._held, socket.SHUT_RDWR)  # not TLS's own, which is another thread's

    def left(self) -> float:
        """Seconds until the limit."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(_LATE)
        return left


def _body(answer: http.client.HTTPResponse, connection: _Pinned, asked: _Asked, url: str) -> bytes:
    """The answer's body, piece by piece, so that one that drips is given up in time."""
    parts: list[bytes] = []
    size = 0
    while size <= asked.bytes_max:
        if time.monotonic() > asked.deadline:
            raise TimeoutError(_LATE)
        if connection.sock is not None:
            connection.sock.settimeout(connection.left())
        part = answer.read1(_CHUNK_BYTES)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
    raise Refused("outside.too-large", at=url, found=f"more than {asked.bytes_max} bytes", expected=f"at most {asked.bytes_max}")


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
