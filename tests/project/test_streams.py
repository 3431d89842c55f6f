"""Where the answer cannot be written, and a Ctrl-C before anything began: an exit code of the contract, and no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
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


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_was_closed_before(tmp_path: Path, closed: str) -> None:
    done = subprocess.run(f"{DOSSIER} ledger rulesets {closed}", shell=True, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("seconds", [0.03, 0.06, 0.1])
def test_ctrl_c_while_it_imports(tmp_path: Path, seconds: float) -> None:
    """Python itself takes the first hundredths of a second; from then on there is no traceback."""
    run = subprocess.Popen([DOSSIER, "ledger", "rulesets"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    time.sleep(seconds)
    run.send_signal(signal.SIGINT)
    said = run.communicate()[1]
    assert "release_dossier" not in said
    assert run.returncode in (0, 130, -signal.SIGINT)
