"""Where the answer cannot be written, and a Ctrl-C before anything began: an exit code of the contract, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DOSSIER = Path(sys.executable).with_name("dossier")
FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["rules", "lint", "--json"], ["ledger", "rulesets", "--json"], ["ledger", "rulesets"]])
def test_a_full_disk_under_stdout(tmp_path: Path, words: list[str]) -> None:
    """Answers and refusals alike."""
    with FULL.open("w") as full:
        done = subprocess.run([DOSSIER, *words], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (30, "dossier: edge.file-system at the file system"), done.stderr
    assert len(done.stderr.splitlines()) <= 4


def test_a_path_that_is_not_there_is_no_broken_disk(tmp_path: Path) -> None:
    """A slip in a path is told from a file system that does not work."""
    evidence = ["evidence", "record", "http://127.0.0.1:1", "--query", "up=up", "-o", str(tmp_path / "no" / "up.ndjson")]
    done = subprocess.run([DOSSIER, *evidence], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, "expected  a file or folder that is there" in done.stderr) == (30, True), done.stderr


@pytest.mark.parametrize(
    ("closed", "code", "words"),
    [
        (">&-", 30, "dossier: edge.file-system at the file system"),
        ("2>&-", 0, ""),
        (">&- 2>&-", 30, ""),
        ("--json >&-", 30, "dossier: edge"),
    ],
)
def test_a_stream_that_was_closed_before(tmp_path: Path, closed: str, code: int, words: str) -> None:
    """An answer nobody could read was not given; words beside it may be lost."""
    done = subprocess.run(f"{DOSSIER} ledger rulesets {closed}", shell=True, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr[: len(words)]) == (code, words)
    assert len(done.stderr.splitlines()) <= 4


STOPPED = """
import sys

class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == at:
            raise KeyboardInterrupt

at = sys.argv[1]
sys.meta_path.insert(0, Stop())
from release_dossier.__main__ import main

sys.argv = ["dossier", "ledger", "rulesets"]
main()
"""


@pytest.mark.parametrize("imported", ["click", "release_dossier.cli.edge", "release_dossier.cli.ledger", "release_dossier.ledger.rulesets"])
def test_ctrl_c_while_it_imports(tmp_path: Path, imported: str) -> None:
    """From the first line of ours on; what interrupts Python before that is Python's."""
    done = subprocess.run([sys.executable, "-c", STOPPED, imported], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
