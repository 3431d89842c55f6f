"""`dossier evidence`: kinds, read, record, try"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from release_dossier.cli import edge
from release_dossier.errors import EXIT_DENIED
from release_dossier.limits import DOCUMENT_BYTES_MAX, SECRETS_BYTES_MAX
from release_dossier.project import OwnKind

TRIAL_BYTES_MAX = 256 * 1024  # of a file a reader is tried with


@click.group(cls=edge.Group)
def evidence() -> None:
    """What there is to say, and what a file says."""


@evidence.command(epilog="Example: dossier evidence kinds")
@edge.json_option
def kinds(as_json: bool) -> None:
    """Kinds of evidence: what each counts, proves and does not prove, and which formats are read; with those of this project's own."""
    from release_dossier.evidence.kinds import KINDS, kind
    from release_dossier.evidence.readers.plugged import kinds_plugged, plugged

    own = _own_kinds()
    every = [*KINDS, *kinds_plugged(), *(kind(k.name, own) for k in own)]
    value = [
        {"name": k.name, "unit": k.unit, "age_max_s": int(k.age_max.total_seconds()), "formats": list(k.formats), "proves": k.proves}
        for k in every
    ]
    words = [f"{k.name:18} {k.age_max.days:>3} d  {', '.join(k.formats)}\n    proves {k.proves}\n    not {k.does_not_prove}" for k in every]
    readers, wrong = plugged()
    words += [f"plugged in: {', '.join(r.NAME for r in readers)}"] if readers else []
    words += [f"left out: {w}" for w in wrong]
    edge.emit({"kinds": value, "plugged": [r.NAME for r in readers], "left_out": list(wrong)}, as_json, lambda: "\n".join(words))


def _own_kinds() -> tuple[OwnKind, ...]:
    """Kinds of the nearest dossier.toml upwards, as it stands in the working copy; none where there is no such file."""
    from release_dossier.project import SETTINGS_FILE, parse_settings

    here = Path.cwd()
    file = next((f for f in (d / SETTINGS_FILE for d in (here, *here.parents)) if f.is_file()), None)
    return parse_settings(file.read_bytes()).kind if file else ()


@evidence.command(epilog="Example: dossier evidence record http://127.0.0.1:9090 --query up=up -o up.ndjson")
@click.argument("address")
@click.option("--query", "queries", multiple=True, metavar="NAME=PROMQL", required=True, help="once for each")
@click.option("--window", default="1h", show_default=True, metavar="AGE", help="how far back, as in 30m, 6h, 1d")
@click.option("--end", metavar="TIME", help="RFC 3339; default: now")
@click.option("--step", "step_s", type=click.IntRange(1), default=15, show_default=True, metavar="SECONDS", help="between two samples")
@click.option("--token-env", metavar="VARIABLE", help="variable that holds a bearer token")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="where to keep them")
@edge.json_option
def record(address: str, queries: tuple[str, ...], output: Path, as_json: bool, **when: Any) -> int:
    """Ask a Prometheus server and keep its answers in a file, for `read` and `collect --from`. Nothing is changed there, and no token is
    kept."""
    import os

    from release_dossier.project import seconds
    from release_dossier.sources.prometheus import Asked, record
    from release_dossier.store.files import write_out

    named = dict(q.partition("=")[::2] for q in queries)
    if not all(named) or not all(named.values()) or len(named) != len(queries):
        raise click.BadParameter("each is NAME=PROMQL, each name once", param_hint="--query")
    end = int((edge.moment(when["end"], "--end") or edge.now()).timestamp())
    asked = Asked(queries=named, start_s=end - seconds(when["window"], "--window"), end_s=end, step_s=when["step_s"])
    token = os.environ.get(when["token_env"], "") if when["token_env"] else ""
    if when["token_env"] and not token:
        raise click.BadParameter(f"{when['token_env']} is not set", param_hint="--token-env")
    output.absolute().parent.stat()  # a slip in the path is said before the server is asked
    raw = record(address, asked, token=token)
    write_out(output, raw)
    many = "query" if len(named) == 1 else "queries"
    words = f"asked {len(named)} {many}, {len(raw)} bytes in {output}. next: dossier evidence read {shlex.quote(str(output))}"
    edge.emit({"output": str(output), "queries": sorted(named), "bytes": len(raw)}, as_json, lambda: words)
    return 0


