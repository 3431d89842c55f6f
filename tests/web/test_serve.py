"""The socket a server listens on."""

from __future__ import annotations

import socket

import pytest

from release_dossier.cli.serve import _bind
from release_dossier.errors import Unavailable


def test_an_answer_in_two_parts_does_not_wait() -> None:
    """The socket says that it speaks TCP: only then asyncio turns Nagle's algorithm off, without which each answer waits 40 ms."""
    bound = _bind("127.0.0.1", 0)
    with bound:
        assert bound.proto == socket.IPPROTO_TCP
        with pytest.raises(Unavailable, match=r"serve\.port") as refused:
            _bind("127.0.0.1", bound.getsockname()[1])
        assert refused.value.help.startswith("dossier serve --port ")
