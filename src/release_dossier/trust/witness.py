"""A witness (C2SP tlog-witness): who saw a checkpoint says so, and says so only of checkpoints that extend what it saw before.

1. The log sends its checkpoint with a proof from the size the witness knows. The witness answers with a line for the note, or why not.
2. What the witness saw last is kept before it answers; comparing and keeping happen as one.
3. Statuses are the specification's: 400 no such request, 403 not signed by the log, 404 an unknown log, 409 another size is known
   (its number in the body), 422 the log does not extend what was seen. As long and with another root is 422 too, since C2SP's commit
   95978ca of July 2026; before, it was 409, which would tell a log that forked to ask again.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec

from release_dossier.errors import Corrupt, DossierError, Refused
from release_dossier.trust.keys import Signer
from release_dossier.trust.log import Checkpoint, parse_checkpoint
from release_dossier.trust.merkle import EMPTY_ROOT, verify_consistency
from release_dossier.trust.note import NoteKey, Signature, cosign, cosigned_at, parse_signature_lines, signed_by

PROOF_MAX = 63  # hashes; fixed by the specification
REQUEST_BYTES_MAX = 64 * 1024  # bytes; a proof of 63 hashes and a checkpoint with 16 signatures take 10 kB
SIZE_TYPE, NOTE_TYPE = "text/x.tlog.size", "text/plain; charset=utf-8"


class Request(msgspec.Struct, frozen=True):
    """What a log asks a witness: the size it should know, the proof from there, and the checkpoint as signed."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes


class Answer(msgspec.Struct, frozen=True):
    """What a witness answers. `kept`, when not empty, must be durable as the newest checkpoint of the log before the answer leaves."""

    status: int
    body: bytes
    kept: bytes = b""

    @property
    def content_type(self) -> str:
        """Of the body."""
        return SIZE_TYPE if self.status == 409 else NOTE_TYPE


def write_request(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of add-checkpoint."""
    return b"old %d\n" % old + b"".join(base64.b64encode(h) + b"\n" for h in proof) + b"\n" + note


def parse_request(raw: bytes) -> Request:
    """The body of add-checkpoint taken apart.

    Raises:
        Refused: `witness.request`.
    """
    head, cut, note = raw.partition(b"\n\n")
    lines = head.split(b"\n")
    old = re.fullmatch(rb"old (0|[1-9][0-9]{0,18})", lines[0])
    if not cut or old is None or len(lines) - 1 > PROOF_MAX or len(raw) > REQUEST_BYTES_MAX:
        raise Refused(
            "witness.request", at="add-checkpoint", found=repr(raw[:60]), expected="old SIZE, a proof, an empty line, a checkpoint"
        )
    proof = []
    for line in lines[1:]:
        try:
            proof.append(base64.b64decode(line, validate=True))
        except ValueError as e:
            raise Refused("witness.request", at="add-checkpoint", found=repr(line[:60]), expected="a hash in base64") from e
        if len(proof[-1]) != 32 or base64.b64encode(proof[-1]) != line:
            raise Refused("witness.request", at="add-checkpoint", found=repr(line[:60]), expected="a hash of 32 bytes in base64")
    return Request(int(old[1]), tuple(proof), note)


def origin_hash(origin: str) -> str:
    """How a witness names a log in its paths."""
    return hashlib.sha256(origin.encode()).hexdigest()


def origin_in(raw: bytes) -> str:
    """Whose checkpoint a request brings; empty when it is no request. So a witness knows what to lock before it judges."""
    try:
        return parse_checkpoint(parse_request(raw).note).origin
    except DossierError:
        return ""


def judge(raw: bytes, known: Mapping[str, Sequence[NoteKey]], latest: bytes, name: str, signer: Signer, posix_s: int) -> Answer:
    """What the witness `name` answers to a request at `posix_s`. `known` are logs' keys by origin, `latest` is the checkpoint of this log
    it cosigned last, empty when there is none. Never raises about what was asked.

    Raises:
        Corrupt: `log.*`: what the witness kept is no checkpoint.
    """
    seen = parse_checkpoint(latest, "kept checkpoint") if latest else None
    try:
        request = parse_request(raw)
        new = parse_checkpoint(request.note, "checkpoint")
    except DossierError as e:
        return Answer(400, str(e).encode() + b"\n")
    keys = known.get(new.origin)
    if keys is None:
        return Answer(404, b"unknown log\n")
    named = [k for k in keys if any((n, h) == (k.name, k.hash) for n, h, _ in new.signatures)]
    if not named or not all(signed_by(new.text, new.signatures, k) for k in named):
        return Answer(403, b"not signed by a key of the log\n")
    if request.old > new.size:
        return Answer(400, b"the old size is larger than the checkpoint's\n")
    size = seen.size if seen else 0
    if request.old != size:
        return Answer(409, b"%d\n" % size)
    if (fault := _does_not_extend(seen, new, request.proof)) is not None:
        return Answer(422, fault)
    line = cosign(name, new.text, signer, posix_s)
    log_lines = b"".join(_line(s) for s in new.signatures if any((s[0], s[1]) == (k.name, k.hash) for k in named))
    return Answer(200, line, new.text + b"\n" + log_lines + line)


def _does_not_extend(seen: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> bytes | None:
    if new.size == 0 and new.root != EMPTY_ROOT:
        return b"a tree of nothing has another root\n"
    if seen is None or seen.size == 0:
        return b"a proof from nothing must be empty\n" if proof else None
    if verify_consistency(seen.size, new.size, seen.root, new.root, proof):
        return None
    return b"the log does not extend the %d entries seen before\n" % seen.size


def _line(signature: Signature) -> bytes:
    name, key_hash, rest = signature
    return f"\u2014 {name} {base64.b64encode(key_hash + rest).decode()}\n".encode()


def cosigned(note: bytes, lines: bytes, witness: NoteKey, at: str) -> bytes:
    """`note` with the cosignature of `witness` that its answer brought; other lines are left out.

    Raises:
        Corrupt: `log.note`, `witness.cosignature`: the answer holds no valid one.
    """
    checkpoint = parse_checkpoint(note, at)
    mine = [s for s in parse_signature_lines(lines, at) if (s[0], s[1]) == (witness.name, witness.hash)]
    if not mine or not signed_by(checkpoint.text, mine, witness) or cosigned_at(mine, witness) == 0:  # C2SP: it says when
        raise Corrupt("witness.cosignature", at=at, found="no valid cosignature", expected=f"one of {witness.name} over this checkpoint")
    return note + b"".join(_line(s) for s in mine[:1])


def cosigners(note: bytes, witnesses: Sequence[NoteKey], at: str = "checkpoint") -> tuple[str, ...]:
    """Names of those of `witnesses` that cosigned a checkpoint, in order.

    Raises:
        Corrupt: `log.note`, `log.checkpoint`.
    """
    checkpoint = parse_checkpoint(note, at)
    return tuple(sorted({w.name for w in witnesses if signed_by(checkpoint.text, checkpoint.signatures, w)}))
