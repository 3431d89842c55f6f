"""Reading a log that is served as files, from a folder or over HTTP."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

from release_dossier.aside import Aside
from release_dossier.errors import Refused, Unavailable
from release_dossier.limits import OUTSIDE_SECONDS_MAX
from release_dossier.trust.tiles import Fetch

ANSWER_BYTES_MAX = 256 * 65_537  # bytes; the largest file a log serves is a full bundle of the largest entries


def reader_of(place: str) -> Fetch:
    """Reads files of a log below `place`, a folder or the address of a server.

    Raises:
        Refused: `log.place`.
    """
    try:
        scheme = urllib.parse.urlsplit(place).scheme
    except ValueError as e:
        raise Refused("log.place", at=place, found=str(e), expected="a folder with a log's files, or http(s)://…") from e
    if scheme in ("http", "https"):
        return lambda path: get(f"{place.rstrip('/')}/{path}")
    if not Path(place).is_dir():
        raise Refused("log.place", at=place, found="no such folder", expected="a folder with a log's files, or http(s)://…")
    return lambda path: _read(Path(place) / path)


def get(url: str, body: bytes | None = None) -> bytes:
    """What a server answers, status 200 and bounded.

    Raises:
        Unavailable: `log.unreachable`.
    """
    status, answer = ask(url, body)
    if status != 200:
        raise Unavailable("log.unreachable", at=url, found=f"status {status}", expected="status 200")
    return answer


def ask(url: str, body: bytes | None = None, seconds: float = OUTSIDE_SECONDS_MAX) -> tuple[int, bytes]:
    """Status and answer of a server, whole within `seconds`. Redirects are answers: a log is where it says it is.

    Raises:
        Unavailable: `log.unreachable`.
    """
    until = time.monotonic() + seconds
    try:
        return Aside(lambda: _asked(url, body, until)).result(seconds)  # a resolver, and headers that drip, know no limit for the whole
    except (OSError, ValueError, http.client.HTTPException) as e:
        found = str(e).strip() or type(e).__name__
        raise Unavailable("log.unreachable", at=url, found=found, expected="an answer", help="check the address, or try again") from e


def _asked(url: str, body: bytes | None, until_s: float) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers={"User-Agent": "release-dossier", "Content-Type": "text/plain"})
    try:
        answer = urllib.request.build_opener(_Stay).open(request, timeout=until_s - time.monotonic())
    except urllib.error.HTTPError as e:
        answer = e
    with answer:
        parts: list[bytes] = []
        left = ANSWER_BYTES_MAX
        while left and (part := answer.read1(min(left, 1 << 16))):
            if time.monotonic() > until_s:
                raise TimeoutError("no whole answer in time")
            parts.append(part)
            left -= len(part)
        if left and answer.length:
            raise http.client.IncompleteRead(b"".join(parts), answer.length)
        raw = b"".join(parts)
        # C2SP tlog-tiles: a log may pack its entries without being asked to.
        return int(answer.status), _unpacked(raw) if answer.headers.get("Content-Encoding", "").lower() == "gzip" else raw


def _unpacked(raw: bytes) -> bytes:
    reading = zlib.decompressobj(wbits=31)
    try:
        out = reading.decompress(raw, ANSWER_BYTES_MAX)
    except zlib.error as e:
        raise ValueError(f"no gzip: {e}") from e
    if not reading.eof or reading.unused_data:
        raise ValueError("gzip that does not end, or ends early")
    return out


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as e:
        raise Unavailable("log.unreachable", at=str(file), found=e.strerror or "an error", expected="a file of the log") from e
