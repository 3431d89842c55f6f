"""What files say: verdict, looked at of how many, facts; and that nothing broken, cut or empty ever says more than it saw."""

from __future__ import annotations

import io
import json
import lzma
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import release_dossier.evidence
from release_dossier.errors import Refused
from release_dossier.evidence.kinds import KINDS, kind
from release_dossier.evidence.readers import NAMES, READERS, read
from release_dossier.evidence.reading import Reading
from release_dossier.sources.files import open_evidence

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
ARTIFACTS = SHARED / "socialpredict/artifacts"
DATA = ROOT / "src/release_dossier/demo/data"


def says(raw: bytes | str, **more: Any) -> Reading:
    return read(io.BytesIO(raw.encode() if isinstance(raw, str) else raw), **more)


def refused(raw: bytes | str, **more: Any) -> str:
    with pytest.raises(Refused) as e:
        says(raw, **more)
    return e.value.code


def sample(name: str) -> bytes:
    """A real capture of the package."""
    file = DATA / name
    return lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()


def go(*events: tuple[str, str, str], package_end: str = "pass") -> str:
    lines = [{"Action": "start", "Package": "p"}]
    for action, test, output in events:
        lines.append({"Action": "run", "Package": "p", "Test": test})
        if output:
            lines.append({"Action": "output", "Package": "p", "Test": test, "Output": output})
        if action:
            lines.append({"Action": action, "Package": "p", "Test": test})
    if package_end:
        lines.append({"Action": package_end, "Package": "p"})
    return "\n".join(json.dumps(x) for x in lines) + "\n"


def junit(*cases: str) -> str:
    return '<?xml version="1.0"?><testsuites><testsuite name="s">' + "".join(cases) + "</testsuite></testsuites>"


OK, BAD, SKIP = (
    '<testcase name="a"/>',
    '<testcase name="b"><failure message="2 is not 3"/></testcase>',
    '<testcase name="c"><skipped/></testcase>',
)
K6 = {
    "metrics": {
        "http_req_duration": {"p(95)": 12.5, "max": 40.0, "thresholds": {"p(95)<50": False}},
        "http_reqs": {"count": 10, "rate": 2.0},
    }
}
NEW_K6 = {
    "metrics": {
        "http_req_duration": {"type": "trend", "values": {"p(95)": 12.5}, "thresholds": {"p(95)<50": {"ok": True}}},
        "http_reqs": {"type": "counter", "values": {"count": 10, "rate": 2.0}},
    }
}


@pytest.mark.parametrize(
    ("raw", "more", "verdict", "looked_at", "of"),
    [
        (junit(OK, OK), {}, "pass", 2, 2),
        (junit(OK, BAD), {}, "fail", 2, 2),
        (junit(OK, SKIP), {}, "pass", 1, 2),
        (junit(SKIP), {}, "missing", 0, 1),
        (junit(), {}, "missing", 0, 0),
        (junit(OK), {"exit_status": 1}, "inconclusive", 1, 1),
        (junit(OK).replace('name="s"', 'name="s" tests="5"'), {}, "inconclusive", 1, 1),
        (junit(OK).replace("testsuite", "x:testsuite").replace("<x:testsuites>", '<x:testsuites xmlns:x="urn:x">'), {}, "pass", 1, 1),
        (go(("pass", "T", "")), {"exit_status": 0}, "pass", 1, 1),
        (go(("pass", "T", "")), {}, "inconclusive", 1, None),
        (go(("pass", "T", "")), {"exit_status": 137}, "inconclusive", 1, 1),
        (go(("pass", "T", ""), ("fail", "U", "u_test.go:3: off by one"), package_end="fail"), {"exit_status": 1}, "fail", 2, 2),
        (go(("pass", "T", ""), ("skip", "U", "u_test.go:3: no database")), {"exit_status": 0}, "pass", 1, 2),
        (go(("pass", "T", ""), ("", "U", "")), {"exit_status": 0}, "inconclusive", 1, 2),
        (go(("pass", "T", ""), package_end=""), {"exit_status": 0}, "inconclusive", 1, 1),
        (go(), {"exit_status": 0}, "missing", 0, 0),
        (go(("pass", "T", ""), package_end="fail"), {"exit_status": 1}, "fail", 1, 1),
        (json.dumps(K6), {}, "pass", 10, 10),
        (json.dumps(NEW_K6), {}, "pass", 10, 10),
        (json.dumps(K6).replace("false", "true"), {}, "fail", 10, 10),
        (json.dumps(NEW_K6).replace("true", "false"), {}, "fail", 10, 10),
        (json.dumps(K6).replace('"thresholds": {"p(95)<50": false}', '"x": 1'), {}, "inconclusive", 10, 10),
        (json.dumps(K6).replace('"count": 10', '"count": 0'), {}, "missing", 0, 0),
        (json.dumps(K6), {"exit_status": 99}, "inconclusive", 10, 10),
    ],
)
def test_verdicts(raw: str, more: dict[str, Any], verdict: str, looked_at: int, of: int | None) -> None:
    """A skipped test is in `of` and not looked at; nothing looked at is missing; an exit status that disagrees is never a pass."""
    r = says(raw, **more)
    assert (r.verdict, r.looked_at, r.of) == (verdict, looked_at, of), r
    assert r.verdict == "pass" or r.cause or r.counterexamples


