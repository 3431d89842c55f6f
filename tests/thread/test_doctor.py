"""`dossier doctor`: what is missing is named with what to do about it, and what is there is not complained of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.town import TESTS, Town


def checks(town: Town) -> dict[str, tuple[str, str]]:
    """name → (state, help) of every check."""
    return {c["name"]: (c["state"], c["help"]) for c in town.dossier("doctor", ok=(0, 10))["checks"]}


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_project_in_order(town: Town) -> None:
    """Nothing fails; the roles nobody has are a warning with its remedy."""
    found = checks(town)
    assert [name for name, (state, _) in found.items() if state == "fail"] == []
    assert found["evidence plan"][0] == "pass"
    assert not [name for name in found if name.startswith("owners of")]


def test_owners_nobody_knows(town: Town) -> None:
    """A name from CODEOWNERS may be nobody here: found before an approval is waited for in vain."""
    town.git("switch", "-q", "main")
    town.write("dossier.toml", town.read("dossier.toml").replace('owners = ["@ann"]', 'owners = ["@zoe"]'))
    town.commit("another owner")
    assert checks(town)["owners of shop"] == ("warn", "name another in dossier.toml, or dossier trust propose")


def test_a_planned_tool_that_is_not_here(tmp_path: Path) -> None:
    """Said before the evidence is collected."""
    town = Town(tmp_path, settings=TESTS.replace('"cat"', '"no-such-tool"'))
    assert checks(town)["evidence tests"] == ("warn", "install no-such-tool")


def test_settings_not_on_the_protected_branch(tmp_path: Path) -> None:
    """Not adopted is not ready: nothing would be allowed."""
    assert checks(Town(tmp_path, adopted=False))["protected branch"][0] == "fail"


def test_a_producer_key_nobody_listed(town: Town) -> None:
    """Another is made in its place, which the trust document does not know yet."""
    (town.repo / ".dossier" / "keys" / "producer").unlink()
    assert checks(town)["producer key"][0] == "fail"
