"""`dossier evidence`: kinds, read"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from release_dossier.cli import edge
from release_dossier.errors import EXIT_DENIED
from release_dossier.limits import DOCUMENT_BYTES_MAX, SECRETS_BYTES_MAX


@click.group()
def evidence() -> None:
    """What there is to say, and what a file says."""


@evidence.command()
@edge.json_option
def kinds(as_json: bool) -> None:
    """Kinds of evidence: what each counts, proves and does not prove, and which formats are read."""
    from release_dossier.evidence.kinds import KINDS

    value = [
        {"name": k.name, "unit": k.unit, "age_max_s": int(k.age_max.total_seconds()), "formats": list(k.formats), "proves": k.proves}
        for k in KINDS
    ]
    words = [f"{k.name:18} {k.age_max.days:>3} d  {', '.join(k.formats)}\n    proves {k.proves}\n    not {k.does_not_prove}" for k in KINDS]
    edge.emit({"kinds": value}, as_json, lambda: "\n".join(words))


@evidence.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_", metavar="F", help="instead of recognising it from its content")
@click.option("--exit", "exit_status", type=int, metavar="N", help="the exit status of the tool that wrote it")
@click.option("--asked", type=click.Path(path_type=Path), metavar="FILE", help="JSON of what the tool was asked for, and what is expected")
@click.option("--base", type=click.Path(path_type=Path), metavar="FILE", help="the same file as the base release had it, to compare with")
@click.option(
    "--key", "keys", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help="public key of a signer to trust (PEM or OpenSSH)"
)
@edge.json_option
def read(
    file: Path, format_: str | None, exit_status: int | None, asked: Path | None, base: Path | None, keys: tuple[Path, ...], as_json: bool
) -> int:
    """Read a file and store nothing. Exit 0 when it says pass, else 10."""
    from release_dossier.digest import parse_json
    from release_dossier.evidence import secrets
    from release_dossier.evidence.readers import read as read_evidence
    from release_dossier.evidence.readers.plain import plain
    from release_dossier.sources.files import open_evidence
    from release_dossier.trust.keys import PUBLIC_LINE_CHARS_MAX

    wish: dict[str, Any] = {}
    if asked is not None:
        with open_evidence(asked) as f:
            wish = _object(parse_json(f.read(DOCUMENT_BYTES_MAX + 1), asked.name), asked.name)
    expectations = {k: str(v) for k, v in _object(wish.get("expectations", {}), "expectations").items()}
    before = None
    if base is not None:
        with open_evidence(base) as f:
            before = plain(f).read(DOCUMENT_BYTES_MAX + 1)
    trusted = {}
    for key in keys:
        with open_evidence(key) as f:
            trusted[key.name] = f.read(PUBLIC_LINE_CHARS_MAX).decode("utf-8", "replace")
    with open_evidence(file) as stream:
        reading = read_evidence(
            stream, format=format_, exit_status=exit_status, asked=wish, expectations=expectations, base=before, keys=trusted
        )
        reading = secrets.reported(reading, plain(stream), SECRETS_BYTES_MAX)
    edge.emit(
        reading.as_json() | {"limits": list(reading.limits), "facts": reading.as_json().get("facts", {})}, as_json, lambda: _words(reading)
    )
    return 0 if reading.verdict == "pass" else EXIT_DENIED


def _object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise click.BadParameter(f"{at} is no JSON object", param_hint="--asked")
    return value


def _words(r: Any) -> str:
    of = r.of if r.of is not None else "nobody knows how many"
    lines = [f"{edge.state(r.verdict)}  {r.kind} from {r.format}: {r.looked_at} of {of} looked at" + (f"; {r.cause}" if r.cause else "")]
    lines += [f"    {x.text}" for x in r.counterexamples]
    left = r.counterexamples_total - len(r.counterexamples)
    lines += [f"    and {left} more"] if left > 0 else []
    lines += [f"  {name:18} {fact.value} {fact.unit}" for name, fact in r.facts.items()]
    lines += [f"  limit: {x}" for x in r.limits]
    return "\n".join(lines)
