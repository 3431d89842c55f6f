"""Secrets that slipped into artifacts: tokens, passwords, private keys and e-mail addresses, found, withheld and committed to.

1. What looks like a secret never reaches a page, a payload or a signed statement: `withhold` puts a mark in its place that says which
   sort it was and commits to it.
2. A commitment is an HMAC under a key made from the whole artifact (`key_of`). Who holds the artifact can open it; who only reads the
   mark cannot try all e-mail addresses against it, as with a plain digest he could.
3. Looking is by anchors (`ghp_`, `://`, `@`), each checked with a pattern over a bounded window: time is linear in the text.
4. It finds what has a known form or stands beside a word such as `password`. A secret without either is not found, and no page may
   say that there is none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import IO

import msgspec

from release_dossier.evidence.reading import Reading, retold

WINDOW_CHARS = 4_096  # characters of one secret: a private key of 4,096 bits takes 3,300
_BEFORE_CHARS = 80  # characters before an anchor that can belong to it: the local part of an address has at most 64
_BLOCK_BYTES = 1024 * 1024
_CLOSED = "https://w3id.org/release-dossier/withheld/v1"
_PRIVATE_KEY = r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:[^-]|-(?!----END))*(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----)?)"

# sort · anchors in lower case · the secret as its group 1, matched from `back` characters before the anchor
_FORMS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("private key", ("-----begin ",), _PRIVATE_KEY),
    ("AWS key", ("akia", "asia"), r"((?:AKIA|ASIA)[0-9A-Z]{16})(?![0-9A-Za-z])"),
    ("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"(gh[pousr]_[0-9A-Za-z]{30,255})"),
    ("GitHub token", ("github_pat_",), r"(github_pat_[0-9A-Za-z_]{22,255})"),
    ("GitLab token", ("glpat-",), r"(glpat-[0-9A-Za-z_-]{20,255})"),
    ("Slack token", ("xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-"), r"(x(?:ox[bpars]|app)-[0-9A-Za-z-]{10,255})"),
    ("Google key", ("aiza",), r"(AIza[0-9A-Za-z_-]{35})(?![0-9A-Za-z_-])"),
    ("Stripe key", ("sk_live_", "rk_live_", "sk_test_"), r"([rs]k_(?:live|test)_[0-9A-Za-z]{16,255})"),
    ("npm token", ("npm_",), r"(npm_[0-9A-Za-z]{36})(?![0-9A-Za-z])"),
    ("PyPI token", ("pypi-age",), r"(pypi-AgE[0-9A-Za-z_-]{40,1000})"),
    ("JSON web token", ("eyj",), r"(eyJ[0-9A-Za-z_-]{8,2000}\.eyJ[0-9A-Za-z_-]{8,2000}\.[0-9A-Za-z_-]{10,1000})"),
    ("bearer token", ("bearer ", "basic "), r"(?i:bearer|basic) +([0-9A-Za-z._~+/-]{16,2000}={0,2})"),
    ("password in an address", ("://",), r"://[^\s/@:'\"<>]{0,128}:((?![$<{*%])[^\s/@'\"<>]{1,256})@"),
)  # fmt: skip
_WORDS = ("password", "passwd", "secret", "api_key", "apikey", "api-key", "access_token", "auth_token", "client_secret", "signing_key")
_VALUE = re.compile(
    r"""[\w-]{0,32}["']?\s{0,4}(?:=>|:=|[:=])\s{0,4}(?:"([^"\n\\]{6,256})"|'([^'\n\\]{6,256})'|([^\s"'`,;{}()\[\]<>$*%&]{6,256}))"""
)
_NO_SECRET = re.compile(
    r"(?i)[*x.•-]+\Z|\$|\{\{|<|%|(?:required|redacted|withheld|null|none|true|false|undefined|string|changeme|invalid\w*|missing)\Z"
)
_NAME_ONLY = re.compile(r"[A-Za-z_.]+\Z")  # a bare word after a colon is prose or a variable; a bare secret has a digit or a sign
_LOCAL = re.compile(r"[A-Za-z0-9._%+-]{1,64}\Z")
_DOMAIN = re.compile(r"@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24})(?![A-Za-z0-9-])(?!:)")
_NOBODY = re.compile(
    r"(?i)(?:^|\.)(?:example\.(?:com|org|net)|example|invalid|test|localhost|noreply\.github\.com)\Z"
)  # RFC 2606, and no mailbox
_COMPILED = tuple((sort, anchors, re.compile(pattern)) for sort, anchors, pattern in _FORMS)


class Secret(msgspec.Struct, frozen=True):
    """Something that looks like a secret: its sort, and the characters `start` to `end` of the text."""

    sort: str
    start: int
    end: int


class Withheld(msgspec.Struct, frozen=True):
    """What stands in place of a secret: its sort, and the commitment that whoever has the artifact can check with `commitment`."""

    sort: str
    commitment: str


def find(text: str) -> tuple[Secret, ...]:
    """What looks like a secret in `text`, in order, none overlapping another."""
    low = text.lower()
    if len(low) != len(text):  # a letter whose lower case is longer would shift every place
        low = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    found = [*_by_form(text, low), *_by_word(text, low), *_addresses(text)]
    out: list[Secret] = []
    for secret in sorted(found, key=lambda s: (s.start, -s.end)):
        if not out or secret.start >= out[-1].end:
            out.append(secret)
    return tuple(out)


def withhold(text: str, key: bytes) -> tuple[str, tuple[Withheld, ...]]:
    """`text` with a mark in place of each secret, and what was withheld. Text without one comes back as it is.

    Args:
        key: of `key_of`, or any 32 bytes kept beside the artifact.
    """
    parts: list[str] = []
    gone: list[Withheld] = []
    at = 0
    for secret in find(text):
        mark = Withheld(secret.sort, commitment(text[secret.start : secret.end], secret.sort, key))
        parts += [text[at : secret.start], f"[withheld: {mark.sort} {mark.commitment[:19]}]"]
        gone.append(mark)
        at = secret.end
    return "".join([*parts, text[at:]]) if gone else text, tuple(gone)


def commitment(secret: str, sort: str, key: bytes) -> str:
    """`hmac:<64 hex>` over the sort and the secret. The mark in a text shows its first 14 digits."""
    return "hmac:" + hmac.new(key, f"{sort}\0{secret}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def key_of(stream: IO[bytes]) -> bytes:
    """The key of an artifact's commitments: a digest of all of it that no other document names."""
    stream.seek(0)
    digest = hashlib.sha256(_CLOSED.encode() + b"\0")
    while block := stream.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.digest()


def scan(stream: IO[bytes], bytes_max: int) -> tuple[dict[str, int], bool]:
    """How many secrets of each sort the first `bytes_max` bytes of a stream show, and whether that was all of it.

    A secret that lies across two blocks is found in their overlap and counted once.
    """
    counts: dict[str, int] = {}
    kept, seen = "", 0
    while seen < bytes_max and (block := stream.read(min(_BLOCK_BYTES, bytes_max - seen))):
        seen += len(block)
        text = kept + block.decode("latin-1")
        last = len(block) < _BLOCK_BYTES
        edge = len(text) if last else max(0, len(text) - WINDOW_CHARS)
        cut = edge
        for secret in find(text):
            if secret.start < edge:
                counts[secret.sort] = counts.get(secret.sort, 0) + 1
                cut = max(cut, secret.end)
        kept = "" if last else text[cut:]
    return counts, not stream.read(1)


def report(counts: dict[str, int]) -> str:
    """The sentence for `limits`; empty when nothing was found."""
    if not counts:
        return ""
    words = ", ".join(f"{n} of sort {sort}" for sort, n in sorted(counts.items()))
    return f"secrets stand in this file and are withheld wherever it is shown: {words}"


def reported(reading: Reading, stream: IO[bytes], bytes_max: int) -> Reading:
    """A reading that says which secrets the file it was read from shows: how many of each sort, or in how much of it was looked."""
    stream.seek(0)
    counts, whole = scan(stream, bytes_max)
    said = report(counts)
    if said and not whole:
        said += f"; looked for in its first {bytes_max} bytes"
    return msgspec.structs.replace(reading, limits=(*reading.limits, said)) if said else reading


def of_reading(reading: Reading, key: bytes) -> tuple[Reading, dict[str, int]]:
    """A reading without secrets in its texts, and how many of each sort were withheld."""
    counts: dict[str, int] = {}

    def clean(text: str) -> str:
        out, gone = withhold(text, key)
        for mark in gone:
            counts[mark.sort] = counts.get(mark.sort, 0) + 1
        return out

    made = retold(reading, clean, lambda fact, value: msgspec.structs.replace(fact, value=clean(value)))
    return (made, counts) if counts else (reading, counts)


def opens(mark: Withheld, secret: str, artifact: IO[bytes]) -> bool:
    """Whether `secret` is what `mark` stands for, by the artifact it was found in."""
    key = key_of(artifact)
    return hmac.compare_digest(mark.commitment, commitment(secret, mark.sort, key))


def _by_form(text: str, low: str) -> Iterator[Secret]:
    for sort, anchors, pattern in _COMPILED:
        begun = ended = -1
        for at in _places(low, anchors):
            if begun <= at < ended:  # inside what was found already: a text of nothing but anchors is read once
                continue
            found = pattern.match(text, at, at + WINDOW_CHARS)
            if found:
                begun, ended = found.span(1)
                yield Secret(sort, begun, ended)


def _by_word(text: str, low: str) -> Iterator[Secret]:
    for word in _WORDS:
        for at in _places(low, (word,)):
            found = _VALUE.match(text, at + len(word), at + len(word) + 512)
            group = next((i for i in (1, 2, 3) if found and found[i]), 0)
            if found and group and not _NO_SECRET.match(found[group]) and not (group == 3 and _NAME_ONLY.match(found[3])):
                yield Secret("password", found.start(group), found.end(group))


def _addresses(text: str) -> Iterator[Secret]:
    for at in _places(text, ("@",)):
        before = _LOCAL.search(text[max(0, at - _BEFORE_CHARS) : at])
        after = _DOMAIN.match(text, at, at + 256)
        if before and after and before[0][0] != "." and not _NOBODY.search(after[1]):
            yield Secret("e-mail address", at - len(before[0]), after.end(1))


def _places(text: str, anchors: tuple[str, ...]) -> Iterator[int]:
    for anchor in anchors:
        at = text.find(anchor)
        while at >= 0:
            yield at
            at = text.find(anchor, at + 1)
