"""Signed statements about builds: only known signers count, a valid signature is no good result, the commit must be the released one."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.attestation import canonical_link
from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading
from release_dossier.trust.keyless import Believed

SAMPLES = Path(__file__).with_name("samples")
CONFORMANCE = Path(__file__).resolve().parents[3] / "shared/conformance/03-attestations"
COMMIT = "3d978faac6b3391d5b6a9af4aa37a283d48699a7"
CI = (SAMPLES / "attestation.pub").read_text()


def says(name: str, commit: str = COMMIT, keys: dict[str, str] | None = None, **wanted: str) -> Reading:
    raw = (SAMPLES / name).read_bytes()
    return read(io.BytesIO(raw), keys={"ci": CI} if keys is None else keys, asked={"commit": commit}, expectations=wanted)


def test_a_real_build() -> None:
    """cosign's bundle around SLSA v1: verified with the key that was given, bound to the commit; its beginning is enough."""
    r = says("attestation.json")
    assert (r.verdict, r.looked_at, r.of) == ("pass", 1, 1)
    assert {n: r.facts[n].value for n in ("signed_by", "commit", "materials", "builder")} == {
        "signed_by": "ci", "commit": COMMIT, "materials": 31, "builder": "https://example.invalid/socialpredict/capture-builder@v1",
    }  # fmt: skip
    assert says("attestation.json", COMMIT[:8]).verdict == "pass"


@pytest.mark.parametrize(
    ("name", "more", "verdict", "words"),
    [
        ("attestation-other-key.json", {}, "inconclusive", "signed by nobody this project knows"),
        ("attestation.json", {"keys": {}}, "inconclusive", "no key or identity of a signer was given"),
        ("attestation.json", {"keys": {"x": "no key"}}, "inconclusive", "key x cannot be read"),
        ("attestation.json", {"commit": "f" * 40}, "fail", f"built from {COMMIT}, not from {'f' * 40}"),
        ("attestation.json", {"commit": ""}, "inconclusive", "which commit is released did not come with it"),
        ("attestation.json", {"commit": "3d"}, "inconclusive", "which commit is released did not come with it"),
        ("attestation.json", {"builder": "https://other.invalid/b"}, "fail", "not by https://other.invalid/b"),
        ("attestation.json", {"subject": "sha256:" + "0" * 64}, "fail", "no statement is about sha256:000"),
        ("in-toto-statement.json", {}, "inconclusive", "signed by nobody this project knows"),
    ],
)
def test_what_does_not_count(name: str, more: dict[str, Any], verdict: str, words: str) -> None:
    """Unknown signers, other commits, other builders, other files, and statements without a signature."""
    r = says(name, **more)
    assert r.verdict == verdict
    assert words in (r.cause or r.counterexamples[0].text)


def link_keys() -> dict[str, str]:
    return {"functionary": (SAMPLES / "in-toto-link.pub").read_text()}


def test_a_valid_signature_around_a_step_that_failed() -> None:
    """in-toto itself verifies this set and ends with 0; the step ended with 1."""
    r = says("in-toto-link-failed.json", keys=link_keys())
    assert (r.verdict, r.looked_at, r.counterexamples[0].text) == ("fail", 1, "test: step test ended with 1")
    r = says("in-toto-link.json", keys=link_keys())
    assert (r.verdict, r.looked_at, r.facts["materials"].value, r.facts["products"].value) == ("inconclusive", 1, 21, 1)
    assert says("in-toto-link.json", keys={"ci": CI}).looked_at == 0


def test_a_changed_byte_is_another_statement() -> None:
    """Whatever is changed in what was signed, nobody known signed that."""
    for name, old, new, keys in (
        ("in-toto-link.json", '"return-value": 0', '"return-value": 2', link_keys()),
        ("attestation.json", '"payloadType":"application/vnd.in-toto+json"', '"payloadType":"application/json"', {"ci": CI}),
    ):
        raw = (SAMPLES / name).read_text()
        assert raw.replace(old, new) != raw
        r = read(io.BytesIO(raw.replace(old, new).encode()), keys=keys, asked={"commit": COMMIT})
        assert r.looked_at == 0
        assert r.verdict != "pass"


def statement(predicate_type: str, predicate: Any) -> bytes:
    value = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "a", "digest": {"sha256": "0" * 64}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    body = base64.b64encode(json.dumps(value).encode()).decode()
    return json.dumps({"payload": body, "payloadType": "application/vnd.in-toto+json", "signatures": [{"sig": "AAAA"}]}).encode()


