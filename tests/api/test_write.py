"""Writing over the API: the whole process, each step once, whoever asks twice and whatever is killed."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from release_dossier.errors import Unavailable
from release_dossier.store.files import FileStore
from release_dossier.web.guard import limit_of
from tests import needs
from tests.api.conftest import served
from tests.town import ISSUE, JUNIT, Town

BAD = '<testsuite name="s" tests="1"><testcase classname="t" name="a"><failure message="no"/></testcase></testsuite>\n'


def post(c: TestClient, path: str, body: Any = None, status: int = 201, **kw: Any) -> Any:
    sent = {"json": body} if body is not None else {}
    answer = c.post(f"/api/v1{path}", **sent, **kw)
    assert answer.status_code == status, answer.text
    return answer.json()


def opened(c: TestClient) -> str:
    return str(post(c, "/changes", {"issue": ISSUE, "branch": "fix/rounding"})["change"]["digest"])


def submit(c: TestClient, change: str, content: str = JUNIT, key: str = "", status: int = 201, **params: Any) -> Any:
    words = {"filename": "results.xml", **params}
    return post(c, f"/changes/{change}/evidence/tests", status=status, content=content, params=words, headers={"idempotency-key": key})


def signed(town: Town, c: TestClient, digest: str, word: str, where: str, status: int = 201, **words: str) -> Any:
    """Ask for words, sign them with ssh-keygen as the draft's command says, bring them back."""
    draft = post(c, "/drafts", {"word": word, "target": digest, "person": "ann", **words}, 200)
    message = town.root / "message.bytes"
    message.write_bytes(base64.b64decode(draft["message"]))
    (town.root / "message.bytes.sig").unlink(missing_ok=True)
    assert "ssh-keygen -Y sign -n release-dossier" in draft["command"]
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "release-dossier", "-f", str(town.key), str(message)], check=True, capture_output=True
    )
    body = {"person": "ann", "at": draft["at"], "statement": draft["statement"], **words}
    return post(c, where, {**body, "signature": (town.root / "message.bytes.sig").read_text()}, status)


@needs.ssh_keygen
def test_from_an_issue_to_a_tag(town: Town, desk: TestClient) -> None:
    """Open, submit, assemble, decide, sign, release, record and withdraw, without a command line; the command line agrees."""
    change = opened(desk)
    assert submit(desk, change)["evidence"][0]["verdict"] == "pass"
    digest = post(desk, f"/changes/{change}/dossier")["dossier"]["digest"]
    decision = post(desk, f"/dossiers/{digest}/decision")["decision"]
    assert decision["outcome"] == "DENY"
    for tally in decision["approvals"]:
        signed(town, desk, digest, "approval", f"/dossiers/{digest}/approvals", role=tally["role"])
    unmet = [r for r in decision["requirements"] if r["state"] not in ("pass", "waived")]
    for r in unmet:
        words = {"requirement": r["id"], "service": r["service"], "reason": "known", "until": town.moment(days=1)}
        signed(town, desk, digest, "waiver", f"/dossiers/{digest}/waivers", **words)
    if unmet:  # an approval is over the results it was shown
        for tally in decision["approvals"]:
            signed(town, desk, digest, "approval", f"/dossiers/{digest}/approvals", role=tally["role"])
    made = post(desk, f"/dossiers/{digest}/releases", {})
    assert [r["tag"] for r in made["releases"]] == ["v0.1.0"]
    assert town.git("tag") == "v0.1.0"
    assert [r["fresh"] for r in post(desk, f"/dossiers/{digest}/releases", {})["releases"]] == [False]
    where = {"service": "shop", "environment": "production", "version": "0.1.0"}
    assert post(desk, "/deployments", where)["deployment"]["service"] == "shop"
    assert post(desk, "/deployments", {**where, "service": "nothing"}, 422)["code"] == "deploy.unknown-service"
    assert town.dossier("posture")["posture"][0]["standing"] == "valid"
    signed(town, desk, digest, "withdrawal", f"/documents/{digest}/withdrawals", reason="a mistake")
    assert town.dossier("posture")["posture"][0]["standing"].startswith("withdrawn")
    town.dossier("log", "audit")


def test_a_dossier_is_no_change(desk: TestClient) -> None:
    """Its digest in the place of a change's is named as what it is, and no file is recorded under it."""
    change = opened(desk)
    submit(desk, change)
    digest = post(desk, f"/changes/{change}/dossier")["dossier"]["digest"]
    for said in (post(desk, f"/changes/{digest}/dossier", status=404), submit(desk, digest, status=404)):
        assert (said["code"], said["found"], said["expected"]) == ("digest.unknown", "a dossier", "the digest of a change")


