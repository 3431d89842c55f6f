"""The log as others see it: proofs, static files, witnesses, and following one from the checkpoint seen last."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from release_dossier.sources.witness import Witness, witness_server
from release_dossier.steps.decide import parse_witness
from release_dossier.trust.keys import generate, parse_private, parse_public
from release_dossier.trust.log import leaf_of, make_checkpoint
from release_dossier.trust.note import note_key, parse_vkey
from release_dossier.trust.proof import parse_proof, proves
from release_dossier.trust.witness import cosigners
from tests.thread.test_gate import allowed
from tests.town import Town

WITNESS = parse_private(generate()[0], "witness")
NAME = "witness.example/w1"
VKEY = note_key(NAME, parse_public(WITNESS.public, "witness"), cosigner=True).vkey


@contextmanager
def witness_for(town: Town, folder: Path) -> Iterator[str]:
    key = parse_vkey(town.dossier("log", "checkpoint")["key"])
    server = witness_server(Witness(folder, NAME, WITNESS, {key.name: [key]}, lambda: 1_790_000_000), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_proof_stands_alone(town: Town, tmp_path: Path) -> None:
    """`log prove -o` writes a proof that verifies with nothing else, and holds the line that opens the leaf."""
    digest = town.assembled()
    file = tmp_path / "dossier.tlog-proof"
    found = town.dossier("log", "prove", digest, "-o", str(file))
    proof = parse_proof(file.read_bytes())
    assert proof.index == found["index"]
    assert proof.extra is not None
    assert digest in proof.extra.decode()
    assert proves(proof, leaf_of(proof.extra))
    grown = town.dossier("log", "prove", "--since", "2")
    assert (grown["old_size"], grown["size"]) == (2, found["size"])
    assert town.refused("log", "prove", "--since", "999")["code"] == "log.size"
    assert town.refused("log", "prove", code=2)["code"] == "log.prove-what"


def test_a_tag_names_the_record_of_its_release(town: Town) -> None:
    """A reviewer who has a tag needs no digest; a name that is none is refused as such."""
    allowed(town)
    made = town.dossier("release")["release"]
    for name in ("v0.1.0", "shop@0.1.0", made["digest"]):
        found = town.dossier("log", "prove", name)
        assert (found["digest"], found["type"], found["index"]) == (made["digest"], "release", made["log_index"])
    assert town.run("log", "prove", "v0.1.0")[1].startswith(f"release {made['digest']} is entry {made['log_index']} of ")
    assert town.refused("log", "prove", "v9.9.9")["code"] == "look.no-release"


def test_what_a_page_names_as_a_witness_is_one() -> None:
    """The settings docs/log.md shows can be taken as they are."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "log.md").read_text()
    named = [w for line in re.findall(r"^ +(witnesses = \[.*\])$", page, re.MULTILINE) for w in tomllib.loads(line)["witnesses"]]
    assert [parse_witness(w, "docs/log.md")[1].name for w in named] == ["witness.example/w1"]


@pytest.mark.parametrize("place", ["http://[::1", "/no/such/folder"])
def test_a_place_where_no_log_can_be_is_refused(town: Town, place: str) -> None:
    key = town.dossier("log", "checkpoint")["key"]
    assert town.refused("log", "audit", "--log", place, "--key", key)["code"] == "log.place"


def test_another_log_is_followed_and_a_fork_is_named(town: Town, tmp_path: Path) -> None:
    """Published files are followed from what was seen; entries taken away, replaced, or a head by a stranger is an integrity failure that
    says both, and the head that does not fit is kept."""
    town.assembled()
    site, seen = tmp_path / "site", tmp_path / "seen"
    key = town.dossier("log", "checkpoint")["key"]
    follow = ("log", "audit", "--log", str(site), "--key", key, "--seen", str(seen))
    town.dossier("log", "publish", "--to", str(site))
    first = town.dossier(*follow)
    assert (first["seen"], first["read"]) == (None, first["size"])
    town.gate()
    town.dossier("log", "publish", "--to", str(site))
    grown = town.dossier(*follow)
    assert (grown["seen"], grown["read"]) == (first["size"], grown["size"] - first["size"])
    for name in ("tile/0/000.p", "tile/entries/000.p"):
        file = site / name / str(grown["size"])
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
        assert town.refused(*follow, code=40)["code"] in ("tile.hashes", "tile.leaf")
        file.write_bytes(whole)
    other = Town(tmp_path / "other", founded_anew=True)
    shutil.rmtree(site)
    other.dossier("log", "publish", "--to", str(site))
    assert town.refused(*follow, code=40)["code"] == "log.checkpoint-signer"
    assert town.refused("log", "audit", "--log", str(site), code=2)["code"] == "log.no-key"
    (tmp_path / "nowhere").mkdir()
    away = ("-C", str(tmp_path / "nowhere"), "log", "audit", "--log", str(site), "--key", key)
    assert town.refused(*away, code=2)["code"] == "log.no-seen"
    other_key = other.dossier("log", "checkpoint")["key"]
    assert town.dossier(
        "-C", str(tmp_path / "nowhere"), "log", "audit", "--log", str(site), "--key", other_key, "--seen", str(tmp_path / "s")
    )