SLSA1, SLSA02 = "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"
WITNESS, STEP = "https://witness.testifysec.com/attestation-collection/v0.1", "https://witness.dev/attestations/{}/v0.1"
RESULT = "https://in-toto.io/attestation/test-result/v0.1"
REPOSITORY = "https://github.com/a/b"


def from_(uri: str, **digest: str) -> dict[str, Any]:
    return {"uri": uri, "digest": digest}


def steps(**each: Any) -> dict[str, Any]:
    return {"attestations": [{"type": STEP.format(k.replace("_", "-")), "attestation": v} for k, v in each.items()]}


@pytest.mark.parametrize(
    ("type_", "predicate", "fact", "value", "verdict"),
    [
        (SLSA02, {"materials": [from_("git+https://x/y", sha1=COMMIT)]}, "commit", COMMIT, "inconclusive"),
        (SLSA02, {"builder": {"id": "b"}, "materials": [from_("pkg:npm/x", sha1="a" * 40)]}, "builder", "b", "inconclusive"),
        (
            SLSA1,
            {"buildDefinition": {"resolvedDependencies": [from_(f"git+{REPOSITORY}", gitCommit="b" * 40)]}},
            "source",
            f"git+{REPOSITORY}",
            "fail",
        ),
        (
            SLSA1,
            {"buildDefinition": {"externalParameters": {"workflow": {"repository": REPOSITORY}}}},
            "source",
            REPOSITORY,
            "inconclusive",
        ),
        (WITNESS, steps(git={"commithash": COMMIT}, command_run={"exitcode": 3}), "commit", COMMIT, "fail"),
        (WITNESS, steps(git={"commithash": COMMIT, "status": {"a.go": {}}}), "commit", COMMIT, "fail"),
        (WITNESS, steps(git={"commithash": COMMIT}, command_run={"exitcode": 0}), "commit", COMMIT, "inconclusive"),
        (RESULT, {"result": "FAILED"}, "predicate_type", RESULT, "fail"),
        ("https://slsa.dev/verification_summary/v1", {"verificationResult": "FAILED"}, "subject", "sha256:" + "0" * 64, "fail"),
    ],
)
def test_what_statements_say(type_: str, predicate: Any, fact: str, value: str, verdict: str) -> None:
    """SLSA v0.2 and v1, witness collections, test results and summaries: commit, builder, source, and what went wrong."""
    r = read(io.BytesIO(statement(type_, predicate)), asked={"commit": COMMIT})
    assert (r.facts[fact].value, r.verdict) == (value, verdict)


def test_many_in_one_file() -> None:
    """A list, lines, and GitHub's answer: each counts, and one that is none is counted and not hidden."""
    one = json.loads((SAMPLES / "attestation.json").read_text())
    for raw in (
        json.dumps([one, one]),
        json.dumps(one) + "\n" + json.dumps(one) + "\n",
        json.dumps({"attestations": [{"bundle": one}, {"bundle": one}]}),
    ):
        r = read(io.BytesIO(raw.encode()), keys={"ci": CI}, asked={"commit": COMMIT})
        assert (r.verdict, r.looked_at, r.of) == ("pass", 2, 2)
    r = read(io.BytesIO((json.dumps(one) + "\nnoise\n").encode()), keys={"ci": CI}, asked={"commit": COMMIT})
    assert (r.verdict, r.looked_at, r.of) == ("inconclusive", 1, 2)
    other = json.loads((SAMPLES / "attestation-other-key.json").read_text())
    r = read(io.BytesIO(json.dumps([one, other]).encode()), keys={"ci": CI}, asked={"commit": COMMIT})
    assert (r.verdict, r.looked_at, r.of) == ("inconclusive", 1, 2)


def test_canonical_json_of_links() -> None:
    """Sorted, without blanks, only quote and backslash escaped; a fraction has no form there."""
    assert canonical_link({"b": [1, True, None], "a": 'x"\\\n'}) == b'{"a":"x\\"\\\\\n","b":[1,true,null]}'
    with pytest.raises(Refused):
        canonical_link({"a": 0.5})


