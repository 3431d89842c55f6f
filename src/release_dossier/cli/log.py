"""`dossier log`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from release_dossier.cli import edge
from release_dossier.errors import Misuse, Refused


@click.group(cls=edge.Group)
def log() -> None:
    """The transparency log: every statement, in the order it happened."""


@log.command(epilog="Example: dossier log checkpoint")
@edge.json_option
def checkpoint(as_json: bool) -> None:
    """The signed head of the log, and the key others know it by."""
    from release_dossier.trust.keys import parse_public
    from release_dossier.trust.log import parse_checkpoint
    from release_dossier.trust.note import note_key

    world = edge.open_world()
    note = world.store.checkpoint()
    head = parse_checkpoint(note)
    key = note_key(head.origin, parse_public(world.signer().public, "producer key")).vkey
    value = {"origin": head.origin, "size": head.size, "root": "sha256:" + head.root.hex(), "note": note.decode(), "key": key}
    edge.emit(value, as_json, lambda: f"{note.decode()}key {key}")


@log.command(epilog="Example: dossier log audit")
@click.option("--log", "place", metavar="PLACE", help="follow another log: the folder or http(s) address its files are served from")
@click.option("--key", metavar="NAME+HASH+KEY", help="the verifier key of that log")
@click.option("--seen", type=click.Path(path_type=Path), metavar="FILE", help="where its checkpoint seen last is kept")
@edge.json_option
def audit(place: str | None, key: str | None, seen: Path | None, as_json: bool) -> None:
    """Read a log: this project's from its start, or another's from the checkpoint seen last; a fork or a rollback is named."""
    from release_dossier.steps.log import audit as read
    from release_dossier.steps.log import follow, seen_file
    from release_dossier.trust.note import parse_vkey

    if place is None:
        found = read(edge.open_world())
        words = f"{found['size']} entries, every document there, root {found['root']}; " + (
            f"extends {found['witness']}" if found["witness"] else "unwitnessed: no checkpoint is kept elsewhere"
        )
        edge.emit(found, as_json, lambda: words)
        return
    if key is None:
        raise Misuse(
            "log.no-key", at="--key", found="nothing", expected="the verifier key of the log", help="dossier log checkpoint prints it"
        )
    vkey = parse_vkey(key, "--key")
    other = follow(place, vkey, seen or seen_file(_home(), vkey.name))
    since = f"extends the {other['seen']} seen before" if other["seen"] is not None else "seen for the first time"
    edge.emit(other, as_json, lambda: f"{other['origin']}: {other['size']} entries, {since}; {other['read']} read, root {other['root']}")


def _home() -> Path:
    """The state of the project here, where what was seen of other logs is kept unless `--seen` says where."""
    try:
        return edge.open_world().home
    except Refused as e:
        if e.code != "project.none":
            raise
        raise Misuse("log.no-seen", at="--seen", found="nothing, and no project here", expected="a file to keep the checkpoint in") from e


@log.command(epilog="Example: dossier log prove 1a8d733a -o release.tlog-proof")
@click.argument("document", metavar="ID", required=False)
@click.option("--since", type=int, metavar="SIZE", help="that the log extends what it was with so many entries")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="the proof of ID as a .tlog-proof file")
@edge.json_option
def prove(document: str | None, since: int | None, output: Path | None, as_json: bool) -> None:
    """That a document (by digest, or a release by its tag or service@version) is in the log, or that the log extends an earlier one; RFC
    6962 paths under the current head."""
    from release_dossier.steps.log import prove_entry, prove_extension
    from release_dossier.store.files import write_out

    if (document is None) == (since is None):
        raise Misuse("log.prove-what", at="log prove", found="both or neither", expected="ID, or --since SIZE")
    world = edge.open_world()
    if document is None:
        assert since is not None
        found = prove_extension(world, since)
        head = f"{found['size']} entries extend the first {since}"
    else:
        found = prove_entry(world, document)
        head = f"{found['type']} {found['digest']} is entry {found['index']} of {found['size']}"
        if output is not None:
            write_out(output, found["proof"].encode())
    edge.emit(found, as_json, lambda: "\n".join([head, f"root {found['root']}", *(f"  {h}" for h in found["path"])]))


@log.command(epilog="Example: dossier log publish --to public/log")
@click.option(
    "--to", type=click.Path(path_type=Path), metavar="DIR", help="also as static files any web server can serve (C2SP tlog-tiles)"
)
@click.option(
    "--witness", "more", multiple=True, metavar="'ADDRESS KEY'", help="also cosigned by this witness; the settings may name others"
)
@edge.json_option
def publish(to: Path | None, more: tuple[str, ...], as_json: bool) -> None:
    """Keep the head in the repository (refs/dossier/log) and with witnesses, so that a log rolled back is found."""
    from release_dossier.steps.decide import check_witness, kept_checkpoint, parse_witness
    from release_dossier.steps.log import publish as keep

    world = edge.open_world()
    check_witness(world, kept_checkpoint(world))
    found = keep(world, to, [parse_witness(w, "--witness") for w in more])
    edge.emit(found, as_json, lambda: _published(found, world.pin.remote or "REMOTE"))


def _published(found: dict[str, Any], remote: str) -> str:
    ref = found["ref"]
    lines = [f"{ref} holds the head of {found['size']} entries; push it: git push {remote} '+refs/dossier/*:refs/dossier/*'"]
    lines += [f"witness {w['name']}: {w['state']}, {w['detail']}" for w in found["witnesses"]]
    if "folder" in found:
        lines.append(f"{found['folder']}: {found['files']} files written")
    return "\n".join(lines)


@log.command(epilog="Example: dossier log witness --name w.example/1 --key w1 --log NAME+HASH+KEY --state seen")
@click.option("--name", required=True, help="how this witness is called in signatures: an address without scheme, as in witness.example/w1")
@click.option("--key", "key_file", required=True, type=click.Path(path_type=Path), metavar="FILE", help="its private key, Ed25519")
@click.option("--log", "logs", multiple=True, required=True, metavar="NAME+HASH+KEY", help="a log it cosigns")
@click.option("--state", required=True, type=click.Path(path_type=Path), metavar="DIR", help="where it keeps what it saw")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="where it listens")
@click.option("--port", default=8700, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free")
@edge.json_option
def witness(name: str, key_file: Path, logs: tuple[str, ...], state: Path, host: str, port: int, as_json: bool) -> None:
    """Be a witness for other logs (C2SP tlog-witness): cosign their checkpoints as long as they only grow."""
    import time

    from release_dossier.sources.witness import Witness, witness_server
    from release_dossier.trust.keys import load_signer, parse_public
    from release_dossier.trust.note import NoteKey, is_note_name, note_key, parse_vkey

    if not is_note_name(name):
        raise Refused("note.vkey", at="--name", found=repr(name), expected="a name without blanks and +")
    known: dict[str, list[NoteKey]] = {}
    for text in logs:
        vkey = parse_vkey(text, "--log")
        known.setdefault(vkey.name, []).append(vkey)
    signer = load_signer(key_file)
    vkey = note_key(name, parse_public(signer.public, str(key_file)), cosigner=True)
    server = witness_server(Witness(state, name, signer, known, lambda: int(time.time())), host, port)
    address = f"http://{host}:{server.server_address[1]}"
    edge.emit({"address": address, "key": vkey.vkey}, as_json, lambda: f"{address} {vkey.vkey}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
