"""Each kind of evidence has a requirement by default: in a pack of a criticality, or in one of its own that real samples meet."""

from __future__ import annotations

import pytest

from release_dossier.evidence.kinds import KINDS
from release_dossier.rules.packs import KIND, PACKS, effective, kinds, names
from tests.evidence.more_samples import MORE_SAMPLES
from tests.evidence.samples import SAMPLES


def asked(pack: str) -> set[str]:
    return {e.requirement.kind for e in effective({}, [("s", pack, ("@o",))])}


def test_every_kind_is_asked_by_some_pack() -> None:
    """None is left to whoever thinks of it."""
    assert {k.name for k in KINDS} <= set().union(*(asked(p) for p in names()))
    assert not set(kinds()) & set().union(*(asked(p) for p in PACKS))


@pytest.mark.parametrize("kind", kinds())
def test_what_a_requirement_names_a_reader_gives(kind: str) -> None:
    """Facts it needs are the kind's, in its unit; and some sample of the kind has them all."""
    (e,) = effective({}, [("s", f"{KIND}/{kind}", ("@o",))])
    assert (e.requirement.kind, e.requirement.id) == (kind, kind)
    units = {name: unit for k in KINDS if k.name == kind for name, unit, _ in k.facts}
    assert all(units[n.fact] == n.unit for n in e.requirement.needs)
    assert any(s.kind == kind for s in (*SAMPLES, *MORE_SAMPLES))
