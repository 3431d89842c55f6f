"""`dossier attestation`"""

from __future__ import annotations

from pathlib import Path

import click

from release_dossier.cli import edge
from release_dossier.errors import Misuse


@click.command(epilog="Example: dossier attestation build.dsse.json --key builder.pub --artifact app.tar")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", "key_files", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="a key to believe: PEM or SSH")
@click.option("--threshold", default=1, show_default=True, metavar="N", help="how many of them must have signed")
@click.option("--artifact", type=click.Path(path_type=Path), metavar="FILE", help="what it must be about")
@click.option("--root", type=click.Path(path_type=Path), metavar="FILE", help="trusted root of a Sigstore bundle (trusted_root.json)")
@click.option("--identity", default="", metavar="WHO", help="with --root: who signed, as the certificate names them")
@click.option("--issuer", default="", metavar="URL", help="with --root: who vouched for that identity")
@edge.json_option
def attestation(
    file: Path,
    key_files: tuple[Path, ...],
    threshold: int,
    artifact: Path | None,
    root: Path | None,
    identity: str,
    issuer: str,
    as_json: bool,
) -> None:
    """Check offline what another tool signed: a DSSE envelope by keys, a Sigstore bundle by a trusted root. Exit 40: it does not hold."""
    from release_dossier.steps.attestation import check_bundle, check_envelope, read, read_key

    raw, keys = read(file), [read_key(k) for k in key_files]
    content = None if artifact is None else read(artifact)
    if root is None:
        found = check_envelope(raw, str(file), keys, threshold, content)
    elif content is None or len(keys) > 1:
        raise Misuse("attestation.whom", at="--root", found="no --artifact, or several keys", expected="--artifact FILE and one signer")
    else:
        key = keys[0] if keys else None
        found = check_bundle(raw, str(file), read(root), content, key=key, identity=identity, issuer=issuer)
    about = ", ".join(s["name"] or str(s["digest"]) for s in found["subject"]) or "what was signed"
    words = (
        f"holds: signed by {', '.join(found['signed_by'])}; {found['predicate_type'] or found['payload_type'] or 'a file'} about {about}"
    )
    edge.emit(found, as_json, lambda: words)
