"""A proof that something is in a log, as one text that is checked offline (C2SP tlog-proof).

c2sp.org/tlog-proof@v1
[extra BASE64]          free, and signed by nobody
index NUMBER
BASE64                  the path, nearest first
                        an empty line, then the checkpoint as the log signed it
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import msgspec

from release_dossier.errors import Corrupt
from release_dossier.trust.log import parse_checkpoint, verify_inclusion

HEADER = "c2sp.org/tlog-proof@v1"
PATH_MAX = 63  # hashes; a tree of 2^63 leaves


class Proof(msgspec.Struct, frozen=True):
    """Number of the entry, the path to the root, the checkpoint's bytes, and what else was said, which nothing vouches for."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def write_proof(index: int, path: Sequence[bytes], checkpoint: bytes, extra: bytes = b"") -> bytes:
    """The text of a proof."""
    hashes = "".join(base64.b64encode(h).decode() + "\n" for h in path)
    said = f"extra {base64.b64encode(extra).decode()}\n" if extra else ""
    return f"{HEADER}\n{said}index {index}\n{hashes}\n".encode() + checkpoint


def parse_proof(raw: bytes, at: str = "tlog proof") -> Proof:
    """A proof taken apart; nothing is verified: see `proves`.

    Raises:
        Corrupt: `log.proof`.
    """
    head, cut, checkpoint = raw.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    if not cut or lines[0] != HEADER or not checkpoint:
        raise Corrupt("log.proof", at=at, found=repr(raw[:40]), expected=f"{HEADER}, a path and a checkpoint")
    rest = lines[1:]
    extra = _base64(rest.pop(0).removeprefix("extra "), at) if rest and rest[0].startswith("extra ") else None
    index = re.fullmatch(r"index (0|[1-9][0-9]{0,18})", rest.pop(0)) if rest else None
    if index is None:
        raise Corrupt("log.proof", at=at, found=repr(head[:80]), expected="a line: index NUMBER")
    path = tuple(_base64(line, at) for line in rest)
    if len(path) > PATH_MAX or any(len(h) != 32 for h in path):
        raise Corrupt("log.proof", at=at, found=f"{len(path)} hashes", expected=f"at most {PATH_MAX}, each of 32 bytes")
    return Proof(int(index[1]), path, checkpoint, extra)


def proves(proof: Proof, leaf: bytes, at: str = "tlog proof") -> bool:
    """Whether leaf hash `leaf` is where the proof says, under its checkpoint. Who signed that is asked of the checkpoint.

    Raises:
        Corrupt: `log.note`, `log.checkpoint`.
    """
    head = parse_checkpoint(proof.checkpoint, at)
    return verify_inclusion(leaf, proof.index, head.size, proof.path, head.root)


def _base64(text: str, at: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as e:
        raise Corrupt("log.proof", at=at, found=repr(text[:40]), expected="base64") from e
    if base64.b64encode(data).decode() != text:
        raise Corrupt("log.proof", at=at, found=repr(text[:40]), expected="base64 with padding")
    return data
