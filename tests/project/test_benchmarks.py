"""Benchmarks are run by hand; that each can still begin is held here, so that a name changed elsewhere does not break one unseen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).resolve().parents[2] / "bench").glob("*.py"))


def test_there_are_benchmarks() -> None:
    """The list below is not empty by a folder moved."""
    assert "settlement.py" in {file.name for file in BENCHMARKS}


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_a_benchmark_can_begin(file: Path) -> None:
    """Everything up to `main` runs, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", f"import runpy; runpy.run_path({str(file)!r})"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