@needs.ssh_keygen
def test_words_that_changed_are_not_signed_for(town: Town, desk: TestClient) -> None:
    """A signature over other words, by nobody's key, too old, or for what moved on since is refused; nothing is recorded."""
    change = opened(desk)
    submit(desk, change)
    digest = post(desk, f"/changes/{change}/dossier")["dossier"]["digest"]
    draft = post(desk, "/drafts", {"word": "rejection", "target": digest, "person": "ann", "reason": "no"}, 200)
    body = {"person": "ann", "at": draft["at"], "statement": draft["statement"], "reason": "no"}
    where = f"/dossiers/{digest}/rejections"
    assert post(desk, where, {**body, "signature": "nothing"}, 422)["code"] == "sshsig.syntax"
    assert post(desk, where, {**body, "reason": "yes", "signature": "x"}, 409)["code"] == "api.changed"
    stranger = town.root / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    message = town.root / "m"
    message.write_bytes(base64.b64decode(draft["message"]))
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "release-dossier", "-f", str(stranger), str(message)], check=True, capture_output=True
    )
    forged = {**body, "signature": (town.root / "m.sig").read_text()}
    assert post(desk, where, forged, 422)["code"] == "people.unsigned"
    assert post(desk, "/drafts", {"word": "rejection", "target": digest, "person": "bob", "reason": "no"}, 422)["code"] == "people.unknown"
    town.later(minutes=31)
    assert post(desk, where, forged, 409)["code"] == "api.changed"
    waiver = {"word": "waiver", "target": digest, "person": "ann", "requirement": "tests", "service": "shop", "reason": "r"}
    assert post(desk, "/drafts", waiver, 422)["at"] == "until"
    kinds = {e["type"] for e in desk.get("/api/v1/documents?limit=500").json()["items"]}
    assert not kinds & {"rejection", "waiver", "approval"}


def test_a_submission_is_done_once(desk: TestClient) -> None:
    """The same key and file again is the same answer; the same file without a key too; another file under the key is refused."""
    change = opened(desk)
    first = submit(desk, change, key="k")
    assert first["state"] == "delivered"
    again = submit(desk, change, key="k")
    assert (again["state"], again["evidence"], again["job"]) == ("delivered before", first["evidence"], first["job"])
    assert submit(desk, change, BAD, key="k", status=409)["code"] == "api.key-reused"
    bare = submit(desk, change, BAD)
    assert submit(desk, change, BAD)["evidence"] == bare["evidence"]
    assert (bare["evidence"][0]["attempt"], bare["evidence"][0]["verdict"]) == (2, "fail")
    assert desk.get(f"/api/v1/jobs/{first['job']}").json()["evidence"] == first["evidence"]
    assert desk.get("/api/v1/jobs/job_" + "0" * 32).status_code == 404


def test_what_cannot_be_read_is_refused_with_the_place(desk: TestClient) -> None:
    """As on the command line; the refusal is kept under its key like any answer."""
    change = opened(desk)
    first = submit(desk, change, "<testsuite", key="bad", status=422)
    assert first["code"].startswith(("junit.", "xml."))
    assert submit(desk, change, "<testsuite", key="bad", status=422)["code"] == first["code"]
    assert submit(desk, change, "", status=422)["code"] == "api.body"
    assert submit(desk, change, filename="../x", status=422)["code"] == "api.parameter"
    assert submit(desk, change, observed_at="soon", status=422)["code"] == "time.syntax"
    missing = desk.post(f"/api/v1/changes/{change}/evidence/nothing", content=JUNIT)
    assert missing.json()["code"] == "collect.unknown-name"


def test_many_at_once_lose_and_double_nothing(town: Town, desk: TestClient) -> None:
    """Eight clients, 48 submissions of 24 files, every one twice: 24 attempts without a gap, each answered with the same evidence twice."""
    change = opened(desk)
    files = [JUNIT + f"<!-- {i} -->\n" for i in range(24)]

    def hand_in(i: int) -> str:
        return str(submit(desk, change, files[i % 24], key=f"k{i % 24}")["evidence"][0]["digest"])

    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(hand_in, range(48)))
    assert digests[:24] == digests[24:]
    assert len(set(digests)) == 24
    found = desk.get("/api/v1/evidence?limit=500").json()["items"]
    assert sorted(e["attempt"] for e in found) == list(range(1, 25))
    assert {e["digest"] for e in found} == set(digests)
    town.dossier("log", "audit")


@pytest.mark.parametrize("point", ["outbox.queued", "outbox.began", "collect.started", "store.journal", "collect.ran", "intake.recorded"])
def test_a_killed_server_is_taken_up(town: Town, point: str) -> None:
    """Killed anywhere between the file's arrival and the answer: the next server ends the job, under one attempt, recorded once."""
    with served(town) as c:
        change = opened(c)
    script = (
        "import sys, os, json\n"
        "from pathlib import Path\n"
        "from release_dossier.store import crash\n"
        "from tests.api.conftest import served\n"
        "from tests.api.test_write import submit\n"
        "from tests.town import Town, START\n"
        "t = Town.__new__(Town); t.root = Path(sys.argv[1]); t.repo = t.root / 'shop'; t.now = START; t.env = json.loads(sys.argv[2])\n"
        "with served(t) as c:\n"
        "    crash.arm(sys.argv[3]); submit(c, sys.argv[4], key='k')\n"
    )
    command = [sys.executable, "-c", script, str(town.root), json.dumps(town.env), point, change]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    town.later(minutes=1)
    with served(town) as c:
        again = submit(c, change, key="k")
        evidence = c.get("/api/v1/evidence").json()["items"]
        started = c.get("/api/v1/documents?type=started").json()["items"]
    assert [e["attempt"] for e in evidence] == [1]
    assert again["evidence"][0]["digest"] == evidence[0]["digest"]
    assert len(started) == 1
    town.dossier("log", "audit")


