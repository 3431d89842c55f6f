"""A bundle: everything about one dossier in one file that another reviewer checks offline, with ordinary tools.

1. The file is a tar whose every byte follows from names and contents: ustar, sorted, no times, owners or padding to choose.
   Reading compares each header with the one writing would make, so no byte of the file is free.
2. `bundle.json` is a signed statement whose subjects are all other files with their SHA-256. No file is unlisted.
3. Statements lie in it as the envelopes they were stored in. A person's signature lies beside its statement as `.sig`, and the
   bytes it is over as `.pae`, because that is what `ssh-keygen -Y verify` asks for.
4. `trust/` is what the maker saw. A verifier brings its own: nothing in a bundle says whom to believe.
5. Examining names every fault, not the first one. It reads the file once; artifacts are hashed as they pass and not kept.
6. `attestations/` says the same in the words of others, signed by the maker: a SLSA verification summary for each decision, an in-toto
   test result for each evidence of tests. They are derived: whoever verifies makes them again and compares.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import msgspec

from release_dossier.digest import canonical, is_canonical, parse_canonical, read_as
from release_dossier.errors import Corrupt, DossierError, Refused
from release_dossier.limits import (
    ARTIFACT_BYTES_MAX,
    BUNDLE_BYTES_MAX,
    BUNDLE_DOCUMENTS_BYTES_MAX,
    BUNDLE_FILES_MAX,
    DOCUMENT_BYTES_MAX,
)
from release_dossier.trust.document import Trust, parse_chain
from release_dossier.trust.dsse import PAYLOAD_TYPE, Envelope, pae, parse_envelope, seal, valid_keys
from release_dossier.trust.keys import Signer, parse_public
from release_dossier.trust.log import Entry, Tree, checkpoint_signers, leaf_of, leaves_of, origin_of, parse_checkpoint, parse_entry
from release_dossier.trust.merkle import Inclusions
from release_dossier.trust.statement import PREDICATE_BASE, Statement, Subject, parse_intoto, parse_statement, state

MANIFEST, SUMS, HOW_TO = "bundle.json", "SHA256SUMS", "HOW-TO-CHECK.md"
ARTIFACTS, ATTESTATIONS, TAGS = "artifacts/", "attestations/", "tags/"
CHAIN, SIGNERS, CHECKPOINT, PROOFS = "trust/dossier.trust.json", "trust/allowed_signers", "log/checkpoint", "log/proofs.json"
# Where statements lie: one file at the top for what a bundle has once, a folder for the rest.
ONCE = ("change", "dossier", "decision", "release")
FOLDERS = {
    "started": "evidence",
    "evidence": "evidence",
    "approval": "approvals",
    "rejection": "rejections",
    "withdrawal": "withdrawals",
    "waiver": "waivers",
    "release": "releases",
    "decision": "decisions",
    "change": "changes",
    "dossier": "dossiers",
    "deployment": "deployments",
    "posture": "postures",
    "erasure": "erasures",
}
_BLOCK = 512
_CHUNK_BYTES = 1024 * 1024
_NAME = re.compile(r"(?!/)(?:(?:^|/)(?!\.+(?:/|\Z))[A-Za-z0-9._@+-]+)+\Z")  # no part of dots alone


_Note = Callable[[str, str | None, str], None]
_T = TypeVar("_T")
_U = TypeVar("_U")
_Each = Callable[[Sequence[tuple[str, Envelope]], Callable[[tuple[str, Envelope]], frozenset[str]]], list[frozenset[str]]]


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: `state` is `pass` or `fail`, `detail` says what was found."""

    name: str
    state: str
    detail: str


class Opened(msgspec.Struct, frozen=True):
    """A bundle as read: content of each file but the artifacts, and SHA-256 in hexadecimal of every one."""

    files: Mapping[str, bytes]
    digests: Mapping[str, str]