def test_attack_published_log_rewound(town: Town, tmp_path: Path) -> None:
    """A log that shows fewer entries than were seen, or other ones, all well signed, has forked: named, and the proof of it is kept."""
    town.assembled()
    site, seen = tmp_path / "site", tmp_path / "seen"
    key = town.dossier("log", "checkpoint")["key"]
    town.dossier("log", "publish", "--to", str(site))
    old = (site / "checkpoint").read_bytes()
    town.gate()
    town.dossier("log", "publish", "--to", str(site))
    follow = ("log", "audit", "--log", str(site), "--key", key, "--seen", str(seen))
    town.dossier(*follow)
    (site / "checkpoint").write_bytes(old)
    refusal = town.refused(*follow, code=40)
    assert refusal["code"] == "log.rolled-back"
    assert (tmp_path / "seen.fork").read_bytes() == old


def test_attack_a_rolled_back_log_published_over_what_it_was(town: Town, tmp_path: Path) -> None:
    """Store and repository were rolled back together: what was published is not replaced by less, by other entries, or by another
    project's log, and every file stays as it was."""
    town.assembled()
    backup, site = tmp_path / "backup", tmp_path / "site"
    shutil.copytree(town.repo, backup, symlinks=True)
    town.gate()
    town.gate()
    publish = ("log", "publish", "--to", str(site))
    town.dossier(*publish)
    before = {f: f.read_bytes() for f in site.rglob("*") if f.is_file()}
    shutil.rmtree(town.repo)
    shutil.copytree(backup, town.repo, symlinks=True)
    for code in ("log.rolled-back", "log.fork"):
        refusal = town.refused(*publish, code=40)
        assert (refusal["code"], refusal["at"]) == (code, str(site / "checkpoint"))
        for _ in range(3):
            town.gate()
    other = Town(tmp_path / "other", founded_anew=True)
    assert other.refused(*publish, code=40)["code"] == "log.other-project"
    assert {f: f.read_bytes() for f in site.rglob("*") if f.is_file()} == before


def test_a_head_kept_with_witnesses(tmp_path: Path) -> None:
    """Witnesses the settings name are asked; the decision says who cosigned, and one that is away is reported and hides no other."""
    town = Town(tmp_path)
    with witness_for(town, tmp_path / "w") as url:
        town.git("switch", "-q", "main")
        away = "http://127.0.0.1:1"
        town.write("dossier.toml", town.read("dossier.toml") + f'\n[log]\nwitnesses = ["{url} {VKEY}", "{away} {VKEY}"]\n')
        town.commit("witnesses")
        town.git("switch", "-q", "fix/rounding")
        town.git("merge", "-q", "main")
        town.assembled()
        found = town.dossier("log", "publish")
        assert sorted(w["state"] for w in found["witnesses"]) == ["absent", "cosigned"]
        decision = town.gate()
        assert decision["notes"] is not None
        stored = town.dossier("show", decision["digest"])["predicate"]
        assert stored["witness"] == f"refs/dossier/log, cosigned by {NAME} at {found['size']} entries"
        assert town.dossier("replay", decision["digest"])["equal"]
        again = town.dossier("log", "publish", "--witness", f"{url} {VKEY}")
        assert [w["state"] for w in again["witnesses"]].count("cosigned") == 2


