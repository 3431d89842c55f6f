"""What the machine under a command does to it: no thread to be had, a clock that goes back, a disk that says no."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from release_dossier.disk import lock_within
from release_dossier.sources.git import Repository
from release_dossier.sources.ssh import public_of, sign_with_ssh
from release_dossier.steps.people import draft_approval, record_signed
from release_dossier.trust.keys import key_of_public
from release_dossier.web import desk
from release_dossier.web.place import GROUND_SECONDS, GROUND_SECONDS_MAX, Place
from tests.api.conftest import served
from tests.thread.test_attacks import world_of
from tests.thread.test_gate import allowed
from tests.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_no_thread_to_be_had(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed and told from a broken project; nothing is decided, and the next run carries on. Any other RuntimeError stays one."""
    digest = town.assembled()

    def refused(_: threading.Thread) -> None:
        raise RuntimeError(words)

    words = "can't start new thread"
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refused)
        said = town.refused("gate", digest, code=30)
        assert (said["code"], said["found"]) == ("edge.no-process", words)
        words = "something else"
        with pytest.raises(RuntimeError, match=words):
            town.run("gate", digest)
    assert town.gate(digest)["requirements"]


def test_no_process_to_be_had(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """git could not be started: the same refusal, not a broken file system."""

    def full(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("release_dossier.sources.git.subprocess.run", full)
    said = town.refused("gate", code=30)
    assert (said["code"], said["found"]) == ("edge.no-process", "Resource temporarily unavailable")


@pytest.mark.parametrize("word", ["release", "decision", "deployment"])
def test_one_altered_document_hides_no_other_standing(town: Town, word: str) -> None:
    """Posture names what cannot be read, as command, page and API; what else stands is shown, and the command ends with 40."""
    allowed(town)
    made = town.dossier("release")["release"]
    for environment in ("production", "staging"):
        town.dossier("deployed", "--service", "shop", "--environment", environment, "--version", made["version"])
    wanted = {"release": made["digest"], "decision": made["decision"]}
    lines = (town.repo / ".dossier" / "documents" / "000000.ndjson").read_bytes().split(b"\n")
    entries = [json.loads(x) for x in town.read(".dossier/log/entries.ndjson").splitlines()]
    n = next(e["n"] for e in entries if e["type"] == word and e["digest"] == wanted.get(word, e["digest"]))
    lines[n] = lines[n].replace(b"a", b"b", 1)
    (town.repo / ".dossier" / "documents" / "000000.ndjson").write_bytes(b"\n".join(lines))
    lost = [(word != "deployment" or x) for x in (True, False)]
    said = town.dossier("posture", ok=(40,))["posture"]
    assert [s["environment"] for s in said] == ["production", "staging"]
    assert [s["standing"].startswith("unreadable: ") for s in said] == lost
    assert f"line {n + 1}" in said[0]["standing"]
    with served(town) as c:
        page, answer = c.get("/posture"), c.get("/api/v1/posture")
    assert (page.status_code, answer.status_code) == (200, 200)
    assert page.text.count("</span>unreadable</span>") == 2 * sum(lost)
    assert answer.json()["posture"] == said


def test_a_server_whose_look_finds_no_thread_looks_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn to look is given back: a later page, which waits for a look, is not left waiting for good."""
    ticks = [0.0]
    place = Place(town.repo, town.env, town.tick, lambda: ticks[0])

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refused)
        ticks[0] = 2 * GROUND_SECONDS
        assert place.ground().settings
    assert place._turn.acquire(blocking=False)
    place._turn.release()
    ticks[0] = 2 * GROUND_SECONDS_MAX
    assert place.ground().settings
    assert place._looked == ticks[0]


@pytest.mark.parametrize("word", ["approval", "waiver"])
def test_what_was_signed_by_a_clock_that_was_ahead_is_signed_anew(town: Town, word: str) -> None:
    """Until that moment it does not count, and the gate says why; the same words again are another signature, which counts at once."""
    if word == "approval":
        digest = town.assembled()
        again = ["approve", digest, "--as", "ann", "--role", "release-manager", "--key", str(town.key)]
    else:
        town.open()
        digest = str(town.dossier("assemble")["dossier"]["digest"])
        again = ["waive", digest, "tests", "--service", "shop", "--as", "ann", "--key", str(town.key)]
        again += ["--reason", "a reason", "--until", town.moment(days=5)]
    town.later(days=1)
    first = town.dossier(*again)[word]["digest"]
    town.later(days=-1)
    assert "after the moment decided about" in json.dumps(town.gate())
    second = town.dossier(*again)[word]["digest"]
    assert second != first
    assert town.dossier(*again)[word]["digest"] == second, "running it again doubles nothing"
    said = town.gate()
    assert said["outcome"] == "ALLOW" if word == "approval" else "waived" in [r["state"] for r in said["requirements"]]


def test_a_clock_that_goes_back_between_reading_and_signing(town: Town) -> None:
    """The log records a signature no earlier than it was made: recorded before, it would never count, and nothing would say so."""
    digest = town.assembled()
    world = world_of(town)
    draft = draft_approval(world, digest, "ann", "release-manager", "", world.now + timedelta(days=7))
    signature = ("sshsig", key_of_public(public_of(town.key, world.environ)).id, sign_with_ssh(town.key, draft.message, world.environ))
    town.later(seconds=-90)
    record_signed(world_of(town), draft, signature)
    assert town.gate()["outcome"] == "ALLOW"


def test_what_a_machine_refuses_once_stops_no_sender(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process to be had while the server looks at what is due: it says so and looks again."""
    looks, notes, again = [0], list[str](), threading.Event()

    def due(*_: object) -> tuple[str, ...]:
        looks[0] += 1
        if looks[0] == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        again.set()
        return ()

    monkeypatch.setattr(desk, "due", due)
    monkeypatch.setattr(desk, "LOOK_SECONDS", 0.01)
    mine = desk.Desk(Place(town.repo, town.env, town.tick, time.monotonic), notes.append)
    mine.begin()
    assert again.wait(20)
    mine.close()
    assert any("Resource temporarily unavailable" in n for n in notes)


def test_a_head_is_not_kept_over_a_newer_one(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps the log's head holds the store's lock from reading it on: nobody enters and keeps more in between."""
    digest = town.assembled()
    free, keep = list[bool](), Repository.keep

    def watched(self: Repository, ref: str, *rest: Any) -> None:
        with (town.repo / ".dossier" / "log" / "lock").open() as lock:
            free.append(lock_within(lock.fileno(), 0))
        keep(self, ref, *rest)

    monkeypatch.setattr(Repository, "keep", watched)
    town.approve(digest, "release-manager")
    town.gate()
    assert free
    assert not any(free)
