"""`dossier export`, `dossier verify`"""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

import click

from release_dossier.cli import edge
from release_dossier.errors import EXIT_CORRUPT, EXIT_DENIED, DossierError, Refused


@click.command(epilog="Example: dossier export v1.4.0 -o api.dossier")
@click.argument("digest")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="NAME.dossier in this folder when not given")
@edge.json_option
def export(digest: str, output: Path | None, as_json: bool) -> None:
    """One file with everything about a dossier, for a reviewer who has nothing else."""
    from release_dossier.steps.bundle import export as write
    from release_dossier.steps.look import dossier_of

    world = edge.open_world()
    named, dossier = dossier_of(world, digest)
    target = output or Path("-".join(f"{s.name}-{s.version}" for s in dossier.change.services).replace("/", "-") + ".dossier")
    size = write(world, named, target)
    words = f"wrote {target}, {size} bytes, for dossier {named[:19]}…\nnext: dossier verify {shlex.quote(str(target))}"
    edge.emit({"file": str(target), "bytes": size, "dossier": named}, as_json, lambda: words)


@click.command(epilog="Example: dossier verify api.dossier --trust dossier.trust.json")
@click.argument("bundle", metavar="FILE|DIGEST")
@click.option(
    "--trust", type=click.Path(path_type=Path), metavar="FILE", help="the trust document to believe; the project's own when not given"
)
@click.option("--integrity-only", is_flag=True, help="bytes and signatures alone; says nothing about whom to believe")
@click.option("--at", metavar="RFC3339", help="what if it were then: marked hypothetical")
@edge.json_option
def verify(bundle: str, trust: Path | None, integrity_only: bool, at: str | None, as_json: bool) -> int:
    """Check a bundle, or a stored dossier. 0: sound, trusted, an ALLOW that stands. 10: sound, but not that. 40: broken or not trusted."""
    import msgspec

    from release_dossier.steps.bundle import verify as check

    moment = edge.moment(at, "--at")
    chain = _chain(trust, integrity_only)
    with tempfile.TemporaryDirectory() as d:
        file = Path(bundle)
        if not file.is_file():
            file = _stored(bundle, Path(d))
        found = check(file, chain, integrity_only=integrity_only, now=moment or edge.now())
    value = {**msgspec.to_builtins(found), "hypothetical": moment is not None}

    def words() -> str:
        bad = [c for c in found.checks if c.state != "pass"]
        dull = ("statement", "artifacts")  # one for each file, where nothing is to be said
        told = [c for c in found.checks if not c.name.startswith(dull) or c.detail.startswith("withheld")]
        lines = [f"{edge.state(c.state)}  {c.name}: {c.detail}" for c in bad or told]
        head = f"sound · {found.standing}" if found.verified else "BROKEN, or by a signer this trust does not know"
        head += f" · hypothetical, as of {at}" if moment else ""
        return "\n".join([*lines, f"{head} · {len(found.checks)} checks, {len(bad)} failed · trust {found.trust}"])

    edge.emit(value, as_json, words)
    if not found.verified:
        return EXIT_CORRUPT
    return 0 if integrity_only or found.standing == "allowed" else EXIT_DENIED


def _chain(trust: Path | None, integrity_only: bool) -> bytes | None:
    """The trust document to hold the bundle against: the one named, else that of the project this is called in, if any."""
    if trust is not None:
        try:
            return trust.read_bytes()
        except OSError as e:
            raise Refused("verify.trust-unreadable", at=str(trust), found=e.strerror or "an error", expected="a trust document") from e
    if integrity_only:
        return None
    try:
        return edge.open_world().trust_chain
    except DossierError:
        return None


def _in_project() -> bool:
    """Whether a tag or a release could be meant: there is a project to ask."""
    try:
        edge.open_world()
    except DossierError:
        return False
    return True


def _stored(prefix: str, folder: Path) -> Path:
    from release_dossier.steps.bundle import export as write
    from release_dossier.steps.look import dossier_of

    digest_like = re.fullmatch(r"(sha256:)?[0-9a-f]{8,64}", prefix) is not None
    if prefix.endswith(".dossier") or (not digest_like and not _in_project()):
        raise Refused("bundle.unreadable", at=prefix, found="no such file", expected="a bundle", help="dossier export")
    world = edge.open_world()
    target = folder / "stored.dossier"
    try:
        digest = dossier_of(world, prefix)[0]
    except Refused as e:
        if e.code != "look.no-release":
            raise
        found, expected = "no such file, and no release of this name", "a bundle, a digest, a tag or service@version"
        raise Refused("bundle.unreadable", at=prefix, found=found, expected=expected, help="dossier export") from e
    write(world, digest, target)
    return target
