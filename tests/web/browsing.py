"""A real browser over a real server: started once, shared by the tests that look at pages as people do."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from release_dossier.web.app import make_app
from release_dossier.web.place import Place

ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"


def chromium() -> str | None:
    """Where Chromium is, None where it is not installed."""
    return next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


class Served:
    """A place being served on a free port of loopback, reached as `localhost`, where browsers make passkeys."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"http://localhost:{self.socket.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(make_app(place), log_level="warning", timeout_graceful_shutdown=1))
        self.thread = threading.Thread(target=lambda: self.server.run(sockets=[self.socket]), daemon=True)
        self.thread.start()
        limit = time.monotonic() + 60
        while not self.server.started and time.monotonic() < limit:
            time.sleep(0.01)
        assert self.server.started

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)
        self.socket.close()


@contextmanager
def served(place: Place) -> Iterator[Served]:
    """`place`, served until left."""
    made = Served(place)
    try:
        yield made
    finally:
        made.stop()


class Watch:
    """What a page must never do: speak to another host, log an error, break its content policy."""

    def __init__(self, page: Any, home: str) -> None:
        self.faults: list[str] = []
        page.on("console", lambda m: self._said(m.type, m.text))
        page.on("pageerror", lambda e: self.faults.append(f"error: {e}"))
        page.on("dialog", lambda d: (self.faults.append(f"dialog: {d.message}"), d.dismiss()))
        page.on("request", lambda r: self._asked(r.url, home))

    def _said(self, kind: str, text: str) -> None:
        # Chromium would like RS256 among a passkey's algorithms; the trust document takes none of it.
        if kind in ("error", "warning") and "pub_key_cred_params" not in text:
            self.faults.append(f"{kind}: {text}")

    def _asked(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:", "blob:")):
            self.faults.append(f"asked {url}")
