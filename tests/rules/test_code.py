"""A requirement as code: what is shown, written into dossier.toml, is the requirement it was."""

from __future__ import annotations

import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_dossier.rules.code import as_code, override
from release_dossier.rules.packs import effective, names
from release_dossier.rules.requirement import Requirement

PACKS = names()


@pytest.mark.parametrize("pack", PACKS)
def test_code_of_a_requirement_is_that_requirement(pack: str) -> None:
    """Every requirement of every pack: read back as a project's own table over the same pack, nothing changed but where it comes from."""
    found = effective({}, [("shop", pack, ("@owner",))])
    assert found
    for e in found:
        table = tomllib.loads(as_code(e.requirement))["rules"]
        again = {x.requirement.id: x.requirement for x in effective(table, [("shop", pack, ("@owner",))])}[e.requirement.id]
        assert msgspec.structs.replace(again, origin=()) == msgspec.structs.replace(e.requirement, origin=())


def test_only_what_says_something_is_code() -> None:
    """A key at its default says nothing."""
    plain = Requirement(id="a", service="s", title="t", kind="tests", owner="@o", remedy="r", why="w")
    assert "retries" not in as_code(plain)
    assert "retries = 2" in as_code(msgspec.structs.replace(plain, retries=2))


TEXT = st.text(st.characters(exclude_categories=("Cs",)))  # half a surrogate is no text
VALUES = st.recursive(
    TEXT | st.integers(-(2**53), 2**53) | st.booleans(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT.filter(bool), v, max_size=3),
    max_leaves=6,
)


@given(TEXT, st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda k: k not in ("id", "service")), VALUES))
def test_whatever_is_written_is_read_back(text: str, keys: dict[str, object]) -> None:
    """Quotes, line breaks, control characters and names with dots do not break out of their place."""
    (table,) = tomllib.loads(override(text, "s", keys))["rules"]["requirement"]
    assert table == {"id": text, "service": "s", **keys}
