"""Table tests beside packs, and that a table can fail."""

from __future__ import annotations

from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.gate import CAUSES
from release_dossier.rules.packs import effective, names, table_of
from release_dossier.rules.requirement import Requirement
from release_dossier.steps.rules import try_packs, untried
from release_dossier.trial import Case, _put_in, cases, countdown, run_table
from tests.gate.town import DAY, NOW, stamp


@pytest.mark.parametrize("name", names())
def test_the_packs_do_what_their_tables_say(name: str) -> None:
    """Every case of every pack we ship comes out as expected, and every condition was seen to hold and to bite."""
    tried = try_packs([name], None)
    assert tried
    assert [t for t in tried if not t.ok] == []
    assert untried([name], tried, None) == []


def test_every_case_bites() -> None:
    """Every case of every pack, expecting any other state, fails: no case passes whatever comes."""
    for name in names():
        requirements = [e.requirement for e in effective({}, [(name, name, ("@o",))])]
        for case in cases(table_of(name), name):
            for other in {"pass", "fail", "missing", "stale", "inconclusive", "error"} - {case.state}:
                (t,) = run_table(name, [Case(**{**as_dict(case), "state": other, "cause": None})], requirements)
                assert not t.ok


def as_dict(case: Case) -> dict[str, Any]:
    return {f: getattr(case, f) for f in case.__struct_fields__}


def test_causes_named_in_tables_are_known() -> None:
    """A cause a table expects is one the gate can give."""
    for name in names():
        for case in cases(table_of(name), name):
            assert case.cause is None or case.cause in CAUSES[case.state]


def test_a_case_about_nothing_fails() -> None:
    """A case for a requirement there is none of is no pass."""
    (t,) = run_table("p", [Case(name="n", requirement="gone", state="pass")], ())
    assert (t.ok, t.found) == (False, "no such requirement")


BASE = Requirement(id="r", service="s", title="t", kind="latency", owner="o", remedy="m", why="w", evidence="r")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[[case]", "rules.syntax"),
        ("x = " + "[" * 5_000, "rules.syntax"),
        ("[[case]]\nname = 'x'", "rules.case"),
        ("[[case]]\nname='x'\nrequirement='r'\nstate='pass'\nstatus='pass'", "rules.case"),
        ("[[case]]\nname='x'\nrequirement='r'\nstate='pass'\nfacts={a=[1]}", "rules.case"),
        ("case = 5", "rules.case"),
        ("[[csae]]\nname='x'\nrequirement='r'\nstate='pass'", "rules.case"),
        ("[[case]]\nname='x'\nrequirement='r'\nstate='pass'\nattempts=[{ verdct='fail' }]", "rules.case"),
        ("[[case]]\nname='x'\nrequirement='r'\nstate='pass'\nattempts=[{ state='fail' }]", "rules.case"),
        *(
            (f"[[case]]\nname='x'\nrequirement='r'\nstate='pass'\nattempts=[{{}}, {{ {wrong} }}]", "rules.case")
            for wrong in (
                "looked_at='x'",
                "of='x'",
                "facts=5",
                "facts={a=[1]}",
                "age=5",
                "skipped=5",
                "isolation=[1]",
                "infrastructure='x'",
            )
        ),
        ("[[case]]\nname='x'\nrequirement='r'\nstate='pass'\nage='99999999d'", "rules.case"),
        ("[[case]]\nname='x'\nrequirement='r'\nstate='pass'\nage='999999999999999999d'", "rules.case"),
    ],
)
def test_a_table_that_is_wrong_is_refused(text: str, code: str) -> None:
    """Not TOML, half a case, an unknown key, a fact without its unit: each is refused, none is silently skipped."""
    with pytest.raises(Refused) as e:
        run_table("p", cases(text, "t"), [BASE])
    assert e.value.code == code


def test_what_is_wrong_with_a_table_is_said_with_its_place() -> None:
    """Which case of which file, and which of its attempts."""
    case = "[[case]]\nname='x'\nrequirement='r'\nstate='pass'\n"
    for text, at in ((case + case + "writen_by='y'", "t case 2"), (case + "attempts=[{}, { age=5 }]", "t case x attempt 2")):
        with pytest.raises(Refused) as e:
            cases(text, "t")
        assert e.value.at == at


def test_values_stand_in_place_of_names() -> None:
    """In an explanation every fact, however it is named, is its value; what stands in text is left alone."""
    values = {"a b": 4.5, "n": True, "looked_at": 3, "of": None, "verdict": "pass"}
    condition = "facts['a b'] <= 5.0 && facts . n && looked_at >= 2 && verdict == 'pass' && facts.s == \"facts['a b'] of\""
    assert _put_in(condition, values) == "4.5 <= 5.0 && true && 3 >= 2 && 'pass' == 'pass' && facts.s == \"facts['a b'] of\""


def test_countdowns() -> None:
    """What ends says how long it has, and how long ago it ended."""
    assert countdown(stamp(ago=-DAY * 4), NOW) == "stale in 4 d"
    assert countdown(stamp(ago=90), NOW) == "stale for 1 min 30 s"
    assert countdown("", NOW) == ""
