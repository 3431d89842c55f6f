"""Reading a log that is served as files, from a folder or over HTTP."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from release_dossier.errors import Refused, Unavailable
from release_dossier.trust.tiles import Fetch

ANSWER_BYTES_MAX = 256 * 65_537  # bytes; the largest file a log serves is a full bundle of the largest entries
_SECONDS = 20  # one answer of a server


def reader_of(place: str) -> Fetch:
    """Reads files of a log below `place`, a folder or the address of a server.

    Raises:
        Refused: `log.place`.
    """
    scheme = urllib.parse.urlsplit(place).scheme
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


def ask(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and answer of a server. Redirects are answers: a log is where it says it is.

    Raises:
        Unavailable: `log.unreachable`.
    """
    request = urllib.request.Request(url, data=body, headers={"User-Agent": "release-dossier", "Content-Type": "text/plain"})
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(request, timeout=_SECONDS) as r:
            return int(r.status), r.read(ANSWER_BYTES_MAX)
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read(ANSWER_BYTES_MAX)
    except (OSError, ValueError) as e:
        raise Unavailable("log.unreachable", at=url, found=str(e), expected="an answer", help="check the address, or try again") from e


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as e:
        raise Unavailable("log.unreachable", at=str(file), found=e.strerror or "an error", expected="a file of the log") from e