@evidence.command("try", epilog="Example: dossier evidence try acme_smoke sample.json")
@click.argument("module")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--exit", "exit_status", type=int, metavar="N", help="the exit status of the tool that wrote it")
@click.option("--asked", type=click.Path(path_type=Path), metavar="FILE", help="JSON with what is expected, as for read")
@edge.json_option
def try_(module: str, file: Path, exit_status: int | None, asked: Path | None, as_json: bool) -> int:
    """Hold a reader (MODULE, as Python imports it) against the contract every reader keeps, over a FILE it should read. Exit 10 where it
    does not keep it."""
    import importlib
    import time

    from release_dossier.evidence.readers.trial import faults
    from release_dossier.sources.files import open_evidence

    expectations = {k: str(v) for k, v in _object(_asked(asked).get("expectations", {}), "expectations").items()}
    try:
        reader = importlib.import_module(module)
    except ImportError as e:
        raise click.BadParameter(f"{module} cannot be imported: {e}", param_hint="MODULE") from e
    with open_evidence(file) as stream:
        raw = stream.read(TRIAL_BYTES_MAX + 1)
    if len(raw) > TRIAL_BYTES_MAX:
        raise click.BadParameter(f"{file.name} is larger than {TRIAL_BYTES_MAX} bytes: it is read some hundred times", param_hint="FILE")
    found = faults(reader, raw, exit_status=exit_status, expectations=expectations, clock=time.monotonic)
    words = "\n".join(f"✗ {f}" for f in found) or f"{module} keeps the contract over {file.name}"
    edge.emit({"module": module, "faults": found}, as_json, lambda: words)
    return EXIT_DENIED if found else 0


def _asked(asked: Path | None) -> dict[str, Any]:
    from release_dossier.digest import parse_json
    from release_dossier.sources.files import open_evidence

    if asked is None:
        return {}
    with open_evidence(asked) as f:
        return _object(parse_json(f.read(DOCUMENT_BYTES_MAX + 1), asked.name), asked.name)


@evidence.command(epilog="Example: dossier evidence read junit.xml")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_", metavar="F", help="instead of recognising it from its content")
@click.option("--kind", "kind_", metavar="NAME", help="a kind of this project's own, from dossier.toml")
@click.option("--exit", "exit_status", type=int, metavar="N", help="the exit status of the tool that wrote it")
@click.option("--asked", type=click.Path(path_type=Path), metavar="FILE", help="JSON of what the tool was asked for, and what is expected")
@click.option("--base", type=click.Path(path_type=Path), metavar="FILE", help="the same file as the base release had it, to compare with")
@click.option(
    "--key", "keys", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help="public key of a signer to trust (PEM or OpenSSH)"
)
@click.option("--root", type=click.Path(path_type=Path), metavar="FILE", help="trusted root of Sigstore bundles (trusted_root.json)")
@click.option("--identity", default="", metavar="WHO", help="with --root: whom to trust, as certificates name them; * at its end: any rest")
@click.option("--issuer", default="", metavar="URL", help="with --root: who vouches for that identity")
@edge.json_option
def read(file: Path, asked: Path | None, base: Path | None, keys: tuple[Path, ...], kind_: str | None, as_json: bool, **named: Any) -> int:
    """Read a file and store nothing. Exit 0 when it says pass, else 10."""
    from release_dossier.evidence import secrets
    from release_dossier.evidence.readers import read as read_evidence
    from release_dossier.evidence.readers.plain import plain
    from release_dossier.sources.files import open_evidence
    from release_dossier.trust.keys import PUBLIC_LINE_CHARS_MAX

    wish = _asked(asked)
    expectations = {k: str(v) for k, v in _object(wish.get("expectations", {}), "expectations").items()}
    before = None
    if base is not None:
        with open_evidence(base) as f:
            before = plain(f).read(DOCUMENT_BYTES_MAX + 1)
    trusted = {}
    for key in keys:
        with open_evidence(key) as f:
            trusted[key.name] = f.read(PUBLIC_LINE_CHARS_MAX).decode("utf-8", "replace")
    own = next((k for k in _own_kinds() if k.name == kind_), None) if kind_ else None
    if kind_ and own is None:
        raise click.BadParameter(f"dossier.toml here has no [[kind]] {kind_}", param_hint="--kind")
    keyless = _keyless(named["root"], named["identity"], named["issuer"])
    beside: dict[str, Any] = {"asked": wish, "expectations": expectations, "base": before, "keys": trusted, "keyless": keyless, "own": own}
    with open_evidence(file) as stream:
        reading = read_evidence(stream, format=named["format_"], exit_status=named["exit_status"], **beside)
        reading = secrets.reported(reading, plain(stream), SECRETS_BYTES_MAX)
    edge.emit(
        reading.as_json() | {"limits": list(reading.limits), "facts": reading.as_json().get("facts", {})}, as_json, lambda: _words(reading)
    )
    return 0 if reading.verdict == "pass" else EXIT_DENIED


def _keyless(root: Path | None, identity: str, issuer: str) -> tuple[Any, ...]:
    from release_dossier.sources.files import open_evidence
    from release_dossier.trust.keyless import BUNDLE_BYTES_MAX, Believed

    if len({root is None, not identity, not issuer}) > 1:
        raise click.BadParameter("it takes all three: --root, --identity and --issuer", param_hint="--root")
    if root is None:
        return ()
    with open_evidence(root) as f:
        return (Believed("given", identity, issuer, f.read(BUNDLE_BYTES_MAX)),)


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
