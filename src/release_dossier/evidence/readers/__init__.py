"""Readers: one file a format, each a NAME, `recognises(head)` and `read(stream, given)`. To add one, copy the shortest and list it here.

A format is recognised from content, never from a name; where two recognise the same head it is refused with both, and `--format` decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import IO, Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence import own as own_kinds
from release_dossier.evidence import secrets
from release_dossier.evidence.readers import (
    actionlint,
    alert_history,
    alert_set,
    alertmanager_alerts,
    alertmanager_config,
    attestation,
    bandit,
    benchmark_dotnet,
    benchstat,
    capacity_report,
    checkstyle,
    clover,
    cobertura,
    collapsed,
    compose,
    compose_ps,
    coverage_py,
    csaf,
    ctrf,
    cyclonedx,
    cyclonedx_vex,
    cyclonedx_xml,
    dotnet,
    dredd,
    eslint,
    fire_drill,
    gatling,
    gatling_log,
    github_review,
    github_webhook,
    go_bench,
    go_cover,
    go_test,
    go_vet,
    golangci_lint,
    gosec,
    govulncheck,
    grype,
    health,
    hey,
    hyperfine,
    in_toto_link,
    incident_list,
    istanbul,
    jacoco,
    jmeter,
    jmeter_xml,
    jmh,
    junit,
    k6,
    k6_stream,
    kubernetes,
    lcov,
    load_dossier,
    locust,
    migrations_diff,
    npm_audit,
    oasdiff,
    openapi,
    openslo,
    openvex,
    ops_status,
    osv_scanner,
    otlp,
    pg_statements,
    pg_tables,
    pg_waits,
    pip_audit,
    postmortem,
    pprof,
    pprof_cpu,
    pprof_text,
    prometheus_alerts,
    prometheus_query,
    prometheus_recording,
    prometheus_rules,
    prometheus_rules_answer,
    prometheus_targets,
    prometheus_text,
    promtool,
    pyrra,
    pytest_benchmark,
    pytest_json,
    replay,
    sarif,
    schemathesis,
    semgrep,
    sloth,
    spdx,
    spdx3,
    spdx_tags,
    speedscope,
    statement,
    staticcheck,
    syft,
    tap,
    trivy,
    vegeta,
    vitest,
    wrk,
    zizmor,
)
from release_dossier.evidence.readers.given import Given
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.readers.plugged import plugged
from release_dossier.evidence.reading import Reading, printable, texts
from release_dossier.evidence.tried import with_version
from release_dossier.project import OwnKind
from release_dossier.trust.keyless import Believed

HEAD_BYTES = 64 * 1024  # what a format is recognised from
READERS: tuple[ModuleType, ...] = (  # by the alphabet, so that two people add to it without meeting
    actionlint,
    alert_history,
    alert_set,
    alertmanager_alerts,
    alertmanager_config,
    attestation,
    bandit,
    benchmark_dotnet,
    benchstat,
    capacity_report,
    checkstyle,
    clover,
    cobertura,
    collapsed,
    compose,
    compose_ps,
    coverage_py,
    csaf,
    ctrf,
    cyclonedx,
    cyclonedx_vex,
    cyclonedx_xml,
    dotnet,
    dredd,
    eslint,
    fire_drill,
    gatling,
    gatling_log,
    github_review,
    github_webhook,
    go_bench,
    go_cover,
    go_test,
    go_vet,
    golangci_lint,
    gosec,
    govulncheck,
    grype,
    health,
    hey,
    hyperfine,
    in_toto_link,
    incident_list,
    istanbul,
    jacoco,
    jmeter,
    jmeter_xml,
    jmh,
    junit,
    k6,
    k6_stream,
    kubernetes,
    lcov,
    load_dossier,
    locust,
    migrations_diff,
    npm_audit,
    oasdiff,
    openapi,
    openslo,
    openvex,
    ops_status,
    osv_scanner,
    otlp,
    pg_statements,
    pg_tables,
    pg_waits,
    pip_audit,
    postmortem,
    pprof,
    pprof_cpu,
    pprof_text,
    prometheus_alerts,
    prometheus_query,
    prometheus_recording,
    prometheus_rules,
    prometheus_rules_answer,
    prometheus_targets,
    prometheus_text,
    promtool,
    pyrra,
    pytest_benchmark,
    pytest_json,
    replay,
    sarif,
    schemathesis,
    semgrep,
    sloth,
    spdx,
    spdx3,
    spdx_tags,
    speedscope,
    statement,
    staticcheck,
    syft,
    tap,
    trivy,
    vegeta,
    vitest,
    wrk,
    zizmor,
)
NAMES: tuple[str, ...] = tuple(r.NAME for r in READERS)


def read(
    stream: IO[bytes],
    *,
    format: str | None = None,
    exit_status: int | None = None,
    asked: Mapping[str, Any] | None = None,
    expectations: Mapping[str, str] | None = None,
    base: bytes | None = None,
    keys: Mapping[str, str] | None = None,
    keyless: Sequence[Believed] = (),
    own: OwnKind | None = None,
) -> Reading:
    """What a file says. The stream must be seekable; it is read to its end, unpacked where it is packed, see `plain`.

    Args:
        exit_status: of the tool that wrote it, where known: a format that can end anywhere proves nothing without.
        asked: what the tool was asked to look at.
        expectations: what the project declares should be there, e.g. `alerts`.
        base: the same file as the base release had it, for formats that are compared.
        keys: name of a signer this project trusts → its public key, for formats that are signed.
        keyless: signers it trusts who have no key of their own, for the same formats.
        own: a kind of the project's own: then its schema and expressions read the file, and no reader here does.

    A tool older or newer than any its reader was tried with is said to be so (see `tried`).
    No text of the reading shows a secret: what looks like one is withheld, and `limits` say so (see `secrets`).

    Raises:
        Refused: `evidence.*`, naming the place.
    """
    stream = plain(stream)
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    if not head.strip():
        raise Refused("evidence.empty", at="file", found=f"{len(head)} bytes of nothing", expected="evidence")
    given = Given(exit_status, dict(asked or {}), dict(expectations or {}), base, dict(keys or {}), tuple(keyless))
    try:
        reading = own_kinds.read(stream, own, given) if own else _reader(format, head).read(stream, given)
    except OverflowError as e:  # JSON has integers of any length, and a figure is measured as a float
        raise Refused("evidence.shape", at="file", found="an integer beyond what a float holds", expected="figures below 1e308") from e
    reading = printable(_without_secrets(with_version(reading), stream))
    if reading.verdict == "pass" and exit_status:  # whatever the file says: what wrote it says that it did not finish well
        cause = f"what is in it passed, and the tool ended with {exit_status}"
        return msgspec.structs.replace(reading, verdict="inconclusive", cause=cause)
    return reading


def _without_secrets(reading: Reading, stream: IO[bytes]) -> Reading:
    if not secrets.find("\n".join(texts(reading))):
        return reading
    clean, counts = secrets.of_reading(reading, secrets.key_of(stream))
    words = ", ".join(f"{n} of sort {sort}" for sort, n in sorted(counts.items()))
    return msgspec.structs.replace(clean, limits=(*clean.limits, f"withheld from these words: {words}"))


def _reader(format: str | None, head: bytes) -> Any:
    return _named(format) if format else _recognised(head)


def _named(name: str) -> ModuleType:
    found = next((r for r in READERS if name == r.NAME), None) or next((r for r in plugged()[0] if name == r.NAME), None)
    if found is None:
        raise Refused("evidence.no-such-format", at="--format", found=name, expected=", ".join(NAMES), help="dossier evidence kinds")
    return found


def _recognised(head: bytes) -> ModuleType:
    found = [r for r in READERS if r.recognises(head)] or [r for r in plugged()[0] if r.recognises(head)]
    if not found:
        raise Refused(
            "evidence.unknown-format", at="file", found=repr(head[:60])[2:-1], expected=", ".join(NAMES), help="dossier evidence kinds"
        )
    if len(found) > 1:
        raise Refused(
            "evidence.ambiguous-format", at="file", found=" or ".join(r.NAME for r in found), expected="one of them", help="--format"
        )
    return found[0]