def test_a_witness_that_answers_nonsense_costs_no_other_s_word(tmp_path: Path) -> None:
    """A page that says 200 to everything, as a captive network has it, is named with 40; who was asked after it is asked, and kept."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>please log in</html>\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    town = Town(tmp_path)
    town.assembled()
    page = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    nonsense = f"http://127.0.0.1:{page.server_address[1]} {VKEY}"
    with witness_for(town, tmp_path / "w") as url:
        refusal = town.refused("log", "publish", "--witness", nonsense, "--witness", f"{url} {VKEY}", code=40)
    page.shutdown()
    page.server_close()
    assert refusal["at"] == f"witness {NAME}"
    kept = town.git("cat-file", "blob", "refs/dossier/witnessed")
    assert cosigners(kept.encode() + b"\n" if not kept.endswith("\n") else kept.encode(), (parse_vkey(VKEY),)) == (NAME,)


def test_attack_store_and_own_ref_rolled_back(tmp_path: Path) -> None:
    """Someone who rolls back the store and `refs/dossier/log` together is found by the cosigned head, and by the witness itself."""
    import shutil

    town = Town(tmp_path)
    with witness_for(town, tmp_path / "w") as url:
        town.assembled()
        town.dossier("log", "publish", "--witness", f"{url} {VKEY}")
        state, copy = town.repo / ".dossier", tmp_path / "copy"
        shutil.copytree(state, copy)
        ref = town.git("rev-parse", "refs/dossier/log")
        town.gate()
        town.dossier("log", "publish", "--witness", f"{url} {VKEY}")
        witnessed = town.git("rev-parse", "refs/dossier/witnessed")
        shutil.rmtree(state)
        shutil.copytree(copy, state)
        town.git("update-ref", "refs/dossier/log", ref)
        assert town.refused("gate", code=40)["code"] == "log.rolled-back"
        town.git("update-ref", "-d", "refs/dossier/witnessed", witnessed)
        refusal = town.refused("log", "publish", "--witness", f"{url} {VKEY}", code=40)
        assert (refusal["code"], refusal["at"]) == ("log.rolled-back", f"witness {NAME}")


@pytest.mark.parametrize("ref", ["refs/dossier/log", "refs/dossier/witnessed"])
def test_a_kept_head_of_another_project_is_no_fork(town: Town, ref: str) -> None:
    """Refs fetched from another repository: named as that, and nobody is told that entries were changed."""
    town.assembled()
    head = make_checkpoint("sha256:" + "cd" * 32, 2, bytes(32), WITNESS)
    blob = subprocess.run(["git", "hash-object", "-w", "--stdin"], input=head, cwd=town.repo, capture_output=True, check=True)
    town.git("update-ref", ref, blob.stdout.decode().strip())
    own = town.dossier("log", "checkpoint")["origin"]
    for command in (("gate",), ("log", "audit"), ("log", "publish")):
        refusal = town.refused(*command, code=40)
        told = (refusal["code"], refusal["at"], refusal["found"], refusal["expected"])
        assert told == ("log.other-project", ref, "release-dossier/" + "cd" * 8, own)


def test_a_witness_is_named_whole(town: Town) -> None:
    """A witness without address or key is refused before anything is asked."""
    assert town.refused("log", "publish", "--witness", "nowhere")["code"] == "witness.syntax"
    bad = base64.b64encode(b"\4" + bytes(32)).decode()
    assert town.refused("log", "publish", "--witness", f"http://127.0.0.1:1 {NAME}+00000000+{bad}")["code"] == "note.vkey"


def test_attack_the_log_s_own_key_as_its_witness(tmp_path: Path) -> None:
    """Its signature stands under every head: a witness is named with the kind of key that only cosigns, on the line and in the settings."""
    town = Town(tmp_path)
    with witness_for(town, tmp_path / "w") as url:
        town.assembled()
        own = town.dossier("log", "checkpoint")["key"]
        refusal = town.refused("log", "publish", "--witness", f"{url} {own}")
        assert (refusal["code"], refusal["at"]) == ("witness.syntax", "--witness")
        assert refusal["found"] == f"the key of kind 1 of {own.split('+')[0]}"
        assert refusal["expected"] == "one of kind 4, which a witness cosigns with"
        town.dossier("log", "publish", "--witness", f"{url} {VKEY}")
        town.git("switch", "-q", "main")
        town.write("dossier.toml", town.read("dossier.toml") + f'\n[log]\nwitnesses = ["{url} {own}"]\n')
        town.commit("witness")
        town.git("switch", "-q", "fix/rounding")
        refusal = town.refused("gate")
        assert (refusal["code"], refusal["at"]) == ("witness.syntax", "dossier.toml log.witnesses")


@pytest.mark.parametrize(
    ("change", "code", "exit_code"),
    [
        ({"--name": "two words"}, "note.vkey", 20),
        ({"--name": "a+b"}, "note.vkey", 20),
        ({"--state": "taken"}, "witness.unwritable", 30),
        ({"--host": "192.0.2.1"}, "witness.address", 30),
    ],
)
def test_a_witness_that_cannot_be_one_says_why(town: Town, change: dict[str, str], code: str, exit_code: int) -> None:
    """A name nobody could read in a signature, a state that is no folder, an address of another machine: refused before it serves."""
    (town.repo / "taken").write_bytes(b"")
    key = town.dossier("log", "checkpoint")["key"]
    given = {"--name": "witness.example/w1", "--key": str(town.key), "--log": key, "--state": str(town.root / "w"), "--port": "0"} | change
    found, _, err = town.run("log", "witness", *(x for pair in given.items() for x in pair))
    assert (found, err.split()[1]) == (exit_code, code)
    assert town.run("log", "witness", *(x for pair in (given | {"--port": "99999"}).items() for x in pair))[0] == 2


def test_a_revocation_that_means_nobody_is_refused(town: Town) -> None:
    """A mistyped key would go on counting; a public key that is no text is refused as one."""
    (town.root / "noise.pub").write_bytes(bytes(range(128, 256)))
    propose = ("trust", "propose", "--key", str(town.key))
    assert town.refused(*propose, "--revoke", "SHA256:mistyped")["code"] == "trust.unknown-key"
    assert town.refused(*propose, "--person", "bob", "--public", str(town.root / "noise.pub"))["code"] == "key.public-syntax"
