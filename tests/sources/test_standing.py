"""A command that stands by answers each question with its own answer, or says why it cannot."""

import gc
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from release_dossier.errors import Refused, Unavailable
from release_dossier.sources.git import Repository
from release_dossier.sources.standing import Standing

ECHO = "import sys\nfor line in sys.stdin:\n    print(line.strip() * 2000, flush=True)"
SILENT = "import time\ntime.sleep(60)"
DYING = "import sys\nsys.stdin.readline()\nsys.exit('fatal: no such thing')"


def standing(code: str, seconds_max: float = 30) -> Standing:
    return Standing("a command", [sys.executable, "-c", code], Path.cwd(), dict(os.environ), seconds_max)


def line(said: bytes) -> bytes | None:
    return said[:-1] if said.endswith(b"\n") else None


def test_many_who_ask_at_once_get_their_own_answers() -> None:
    """Answers longer than a pipe holds, asked for from four threads."""
    command, found = standing(ECHO), {}

    def ask(word: str) -> None:
        for _ in range(20):
            found.setdefault(word, set()).add(command.ask(f"{word}\n".encode(), line))

    threads = [threading.Thread(target=ask, args=(w,)) for w in ("a-long-word", "b", "another-long-one", "d")]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {w: {w.encode() * 2000} for w in ("a-long-word", "b", "another-long-one", "d")}


def test_one_that_ends_instead_of_answering_is_refused_with_its_words() -> None:
    """And is known not to answer any more."""
    command = standing(DYING)
    assert command.alive()
    with pytest.raises(Refused) as refused:
        command.ask(b"what\n", line)
    assert (refused.value.code, refused.value.found) == ("git.failed", "fatal: no such thing")
    assert not command.alive()


def test_one_that_says_nothing_is_given_up() -> None:
    """What it might say later is nobody's answer."""
    command = standing(SILENT, seconds_max=0.1)
    with pytest.raises(Unavailable) as gone:
        command.ask(b"what\n", line)
    assert gone.value.code == "git.timeout"
    assert not command.alive()


def test_it_ends_with_the_last_who_could_ask() -> None:
    """No process and no pipe is left."""
    command = standing(SILENT)
    process = command._process
    del command
    gc.collect()
    assert process.returncode == -signal.SIGKILL
    assert process.stdin is not None
    assert process.stdin.closed


def test_git_that_was_killed_is_started_again(tmp_path: Path) -> None:
    """Between two questions: the next one is answered."""
    repo = Repository(tmp_path, dict(os.environ))
    repo.run("init", "-q")
    for content in (b"one", b"two", b"three"):
        repo.keep("refs/dossier/log", content)
        assert repo.blobs(("refs/dossier/log", "refs/dossier/none", "HEAD")) == (content, b"", b"")
        for command in repo._stand_by.values():
            command._process.kill()
            command._process.wait()


def test_git_that_stands_by_sees_what_others_write(tmp_path: Path) -> None:
    """Refs moved, packed and deleted by another process; objects that were packed meanwhile."""
    repo = Repository(tmp_path, dict(os.environ))
    repo.run("init", "-q")
    repo.keep("refs/dossier/log", b"one")
    assert repo.blobs(("refs/dossier/log",)) == (b"one",)
    other = Repository(tmp_path, dict(os.environ))
    other.keep("refs/dossier/log", b"two")
    other.run("pack-refs", "--all")
    other.run("gc", "-q", "--prune=now")
    assert repo.blobs(("refs/dossier/log",)) == (b"two",)
    repo.keep("refs/dossier/log", b"three")
    assert other.blobs(("refs/dossier/log",)) == (b"three",)
    other.run("update-ref", "-d", "refs/dossier/log")
    assert repo.blobs(("refs/dossier/log",)) == (b"",)
