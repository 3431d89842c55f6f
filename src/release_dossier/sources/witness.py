"""Witnesses over HTTP: asking one to cosign our checkpoint, and being one for others. See `trust/witness.py` for the rules."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from release_dossier.disk import lock_within, sync
from release_dossier.errors import Corrupt, Unavailable
from release_dossier.trust import witness
from release_dossier.trust.keys import Signer
from release_dossier.trust.log import parse_checkpoint
from release_dossier.trust.merkle import Tree
from release_dossier.trust.note import NoteKey

CONNECTIONS_MAX = 100  # at one time; a log asks once in a while, and each open one costs a thread
LOCK_SECONDS_MAX = 10  # seconds to wait for another request; half of what whoever asks waits for the whole answer
CONNECTION_SECONDS_MAX = 30  # seconds one connection may take, however many requests it brings

Ask = Callable[[str, bytes], tuple[int, bytes]]  # address and body → status and answer


def ask_witness(ask: Ask, url: str, key: NoteKey, note: bytes, tree: Tree, known: int) -> bytes:
    """`note`, a checkpoint over `tree`, with the cosignature of the witness at `url`. `known` is the size it is thought to know.

    Raises:
        Unavailable: `witness.refuses`: it answers, and does not cosign. Corrupt: `log.rolled-back`: it has seen more of this log than we
            hold; `log.fork`: it has seen another; `witness.cosignature`: what it sent does not verify.
    """
    size, old = parse_checkpoint(note).size, known
    where = f"witness {key.name}"
    for _ in range(2):  # it may know another size than we think, and says which
        status, body = ask(f"{url.rstrip('/')}/add-checkpoint", witness.write_request(old, _proof(tree, old, size), note))
        if status == 200:
            return witness.cosigned(note, body, key, where)
        if status == 422 or (status == 409 and old == size and body == b"%d\n" % size):  # before July 2026, 409 said another root too
            words = body[:80].decode("utf-8", "replace").strip()
            raise Corrupt(
                "log.fork", at=where, found=f"a log that does not extend what it saw: {words}", expected=f"the {old} entries it saw"
            )
        if status != 409 or not re.fullmatch(rb"(0|[1-9][0-9]{0,18})\n", body):
            break
        old = int(body)
        if old > size:
            found = f"a log of {size} entries, of which it saw {old}"
            raise Corrupt("log.rolled-back", at=where, found=found, expected="every entry it once had")
    raise Unavailable("witness.refuses", at=where, found=f"status {status}: {body[:80]!r}", expected="a cosignature")


def _proof(tree: Tree, old: int, size: int) -> Sequence[bytes]:
    return tree.consistency(old) if 0 < old < size else ()


class Witness:
    """A witness called `name` that keeps, in `folder`, the newest checkpoint of each log it cosigned. Safe across threads and processes."""

    def __init__(self, folder: Path, name: str, signer: Signer, logs: Mapping[str, Sequence[NoteKey]], now_s: Callable[[], int]) -> None:
        self.folder, self.name, self.signer, self.logs, self.now_s = folder, name, signer, logs, now_s
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise Unavailable("witness.unwritable", at=str(folder), found=e.strerror or "an error", expected="a folder to write") from e

    def add_checkpoint(self, raw: bytes) -> witness.Answer:
        """Answer a request; what is cosigned is durable before this returns.

        Raises:
            Corrupt: what was kept is no checkpoint. Unavailable: `witness.unwritable`, `witness.locked`.
        """
        origin = witness.origin_in(raw)
        if origin not in self.logs:
            return witness.judge(raw, self.logs, b"", self.name, self.signer, self.now_s())
        file = self._file(origin)
        try:
            with (self.folder / "lock").open("w") as lock:
                if not lock_within(lock.fileno(), LOCK_SECONDS_MAX):
                    found = "another process or request holds it"
                    raise Unavailable("witness.locked", at=lock.name, found=found, expected=f"it free within {LOCK_SECONDS_MAX} s")
                latest = file.read_bytes() if file.exists() else b""
                answer = witness.judge(raw, self.logs, latest, self.name, self.signer, self.now_s())
                if answer.kept:
                    self._keep(file, answer.kept)
        except OSError as e:
            raise Unavailable(
                "witness.unwritable", at=str(self.folder), found=e.strerror or "an error", expected="a folder to write"
            ) from e
        return answer

    def checkpoint(self, origin_hash: str) -> bytes | None:
        """The newest checkpoint cosigned of the log with this hash of its origin; None when there is none."""
        file = self.folder / origin_hash
        return file.read_bytes() if re.fullmatch(r"[0-9a-f]{64}", origin_hash) and file.is_file() else None

    def _file(self, origin: str) -> Path:
        return self.folder / witness.origin_hash(origin)

    def _keep(self, file: Path, note: bytes) -> None:
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        fresh.write_bytes(note)
        sync(fresh)
        fresh.replace(file)
        sync(self.folder)


class _Bounded(ThreadingHTTPServer):
    """At most so many connections, each for so long: whoever sends a byte now and then holds up nobody else for good."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._since: dict[Any, float] = {}
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._since) >= CONNECTIONS_MAX:
            self.shutdown_request(request)
        else:
            self._since[request] = time.monotonic()
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._since.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up in the middle of an answer is nobody's fault here."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def service_actions(self) -> None:
        """Called about twice a second while it serves."""
        for request, since in list(self._since.items()):
            if time.monotonic() - since > CONNECTION_SECONDS_MAX:
                self._since.pop(request, None)  # before whoever hears of it can ask again
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)


def witness_server(w: Witness, host: str, port: int) -> ThreadingHTTPServer:
    """A server that answers for `w`: POST /add-checkpoint, GET /<hash of origin>/checkpoint. Port 0 takes a free one.

    Raises:
        Unavailable: `witness.address`.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = CONNECTION_SECONDS_MAX  # seconds it may stay silent

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != "/add-checkpoint":
                self._say(404, b"no such path\n")
            elif not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > witness.REQUEST_BYTES_MAX:
                self.close_connection = True
                self._say(413, b"at most %d bytes\n" % witness.REQUEST_BYTES_MAX)
                self._hear_out()
            else:
                try:
                    answer = w.add_checkpoint(self.rfile.read(int(length)))
                except (Corrupt, Unavailable) as e:
                    self._say(500, f"{e.code}\n".encode())
                else:
                    self._say(answer.status, answer.body, answer.content_type)

        def do_GET(self) -> None:
            found = re.fullmatch(r"/([0-9a-f]{64})/checkpoint", self.path)
            note = w.checkpoint(found[1]) if found else None
            if note is None:
                self._say(404, b"no checkpoint of this log\n")
            else:
                self._say(200, note)

        def _say(self, status: int, body: bytes, kind: str = witness.NOTE_TYPE) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _hear_out(self) -> None:
            """Closed while more comes, a connection is reset, and the answer may be lost with it."""
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)
                while self.connection.recv(65_536):
                    pass

        def log_message(self, format: str, *args: object) -> None:
            """The witness keeps no list of who asked."""

    try:
        return _Bounded((host, port), Handler)
    except OSError as e:
        at, found = f"{host}:{port}", e.strerror or "an error"
        raise Unavailable("witness.address", at=at, found=found, expected="an address to answer at", help="another --port or --host") from e
