"""What signed statements about a build say, whoever made them, and whether somebody the project trusts stands behind them.

1. A statement counts only under the signature of a key, or the certificate of an identity, that was given. Another signer is unknown, and
   unknown is never valid.
2. A valid signature does not make a good statement: a step that ended badly, a test result that failed, fails.
3. What was built must be what is released: the commit a statement names is the one asked for, its builder and source those declared.
4. A certificate names an identity. Where that is given, the bundle is judged with the trusted root given with it (`trust.keyless`), and one
   that does not hold fails; where not, the identity is shown and not believed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first
from release_dossier.limits import JSON_DEPTH_MAX
from release_dossier.trust.keys import PublicKey, parse_pem, parse_public

if TYPE_CHECKING:
    from release_dossier.evidence.readers.given import Given  # its package reads with this module

COMMIT_CHARS_MIN = 7  # of a commit that is asked for by its beginning
_COMMIT = re.compile(r"[0-9a-f]{40}\Z|[0-9a-f]{64}\Z")
_GIT = frozenset(["sha1", "gitCommit", "commit", "git_commit"])
_BAD = frozenset(["FAILED", "FAIL", "failed", "fail"])


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one statement says. `commits` are (where from, commit) it was built from, `faults` what it says went wrong."""

    at: str
    type: str
    subjects: tuple[tuple[str, str], ...] = ()  # name, sha256 or the first digest it has
    builder: str = ""
    sources: tuple[str, ...] = ()
    commits: tuple[tuple[str, str], ...] = ()
    materials: int = 0
    products: int = 0
    faults: tuple[str, ...] = ()


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A claim and who signed it. `by` are names of given keys that did; `signatures` how many there are; `identity` what a certificate
    that came with it says."""

    claim: Claim
    signatures: int
    by: tuple[str, ...]
    identity: str = ""


def keys_of(given: Mapping[str, str]) -> tuple[list[tuple[str, PublicKey]], list[str]]:
    """(name, key) of each that can be read, OpenSSH or PEM; and what is wrong with the others."""
    keys, wrong = [], []
    for name, text in given.items():
        try:
            keys.append((name, parse_pem(text.encode(), name) if "-----BEGIN" in text else parse_public(text, name)))
        except Refused as e:
            wrong.append(f"key {name} cannot be read: {e.found}")
    return keys, wrong


def claim(value: Any, at: str, predicate_type: str | None = None) -> Claim:
    """A statement, link or bare predicate that is parsed already. What has another shape says less, and never more."""
    v = _table(value)
    if v.get("_type") == "link":
        return _link(v, at)
    predicate = _table(v.get("predicate")) if predicate_type is None else v
    kind = _word(v.get("predicateType")) if predicate_type is None else predicate_type
    made = Claim(at=at, type=kind or _word(v.get("_type")), subjects=tuple(_subject(s) for s in _list(v.get("subject"))))
    if "slsa.dev/provenance/v1" in kind:
        return _slsa_v1(made, predicate)
    if "slsa.dev/provenance/v0" in kind:
        return _slsa_v0(made, predicate)
    if "attestation-collection" in kind:
        return _witness(made, predicate)
    result = next((_word(predicate.get(k)) for k in ("result", "verificationResult") if _word(predicate.get(k))), "")
    faults = (f"it says {result}",) if result in _BAD else ()
    return msgspec.structs.replace(made, faults=faults)


def _slsa_v1(made: Claim, p: dict[str, Any]) -> Claim:
    build, run = _table(p.get("buildDefinition")), _table(p.get("runDetails"))
    needs = _list(build.get("resolvedDependencies"))
    outside = _table(build.get("externalParameters"))
    workflow = _table(outside.get("workflow"))
    source = _word(outside.get("source")) or _word(_table(outside.get("source")).get("uri")) or _word(workflow.get("repository"))
    return msgspec.structs.replace(
        made,
        builder=_word(_table(run.get("builder")).get("id")),
        sources=tuple(s for s in (source, *(_word(_table(n).get("uri")) for n in needs)) if s),
        commits=_commits(needs),
        materials=len(needs),
    )


def _slsa_v0(made: Claim, p: dict[str, Any]) -> Claim:
    config = _table(_table(p.get("invocation")).get("configSource"))
    materials = _list(p.get("materials"))
    return msgspec.structs.replace(
        made,
        builder=_word(_table(p.get("builder")).get("id")),
        sources=tuple(s for s in (_word(config.get("uri")), *(_word(_table(m).get("uri")) for m in materials)) if s),
        commits=_commits([config, *materials]),
        materials=len(materials),
    )


def _witness(made: Claim, p: dict[str, Any]) -> Claim:
    commits, faults, sources = [], [], []
    materials = products = 0
    for each in _list(p.get("attestations")):
        kind, body = _word(_table(each).get("type")), _table(_table(each).get("attestation"))
        if "/git/" in kind and _COMMIT.match(_word(body.get("commithash"))):
            commits.append(("git", _word(body.get("commithash"))))
            faults += (
                [f"it was built from files that are not committed: {', '.join(list(_table(body.get('status')))[:3])}"]
                if body.get("status")
                else []
            )
            sources += [_word(r) for r in _list(body.get("remotes")) if _word(r)]
        elif "/command-run/" in kind and body.get("exitcode") not in (None, 0):
            faults.append(f"the command ended with {body.get('exitcode')}")
        elif "/material/" in kind:
            materials += len(body)
        elif "/product/" in kind:
            products += len(body)
    return msgspec.structs.replace(
        made,
        builder=_word(p.get("name")),
        commits=tuple(commits),
        sources=tuple(sources),
        faults=tuple(faults),
        materials=materials,
        products=products,
    )


def _link(v: dict[str, Any], at: str) -> Claim:
    code = _table(v.get("byproducts")).get("return-value")
    products = _table(v.get("products"))
    return Claim(
        at=at,
        type="link",
        subjects=tuple((str(n), _digest(_table(d))) for n, d in products.items()),
        materials=len(_table(v.get("materials"))),
        products=len(products),
        faults=(f"step {_word(v.get('name'))} ended with {code}",) if code not in (None, 0) else (),
    )


def _commits(parts: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    """Commits among what a build was made from. A SHA-1 is one only where its place is a git repository."""
    out = []
    for part in parts:
        uri, digests = _word(_table(part).get("uri")), _table(_table(part).get("digest"))
        for name, digest in digests.items():
            named = name in ("gitCommit", "commit", "git_commit")
            if name in _GIT and _COMMIT.match(_word(digest)) and (named or "git" in uri):
                out.append((uri, _word(digest)))
    return tuple(out)


def _subject(value: Any) -> tuple[str, str]:
    s = _table(value)
    return _word(s.get("name")), _digest(_table(s.get("digest")))


def _digest(d: dict[str, Any]) -> str:
    name = "sha256" if "sha256" in d else next(iter(d), "")
    return f"{name}:{_word(d.get(name))}" if name else ""


def identity(certificate: bytes) -> str:
    """Whom a certificate names as its holder; empty when it names nobody."""
    from cryptography import x509

    try:
        c = x509.load_der_x509_certificate(certificate)
        names = c.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return ", ".join(str(n.value) for n in names if isinstance(n, (x509.RFC822Name, x509.UniformResourceIdentifier)))[:300]
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return ""


def certificate_of(bundle: Mapping[str, Any]) -> bytes:
    """The signer's certificate of a Sigstore bundle; empty when it has none."""
    material = _table(bundle.get("verificationMaterial"))
    chain = _list(_table(material.get("x509CertificateChain")).get("certificates"))
    raw = _word(_table(material.get("certificate")).get("rawBytes")) or (_word(_table(chain[0]).get("rawBytes")) if chain else "")
    try:
        return base64.b64decode(raw, validate=True)
    except ValueError:
        return b""


