"""What the machine under a command does to it: no thread to be had, a clock that goes back, a disk that says no."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

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