@pytest.mark.conformance
def test_published_envelopes() -> None:
    """Signers of other projects' envelopes: accepted with their key, and by nobody without it."""
    if not CONFORMANCE.exists():
        pytest.skip("needs ../shared: published attestations")
    tried = 0
    for line in (CONFORMANCE / "derived/dsse_expectations.dev.jsonl").read_text().splitlines():
        case = json.loads(line)
        key = CONFORMANCE / str(case.get("key"))
        raw = (CONFORMANCE / case["file"]).read_bytes()
        try:
            assert read(io.BytesIO(raw)).facts["statements_verified"].value == 0
            if case["expect"] != "accept" or not key.is_file():
                continue
            r = read(io.BytesIO(raw), keys={"k": key.read_text()})
        except Refused:
            assert case["expect"] != "accept" or not key.is_file(), case
            continue
        tried += 1
        assert r.facts["signed_by"].value == "k", case
    assert tried >= 5


BUNDLES = CONFORMANCE / "sigstore__sigstore-conformance/test/assets/bundle-verify"
BEACON = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/"
ACTIONS = "https://token.actions.githubusercontent.com"
BUILT_FROM = "ebff8dfbd609b7b22237c7719ce07f2dc7934f5f"


def public_good() -> bytes:
    """The trusted root of Sigstore's public instance, as its library brings it."""
    import sigstore

    return next((Path(sigstore.__file__).parent / "_store").glob("*tuf-repo-cdn.sigstore.dev/trusted_root.json")).read_bytes()


def keyless(
    bundle: str, root: bytes | None = None, identity: str = BEACON + "*", issuer: str = ACTIONS, commit: str = BUILT_FROM
) -> Reading:
    if not CONFORMANCE.exists():
        pytest.skip("needs ../shared: published attestations")
    raw = (BUNDLES / bundle / "bundle.sigstore.json").read_bytes()
    who = Believed("ci", identity, issuer, public_good() if root is None else root)
    return read(io.BytesIO(raw), keyless=(who,), asked={"commit": commit})


@pytest.mark.conformance
def test_an_identity_is_believed_as_its_certificate_its_log_and_the_given_root_say() -> None:
    """GitHub's provenance of a workflow, signed without a key of its own and bound to the commit."""
    r = keyless("happy-path-intoto-in-dsse-v3")
    workflow = f"{BEACON}.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
    assert (r.verdict, r.looked_at, r.of, r.limits) == ("pass", 1, 1, ())
    assert (r.facts["signed_by"].value, r.facts["statements_bound"].value) == (f"ci ({workflow})", 1)
    assert keyless("happy-path-intoto-in-dsse-v3", identity=workflow).verdict == "pass"
    assert keyless("happy-path-intoto-in-dsse-v3", commit="f" * 40).verdict == "fail"


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("bundle", "more", "verdict", "words"),
    [
        ("dsse-invalid-sig_fail", {}, "fail", "DSSE: invalid signature"),
        ("dsse-mismatch-envelope_fail", {}, "fail", "log entry payload hash does not match bundle"),
        ("dsse-mismatch-sig_fail", {}, "fail", "log entry signatures do not match bundle"),
        ("happy-path-intoto-in-dsse-v3", {"issuer": "https://accounts.example"}, "fail", "OIDCIssuer does not match"),
        ("happy-path-intoto-in-dsse-v3", {"identity": BEACON}, "inconclusive", "signed by nobody this project knows"),
        ("happy-path-intoto-in-dsse-v3", {"identity": BEACON + "other*"}, "inconclusive", "signed by nobody this project knows"),
    ],
)
def test_a_certificate_alone_is_no_signer(bundle: str, more: dict[str, Any], verdict: str, words: str) -> None:
    """What names somebody believed and does not hold, fails; what names somebody else is signed by nobody."""
    r = keyless(bundle, **more)
    assert (r.verdict, r.facts["statements_verified"].value) == (verdict, 0)
    assert words in (r.cause or r.counterexamples[0].text)


@pytest.mark.conformance
def test_a_root_that_is_none_is_refused_and_another_instances_root_believes_nobody() -> None:
    """The root decides, and it comes from whoever verifies."""
    with pytest.raises(Refused) as refused:
        keyless("happy-path-intoto-in-dsse-v3", root=b"{}")
    assert refused.value.code == "sigstore.root"
    r = keyless("happy-path-intoto-in-dsse-v3", root=(BUNDLES / "rekor2-happy-path/trusted_root.json").read_bytes())
    assert (r.verdict, r.facts["statements_verified"].value) == ("fail", 0)