def reading(
    format_: str, signed: Sequence[Signed], given: Given, *, wrong: Sequence[Counterexample] = (), unread: int = 0, version: str = ""
) -> Reading:
    """What statements and their signatures prove.

    Args:
        wrong: signatures or envelopes that do not hold; any is a `fail`.
        unread: records that are none.
    """
    bad = list(wrong)
    commit = str(given.asked.get("commit", given.expectations.get("commit", "")))
    builders, subjects = given.declared("builder"), given.declared("subject")
    words: list[str] = []
    bound = 0
    for s in signed:
        bad += [example(f"{s.claim.at}: {f}", s.claim.at) for f in s.claim.faults]
        bad += _mismatches(s.claim, commit, builders)
        bound += bool(commit) and any(_same(c, commit) for _, c in s.claim.commits)
    known = {d for s in signed for _, d in s.claim.subjects}
    bad += [example(f"no statement is about {d}", d) for d in subjects if d not in known and f"sha256:{d}" not in known]
    unknown = [s for s in signed if not s.by]
    _, unreadable = keys_of(given.keys)
    words += unreadable
    if not given.keys and not given.keyless:
        words.append("no key or identity of a signer was given: nobody was verified")
    elif unknown:
        who = next((f" ({s.identity})" for s in unknown if s.identity), "")
        words.append(f"{len(unknown)} of {len(signed)} statements are signed by nobody this project knows{who}")
    words += _unbound(signed, commit, bound)
    words += [f"{unread} records could not be read"] if unread else []
    verdict: Any = "fail" if bad else "missing" if not signed else "inconclusive" if words else "pass"
    return Reading(
        kind="provenance",
        format=format_,
        verdict=verdict,
        looked_at=len(signed) - len(unknown),
        of=len(signed) + unread,
        cause="" if verdict in ("pass", "fail") else "; ".join(words) or "no statement",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=_facts(signed, bound),
        limits=tuple(
            dict.fromkeys(f"a certificate says {s.identity}; nothing here vouches for it" for s in signed if s.identity and not s.by)
        )[:5],
        tool=format_,
        tool_version=version,
    )


