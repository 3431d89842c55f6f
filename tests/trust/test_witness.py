"""Witnesses: they cosign what only grows, keep what they saw before they answer, and find a log that does not."""

from __future__ import annotations

import base64
import fcntl
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_dossier.errors import Corrupt, DossierError, Unavailable
from release_dossier.sources.logs import ask
from release_dossier.sources.witness import Witness, ask_witness, witness_server
from release_dossier.trust.keys import Signer, generate, parse_private, parse_public
from release_dossier.trust.log import Frontier, Tree, leaf_hash, make_checkpoint, parse_checkpoint
from release_dossier.trust.note import NoteKey, cosign, cosigned_at, note_key, note_line, signed_by
from release_dossier.trust.witness import cosigners, judge, origin_hash, parse_request, write_request

PROJECT = "sha256:" + "7" * 64
LEAVES = [leaf_hash(b"%d" % i) for i in range(20)]
OTHER = [leaf_hash(b"other %d" % i) for i in range(20)]
NOW = 1_790_000_000


@pytest.fixture(scope="module")
def signers() -> tuple[Signer, Signer]:
    return parse_private(generate()[0], "log"), parse_private(generate()[0], "witness")


def head(log: Signer, size: int, leaves: list[bytes] = LEAVES) -> bytes:
    return make_checkpoint(PROJECT, size, Frontier(leaves[:size]).root(), log)


def log_keys(log: Signer) -> dict[str, list[NoteKey]]:
    origin = parse_checkpoint(head(log, 1)).origin
    return {origin: [note_key(origin, parse_public(log.public, "log"))]}


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> tuple[bytes, ...]:
    return Tree(leaves[:new]).consistency(old) if 0 < old < new else ()


def key_of(witness: Signer) -> NoteKey:
    return note_key("witness.example/w1", parse_public(witness.public, "witness"), cosigner=True)


def answer(signers: tuple[Signer, Signer], raw: bytes, latest: bytes = b"") -> Any:
    return judge(raw, log_keys(signers[0]), latest, "witness.example/w1", signers[1], NOW)


def test_what_grows_is_cosigned_with_its_moment(signers: tuple[Signer, Signer]) -> None:
    """First sight, growth and the same again are cosigned; the line verifies over this checkpoint and no other, and says when."""
    log, witness = signers
    first = answer(signers, write_request(0, (), head(log, 3)))
    grown = answer(signers, write_request(3, proof(3, 9), head(log, 9)), first.kept)
    again = answer(signers, write_request(9, (), head(log, 9)), grown.kept)
    assert (first.status, grown.status, again.status) == (200, 200, 200)
    key = key_of(witness)
    assert cosigners(grown.kept, (key,)) == ("witness.example/w1",)
    note = parse_checkpoint(grown.kept)
    assert cosigned_at(note.signatures, key) == NOW
    assert signed_by(note.text, note.signatures, log_keys(log)[note.origin][0])
    other = parse_checkpoint(head(log, 4))
    assert not signed_by(other.text, note.signatures, key)


@pytest.mark.parametrize(
    ("old", "path", "size", "leaves", "status", "body"),
    [
        (3, proof(3, 9, OTHER), 9, OTHER, 422, "does not extend"),  # another log from the start
        (3, (), 9, LEAVES, 422, "does not extend"),  # no proof
        (3, (), 3, OTHER, 422, "does not extend"),  # as long, and another: 409 before C2SP 95978ca
        (2, proof(2, 9), 9, LEAVES, 409, "3\n"),  # the witness knows more
        (5, proof(5, 9), 9, LEAVES, 409, "3\n"),  # the witness knows less
        (9, (), 3, LEAVES, 400, "larger"),
    ],
)
def test_what_does_not_grow_is_not_cosigned(
    signers: tuple[Signer, Signer], old: int, path: tuple[bytes, ...], size: int, leaves: list[bytes], status: int, body: str
) -> None:
    """Each way of not extending what was seen has the specification's status; nothing is kept and nothing signed."""
    log, _ = signers
    seen = answer(signers, write_request(0, (), head(log, 3))).kept
    got = answer(signers, write_request(old, path, head(log, size, leaves)), seen)
    assert got.status == status
    assert body in got.body.decode()
    assert got.kept == b""
    assert (got.content_type == "text/x.tlog.size") == (status == 409)


