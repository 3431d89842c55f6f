"""A server on a real socket, in this process, for what a test client cannot show: slow clients, cut connections, streams."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


class _Quiet(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def running(app: Any) -> Iterator[int]:
    """The application on a port of loopback, until left."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = _Quiet(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, limit_concurrency=1_000))
    thread = threading.Thread(target=lambda: server.run(sockets=[bound]), daemon=True)
    thread.start()
    assert server.ready.wait(60)
    try:
        yield int(bound.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(60)
        bound.close()
