"""`dossier trust propose`: what a version changes, and that what it does not name stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.town import Town


def propose(town: Town, *args: str) -> Any:
    """The document of the version proposed and committed."""
    town.git("switch", "-q", "main")
    town.dossier("trust", "propose", *args, "--key", str(town.key))
    town.commit("trust")
    return town.dossier("trust", "show")["trust"]


def test_roles_and_kinds_of_a_producer_and_addresses_of_a_person(tmp_path: Path) -> None:
    """A producer gets roles and kinds and keeps them when a second key is added; addresses of a person can be listed."""
    town = Town(tmp_path)
    one, two = (f"{town.dossier('key', 'new', name)['key']['file']}.pub" for name in ("lab", "lab2"))
    said = ("--producer-role", "load-lab", "--kind", "latency", "--kind", "benchmarks")
    lab = next(p for p in propose(town, "--producer", "lab", "--public", one, *said)["producers"] if p["id"] == "lab")
    assert (lab["roles"], lab["kinds"]) == (["load-lab"], ["latency", "benchmarks"])
    lab = next(p for p in propose(town, "--producer", "lab", "--public", two)["producers"] if p["id"] == "lab")
    assert (lab["roles"], lab["kinds"], len(lab["keys"])) == (["load-lab"], ["latency", "benchmarks"], 2)
    ann = next(p for p in propose(town, "--person", "ann", "--email", "ann@work.example")["people"] if p["id"] == "ann")
    assert ann["emails"] == ["ann@work.example"]
    for odd in ("nonsense", "a@b@c", "<ann@work.example>"):
        refusal = town.refused("trust", "propose", "--person", "ann", "--email", odd, "--key", str(town.key))
        assert (refusal["code"], refusal["found"]) == ("trust.email", repr(odd))
    town.git("switch", "-q", "fix/rounding")
    refusal = town.refused("trust", "propose", "--person", "ann", "--email", "a@work.example", "--key", str(town.key))
    assert (refusal["code"], refusal["found"], refusal["help"]) == ("trust.behind", "version 1, on this branch", "git switch main")
    town.git("switch", "-q", "main")
    assert " as load-lab" in town.run("trust", "show")[1]