def test_only_its_own_logs_are_cosigned(signers: tuple[Signer, Signer]) -> None:
    """An unknown log is 404; a known one signed by another key, or whose line is spoiled, is 403; an empty tree with a root is 422."""
    log, witness = signers
    stranger = make_checkpoint("sha256:" + "8" * 64, 3, Frontier(LEAVES[:3]).root(), log)
    assert answer(signers, write_request(0, (), stranger)).status == 404
    assert answer(signers, write_request(0, (), head(witness, 3))).status == 403
    good = head(log, 3)
    text, line = good.rsplit(b" ", 1)
    data = bytearray(base64.b64decode(line))
    data[-1] ^= 1
    assert answer(signers, write_request(0, (), text + b" " + base64.b64encode(data) + b"\n")).status == 403
    assert answer(signers, write_request(0, (), make_checkpoint(PROJECT, 0, b"\1" * 32, log))).status == 422
    assert answer(signers, write_request(0, (LEAVES[0],), good)).status == 422


def test_every_key_of_the_log_that_is_named_must_have_signed(signers: tuple[Signer, Signer]) -> None:
    """A log with two keys may sign with either; a line of one that fails is not outvoted by the other's."""
    log, witness = signers
    second = parse_private(generate()[0], "second")
    origin, good = parse_checkpoint(head(log, 1)).origin, head(log, 3)
    known = {origin: [*log_keys(log)[origin], note_key(origin, parse_public(second.public, "second"))]}
    text = good.split(b"\n\n")[0] + b"\n"
    line, other = note_line(origin, text, second), note_line(origin, text + b"x\n", second)
    for note, status in ((good, 200), (text + b"\n" + line, 200), (good + line, 200), (good + other, 403), (text + b"\n" + other, 403)):
        assert judge(write_request(0, (), note), known, b"", "witness.example/w1", witness, NOW).status == status


@given(st.one_of(st.binary(max_size=200), st.text(max_size=80).map(lambda t: b"old 3\n" + t.encode("utf-8", "surrogatepass"))))
def test_noise_is_a_bad_request(raw: bytes) -> None:
    """Whatever is sent, a witness answers 400 and keeps nothing."""
    pair = parse_private(_FIXED, "log"), parse_private(_FIXED, "witness")
    got = answer(pair, raw)
    assert (got.status, got.kept) == (400, b"")
    with suppress(DossierError):
        parse_request(raw)


_FIXED = generate()[0]