def test_counterexamples_name_their_place() -> None:
    """What failed, where, and why; a skipped test by name, so that a rule can allow it."""
    r = says(junit('<testcase classname="k" name="b"><failure message="2 is not 3"/></testcase>'))
    assert (r.counterexamples[0].text, r.counterexamples[0].where) == ("b: 2 is not 3", "k.b")
    r = says(go(("pass", "T", ""), ("skip", "U", "u_test.go:3: no database")), exit_status=0)
    assert r.limits[0] == "skipped: U u_test.go:3: no database"


def test_a_build_that_fails_takes_its_tests_with_it() -> None:
    """Tests that disappeared are a failure, however green the rest is."""
    raw = go(("pass", "T", "")) + json.dumps({"ImportPath": "q", "Action": "build-fail"}) + "\n"
    r = says(raw, exit_status=1)
    assert (r.verdict, r.counterexamples[0].text) == ("fail", "q does not build: its tests disappeared")


def test_numbers_that_are_none_are_no_facts() -> None:
    """null is absent, not 0; NaN and 1e400 are refused."""
    r = says(json.dumps(K6).replace("12.5", "null"))
    assert "latency_p95" not in r.facts
    assert r.facts["latency_max"].unit == "ms"
    assert refused(json.dumps(K6).replace("12.5", "NaN")) == "json.number"
    assert refused(json.dumps(K6).replace("12.5", "1e400")) == "json.number"
    assert refused(json.dumps(K6).replace('"max"', '"p(95)"')) == "json.duplicate-key"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "evidence.empty"),
        (b"  \n", "evidence.empty"),
        (b"\x00\x01\x02\x03noise", "evidence.unknown-format"),
        (b"hello", "evidence.unknown-format"),
        (b"<testsuite><testcase name='a'/>", "xml.syntax"),
        (b'<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "aaaa">]><testsuite><testcase name="&a;"/></testsuite>', "xml.entities"),
        (b"<testsuite>" + b"<a>" * 300 + b"</a>" * 300 + b"</testsuite>", "xml.too-deep"),
        (b'<?xml version="1.0" encoding="no-such"?><testsuite/>', "xml.encoding"),
        (b'{"metrics": 3, "iterations": 1}', "k6.shape"),
        (b'{"numTotalTests": 1}', "vitest.shape"),
        (b'{"schemaVersion": "9", "loadGenerator": "k6"}', "load-dossier.version"),
        (b'{"numTotalTests": 1, "metrics": {}, "http_reqs": 1}', "evidence.ambiguous-format"),
    ],
)
def test_bad_input(raw: bytes, code: str) -> None:
    """Each broken file has a refusal of its own."""
    assert refused(raw) == code


def test_files_that_are_not_opened(tmp_path: Path) -> None:
    """Three sparse gigabytes, a folder, a pipe, nothing: refused before a byte is read."""
    big = tmp_path / "big"
    with big.open("wb") as f:
        f.truncate(3 * 1024**3)
    for path, code in ((big, "evidence.too-large"), (tmp_path, "evidence.not-a-file"), (tmp_path / "no", "evidence.no-file")):
        with pytest.raises(Refused) as e, open_evidence(path):
            pass
        assert e.value.code == code


SAMPLES = {
    "junit": sample("v3.8.1/vitest-junit.xml"),
    "k6-summary": sample("v3.8.1/k6-summary.json"),
    "replay-scenarios": sample("v3.8.1/scenarios.json.xz"),
}