class Examined(msgspec.Struct, frozen=True):
    """A bundle taken apart. `statements` are by file name, `keys` the ids of the known keys that really signed each, `maker` of those
    that signed the manifest. `places` are the log's entries the bundle proves, by digest of the statement; `attested` the payloads of
    attestations by file name."""

    project: str
    files: Mapping[str, bytes]
    digests: Mapping[str, str]
    maker: frozenset[str]
    places: Mapping[str, Entry]
    statements: Mapping[str, Statement]
    keys: Mapping[str, frozenset[str]]
    attested: Mapping[str, bytes]
    checks: tuple[Check, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing failed."""
        return bool(self.checks) and all(c.state == "pass" for c in self.checks)


# The file


def pack(files: Mapping[str, bytes]) -> bytes:
    """`files` (name → content) as one deterministic tar.

    Raises:
        Refused: `bundle.name`, `bundle.too-large`.
    """
    return b"".join(blocks(files))


def blocks(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """`pack` in pieces, for writing without a second copy in memory."""
    if len(files) > BUNDLE_FILES_MAX:
        raise Refused("bundle.too-large", at="bundle", found=f"{len(files)} files", expected=f"at most {BUNDLE_FILES_MAX}")
    total = 2 * _BLOCK + sum(_BLOCK + len(c) + -len(c) % _BLOCK for c in files.values())
    if total > BUNDLE_BYTES_MAX:
        raise Refused("bundle.too-large", at="bundle", found=f"{total} bytes", expected=f"at most {BUNDLE_BYTES_MAX}")
    for name in sorted(files):
        if not is_name(name):
            raise Refused("bundle.name", at="bundle", found=name, expected="a relative name of letters, digits and . _ @ + - /")
        content = files[name]
        yield _header(name, len(content))
        yield content
        yield bytes(-len(content) % _BLOCK)
    yield bytes(2 * _BLOCK)


def unpack(path: Path) -> dict[str, bytes]:
    """The files of the bundle at `path`, all of them in memory.

    Raises:
        As `open_bundle`.
    """
    return dict(_from(path, keep_artifacts=True).files)


def open_bundle(path: Path) -> Opened:
    """The bundle at `path`, read once; memory is bounded by its documents.

    Raises:
        Refused: `bundle.unreadable`, `bundle.too-large`. Corrupt: `bundle.*`, naming the member and the byte.
    """
    return _from(path, keep_artifacts=False)


def unpack_bytes(raw: bytes, at: str = "bundle") -> dict[str, bytes]:
    """`unpack` of bytes at hand."""
    return dict(_opened(BytesIO(raw), len(raw), at, keep_artifacts=True).files)


def open_bytes(raw: bytes, at: str = "bundle") -> Opened:
    """`open_bundle` of bytes at hand."""
    return _opened(BytesIO(raw), len(raw), at, keep_artifacts=False)


def _from(path: Path, *, keep_artifacts: bool) -> Opened:
    try:
        if not path.is_file():
            raise Refused("bundle.unreadable", at=str(path), found="no such file", expected="a bundle", help="dossier export")
        size = path.stat().st_size
        with path.open("rb") as stream:
            return _opened(stream, size, str(path), keep_artifacts=keep_artifacts)
    except OSError as e:
        raise Refused("bundle.unreadable", at=str(path), found=e.strerror or "an error", expected="a bundle") from e


def _opened(stream: IO[bytes], size: int, at: str, *, keep_artifacts: bool) -> Opened:
    files: dict[str, bytes] = {}
    digests: dict[str, str] = {}
    kept = 0
    for name, digest, content in members(stream, size, at, keep_artifacts=keep_artifacts):
        kept += len(content)
        if kept > BUNDLE_DOCUMENTS_BYTES_MAX and not keep_artifacts:
            raise Refused(
                "bundle.too-large", at=f"{at}, {name}", found=f"over {kept} bytes of documents", expected=f"{BUNDLE_DOCUMENTS_BYTES_MAX}"
            )
        digests[name] = digest
        if keep_artifacts or not name.startswith(ARTIFACTS):
            files[name] = content
    return Opened(files, digests)


def members(stream: IO[bytes], size: int, at: str, *, keep_artifacts: bool = True) -> Iterator[tuple[str, str, bytes]]:
    """Name, SHA-256 and content of each file in turn, in one pass; content of artifacts is empty unless it is to be kept. Rule 1 is
    checked on the way.

    Raises:
        Refused: `bundle.too-large`. Corrupt: `bundle.header`, `bundle.name`, `bundle.order`, `bundle.padding`, `bundle.end`.
    """
    if size > BUNDLE_BYTES_MAX:
        raise Refused("bundle.too-large", at=at, found=f"{size} bytes", expected=f"at most {BUNDLE_BYTES_MAX} bytes")
    pos, before = 0, ""
    for _ in range(BUNDLE_FILES_MAX + 1):
        header = stream.read(_BLOCK)
        where = f"{at} byte {pos}" + (f", after {before}" if before else "")
        if header == bytes(_BLOCK):
            rest = stream.read(_BLOCK + 1)
            if rest != bytes(_BLOCK):
                raise Corrupt(
                    "bundle.end", at=where, found=f"{len(rest)} more bytes", expected="an end of two empty blocks, and nothing after"
                )
            return
        name, length = _read_header(header, where)
        if name <= before:
            raise Corrupt("bundle.order", at=where, found=f"{name} after {before}", expected="names in order, each once")
        pos += _BLOCK
        if length > min(ARTIFACT_BYTES_MAX, size - pos):
            raise Corrupt("bundle.header", at=f"{where}, {name}", found=f"a length of {length} bytes", expected=f"at most {size - pos}")
        digest, content = _content(stream, length, keep_artifacts or not name.startswith(ARTIFACTS))
        padding = stream.read(-length % _BLOCK)
        if digest is None or padding != bytes(-length % _BLOCK):
            raise Corrupt("bundle.padding", at=f"{where}, {name}", found="padding that is not empty", expected="zeros up to the next block")
        pos += length + len(padding)
        before = name
        yield name, digest, content
    raise Refused("bundle.too-large", at=at, found=f"over {BUNDLE_FILES_MAX} files", expected=f"at most {BUNDLE_FILES_MAX}")


def _content(stream: IO[bytes], length: int, keep: bool) -> tuple[str | None, bytes]:
    """SHA-256 of the next `length` bytes, None where there are fewer, and the bytes if they are to be kept."""
    if length <= _CHUNK_BYTES:
        content = stream.read(length)
        return hashlib.sha256(content).hexdigest() if len(content) == length else None, content if keep else b""
    h, kept, left = hashlib.sha256(), [], length
    while left:
        chunk = stream.read(min(left, _CHUNK_BYTES))
        if not chunk:
            return None, b""
        h.update(chunk)
        left -= len(chunk)
        if keep:
            kept.append(chunk)
    return h.hexdigest(), b"".join(kept)


def is_name(name: str) -> bool:
    """Whether a file of a bundle may be called so: relative, plain, no step upwards, short enough for the plain tar header."""
    return len(name) <= 100 and _NAME.match(name) is not None


def _header(name: str, size: int) -> bytes:
    """POSIX ustar header of a plain file: mode 0644, owner 0, time 0."""
    called, length = name.encode(), b"%011o" % size
    total = sum(called) + sum(length) + _SUM
    return b"%b%b%b%b%06o\0 %b" % (called.ljust(100, b"\0"), _OWNED, length, _TIMED, total, _TAIL)


_OWNED, _TIMED = b"0000644\0" + b"0000000\0" * 2, b"\0" + b"00000000000\0"
_TAIL = b"0" + bytes(100) + b"ustar\0" + b"00" + bytes(64) + b"0000000\0" * 2 + bytes(155 + 12)
_SUM = sum(_OWNED) + sum(_TIMED) + sum(_TAIL) + 8 * 0x20  # the checksum is taken over itself as eight spaces


def _read_header(header: bytes, at: str) -> tuple[str, int]:
    """Name and size: the header must be the one they would be written with, which leaves no room for links, devices or owners."""
    if len(header) != _BLOCK:
        raise Corrupt("bundle.end", at=at, found=f"{len(header)} bytes", expected="a header, or an end of two empty blocks")
    name = header[:100].rstrip(b"\0").decode("utf-8", "replace")
    if not is_name(name):
        raise Corrupt("bundle.name", at=at, found=repr(name), expected="a relative name of letters, digits and . _ @ + - /")
    try:
        size = int(header[124:135], 8)
        same = size >= 0 and header == _header(name, size)
    except ValueError:
        same = False
    if not same:
        raise Corrupt(
            "bundle.header", at=f"{at}, {name}", found="another header", expected="a plain file, mode 0644, owner 0, time 0, nothing else"
        )
    return name, size


# What lies in it


def lay_out(
    statements: Sequence[tuple[Entry, bytes]],
    *,
    chain: bytes,
    trust: Trust,
    entries: Sequence[Entry],
    checkpoint: bytes,
    artifacts: Mapping[str, bytes],
    tags: Mapping[str, bytes],
    maker: str,
) -> dict[str, bytes]:
    """The files of a bundle, but for the manifest: names by the contract's tree.

    `statements` are log entries with their envelopes; the first change, dossier, decision and release lie at the top.
    `chain` is the trust document as the maker saw it, `artifacts` are by digest, `tags` raw tag objects by name.
    `checkpoint` is over `entries`; `maker` is the id of the key that will sign the manifest.

    Raises:
        Refused: `bundle.maker`, when the trust document does not list that key for a machine.
    """
    if trust.producer_of_key(maker) is None:
        raise Refused("bundle.maker", at="producer key", found=f"{maker}, which is not listed", expected="a machine of the trust document")
    named = tag_names(tags)
    files = written_out(statements, trust, maker, named)
    files[CHAIN], files[CHECKPOINT], files[PROOFS] = chain, checkpoint, _proofs([e for e, _ in statements], entries)
    files |= {f"{ARTIFACTS}{digest.removeprefix('sha256:')}": content for digest, content in artifacts.items()}
    files |= {named[tag]: content for tag, content in tags.items()}
    files[SUMS] = sums(files)
    return files


def written_out(
    statements: Sequence[tuple[Entry, bytes]], trust: Trust, maker: str, tags: Mapping[str, str], *, before: bool = False
) -> dict[str, bytes]:
    """What follows from the statements (log entries with their envelopes, in the log's order), the trust document the maker saw, and the
    tags with the file each lies in: the statements' own files, the signatures beside them, keys as other tools read them, and how to
    check it all. With `before`, as it was when signatures over another dossier were asked to speak of this one.

    The same values give the same bytes, so that a verifier can make these files again.
    """
    files: dict[str, bytes] = {}
    people: list[_Voice] = []
    names: dict[str, str] = {}
    once = {word: next((e.digest for e, _ in statements if e.type == word), "") for word in ONCE}
    for entry, raw in statements:
        name = _place(entry, files)
        files[name], names[entry.digest] = raw, name
        if b'"typedSignatures"' not in raw:
            continue
        envelope = parse_envelope(raw, name)
        for i, (kind, key, text) in enumerate(envelope.typed_signatures):
            person = trust.person_of_key(key)
            if kind == "sshsig" and person is not None:
                stem = name.removesuffix(".json") + (f"-{i + 1}" if i else "")
                files[f"{stem}.sig"] = text.encode()
                files[f"{stem}.pae"] = pae(PAYLOAD_TYPE, envelope.payload)
                here = before or _ours(once["dossier"]).encode() in envelope.payload
                people.append(_Voice(person.id, entry.type, stem, name, _recorded_before(trust, key, entry.at), here))
    files[SIGNERS] = allowed_signers(trust)
    for key_ in (k for p in trust.document.producers for k in p.keys):
        files[_pem_name(trust, key_.id)] = parse_public(key_.public, key_.id).pem()
    named = {file: (tag, _hash_of(tag, statements)) for tag, file in tags.items()}
    files[HOW_TO] = how_to_check(trust, maker, once, names, people, named).encode()
    return files


def _hash_of(tag: str, statements: Sequence[tuple[Entry, bytes]]) -> str:
    """How the repository names its objects, as the release of a tag has it."""
    released = (
        parse_statement(parse_envelope(raw, "release").payload, "release").predicate for e, raw in statements if e.type == "release"
    )
    return "sha256" if any(r["tag"] == tag and len(r["tag_object"]) == 64 for r in released) else "sha1"


def _recorded_before(trust: Trust, key: str, at: str) -> str:
    """When the log recorded what a key signed that was given up later; empty where it was not, or not later."""
    return at if trust.revoked_at(key) is not None and _stood(trust, key, at) else ""


class _Voice(NamedTuple):
    """A person's signature: the file of the statement, without its ending the stem of what lies beside it; `at` when the log recorded it,
    where its key was given up since, else empty; whether the statement speaks of this dossier, `here`."""

    person: str
    word: str
    stem: str
    name: str
    at: str
    here: bool


def _ours(dossier: str) -> str:
    """How a statement says that it speaks of a dossier."""
    return f'"dossier":"{dossier}"'


class Contents(msgspec.Struct, frozen=True):
    """What the manifest says beside its subjects, which are the files: the dossier's digest, and when it was packed (RFC 3339)."""

    dossier: str
    made_at: str


def manifest(files: Mapping[str, bytes], project: str, dossier: str, made_at: str) -> Statement:
    """The statement over `files` (rule 2): sign it and put it in as `bundle.json`."""
    subjects = [Subject(name, {"sha256": hashlib.sha256(files[name]).hexdigest()}) for name in sorted(files) if name != MANIFEST]
    return state("bundle", project, subjects, msgspec.to_builtins(Contents(dossier, made_at)))


def attestation(payload: bytes, signer: Signer) -> bytes:
    """An envelope around a statement in others' words, as a file of `attestations/`."""
    signature = signer.key_id, signer.sign(pae(PAYLOAD_TYPE, payload))
    return canonical(Envelope(payload, PAYLOAD_TYPE, (signature,), (), b"").as_json())


def seal_bundle(files: Mapping[str, bytes], project: str, dossier: str, made_at: str, signer: Signer) -> bytes:
    """The whole file: `files` with their manifest, signed by `signer`."""
    return pack({**files, MANIFEST: seal(manifest(files, project, dossier, made_at), (signer,))})


def sums(files: Mapping[str, bytes]) -> bytes:
    """What `sha256sum --check` reads, over every file but the manifest and itself."""
    return sums_of({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})


def sums_of(digests: Mapping[str, str]) -> bytes:
    """`sums` from the digests alone."""
    return "".join(f"{digests[n]}  {n}\n" for n in sorted(digests) if n not in (MANIFEST, SUMS)).encode()


def allowed_signers(trust: Trust) -> bytes:
    """The people and machines of a trust document as `ssh-keygen -Y verify` and git read them."""
    out = []
    for holder in trust.document.holders():
        for key in holder.keys:
            revoked = trust.revoked_at(key.id)
            until = f',valid-before="{_stamp(revoked)}"' if revoked else ""
            out.append(f'{holder.id} namespaces="release-dossier,git"{until} {key.public}\n')
    return "".join(out).encode()


def _stamp(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def _place(entry: Entry, taken: Mapping[str, bytes]) -> str:
    if entry.type in ONCE and f"{entry.type}.json" not in taken:
        return f"{entry.type}.json"
    folder = FOLDERS.get(entry.type, entry.type)
    started = "started-" if entry.type == "started" else ""
    return f"{folder}/{started}{_slug(entry.key)[:50]}-{entry.digest[7:23]}.json"


def _pem_name(trust: Trust, key: str) -> str:
    producer = trust.producer_of_key(key)
    assert producer is not None
    i = [k.id for k in producer.keys].index(key)
    return f"trust/{producer.id}{f'-{i + 1}' if i else ''}.pem"


def tag_names(tags: Iterable[str], there: Set[str] = frozenset()) -> dict[str, str]:
    """The file of each raw tag object, by its tag: a name here has no slash, so two tags that come to the same one are told apart.

    `there` are the files of a bundle that was made before they were: where those lack one of them, all are called as they were then.
    """
    plain = {tag: _tag_name(tag) for tag in tags}
    same = {n for n, k in Counter(plain.values()).items() if k > 1}
    apart = {tag: _told_apart(name, tag) if name in same else name for tag, name in plain.items()}
    return plain if there and not there >= set(apart.values()) else apart


def _tag_name(tag: str) -> str:
    """The plain name; of a tag too long for one, its beginning and what tells it apart."""
    name = f"{TAGS}{_slug(tag)}"
    return name if is_name(name) else _told_apart(name, tag)


def _told_apart(name: str, tag: str) -> str:
    return f"{name[:60]}-{hashlib.sha256(tag.encode()).hexdigest()[:16]}"


def _slug(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9._@+-]+", "-", words).strip("-.") or "x"


def _proofs(mine: Sequence[Entry], entries: Sequence[Entry]) -> bytes:
    """For each statement its line of the log and the path from there to the checkpoint's root."""
    tree = Tree(leaves_of(entries))
    out = [
        {"line": e.line().decode(), "n": e.n, "proof": [base64.b64encode(p).decode() for p in tree.inclusion(e.n)]}
        for e in sorted(mine, key=lambda e: e.n)
    ]
    return canonical({"entries": out, "size": len(entries)})


# Checking it


def one_after_another(items: Sequence[_T], work: Callable[[_T], _U]) -> list[_U]:
    """`work` on each item: what `examine` does where nobody gives it more hands."""
    return [work(x) for x in items]


def examine(opened: Opened, trust: Trust | None = None, each: _Each = one_after_another) -> Examined:
    """Hold every file against the manifest, every statement against its signatures, and both against the log.

    `each` verifies the signatures, on as many cores as whoever calls it has.
    With `trust` only its keys count, and the bundle must be of its project. Without, the bundle is held against the keys it
    brings itself, which shows that it is whole and nothing more.

    Raises nothing about the bundle: every fault is a failed check that names its place.
    """
    files = opened.files
    checks: list[Check] = []
    statements: dict[str, Statement] = {}

    def note(name: str, fault: str | None, fine: str) -> None:
        checks.append(Check(name, "pass" if fault is None else "fail", fine if fault is None else fault))

    own: Trust | None = None
    try:
        # Of another project it is not read further: whose keys they are, and what verifying by them costs, is its maker's choice.
        own = parse_chain(files.get(CHAIN, b""), CHAIN, trust.project if trust else None)
        note("trust", None, f"project {own.project}")
    except DossierError as e:
        note("trust", str(e), "")
    judge = trust or own
    project = judge.project if judge else ""
    public, machines = (judge.public_keys(), judge.machine_keys()) if judge else ({}, {})
    count, maker, contents = _manifest_checks(opened, project, machines, note)
    read = {n: _read(n, files[n]) for n in sorted(files) if _is_statement(n) or n.startswith(ATTESTATIONS)}
    whole = [(n, x[0]) for n, x in read.items() if not isinstance(x, str)]
    signed = dict(zip((n for n, _ in whole), each(whole, lambda e: valid_keys(e[1], public, e[0])), strict=True))
    for name in sorted(opened.digests):
        if name.startswith(ARTIFACTS):
            fault = None if name == f"{ARTIFACTS}{opened.digests[name]}" else f"{name}: content has digest {opened.digests[name]}"
            note(name, fault, "content has the digest it is named by")
        elif name.startswith(ATTESTATIONS):
            note(f"attestation {name}", _attestation_fault(name, read[name], signed, machines), "signed by a known machine")
        elif _is_statement(name):
            fault = _statement_fault(name, files, project, read[name], signed, machines, statements)
            note(f"statement {name}", fault, f"signed by {', '.join(sorted(signed.get(name, ())))}")
    note("sums", None if files.get(SUMS) == sums_of(opened.digests) else f"{SUMS}: other sums than those of the files", f"{count} files")
    if contents is not None and "dossier.json" in statements and contents.dossier != statements["dossier.json"].digest:
        note("manifest", f"{MANIFEST}: of dossier {contents.dossier}, not of the one in it", "")
    places, faults = _log_faults(opened, statements, machines, project)
    faults += _late(statements, signed, places, judge, machines) if judge else []
    if contents is not None and judge and maker and not any(_stood(judge, k, contents.made_at) for k in maker):
        note("manifest", f"{MANIFEST}: made at {contents.made_at}, when no key that signed it stood any more", "")
    for fault in faults:
        note("log", fault, "")
    if not faults:
        note("log", None, f"every statement is in the log under {CHECKPOINT}")
    attested = {n: x[0].payload for n, x in read.items() if n.startswith(ATTESTATIONS) and not isinstance(x, str)}
    return Examined(project, files, opened.digests, maker, places, statements, signed, attested, tuple(checks))


def listed(opened: Opened, trust: Trust) -> tuple[str, ...]:
    """What is wrong between the files and the signed list of them alone: the first thing `examine` asks, and the cheapest."""
    faults: list[str] = []
    _manifest_checks(opened, trust.project, trust.machine_keys(), lambda name, fault, fine: faults.append(fault) if fault else None)
    return tuple(faults)


def _manifest_checks(opened: Opened, project: str, machines: Mapping[str, str], note: _Note) -> tuple[int, frozenset[str], Contents | None]:
    """Rule 2. Returns how many files the manifest lists, the known machines' keys that signed it, and what else it says."""
    raw = opened.files.get(MANIFEST)
    if raw is None:
        note("manifest", f"{MANIFEST}: missing", "")
        return 0, frozenset(), None
    try:
        envelope = parse_envelope(raw, MANIFEST)
        statement = parse_statement(envelope.payload, MANIFEST)
        contents = msgspec.convert(statement.predicate, Contents)
    except (DossierError, msgspec.ValidationError) as e:
        note("manifest", str(e), "")
        return 0, frozenset(), None
    signed = valid_keys(envelope, machines, MANIFEST)
    fault = None
    if not is_canonical(envelope.as_json(), raw):
        fault = f"{MANIFEST}: not canonical JSON"
    elif statement.word != "bundle" or statement.project != project:
        fault = f"{MANIFEST}: a {statement.word} of project {statement.project}"
    elif len(signed) != len(envelope.signatures) + len(envelope.typed_signatures):
        fault = f"{MANIFEST}: {len(signed)} of {len(envelope.signatures) + len(envelope.typed_signatures)} signatures verify"
    note("manifest", fault, f"signed by {', '.join(sorted(signed))}")
    named = {s.name: s.digest.get("sha256", "") for s in statement.subject}
    if len(named) != len(statement.subject):
        note("manifest", f"{MANIFEST}: a file is listed twice", "")
    for name in sorted(named.keys() | (opened.digests.keys() - {MANIFEST})):
        found = opened.digests.get(name, "missing")
        if found != named.get(name):
            note(f"file {name}", f"{name}: {found}, listed {named.get(name, 'not at all')}", "")
    return len(named), signed, contents


def _is_statement(name: str) -> bool:
    return name.endswith(".json") and name not in (MANIFEST, CHAIN, PROOFS) and not name.startswith((ARTIFACTS, ATTESTATIONS))


def _read(name: str, raw: bytes) -> tuple[Envelope, Statement | None] | str:
    """The envelope in a file and the statement in it, none in attestations; or what is wrong with it."""
    try:
        envelope = parse_envelope(raw, name)
        if name.startswith(ATTESTATIONS):
            parse_intoto(envelope.payload, name)
            return envelope, None
        return envelope, parse_statement(envelope.payload, name)
    except DossierError as e:
        return str(e)


def _attestation_fault(
    name: str, read: tuple[Envelope, Statement | None] | str, signed: Mapping[str, frozenset[str]], machines: Mapping[str, str]
) -> str | None:
    if isinstance(read, str):
        return read
    return f"{name}: no signature of a known machine verifies" if signed[name].isdisjoint(machines) else None


def _statement_fault(
    name: str,
    files: Mapping[str, bytes],
    project: str,
    read: tuple[Envelope, Statement | None] | str,
    signed: Mapping[str, frozenset[str]],
    machines: Mapping[str, str],
    statements: dict[str, Statement],
) -> str | None:
    if isinstance(read, str):
        return read
    envelope, statement = read
    assert statement is not None
    statements[name] = statement
    if statement.project != project:
        return f"{name}: of project {statement.project}"
    if _place_word(name) != statement.word and not (name.startswith("evidence/") and statement.word == "started"):
        return f"{name}: a {statement.word} statement"
    if signed[name].isdisjoint(machines):
        return f"{name}: no signature of a known machine verifies"
    return _beside_fault(name, files, envelope)


def _place_word(name: str) -> str:
    """The kind of statement that lies under this name."""
    folder = name.split("/")[0]
    return (
        name.removesuffix(".json") if "/" not in name else next((w for w, f in FOLDERS.items() if f == folder and w != "started"), folder)
    )


def _beside_fault(name: str, files: Mapping[str, bytes], envelope: Envelope) -> str | None:
    """The `.sig` and `.pae` beside a statement are the signature in it and what that is over."""
    stem = name.removesuffix(".json")
    for i, (kind, _, text) in enumerate(envelope.typed_signatures):
        beside = stem + (f"-{i + 1}" if i else "")
        if kind == "sshsig" and f"{beside}.sig" in files:
            if files[f"{beside}.sig"] != text.encode():
                return f"{beside}.sig: another signature than in {name}"
            if files.get(f"{beside}.pae") != pae(PAYLOAD_TYPE, envelope.payload):
                return f"{beside}.pae: other bytes than {name} is signed over"
    return None


def _late(
    statements: Mapping[str, Statement],
    signed: Mapping[str, frozenset[str]],
    places: Mapping[str, Entry],
    judge: Trust,
    machines: Mapping[str, str],
) -> list[str]:
    """Statements that the log has from a time when every machine's key that signed them was revoked."""
    given_up = {k for k in machines if judge.revoked_at(k) is not None}
    standing = machines.keys() - given_up
    late = []
    for name, s in statements.items() if given_up else ():
        mine, at = signed.get(name, frozenset()), places.get(s.digest)
        if at is not None and standing.isdisjoint(mine) and not any(_stood(judge, k, at.at) for k in mine & given_up):
            late.append(f"{name}: recorded {at.at}, when no machine's key that signed it stood any more")
    return late


def _stood(judge: Trust, key: str, at: str) -> bool:
    """Whether a key was not yet revoked at a moment; what is no moment is none."""
    try:
        return judge.counts(key, at, True)
    except ValueError:
        return False


def _log_faults(
    opened: Opened, statements: Mapping[str, Statement], machines: Mapping[str, str], project: str
) -> tuple[dict[str, Entry], list[str]]:
    """The entries that are proven, by digest of their statement, and every fault."""
    files, faults = opened.files, list[str]()
    places: dict[str, Entry] = {}
    try:
        checkpoint = parse_checkpoint(files.get(CHECKPOINT, b""), CHECKPOINT)
        proofs, misread, written_so = _read_proofs(files.get(PROOFS, b""))
        if not checkpoint_signers(checkpoint, machines.values()):
            faults.append(f"{CHECKPOINT}: no signature of a known machine verifies")
        if checkpoint.origin != origin_of(project):
            faults.append(f"{CHECKPOINT}: of the log {checkpoint.origin}, not {origin_of(project)}")
    except DossierError as e:
        return places, [str(e)]
    except (msgspec.DecodeError, ValueError) as e:
        return places, [f"{PROOFS}: {e}"]
    faults += misread
    if not written_so:
        faults.append(f"{PROOFS}: not canonical JSON")
    if proofs.size != checkpoint.size:
        faults.append(f"{PROOFS}: for {proofs.size} entries, the checkpoint has {checkpoint.size}")
    tree = Inclusions(checkpoint.size, checkpoint.root)
    for p in proofs.entries:
        try:
            line = p.line.encode()
            entry = parse_entry(line, f"{PROOFS} entry {p.n}")
            included = entry.n == p.n and tree.shown(leaf_of(line), p.n, p.proof)
        except (DossierError, ValueError) as e:
            faults.append(f"{PROOFS} entry {p.n}: {e}")
            continue
        if not included:
            faults.append(f"{PROOFS}: entry {p.n} is not in the log")
        places[entry.digest] = entry
    for name in sorted(statements):
        s, at = statements[name], places.get(statements[name].digest)
        if at is None or (at.envelope, at.type) != (f"sha256:{opened.digests[name]}", s.word):
            faults.append(f"{name}: no proof that it is in the log")
    lying = {s.digest for s in statements.values()}
    faults += [f"{PROOFS}: entry {e.n} is of a statement that is not here" for d, e in places.items() if d not in lying]
    return places, faults


def _read_proofs(raw: bytes) -> tuple[_Proofs, list[str], bool]:
    """The proofs, what is wrong with each that is none, and whether they are canonical JSON of nothing else.

    Raises:
        Refused: `json.*`. msgspec.ValidationError: of another shape.
    """
    if len(raw) <= DOCUMENT_BYTES_MAX and (plain := read_as(_proofs_decoder, raw)) is not None and plain.size < 1 << 53:
        return plain, [], True
    value, written_so = parse_canonical(raw, PROOFS)
    each = msgspec.convert(value, _ProofsOfAnyShape)
    proofs, faults = _Proofs([], each.size), list[str]()
    for i, one in enumerate(each.entries):
        try:
            proofs.entries.append(msgspec.convert(one, _Proof))
        except msgspec.ValidationError as e:
            faults.append(f"{PROOFS} entries[{i}]: {e}")
    return proofs, faults, written_so and (bool(faults) or msgspec.to_builtins(proofs) == value)


class _Proof(msgspec.Struct):
    line: str
    n: int
    proof: list[bytes]


class _Proofs(msgspec.Struct):
    entries: list[_Proof]
    size: int


class _ProofsOfAnyShape(msgspec.Struct):
    entries: list[Any]
    size: int


_proofs_decoder = msgspec.json.Decoder(_Proofs)


# For people with ordinary tools


def how_to_check(
    trust: Trust,
    maker: str,
    once: Mapping[str, str],
    names: Mapping[str, str],
    people: Sequence[_Voice],
    tags: Mapping[str, tuple[str, str]],
) -> str:
    """HOW-TO-CHECK.md: commands for sha256sum, ssh-keygen, git and cosign, each ending in a status that is not 0 when it fails.

    `once` is word → digest of what lies at the top, `names` digest → file, `tags` file → tag and the hash that names its object.
    """
    digests = {name: digest for digest, name in names.items()}
    out = [_INTRO.format(project=trust.project)]
    out += ["## 1. Nothing was changed\n", _block("sha256sum --check --quiet --strict SHA256SUMS")]
    kind = f"--type {PREDICATE_BASE}bundle/v1 --insecure-ignore-tlog=true"
    out += [_COSIGN, _block(f"cosign verify-blob-attestation --key {_pem_name(trust, maker)} --signature {MANIFEST} {kind} {SUMS}")]
    out += ["## 3. The digests people signed\n\nThe name of a statement is the SHA-256 of what its envelope carries.\n"]
    out += [_block(_digest_command(f"{word}.json", digest)) for word, digest in once.items() if digest]
    if people:
        out += [_PEOPLE]
    for person, word, stem, name, at, here in people:
        of_dossier = word in ("approval", "rejection", "waiver") and once.get("dossier")
        elsewhere = ", over another dossier: it counts there, not here" if of_dossier and not here else ""
        out.append(f"{person}, {word}{f', recorded {at}, before the key was given up' if at else ''}{elsewhere}:\n")
        then = f" -O verify-time={_stamp(at)}" if at else ""
        out.append(_block(f"ssh-keygen -Y verify -f {SIGNERS} -I {person} -n release-dossier{then} -s {stem}.sig < {stem}.pae"))
        out.append(_block(_pae_command(f"{stem}.pae", digests[name])))
        if of_dossier and here:
            out.append(_block(f"grep -q '{_ours(once['dossier'])}' {stem}.pae"))
    if tags:
        out += [_TAGS]
        for file, (tag, called_by) in tags.items():
            hashed = f"git hash-object -t tag {file}" if called_by == "sha1" else f'git -C "$REPO" hash-object -t tag "$PWD/{file}"'
            out.append(_block(f'test "$({hashed})" = "$(git -C "$REPO" rev-parse refs/tags/{_quoted(tag)})"'))
        verify = f'git -C "$REPO" -c gpg.format=ssh -c gpg.ssh.allowedSignersFile="$PWD/{SIGNERS}" verify-tag'
        out += [_block(f"{verify} {_quoted(tag)}") for tag, _ in tags.values()]
    out += [_WHOM]
    return "\n".join(out)


def _digest_command(name: str, digest: str) -> str:
    return f"cut -d'\"' -f4 {name} | base64 -d | sha256sum | grep {digest.removeprefix('sha256:')}"


def _pae_command(name: str, digest: str) -> str:
    """The statement inside a PAE begins after four words that end in spaces."""
    return f"cut -d' ' -f5- {name} | head -c \"$(head -c 64 {name} | cut -d' ' -f4)\" | sha256sum | grep {digest.removeprefix('sha256:')}"


def _quoted(tag: str) -> str:
    """A tag as a shell takes it literally: git lets a name hold what a shell would run, and its version is its author's choice."""
    return shlex.quote(tag) if re.search(r"[^\w@%+=:,./-]", tag) else tag


def _block(command: str) -> str:
    return f"```sh\n{command}\n```\n"


_INTRO = """# How to check this bundle without release-dossier

Unpack it into an empty folder (`tar -xf NAME.dossier`) and run each command there. A command that fails says what is wrong.
It is about project `{project}`.
"""

_COSIGN = """## 2. The sums are the ones the recording machine signed

`bundle.json` is a DSSE envelope around a list of every file. cosign checks its signature, and that `SHA256SUMS` is on the list.
To install it (2.6 or newer): `go install github.com/sigstore/cosign/v2/cmd/cosign@latest`. The key is only worth what step 6 says.
"""

_PEOPLE = """## 4. What people signed

Each person signed with their own SSH key. The `.pae` file is what the signature is over; the statement in it must be the one
that lies in the bundle, and it must speak of this dossier.
"""

_TAGS = """## 5. The tag

In a clone of the project (`REPO=/path/to/clone`): the tag is the very object in this bundle, and its signature is good.
"""

_WHOM = """## 6. Whom to believe

Everything above holds the bundle against keys that came with it. Take the trust document from the project's protected branch,
through a way that the maker of this bundle does not control, and compare:

    git -C "$REPO" show origin/main:dossier.trust.json | sha256sum
    sha256sum trust/dossier.trust.json

Not checked by these tools: that the statements are in the log under `log/checkpoint` (`log/proofs.json`, RFC 6962), and that the
decision follows from the dossier and the rules. `dossier verify` does both.
"""
