"""A ledger brought as evidence: whose it is comes from the log's deployments where nobody says, and its limits say what was assumed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.ledger.test_ledgers import unpacked
from tests.town import Town

MONEY = """
[[evidence]]
name = "payouts"
kind = "payouts"
services = ["shop"]
environment = "staging"
"""


def brought(town: Town, case: Path) -> str:
    """The limits of the evidence a ledger gives, as one text."""
    (found,) = town.dossier("collect", "payouts", "--from", str(case / "ledger.sqlite"))["evidence"]
    shown = town.dossier("show", found["digest"])
    return str(shown)


def test_deployments_in_the_log_say_whose_ledger_it_is(tmp_path: Path) -> None:
    """Without a word about rules or writer: what was deployed to the plan's environment, when that is a release known here."""
    (tmp_path / "town").mkdir()
    (tmp_path / "case").mkdir()
    town = Town(tmp_path / "town", settings=MONEY)
    case = unpacked("v3.8.1", tmp_path / "case")
    town.open()
    now = town.now
    assert "about this environment" in brought(town, case)
    for day, version, said in ((25, "v3.8.0", "begin after its first row"), (20, "v3.8.1", "the records of deployments to this")):
        town.now = datetime(2026, 11, day, tzinfo=UTC)
        town.dossier("deployed", "--service", "shop", "--environment", "staging", "--version", version)
        town.now = now + timedelta(minutes=30 - day)
        shown = brought(town, case)
        assert said in shown, shown[shown.index("limits") :][:1500]


def test_a_limit_nobody_can_read_is_not_taken_for_none(tmp_path: Path) -> None:
    """What may lawfully be minted is bounded by a plan: a bound that is no whole number of credits is refused where it stands."""
    for text in ("1_000", "-1", "²", "1e6", ""):
        folder = tmp_path / text.encode().hex()
        (folder / "town").mkdir(parents=True)
        (folder / "case").mkdir()
        town = Town(folder / "town", settings=MONEY + f'options = {{ minted_max = "{text}" }}\n')
        town.open()
        case = unpacked("v3.8.1", folder / "case")
        (refused,) = town.dossier("collect", "payouts", "--from", str(case / "ledger.sqlite"), ok=(20,))["refused"]
        assert (refused["code"], refused["at"], refused["found"]) == ("evidence.shape", "options.minted_max", text)