def _mismatches(c: Claim, commit: str, builders: tuple[str, ...]) -> list[Counterexample]:
    out = []
    if len(commit) >= COMMIT_CHARS_MIN and c.commits and not any(_same(x, commit) for _, x in c.commits):
        out.append(example(f"built from {c.commits[0][1]}, not from {commit}", c.at, source=c.commits[0][0]))
    if builders and c.builder and c.builder not in builders:
        out.append(example(f"built by {c.builder}, not by {' or '.join(builders)}", c.at))
    return out


def _same(found: str, asked: str) -> bool:
    return len(asked) >= COMMIT_CHARS_MIN and found.startswith(asked)


def _unbound(signed: Sequence[Signed], commit: str, bound: int) -> list[str]:
    if not signed:
        return []
    if len(commit) < COMMIT_CHARS_MIN:
        return ["which commit is released did not come with it"]
    return [] if bound else ["no statement names the commit it was built from"]


def _facts(signed: Sequence[Signed], bound: int) -> dict[str, Fact]:
    claims = [s.claim for s in signed]
    facts = {
        "statements": Fact(len(signed), "statements"),
        "statements_verified": Fact(sum(bool(s.by) for s in signed), "statements"),
        "statements_bound": Fact(bound, "statements"),
        "signatures": Fact(sum(s.signatures for s in signed), "signatures"),
        "subjects": Fact(sum(len(c.subjects) for c in claims), "subjects"),
        "materials": Fact(sum(c.materials for c in claims), "materials"),
        "products": Fact(sum(c.products for c in claims), "products"),
    }
    texts = {
        "predicate_type": next((c.type for c in claims if c.type), ""),
        "builder": next((c.builder for c in claims if c.builder), ""),
        "source": next((c.sources[0] for c in claims if c.sources), ""),
        "commit": next((c.commits[0][1] for c in claims if c.commits), ""),
        "subject": next((c.subjects[0][1] for c in claims if c.subjects), ""),
        "signed_by": ", ".join(dict.fromkeys(name for s in signed for name in s.by)),
    }
    return facts | {k: Fact(v[:500], "words") for k, v in texts.items() if v}


def canonical_link(value: Any, depth: int = 0) -> bytes:
    """The bytes an in-toto metablock signs: keys sorted, no blanks, only quote and backslash escaped (OLPC's canonical JSON).

    Raises:
        Refused: `evidence.shape` for a number that is not whole: it has no canonical form there.
    """
    if depth > JSON_DEPTH_MAX:
        raise Refused("evidence.shape", at="signed", found="deeper nesting", expected=f"at most {JSON_DEPTH_MAX} levels")
    if isinstance(value, str):
        return b'"' + value.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "surrogatepass") + b'"'
    if value is None or isinstance(value, bool):
        return {None: b"null", True: b"true", False: b"false"}[value]
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, list):
        return b"[" + b",".join(canonical_link(v, depth + 1) for v in value) + b"]"
    if isinstance(value, dict):
        pairs = (canonical_link(k, depth + 1) + b":" + canonical_link(v, depth + 1) for k, v in sorted(value.items()))
        return b"{" + b",".join(pairs) + b"}"
    raise Refused("evidence.shape", at="signed", found=type(value).__name__, expected="whole numbers, text, lists and objects")


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
