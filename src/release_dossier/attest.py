"""The same in the words of others: a SLSA verification summary for a decision, an in-toto test result for evidence of tests.

They are derived: everything in them follows from a decision or an evidence and its dossier, so whoever has those can make them again.

1. A verification summary is `PASSED` exactly when the outcome is ALLOW. Its level is `SLSA_BUILD_LEVEL_UNEVALUATED`: we judge rules about a
   release, not how an artifact was built.
2. A test result is `PASSED` exactly when the verdict is pass; `FAILED` for everything else, also where nothing was looked at: who reads
   only this word must not take an open question for a pass. Only failed tests are named, and only those the evidence names.
"""

from __future__ import annotations

from typing import Any

from release_dossier.digest import canonical_words, digest_of
from release_dossier.dossier import Dossier
from release_dossier.evidence.statement import Evidence
from release_dossier.gate import Decision
from release_dossier.trust.statement import PREDICATE_BASE, STATEMENT_TYPE

SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
TEST_RESULT_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
TEST_KINDS = ("tests",)
ALLOWED_LEVEL = "RELEASE_DOSSIER_ALLOW"


def verification_summary(decision: Decision, digest: str, dossier: Dossier) -> bytes:
    """The SLSA verification summary (v1) of the decision with this digest."""
    allowed = decision.outcome == "ALLOW"
    evidence = [d for a in dossier.evidence for d in (a.started, a.digest) if d is not None]
    return _statement(
        SUMMARY_TYPE,
        dossier.change.head,
        dossier.change.id,
        {
            "verifier": {"id": f"{PREDICATE_BASE}gate"},
            "timeVerified": decision.at,
            "resourceUri": f"git+commit:{dossier.change.head}",
            "policy": {"uri": f"{PREDICATE_BASE}rules", "digest": _hex(digest_of(dossier.rules))},
            "inputAttestations": [
                {"uri": f"{PREDICATE_BASE}{word}/v1", "digest": _hex(d)}
                for word, d in (
                    ("dossier", decision.dossier),
                    ("decision", digest),
                    *(("evidence", e) for e in evidence),
                    *(("statement", x) for x in decision.statements),
                )
            ],
            "verificationResult": "PASSED" if allowed else "FAILED",
            "verifiedLevels": ["SLSA_BUILD_LEVEL_UNEVALUATED", ALLOWED_LEVEL] if allowed else ["FAILED"],
            "slsaVersion": "1.2",
        },
    )


def test_result(evidence: Evidence, digest: str) -> bytes | None:
    """The in-toto test result (v0.1) of the evidence with this digest; None for evidence of other kinds."""
    if evidence.kind not in TEST_KINDS:
        return None
    run = {"name": evidence.name, "uri": f"{PREDICATE_BASE}evidence/v1", "digest": _hex(digest)}
    files = [{"name": a.name, "digest": _hex(a.digest)} for a in evidence.artifacts]
    return _statement(
        TEST_RESULT_TYPE,
        evidence.commit,
        evidence.service,
        {
            "result": "PASSED" if evidence.verdict == "pass" else "FAILED",
            "configuration": [run, *files],
            "failedTests": sorted({c.where or c.text for c in evidence.counterexamples}),
        },
    )


def _statement(kind: str, commit: str, name: str, predicate: dict[str, Any]) -> bytes:
    subject = [{"name": name, "digest": {"gitCommit": commit}}]
    return canonical_words({"_type": STATEMENT_TYPE, "subject": subject, "predicateType": kind, "predicate": predicate})


def _hex(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
