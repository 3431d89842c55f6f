"""`dossier serve`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from release_dossier.cli import edge
from release_dossier.errors import Refused, Unavailable

if TYPE_CHECKING:
    import socket

    from release_dossier.web.place import Place

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command(epilog="Example: dossier serve --port 8722 --open")
@click.option("--port", default=8722, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free")
@click.option(
    "--host", default=LOOPBACK[0], show_default=True, metavar="ADDRESS", help="anything but loopback needs [access] in dossier.toml"
)
@click.option("--base-url", default="", metavar="URL", help="how browsers reach it: https://dossier.example")
@click.option("--login", is_flag=True, help="ask for login on loopback too: for a server behind a proxy on this machine")
@click.option(
    "--log", "log_format", type=click.Choice(["none", "json"]), default="none", show_default=True, help="a line a request on stderr"
)
@click.option("--open", "open_", is_flag=True, help="open it in the browser")
@edge.json_option
def serve(port: int, host: str, base_url: str, login: bool, log_format: str, open_: bool, as_json: bool) -> None:
    """Pages and API over this project: on this machine without an account, elsewhere behind your own login."""
    run_server(Path.cwd(), port, open_, host=host, base_url=base_url, login=login, log_format=log_format, as_json=as_json)


def run_server(
    root: Path,
    port: int,
    open_: bool,
    *,
    host: str = LOOPBACK[0],
    base_url: str = "",
    login: bool = False,
    log_format: str = "none",
    as_json: bool = False,
) -> None:
    """Serve until Ctrl-C. What is served and where is said on stderr first, with `as_json` as one object on stdout too.

    Raises:
        Refused: `serve.login`: another address than loopback, and nobody could log in. Unavailable: `serve.port`.
    """
    import time

    import uvicorn

    from release_dossier.web.app import make_app
    from release_dossier.web.place import Options, Place

    place = Place(root, dict(os.environ), edge.now, time.monotonic, edge.note)
    login = login or host not in LOOPBACK
    if login:
        _login_works(place, base_url)
    bound = _bind(host, port)
    port = bound.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    url = base_url.rstrip("/") + "/" if base_url else f"http://{shown}:{port}/"
    options = Options(address=host, port=port, base_url=base_url, login=login)
    app = make_app(place, options, note=edge.note, log=edge.note if log_format == "json" else None)
    who = "members log in" if login else "only this machine reaches it, without login"
    edge.note(f"serving {place.root} at {url}\n{who}. Ctrl-C ends it; nothing is lost.")
    if as_json:
        edge.emit({"project": str(place.root), "url": url, "login": login}, True, str)
    if open_:
        click.launch(url)
    # h11 and asyncio: nothing compiled beyond what the lock holds. Workers share nothing, so there is one.
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=1_000,
        h11_max_incomplete_event_size=32 * 1024,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=2,
    )

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Whoever listens to the log is let go first: an answer still open after the grace time is cancelled, with a traceback."""
            app.state.events.close()
            await super().shutdown(sockets)

    Server(config).run(sockets=[bound])


def _bind(host: str, port: int) -> socket.socket:
    import socket

    # TCP by name: asyncio turns Nagle's algorithm off only for sockets that say so, and an answer in two parts waits 40 ms otherwise.
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()  # who is told the address is not turned away while the server begins
    except OSError as e:
        bound.close()
        expected = "a free port"
        help = f"dossier serve --port {port + 1 if port < 65535 else 0}"
        raise Unavailable("serve.port", at=f"{host}:{port}", found=e.strerror or "an error", expected=expected, help=help) from e
    return bound


def _login_works(place: Place, base_url: str) -> None:
    """Refuse an address the outside reaches where nobody could log in, or where a session could be read on its way."""
    settings = place.ground().settings
    access = settings.access if settings else None
    if access is None:
        found, help = "no [access] in dossier.toml on the protected branch", "docs/api.md says how to configure login"
        raise Refused("serve.login", at="--host", found=found, expected="login, or an address of this machine only", help=help)
    local = any(base_url.startswith(f"http://{h}") for h in ("127.0.0.1", "localhost", "[::1]"))
    if not base_url.startswith("https://") and not local:
        raise Refused("serve.login", at="--base-url", found=base_url or "nothing", expected="https://HOST, as browsers reach it")
    if not place.environ.get(access.client_secret_env):
        raise Refused("serve.login", at=access.client_secret_env, found="nothing", expected="the secret of the client at the provider")
    if access.login == "oidc" and not access.issuer:
        raise Refused("serve.login", at="[access] issuer", found="nothing", expected="the provider's address")
