"""The mutant harness: every mutant is another program, of the same grammar, and the tests of its room exist."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "tools" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = _tool()


@pytest.mark.parametrize("name", list(tool.ROOMS))
def test_every_mutant_is_another_program(name: str) -> None:
    """Each site gives a module that parses and is not the one it came from; its tests are there."""
    source = (tool.SOURCE / name).read_text()
    plain = ast.unparse(ast.parse(source))
    count = len(list(tool.sites(ast.parse(source))))
    assert count > 10
    for n in range(0, count, max(1, count // 25)):
        text, line, how = tool.mutant(source, n)
        ast.parse(text)
        assert text != plain, (line, how)
    assert all((ROOT / t).exists() for t in tool.ROOMS[name])


def test_a_mutant_is_noticed_and_an_equal_program_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness tells a module that fails its test from one that passes it, and puts the file back."""
    (tmp_path / "src" / "release_dossier").mkdir(parents=True)
    file = tmp_path / "src" / "release_dossier" / "one.py"
    file.write_text("ONE = 1\n")
    (tmp_path / "test_one.py").write_text(
        "import pathlib\n\n\ndef test_one():\n    assert 'ONE = 1' in pathlib.Path('src/release_dossier/one.py').read_text()\n"
    )
    monkeypatch.setitem(tool.ROOMS, "one.py", ("test_one.py",))
    assert tool.survives(tmp_path, "one.py", "ONE = 1  # the same\n")
    assert not tool.survives(tmp_path, "one.py", "ONE = 2\n")
    assert file.read_text() == "ONE = 1\n"
