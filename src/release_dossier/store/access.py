"""Tokens, sessions and logins under way, in one SQLite file beside the store. Secrets are kept as SHA-256 only.

1. A secret is 256 random bits, so its hash says nothing about it. It is shown once.
2. A login under way is used up by its first answer, right or wrong: an answer that comes again finds nothing.
3. A session or token ends at its time, or when it is ended; either is read at every request.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.errors import Refused, Unavailable

_TOKEN = re.compile(r"rd_([0-9a-f]{12})_([A-Za-z0-9_-]{43})\Z")
_TABLES = """
create table if not exists tokens(id text primary key, hash blob, name text, role text, scopes text, person text, made_at text,
  expires_at text, revoked_at text);
create table if not exists sessions(hash blob primary key, id text, body text, expires_at text, ended_at text);
create table if not exists logins(hash blob primary key, body text, expires_at text);
"""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's token, without its secret."""

    id: str
    name: str
    role: str
    scopes: tuple[str, ...]
    person: str
    made_at: str
    expires_at: str
    revoked_at: str


class AccessStore:
    """`file` is made where it is not, readable by its owner only. Times are RFC 3339 in UTC; whoever calls brings the time.

    Raises:
        Unavailable: `access.file`.
    """

    def __init__(self, file: Path) -> None:
        self._turn = threading.RLock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
            weakref.finalize(self, self._db.close)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.executescript(_TABLES)
        except (OSError, sqlite3.Error) as e:
            raise Unavailable("access.file", at=str(file), found=str(e), expected="a file that can be written") from e

    # Tokens

    def make_token(self, name: str, role: str, scopes: tuple[str, ...], person: str, now: str, expires_at: str) -> tuple[Token, str]:
        """A new token and its text, which is not kept."""
        id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        token = Token(id=id, name=name, role=role, scopes=scopes, person=person, made_at=now, expires_at=expires_at, revoked_at="")
        with self._using() as db:
            row = (id, _hash(secret), name, role, " ".join(scopes), person, now, expires_at, "")
            db.execute("insert into tokens values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return token, f"rd_{id}_{secret}"

    def token(self, text: str, now: str) -> Token | None:
        """The token of this text, None when there is none, it has ended or was revoked."""
        m = _TOKEN.match(text)
        if m is None:
            return None
        with self._using() as db:
            row = db.execute("select * from tokens where id = ?", (m[1],)).fetchone()
        if row is None or not secrets.compare_digest(row[1], _hash(m[2])):
            return None
        token = _token(row)
        return token if not token.revoked_at and now < token.expires_at else None

    def tokens(self) -> tuple[Token, ...]:
        """Every token ever made, oldest first."""
        with self._using() as db:
            return tuple(_token(r) for r in db.execute("select * from tokens order by made_at, id"))

    def revoke(self, id: str, now: str) -> Token:
        """End a token; a second time changes nothing.

        Raises:
            Refused: `access.no-token`.
        """
        with self._using() as db:
            db.execute("update tokens set revoked_at = ? where id = ? and revoked_at = ''", (now, id))
            row = db.execute("select * from tokens where id = ?", (id,)).fetchone()
        if row is None:
            raise Refused("access.no-token", at="ID", found=id, expected="the id of a token", help="dossier token list")
        return _token(row)

    # Sessions

    def begin_session(self, body: dict[str, Any], expires_at: str) -> str:
        """A new session; its secret, for the cookie."""
        secret = secrets.token_urlsafe(32)
        with self._using() as db:
            db.execute("insert into sessions values (?, ?, ?, ?, '')", (_hash(secret), secrets.token_hex(6), _json(body), expires_at))
        return secret

    def session(self, secret: str, now: str) -> tuple[str, dict[str, Any]] | None:
        """(id, body) of a session that stands."""
        with self._using() as db:
            row = db.execute("select id, body, expires_at, ended_at from sessions where hash = ?", (_hash(secret),)).fetchone()
        if row is None or row[3] or now >= row[2]:
            return None
        return str(row[0]), msgspec.json.decode(row[1], type=dict[str, Any])

    def end_session(self, secret: str, now: str) -> None:
        """It stands no more, wherever its cookie is."""
        with self._using() as db:
            db.execute("update sessions set ended_at = ? where hash = ? and ended_at = ''", (now, _hash(secret)))
            db.execute("delete from sessions where expires_at < ?", (now,))

    # Logins under way

    def begin_login(self, state: str, body: dict[str, Any], now: str, expires_at: str) -> None:
        """Remember what an answer must fit."""
        with self._using() as db:
            db.execute("delete from logins where expires_at < ?", (now,))
            db.execute("insert into logins values (?, ?, ?)", (_hash(state), _json(body), expires_at))

    def end_login(self, state: str, now: str) -> dict[str, Any] | None:
        """What was remembered under `state`, once; None when nothing is, or no longer."""
        with self._using() as db:
            row = db.execute("delete from logins where hash = ? returning body, expires_at", (_hash(state),)).fetchone()
        return None if row is None or now >= row[1] else msgspec.json.decode(row[0], type=dict[str, Any])

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            try:
                yield self._db
            except sqlite3.Error as e:
                raise Unavailable("access.file", at="access.sqlite", found=str(e), expected="a file that can be written") from e


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _json(body: dict[str, Any]) -> str:
    return msgspec.json.encode(body).decode()


def _token(r: tuple[Any, ...]) -> Token:
    return Token(id=r[0], name=r[2], role=r[3], scopes=tuple(r[4].split()), person=r[5], made_at=r[6], expires_at=r[7], revoked_at=r[8])