def test_a_lock_that_is_held_is_not_waited_for_in_vain(
    tmp_path: Path, signers: tuple[Signer, Signer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process was stopped while it wrote: whoever asks is told within the time, nothing is cosigned; afterwards it goes on."""
    monkeypatch.setattr("release_dossier.sources.witness.LOCK_SECONDS_MAX", 0.1)
    log, key = signers
    w = Witness(tmp_path, "witness.example/w1", key, log_keys(log), lambda: NOW)
    asked = write_request(0, (), head(log, 3))
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable) as e:
            w.add_checkpoint(asked)
    assert e.value.code == "witness.locked"
    assert not [p for p in tmp_path.iterdir() if p.name != "lock"]
    assert w.add_checkpoint(asked).status == 200


@contextmanager
def served(folder: Path, signers: tuple[Signer, Signer]) -> Iterator[str]:
    log, witness = signers
    server = witness_server(Witness(folder, "witness.example/w1", witness, log_keys(log), lambda: NOW), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_client_and_server_over_http(tmp_path: Path, signers: tuple[Signer, Signer]) -> None:
    """A log asks a witness over HTTP, also when it does not know what the witness saw; the witness serves what it cosigned."""
    log, witness = signers
    key = key_of(witness)
    with served(tmp_path, signers) as url:
        first = ask_witness(ask, url, key, head(log, 5), Tree(LEAVES[:5]), 0)
        grown = ask_witness(ask, url, key, head(log, 11), Tree(LEAVES[:11]), 0)
        assert cosigners(first, (key,)) == cosigners(grown, (key,)) == (key.name,)
        origin = parse_checkpoint(grown).origin
        with urllib.request.urlopen(f"{url}/{origin_hash(origin)}/checkpoint") as r:
            assert r.read() == grown
        assert ask(f"{url}/{'0' * 64}/checkpoint")[0] == 404
        assert ask(f"{url}/add-checkpoint", b"x" * 70_000)[0] == 413


@pytest.mark.parametrize("length", ["\xb2", "9" * 5000, "-1", "1e3", ""])
def test_a_length_that_is_no_number_is_refused(tmp_path: Path, signers: tuple[Signer, Signer], length: str, capfd: Any) -> None:
    """Also a digit of another script, or more digits than are read: 413, and no traceback at the witness."""
    with served(tmp_path, signers) as url, socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as s:
        s.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %b\r\n\r\n" % length.encode("latin-1"))
        assert s.recv(100).startswith(b"HTTP/1.1 413 ")
    assert "Traceback" not in capfd.readouterr().err


def test_who_sends_too_much_hears_so(tmp_path: Path, signers: tuple[Signer, Signer]) -> None:
    """The answer comes before the rest was sent, and sending the rest does not fail: a client that first sends all of it reads it too."""
    with served(tmp_path, signers) as url, socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as s:
        s.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 70000\r\n\r\n")
        said = b""
        while piece := s.recv(4096):
            said += piece
        assert said.startswith(b"HTTP/1.1 413 ")
        for _ in range(70):
            s.sendall(b"x" * 1000)


def test_whoever_drips_holds_up_nobody(tmp_path: Path, signers: tuple[Signer, Signer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that stay open are no more than so many, and end after a time; then logs are answered again."""
    log, witness = signers
    monkeypatch.setattr("release_dossier.sources.witness.CONNECTIONS_MAX", 3)
    monkeypatch.setattr("release_dossier.sources.witness.CONNECTION_SECONDS_MAX", 0.5)
    with served(tmp_path, signers) as url:
        held = [socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) for _ in range(5)]
        for s in held:
            s.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 9\r\n\r\no")
        for s in held:
            s.settimeout(60)
            with suppress(ConnectionError), s:
                while s.recv(4096):  # each is answered or ended, and not waited for
                    pass
        monkeypatch.setattr("release_dossier.sources.witness.CONNECTION_SECONDS_MAX", 60)  # whoever does not drip has time
        assert ask_witness(ask, url, key_of(witness), head(log, 5), Tree(LEAVES[:5]), 0)


def test_attack_log_rewound_or_forked_before_a_witness(tmp_path: Path, signers: tuple[Signer, Signer]) -> None:
    """A log that lost entries, or says other ones, is found by the witness that saw it, also after the witness restarted."""
    log, witness = signers
    key = key_of(witness)
    with served(tmp_path, signers) as url:
        ask_witness(ask, url, key, head(log, 11), Tree(LEAVES[:11]), 0)
    with served(tmp_path, signers) as url:
        with pytest.raises(Corrupt) as found:
            ask_witness(ask, url, key, head(log, 7), Tree(LEAVES[:7]), 7)
        assert found.value.code == "log.rolled-back"
        with pytest.raises(Corrupt) as found:
            ask_witness(ask, url, key, head(log, 15, OTHER), Tree(OTHER[:15]), 11)
        assert found.value.code == "log.fork"


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (500, b"", Unavailable, "witness.refuses"),
        (409, b"x\n", Unavailable, "witness.refuses"),
        (409, b"4\n", Unavailable, "witness.refuses"),  # says so twice
        (409, b"5\n", Corrupt, "log.fork"),  # as long, and another root: what 409 said too, before July 2026
        (200, b"", Corrupt, "log.note"),
        (200, "— witness.example/w1 AAAAAAAA\n".encode(), Corrupt, "witness.cosignature"),
    ],
)
def test_a_bad_witness_is_named(signers: tuple[Signer, Signer], status: int, body: bytes, kind: type[DossierError], code: str) -> None:
    """Whatever a witness answers that is no cosignature of its key, the caller is told which witness and why."""
    log, witness = signers
    with pytest.raises(kind) as found:
        ask_witness(lambda url, raw: (status, body), "http://w", key_of(witness), head(log, 5), Tree(LEAVES[:5]), 0)
    assert found.value.code == code
    assert "witness.example/w1" in found.value.at


def test_a_cosignature_that_does_not_say_when_is_none(signers: tuple[Signer, Signer]) -> None:
    """C2SP tlog-witness: what a witness answers has the moment in it."""
    log, witness = signers
    note = head(log, 5)
    text = parse_checkpoint(note).text
    for at, good in ((0, False), (1, True)):
        line = cosign("witness.example/w1", text, witness, at)
        with nullcontext() if good else pytest.raises(Corrupt):
            ask_witness(lambda url, raw, line=line: (200, line), "http://w", key_of(witness), note, Tree(LEAVES[:5]), 0)
