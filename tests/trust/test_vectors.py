"""Published vectors: made from code, passed by this code, and by a second verifier in another language."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from release_dossier.bundle import examine, open_bundle
from release_dossier.errors import DossierError
from release_dossier.trust.document import parse_chain
from tests import needs
from tests.town import Town

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "docs" / "vectors"
GO = ROOT / "contrib" / "verify-go"


def test_the_files_are_what_the_code_says() -> None:
    """Vectors change only with the formats, and then knowingly: `make vectors`."""
    done = subprocess.run([sys.executable, "tools/vectors.py", "check"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("case", json.loads((VECTORS / "bundles.json").read_text()), ids=lambda c: c["name"])
def test_bundles_are_sound_or_not(case: dict[str, object], tmp_path: Path) -> None:
    """Each bundle, whole and with one change, is as its case says; every refusal is typed."""
    raw = bytearray((VECTORS / str(case["file"])).read_bytes())
    if "edit" in case:
        at, bits = case["edit"]  # type: ignore[misc]
        raw[at] ^= bits
    if "cut" in case:
        del raw[case["cut"] :]  # type: ignore[misc]
    chain = base64.b64decode(str(case["chain"])) if "chain" in case else (VECTORS / str(case["trust"])).read_bytes()
    file = tmp_path / "x.dossier"
    file.write_bytes(raw)
    try:
        sound = examine(open_bundle(file), parse_chain(chain, "trust")).sound
    except DossierError:
        sound = False
    assert sound is case["sound"]


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go verifier, built; its one dependency comes from the module proxy the first time."""
    out = tmp_path_factory.mktemp("go") / "verify-go"
    done = subprocess.run(
        ["go", "build", "-o", str(out), "."], cwd=GO, capture_output=True, text=True, env=os.environ | {"GOFLAGS": "-mod=mod"}
    )
    if done.returncode and "proxy.golang.org" in done.stderr:
        pytest.skip("needs go and its module proxy")
    assert done.returncode == 0, done.stderr
    return out


@needs.go
def test_a_second_verifier_passes_the_vectors(verifier: Path) -> None:
    """Go's standard library and x/mod agree with every case of every file."""
    done = subprocess.run([verifier, "vectors", str(VECTORS)], capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert {name: t["failures"] for name, t in found.items() if t["failures"]} == {}
    assert found.keys() == {p.stem for p in VECTORS.glob("*.json")}
    assert found["bundles"]["total"] == len(json.loads((VECTORS / "bundles.json").read_text()))
    assert done.returncode == 0


@needs.go
def test_go_reads_our_log_and_our_bundle(verifier: Path, tmp_path: Path) -> None:
    """A log published today is read by Go's own sumdb/tlog, a bundle of today is sound to the second verifier; one byte off, neither."""
    town = Town(tmp_path)
    digest = town.assembled()
    town.approve(digest, *sorted({a["role"] for a in town.gate()["approvals"]}))
    town.gate()
    site, file, trust = tmp_path / "site", tmp_path / "x.dossier", tmp_path / "trust.json"
    size = town.dossier("log", "publish", "--to", str(site))["size"]
    key = town.dossier("log", "checkpoint")["key"]
    town.dossier("export", digest, "-o", str(file))
    trust.write_text(town.git("show", "main:dossier.trust.json") + "\n")

    def go(*args: str) -> tuple[int, str]:
        done = subprocess.run([verifier, *args], capture_output=True, text=True)
        return done.returncode, done.stdout

    assert go("log", str(site), key) == (0, f"{size} entries\n")
    assert go("bundle", str(file), str(trust)) == (0, "sound\n")
    tile = next((site / "tile" / "0" / "000.p").iterdir())
    tile.write_bytes(bytes((tile.read_bytes()[0] ^ 1,)) + tile.read_bytes()[1:])
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    assert go("log", str(site), key)[0] == 1
    assert go("bundle", str(file), str(trust))[0] == 1
