"""The tool that scores readers: it must see a reading that is greener than the truth, a wrong total, and a reader that falls."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "tools" / "readers.py"


@pytest.fixture
def tool() -> Any:
    spec = importlib.util.spec_from_file_location("tool_readers", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tool_readers"] = module
    spec.loader.exec_module(module)
    return module


def manifest(folder: Path, *rows: tuple[str, str, str, str]) -> None:
    lines = ["\t".join(("path", "format", "tool", "release", "commit", "times", "command", "exit", "truth"))]
    lines += ["\t".join((path, format, "", "", "", "", "", status, truth)) for path, format, status, truth in rows]
    (folder / "MANIFEST.tsv").write_text("\n".join(lines) + "\n")


def test_what_is_wrong_is_said(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right file, a wrong verdict, a wrong total, a file that is not there, and a reader that falls."""
    (tmp_path / "good.xml").write_text('<testsuite><testcase name="a"/></testsuite>')
    (tmp_path / "noise").write_text("noise")
    manifest(
        tmp_path,
        ("good.xml", "JUnit XML (x)", "0", "PASS: 1 testcase elements: 1 pass, 0 fail, 0 error, 0 skip"),
        ("good.xml", "JUnit XML (x)", "0", "FAIL: 2 testcase elements: 1 pass, 1 fail, 0 error, 0 skip"),
        ("noise", "nothing", "", "10 bytes"),
        ("gone", "nothing", "", "10 bytes"),
    )
    rows = tool.run(tool.captured(tmp_path))
    junit = rows["JUnit XML"]
    assert (junit.files, junit.read, junit.verdicts_right, junit.verdicts, junit.totals_equal, junit.totals) == (2, 2, 1, 2, 1, 2)
    assert junit.wrong == ["good.xml: pass instead of fail", "good.xml: of 1 instead of 2, failed 0 instead of 1"]
    assert (rows["nothing"].files, rows["nothing"].refused, rows["nothing"].wrong) == (1, 1, [])

    def fall(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(tool, "read", fall)
    assert tool.run(tool.captured(tmp_path))["nothing"].wrong == ["noise: ZeroDivisionError: boom"]


@pytest.mark.parametrize(
    ("want", "got", "careful", "good"),
    [
        ("pass", "pass", False, True),
        ("pass", "inconclusive", False, False),
        ("pass", "inconclusive", True, True),
        ("fail", "pass", True, False),
        ("fail", "inconclusive", False, False),
        ("inconclusive", "missing", False, True),
        ("inconclusive", "pass", True, False),
        ("inconclusive", "fail", False, False),
    ],
)
def test_greener_is_never_right(tool: Any, want: str, got: str, careful: bool, good: bool) -> None:
    """More careful is right only where nothing can be told or the tool failed."""
    assert tool.right(want, got, careful) is good