@pytest.mark.parametrize("name", list(SAMPLES))
def test_cut_anywhere_is_never_a_full_pass(name: str) -> None:
    """A self-delimiting file cut at any byte (at 300 places here, its last bytes among them) is refused or says less."""
    raw = SAMPLES[name]
    whole = says(raw)
    last = len(raw.rstrip()) - 1
    for end in (*range(1, last, max(37, last // 280)), *range(max(1, last - 20), last)):
        try:
            r = says(raw[:end])
        except Refused:
            continue
        assert r.verdict != "pass" or r.looked_at < whole.looked_at, end


def test_a_cut_stream_never_passes_without_its_exit() -> None:
    """Go's events cut at any line, with no exit status or that of a kill: never a pass."""
    lines = go(("pass", "T", ""), ("pass", "U", "")).splitlines(keepends=True)
    for n in range(1, len(lines) + 1):
        for status in (None, 137):
            assert says("".join(lines[:n]), exit_status=status).verdict != "pass"


@settings(max_examples=300)
@given(data=st.data())
def test_no_mutation_is_an_untyped_error(data: st.DataObject) -> None:
    """Any byte of any sample changed, dropped or doubled: a reading or a refusal."""
    raw = bytearray(data.draw(st.sampled_from([*SAMPLES.values(), go(("fail", "T", "x")).encode(), json.dumps(K6).encode()])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        says(bytes(raw), format=data.draw(st.sampled_from([None, *NAMES])), exit_status=data.draw(st.sampled_from([None, 0, 1])))
    except Refused:
        return


def test_flipping_a_result_flips_the_verdict() -> None:
    """One failing case in a real report of passing ones."""
    raw = SAMPLES["junit"].decode()
    assert says(raw).verdict == "pass"
    assert says(raw.replace("</testcase>", "<failure/></testcase>", 1)).verdict == "fail"


def test_replays_of_a_real_release() -> None:
    """Double submits and double resolves of v3.8.1, with who gained what; races nobody can judge are counted and not judged."""
    r = says(SAMPLES["replay-scenarios"])
    assert (r.verdict, r.looked_at, r.of) == ("fail", 32, 36)
    assert "par_duplicate_bet: 20 of 20 were accepted, 1 is right" in [c.text.split(";")[0] for c in r.counterexamples]
    assert "par_sell_two_users" in r.limits[0]


def test_a_real_fire_drill() -> None:
    """Four alerts fired and resolved; one that is declared and was not provoked is not covered; a watchdog covers nothing."""
    raw = sample("v3.8.1/alertmanager-webhook.ndjson")
    four = "SocialPredictDown,SocialPredictNotReady,SocialPredictErrorBudgetBurnFast,SocialPredictLedgerGap"
    r = says(raw, expectations={"alerts": four})
    assert (r.verdict, r.looked_at, r.of) == ("pass", 4, 4)
    r = says(raw, expectations={"alerts": four + ",SocialPredictBetLatencyHigh,Watchdog"})
    assert (r.verdict, r.looked_at, r.of) == ("inconclusive", 4, 6)
    assert "never seen firing: SocialPredictBetLatencyHigh, Watchdog" in r.cause
    assert says(raw).verdict == "inconclusive"


def test_readers_and_kinds_fit() -> None:
    """Every reader has a name of its own and a kind that lists it; every kind explains itself."""
    listed = {f for k in KINDS for f in k.formats}
    assert {r.NAME for r in READERS} <= listed
    assert len(set(NAMES)) == len(NAMES)
    assert all(k.proves and k.does_not_prove and k.age_max for k in KINDS)
    with pytest.raises(Refused):
        kind("nothing")


@pytest.mark.captured
def test_captured_artifacts() -> None:
    """Every evidence file of three real releases is read or refused by type; those with a known verdict get it, never a greener one."""
    if not ARTIFACTS.exists():
        pytest.skip("needs ../shared: evidence files of real releases")
    known = 0
    for line in (ARTIFACTS / "MANIFEST.tsv").read_text().splitlines()[1:]:
        field = line.split("\t")
        file, status, truth = ARTIFACTS / field[0], field[7].strip(), field[8]
        if not file.exists():
            continue
        raw = lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()
        try:
            verdict = says(raw, exit_status=int(status) if status.isdigit() else None).verdict
        except Refused:
            verdict = "refused"
        want = re.match(r"(PASS|FAIL|INCONCLUSIVE)", truth)
        if want:
            known += 1
            careful = ("missing", "inconclusive", "refused") if want[1] == "INCONCLUSIVE" else (want[1].lower(),)
            assert verdict in careful, field[0]
    assert known == 21


@pytest.mark.conformance
def test_published_junit_files() -> None:
    """Reports of many tools, good and broken: none takes a reader down, and none with a failure in it is called a pass."""
    folder = SHARED / "conformance/07-evidence/junit"
    if not folder.exists():
        pytest.skip("needs ../shared: published JUnit files")
    seen = 0
    for file in sorted(folder.rglob("*.xml")):
        raw = file.read_bytes()
        try:
            r = says(raw, format="junit")
        except Refused:
            continue
        seen += 1
        if re.search(rb"<(failure|error)[\s>/]", raw) and r.of:
            assert r.verdict != "pass", file.name
    assert seen > 20


def test_an_integer_beyond_every_float_is_refused_by_type() -> None:
    """JSON bounds no integer: one that no float holds is a refusal, not a fall."""
    raw = b'{"results": [{"command": "x", "times": [0.1], "exit_codes": [0], "mean": 1' + b"0" * 310 + b"}]}"
    raw = raw.replace(b"[0.1]", b"[1" + b"0" * 310 + b"]")
    with pytest.raises(Refused) as e:
        read(io.BytesIO(raw), format="hyperfine")
    assert e.value.code == "evidence.shape"


ALONE = """
import importlib, sys
for name in sys.argv[1:]:
    for known in [m for m in sys.modules if m.startswith("release_dossier")]:
        del sys.modules[known]
    importlib.import_module(name)
"""


def test_any_module_of_evidence_can_be_imported_first() -> None:
    """Readers and what they share name each other: whichever a program begins with, it is whole."""
    folder = Path(release_dossier.evidence.__file__).parent
    names = [f"release_dossier.evidence.{f.stem}" for f in sorted(folder.glob("*.py")) if f.stem != "__init__"]
    done = subprocess.run([sys.executable, "-c", ALONE, *names, "release_dossier.evidence.readers"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