def test_a_full_disk_refuses_nobodys_file(town: Town, desk: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store could not take the result: unavailable, not refused; the same submission, or the next server, ends that very attempt."""
    change = opened(desk)
    real, full = FileStore.put, [True]

    def put(self: FileStore, envelope: bytes, *, type: str, **more: str) -> Any:
        if type == "evidence" and full[0]:
            raise Unavailable("store.full", at="log", found="No space left on device", expected="room to write")
        return real(self, envelope, type=type, **more)

    monkeypatch.setattr(FileStore, "put", put)
    assert submit(desk, change, key="once", status=503)["code"] == "store.full"
    assert submit(desk, change, key="once", status=503)["code"] == "store.full"
    full[0] = False
    evidence = submit(desk, change, key="once")["evidence"]
    assert [(e["verdict"], e["attempt"]) for e in evidence] == [("pass", 1)]
    full[0] = True
    assert submit(desk, change, key="twice", status=503)["code"] == "store.full"
    full[0] = False
    with served(town) as again:
        opened(again)  # done after what was left
        assert [e["attempt"] for e in again.get("/api/v1/evidence").json()["items"]] == [2, 1]


def test_what_is_announced_too_large_is_not_read(desk: TestClient) -> None:
    """A gigabyte is refused by its announcement; a body that lies about itself is cut off where it grows too large."""
    change = opened(desk)
    for path in (f"/api/v1/changes/{change}/evidence/tests", "/api/v1/changes", "/api/v1/artifacts"):
        answer = desk.post(path, content=b"", headers={"content-length": str(1 << 30)})
        assert (answer.status_code, answer.json()["code"]) == (413, "api.too-large")
        assert answer.headers["connection"] == "close"

    def unannounced() -> Any:
        for _ in range(6):
            yield b" " * (1 << 20)

    answer = desk.post("/api/v1/changes", content=unannounced(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "api.too-large")
    assert limit_of("/api/v1/changes/x/evidence/y") > limit_of("/api/v1/changes")


def test_bodies_that_are_none(desk: TestClient) -> None:
    """Not JSON, another shape, unknown fields, twice the same key: each refused with its place."""
    json_type = {"content-type": "application/json"}
    for content, headers, code in (
        (b"{", json_type, "json.syntax"),
        (b'{"a":1,"a":2}', json_type, "json.duplicate-key"),
        (b"[]", json_type, "api.body"),
        (b'{"issue":"x","branch":"y","more":1}', json_type, "api.body"),
        (b"\xff", json_type, "json.encoding"),
        (b"{}", {"content-type": "text/plain"}, "api.media"),
    ):
        answer = desk.post("/api/v1/changes", content=content, headers=headers)
        assert answer.json()["code"] == code, answer.text
    assert desk.post("/api/v1/changes", json={"issue": "no heading", "branch": "fix/rounding"}).json()["code"].startswith("issue.")


def test_what_lies_beside_evidence(desk: TestClient) -> None:
    """A kept artifact is laid beside the file under its name; one that was never kept is an integrity failure, not an empty file."""
    change = opened(desk)
    kept = post(desk, "/artifacts", content=b"more")
    assert desk.get(f"/api/v1/artifacts/{kept['digest']}").content == b"more"
    assert submit(desk, change, beside=f"more.txt={kept['digest']}")["evidence"]
    gone = submit(desk, change, BAD, beside="more.txt=sha256:" + "0" * 64, status=422)
    assert gone["code"] == "store.missing-artifact"


def test_sending_over_the_api(tmp_path: Path) -> None:
    """Queued, tried and shown; again is the same delivery; another try on demand."""
    from tests.send.test_send import Receiver, hook, town_with

    receiver = Receiver()
    try:
        town = town_with(tmp_path, hook(receiver.url))
        digest = town.assembled()
        receiver.answers = [(503, {})]
        with served(town) as c:
            first = post(c, f"/dossiers/{digest}/deliveries", {"to": "ops"})
            assert (first["outcome"], first["tries"][0]["status"]) == ("failed", 503)
            second = post(c, f"/deliveries/{first['id']}/tries")
            assert second["outcome"] == "delivered"
            assert post(c, f"/dossiers/{digest}/deliveries", {"to": "ops"})["id"] == first["id"]
            assert c.get("/api/v1/deliveries").json()["items"] == [second]
            assert c.get(f"/api/v1/deliveries/{first['id']}").json() == second
            assert post(c, f"/dossiers/{digest}/deliveries", {"to": "nobody"}, 422)["code"] == "send.destination"
        assert receiver.ids() == [first["id"]] * 2
    finally:
        receiver.http.shutdown()
        receiver.http.server_close()
