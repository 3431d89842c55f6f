"""`dossier init`, `dossier doctor`"""

from __future__ import annotations

import os
from pathlib import Path

import click

from release_dossier.cli import edge


@click.command(epilog="Example: dossier init")
@click.option("--profile", metavar="NAME", help="a ready-made project, e.g. socialpredict")
@edge.json_option
def init(profile: str | None, as_json: bool) -> None:
    """Propose dossier.toml from what the repository shows, pin the protected branch, make the first trust document. Never overwrites."""
    import msgspec

    from release_dossier.steps.init import init as init_project

    done = init_project(Path.cwd(), dict(os.environ), edge.now(), profile)

    def words() -> str:
        lines = [f"wrote {done.config}: service{'s' * (len(done.services) != 1)} {', '.join(done.services)}; check every guess:"]
        lines += [f"  guess  {g}" for g in done.guessed]
        lines.append(
            f"{done.person} signs with {done.key}" + (f", a new key in {done.new_key}" if done.new_key else ", the key git signs with")
        )
        lines += [f"next: {n}" for n in done.next]
        return "\n".join(lines)

    edge.emit(msgspec.to_builtins(done), as_json, words)


@click.command(epilog="Example: dossier doctor")
@edge.json_option
def doctor(as_json: bool) -> int:
    """Look at everything a release needs and say what is missing."""
    from release_dossier.errors import EXIT_DENIED
    from release_dossier.steps.doctor import examine

    checks = examine(Path.cwd(), dict(os.environ), edge.now())
    bad = [c for c in checks if c["state"] == "fail"]

    def words() -> str:
        lines = [
            f"{edge.state(c['state'])}  {c['name']}: {c['detail']}" + (f"\n        next: {c['help']}" if c["help"] else "") for c in checks
        ]
        warned = sum(c["state"] == "warn" for c in checks)
        hold = f"{len(checks) - len(bad) - warned} of {len(checks)} checks hold"
        return "\n".join([*lines, hold + (f", {warned} only {'warns' if warned == 1 else 'warn'}" if warned else "")])

    edge.emit({"checks": checks}, as_json, words)
    return EXIT_DENIED if bad else 0
