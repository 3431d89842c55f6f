"""What ran: of everything, of a service, of the lines a change touches."""

from __future__ import annotations

import io
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading

GO = """mode: set
shop/cart/cart.go:3.10,5.2 2 1
shop/cart/cart.go:7.10,9.2 3 0
shop/pay/pay.go:3.10,5.2 5 1
"""


def says(raw: str, **more: Any) -> Reading:
    return read(io.BytesIO(raw.encode()), **({"exit_status": 0} | more))


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (GO, ("pass", 7, 10)),
        (GO + GO, ("pass", 7, 10)),
        (GO + "shop/cart/cart.go:7.10,9.2 3 1\n", ("pass", 10, 10)),
        ("mode: set\n", ("missing", 0, 0)),
        ("mode: set\na.go:1.1,2.2 3 0\n", ("missing", 0, 3)),
        (GO + "a.go:1.1\n", ("inconclusive", 7, 10)),
        (GO + "a.go:9.1,2.2 3 1\n", ("inconclusive", 7, 10)),
        (GO.rstrip(), ("inconclusive", 7, None)),
        ("TN:\nSF:a.c\nDA:1,1\nDA:2,0\nLF:2\nLH:1\nend_of_record\n", ("pass", 1, 2)),
        ("SF:a.c\nDA:1,1\nend_of_record\nSF:a.c\nDA:1,0\nend_of_record\n", ("pass", 1, 1)),
        ("SF:a.c\nDA:1,1\nLF:2\nend_of_record\n", ("inconclusive", 1, 1)),
        ("SF:a.c\nDA:1,1\nSF:b.c\nDA:1,1\nend_of_record\n", ("inconclusive", 2, 2)),
        ("SF:a.c\nDA:1,1\n", ("inconclusive", 1, None)),
        ("SF:a.c\nDA:1,-1\nend_of_record\n", ("missing", 0, 1)),
    ],
)
def test_what_ran(raw: str, want: tuple[Any, ...]) -> None:
    """A block ran when it ran once; nothing that ran is no small share; what is cut or contradicts itself is not a pass."""
    r = says(raw)
    assert (r.verdict, r.looked_at, r.of) == want


def test_the_lines_a_change_touches() -> None:
    """Measured lines that changed and did not run are named; a file the report does not hold is said to be absent."""
    asked = {"changed": {"backend/cart/cart.go": [[4, 8]], "backend/other.go": [[1, 9]]}}
    r = says(GO, asked=asked)
    assert (r.facts["changed_lines"].value, r.facts["changed_lines_covered"].value) == (4, 2)
    assert r.limits == ("changed and not in it: backend/other.go", "changed and not run: backend/cart/cart.go:7-8")
    r = says(GO, asked=asked, expectations={"changed_minimum_percent": "60"})
    assert (r.verdict, [c.text for c in r.counterexamples]) == (
        "fail",
        ["2 of 4 lines of what the change touches ran, 60 % are asked for", "backend/cart/cart.go:7-8 changed and did not run"],
    )
    assert says(GO, asked=asked, expectations={"changed_minimum_percent": "50"}).verdict == "pass"


def test_by_service() -> None:
    """A file belongs to the path of the repository it shares the longest end with; where two fit alike it belongs to none."""
    services = {"services": {"cart": ["backend/cart"], "pay-out": ["backend/pay"]}}
    r = says(GO, asked=services | {"files": ["backend/cart/cart.go", "backend/pay/pay.go", "web/cart.go"]})
    assert (r.facts["covered_cart"].value, r.facts["covered_pay_out"].value) == (0.4, 1.0)
    r = says(GO, asked=services | {"files": ["backend/cart/cart.go", "web/cart/cart.go", "backend/pay/pay.go"]})
    assert "covered_cart" not in r.facts


@pytest.mark.parametrize("percent", ["101", "-1", "half", "2.5"])
def test_a_share_nobody_can_ask_for(percent: str) -> None:
    """Percent are whole and from 0 to 100; anything else is refused, not passed over."""
    with pytest.raises(Refused) as e:
        says(GO, expectations={"minimum_percent": percent})
    assert e.value.at == "expectations.minimum_percent"


def test_percent_are_compared_in_whole_numbers() -> None:
    """7 of 10 is 70 %, and not 71."""
    assert says(GO, expectations={"minimum_percent": "70"}).verdict == "pass"
    assert says(GO, expectations={"minimum_percent": "71"}).verdict == "fail"
