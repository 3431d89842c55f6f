"""`dossier serve`"""

from __future__ import annotations

import os
from pathlib import Path

import click

from release_dossier.cli import edge
from release_dossier.errors import Unavailable

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.option("--port", default=8722, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free")
@click.option("--open", "open_", is_flag=True, help="open it in the browser")
def serve(port: int, open_: bool) -> None:
    """Pages and API over this project, on this machine only."""
    run_server(Path.cwd(), port, open_)


def run_server(root: Path, port: int, open_: bool) -> None:
    """Serve until Ctrl-C.

    Raises:
        Unavailable: `serve.port`: something else listens there.
    """
    import socket
    import time

    import uvicorn

    from release_dossier.web.app import make_app
    from release_dossier.web.place import Options, Place

    address = LOOPBACK[0]
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address, port))
    except OSError as e:
        bound.close()
        expected = "a free port"
        help = f"dossier serve --port {port + 1 if port < 65535 else 0}"
        raise Unavailable("serve.port", at=f"{address}:{port}", found=e.strerror or "an error", expected=expected, help=help) from e
    place = Place(root, dict(os.environ), edge.now, time.monotonic)
    port = bound.getsockname()[1]
    url = f"http://{address}:{port}/"
    app = make_app(place, Options(address=address, port=port))
    edge.note(f"serving {place.root} at {url}\nonly this machine reaches it, without login. Ctrl-C ends it; nothing is lost.")
    if open_:
        click.launch(url)
    # h11 and asyncio: nothing compiled beyond what the lock holds. Workers share nothing, so there is one.
    config = uvicorn.Config(app, log_level="warning", server_header=False, date_header=True, timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[bound])
