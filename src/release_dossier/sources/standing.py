"""A command that stands by: it answers what it is asked, one question after another, and is started once. Starting git takes longer than
most of what it is asked."""

from __future__ import annotations

import os
import select
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TypeVar

from release_dossier.errors import Refused, Unavailable

T = TypeVar("T")


class Standing:
    """`command`, which people know as `name`, running until this object is gone or it ends by itself."""

    def __init__(self, name: str, command: Sequence[str], root: Path, env: Mapping[str, str], seconds_max: float) -> None:
        self.name = name
        self._seconds_max = seconds_max
        self._one_at_a_time = threading.Lock()
        self._process = Popen(command, cwd=root, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE, bufsize=0)
        self._stop = weakref.finalize(self, _stop, self._process)

    def alive(self) -> bool:
        """Whether it still answers."""
        return self._stop.alive and self._process.poll() is None

    def ask(self, question: bytes, whole: Callable[[bytes], T | None]) -> T:
        """What `whole` makes of the answer; None from it means that more is to come.

        Raises:
            Refused: `git.failed` with its own words when it ends instead. Unavailable: `git.timeout`.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            try:
                with suppress(BrokenPipeError):  # it is over: what it said last is read below
                    self._process.stdin.write(question)
                answer, found = b"", None
                while found is None:
                    answer += self._more(self._process.stdout.fileno())
                    found = whole(answer)
            except BaseException:  # whatever it says later would be taken for the answer to the next question
                self._stop()
                raise
            return found

    def _more(self, answers: int) -> bytes:
        ready = select.poll()
        ready.register(answers, select.POLLIN)
        if not ready.poll(self._seconds_max * 1000):
            raise Unavailable("git.timeout", at=self.name, found=f"no answer in {self._seconds_max} s", expected="an answer")
        piece = os.read(answers, 1 << 16)
        if not piece:
            assert self._process.stderr is not None
            words = self._process.stderr.read().decode("utf-8", "replace").strip()
            found = words or f"exit {self._process.wait()}"
            raise Refused("git.failed", at=self.name, found=found, expected="git to succeed")
        return piece


def _stop(process: Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()
