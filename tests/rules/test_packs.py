"""Packs: what is demanded, how projects change it, and what nobody may loosen."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from release_dossier.cli.main import dossier
from release_dossier.errors import Refused
from release_dossier.rules import refusals
from release_dossier.rules.packs import PACKS, effective, freeze, load, names, page, stricter, table_name, table_of, thaw
from release_dossier.rules.requirement import ApprovalRule, Requirement

ROOT = Path(__file__).parents[2]
SERVICE = ("bank", "money", ("@olga",))


def frozen(*own: dict[str, Any], services: Any = (SERVICE,)) -> dict[str, Requirement]:
    return {f"{r.service}/{r.id}": r for r in thaw(freeze({"requirement": list(own)} if own else {}, services)).requirements}


def test_the_page_is_made_from_the_packs() -> None:
    """docs/rules.md is what the packs say, word for word."""
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == page()


def test_a_pack_holds_all_of_those_it_includes() -> None:
    """money demands all of user-facing, which demands all of internal."""
    ids = [{k.split("/")[1] for k in frozen(services=[("s", name, ())])} for name in PACKS]
    assert ids[0] < ids[1] < ids[2]


@pytest.mark.parametrize("name", PACKS)
def test_every_pack_asks_somebody(name: str) -> None:
    """Every pack has approvals by people other than the author, and every requirement says what to do and why."""
    rules = thaw(freeze({}, [("s", name, ())]))
    assert rules.approvals
    assert all(a.not_author and a.count >= 1 for a in rules.approvals)
    assert all(r.remedy and r.why and r.title and r.owner == "nobody" for r in rules.requirements)


def test_money_is_never_waived() -> None:
    """No waiver is accepted for the ledger's laws and the payouts, and no project's settings change that."""
    rules = frozen()
    assert [k for k, r in rules.items() if not r.waivable] == ["bank/ledger-invariants", "bank/payouts"]
    for name in ("ledger-invariants", "payouts"):
        with pytest.raises(Refused, match=r"rules\.loosened"):
            frozen({"id": name, "waivable": True})
        assert not frozen({"id": name, "remedy": "mend it"})[f"bank/{name}"].waivable
    assert not frozen({"id": "tests", "waivable": False})["bank/tests"].waivable


def test_a_project_changes_only_the_keys_it_names() -> None:
    """A layer keeps what it does not name, and the requirement says where each layer came from."""
    before, after = frozen()["bank/latency"], frozen({"id": "latency", "age_max_s": 60})["bank/latency"]
    assert msgspec.structs.replace(after, age_max_s=0, origin=before.origin) == before
    assert after.origin == ("pack user-facing", "dossier.toml")
    assert frozen()["bank/tests"].minimum_percent == 100
    assert frozen()["bank/tests"].origin == ("pack internal", "pack money")


def test_a_project_changes_one_service_or_all() -> None:
    """A layer with a service is for that service, one without for all."""
    two = [SERVICE, ("web", "money", ())]
    rules = frozen({"id": "latency", "service": "web", "age_max_s": 60}, {"id": "tests", "age_max_s": 9}, services=two)
    assert (rules["bank/latency"].age_max_s, rules["web/latency"].age_max_s) == (0, 60)
    assert (rules["bank/tests"].age_max_s, rules["web/tests"].age_max_s) == (9, 9)


def test_a_project_adds_its_own() -> None:
    """A new id is a new requirement, with evidence of its name and the service's owners."""
    r = frozen({"id": "lint", "title": "t", "kind": "lint", "remedy": "r", "why": "w"})["bank/lint"]
    assert (r.evidence, r.owner, r.waivable) == ("lint", "@olga", True)


def test_several_services_ask_the_stricter_approvals() -> None:
    """Approvals of several packs are joined per role, sorted, so that order of services changes no byte."""
    a = freeze({}, [("a", "internal", ()), ("b", "money", ())])["approvals"]
    assert [(x["role"], x["services"]) for x in a] == [("ops", ()), ("owner", ("b",)), ("release-manager", ())]
    assert a == freeze({}, [("b", "money", ()), ("a", "internal", ())])["approvals"]


def test_the_stricter_of_two_approvals() -> None:
    """Joined, a role asks for the larger count, and leaves authors out when either does."""
    a, b = ApprovalRule("ops", 2, False), ApprovalRule("ops", 1, True)
    assert stricter(a, b) == stricter(b, a) == ApprovalRule("ops", 2, True)
    assert stricter(a, a) == a


LINT = {"id": "lint", "title": "t", "kind": "lint", "remedy": "r", "why": "w"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt key": ({"id": "tests", "minimum_per_cent": 3}, "rules.key"),
    "no id": ({"minimum_percent": 3}, "rules.key"),
    "a number as id": ({"id": 3}, "rules.key"),
    "services as a list": ({"id": "tests", "service": ["bank"]}, "rules.key"),
    "half a requirement": ({"id": "lint", "title": "t"}, "rules.shape"),
    "text for a number": ({"id": "tests", "retries": "3"}, "rules.shape"),
    "true for a number": ({"id": "tests", "retries": True}, "rules.shape"),
    "retries below zero": ({"id": "tests", "retries": -1}, "rules.shape"),
    "share above all": ({"id": "tests", "minimum_percent": 101}, "rules.shape"),
    "share below zero": ({"id": "tests", "minimum_percent": -1}, "rules.shape"),
    "count below zero": ({"id": "tests", "minimum_count": -1}, "rules.shape"),
    "age below zero": ({"id": "tests", "age_max_s": -1}, "rules.shape"),
    "an endless age": ({"id": "tests", "age_max_s": 10**12}, "rules.shape"),
    "another severity": ({"id": "tests", "severity": "hint"}, "rules.shape"),
    "a warning for what nobody waives": ({"id": "payouts", "severity": "warn"}, "rules.loosened"),
    "later, for what nobody waives": ({"id": "payouts", "blocks_from": "2030-01-01T00:00:00Z"}, "rules.loosened"),
    "another kind, for what nobody waives": ({"id": "payouts", "kind": "tests"}, "rules.loosened"),
    "a kind nobody waives, by another name": (
        {"id": "mine", "title": "t", "kind": "payouts", "remedy": "r", "why": "w", "waivable": True},
        "rules.loosened",
    ),
    "a day that is none": ({"id": "tests", "blocks_from": "soon"}, "rules.shape"),
    "another source": ({"id": "tests", "source": "hope"}, "rules.shape"),
    "a skip without a reason": ({"id": "tests", "skips": [{"name": "a"}]}, "rules.shape"),
    "a need of no type": (LINT | {"condition": "facts.x > 1", "needs": [{"fact": "x"}]}, "rules.shape"),
    "a condition over nothing": (LINT | {"condition": "true"}, "rules.condition-nothing"),
    "a condition that hides": (
        LINT | {"condition": "facts.x > 1 || true", "needs": [{"fact": "x", "type": "int"}]},
        "rules.condition-hides",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_are_wrong_are_refused(name: str) -> None:
    """Each wrong setting has its refusal; none is silently without effect."""
    own, code = REFUSED[name]
    with pytest.raises(Refused) as e:
        frozen(own)
    assert e.value.code == code


WHOLE = '[[requirement]]\nid = "{}"\ntitle = "t"\nkind = "tests"\nremedy = "r"\nwhy = "w"\n'
LOOSE = '[[requirement]]\nid = "tests"\nretries = 9\n'
BOUND = 'needs = [{ fact = "n", type = "int" }]\ncondition = "facts.n <= %s"\n'
NARROWED: dict[str, dict[str, str]] = {  # packs of a repository, of which `./p.toml` is read
    "a key filled from below": {"p.toml": 'narrow = ["money"]\ninclude = ["./q.toml"]', "q.toml": WHOLE.format("tests") + "retries = 9"},
    "a pack beside it": {"p.toml": 'narrow = ["money", "./q.toml"]', "q.toml": LOOSE},
    "a pack over another that is half": {
        "p.toml": 'include = ["money", "./n.toml"]',
        "n.toml": 'narrow = ["./q.toml", "./r.toml"]',
        "q.toml": '[[requirement]]\nid = "tests"\nretries = 0',
        "r.toml": LOOSE,
    },
    "later, which sorts before": {
        "p.toml": 'narrow = ["./q.toml"]\n[[requirement]]\nid = "x"\nblocks_from = "2026-11-30T23:59:59-12:00"',
        "q.toml": WHOLE.format("x") + 'blocks_from = "2026-12-01T00:00:00+11:00"',
    },
    "more, which no float tells apart": {
        "p.toml": f'narrow = ["./q.toml"]\n[[requirement]]\nid = "x"\n{BOUND % (2**53 + 1)}',
        "q.toml": WHOLE.format("x") + BOUND % 2**53,
    },
}


def of_repository(files: dict[str, str]) -> dict[str, Requirement]:
    made = thaw(freeze({}, [("bank", "./p.toml", ("@olga",))], lambda name: files[name].encode() if name in files else None))
    return {r.id: r for r in made.requirements}


@pytest.mark.parametrize("name", NARROWED)
def test_what_is_narrowed_is_only_made_stricter(name: str) -> None:
    """Neither what lies below a narrowed pack nor what lies beside it makes it looser, nor a value that only looks stricter."""
    with pytest.raises(Refused, match=r"rules\.loosened"):
        of_repository(NARROWED[name])


def test_what_is_narrowed_takes_what_is_stricter() -> None:
    """Packs below and beside a narrowed one may add and tighten; what is included alone may still be loosened."""
    tight = {"p.toml": 'narrow = ["money", "./q.toml"]\ninclude = ["kind/sbom"]', "q.toml": LOOSE.replace("retries = 9", "age_max_s = 60")}
    assert of_repository(tight)["tests"].age_max_s == 60
    assert "sbom" in of_repository(tight)
    assert of_repository({"p.toml": 'include = ["money", "./q.toml"]', "q.toml": LOOSE})["tests"].retries == 9


CONDITION = 'needs = [{ fact = "n", type = "int" }, { fact = "s", type = "str" }]\ncondition = "%s"\n'
STRICTER = {
    "a conjunct beside a text": ("facts.s == 'a'", "facts.s == 'a' && facts.n <= 3"),
    "a conjunct beside brackets": ("(facts.n + 1) <= 3", "(facts.n + 1) <= 3 && facts.n >= 0"),
    "both of two bounds": ("facts.n <= 9 && facts.n >= 1", "facts.n <= 8 && facts.n >= 2"),
}


@pytest.mark.parametrize("name", STRICTER)
def test_a_stricter_condition_narrows(name: str) -> None:
    """What lets through nothing that the narrowed pack did not is taken, and refused the other way round."""
    before, after = STRICTER[name]
    for x, y, taken in ((before, after, True), (after, before, False)):
        files = {
            "q.toml": WHOLE.format("x") + CONDITION % x,
            "p.toml": f'narrow = ["./q.toml"]\n[[requirement]]\nid = "x"\ncondition = "{y}"',
        }
        if taken:
            assert of_repository(files)["x"].condition == after
        else:
            with pytest.raises(Refused, match=r"rules\.loosened"):
                of_repository(files)


@pytest.mark.parametrize("name", names())
def test_the_commands_of_remedies_are_there(name: str) -> None:
    """Every command a pack names as remedy exists, with its options and every one it cannot do without; what only the build of the change
    may have written is collected with the word for who wrote it."""
    for e in effective({}, [("s", name, ("@o",))]):
        for said in re.findall(r"dossier ((?:(?! then |,|;| again).)+)", e.requirement.remedy):
            words = shlex.split(said)
            command, context = dossier.get_command(click.Context(dossier), words.pop(0)), click.Context(dossier)
            while isinstance(command, click.Group):
                command = command.get_command(context, words.pop(0))
            assert command is not None, said
            options = {o: p for p in command.params for o in p.opts if o.startswith("-")}
            assert [w for w in words if w.startswith("-") and w not in options] == [], said
            assert [p.name for o, p in options.items() if p.required and not set(p.opts) & set(words)] == [], said
        if e.requirement.builder == "change":
            assert "--written-by" in e.requirement.remedy


def test_a_pack_named_twice_lies_there_once() -> None:
    """Two packs over the same one, side by side: what the first lays over it is not undone by the second naming it again."""
    files = {
        "p.toml": 'include = ["./a.toml", "./b.toml"]',
        "a.toml": 'include = ["user-facing"]\n[[requirement]]\nid = "latency"\nretries = 0',
        "b.toml": 'include = ["user-facing", "kind/sbom"]',
    }
    made = effective({}, [("bank", "./p.toml", ("@olga",))], lambda name: files[name].encode())
    latency = next(e for e in made if e.requirement.id == "latency")
    assert (latency.requirement.retries, latency.lines["retries"]) == (0, "pack ./a.toml")
    assert latency.requirement.origin == ("pack user-facing", "pack ./a.toml")
    assert [e.requirement.id for e in made if e.idle] == []


# files of a repository: (code, place, a word of what was found, a word of what was expected)
WRONG: dict[str, tuple[dict[str, str], str, str, str, str]] = {
    "a name for a list": ({"p.toml": 'include = "internal"'}, "rules.key", "pack ./p.toml include", "'internal'", "a list"),
    "a number for a list": ({"p.toml": "narrow = 5"}, "rules.key", "pack ./p.toml narrow", "5", "a list"),
    "a list of numbers": ({"p.toml": "include = [5]"}, "rules.key", "pack ./p.toml include", "[5]", "a list"),
    "a circle": (
        {"p.toml": 'include = ["./q.toml"]', "q.toml": 'narrow = ["./p.toml"]'},
        "rules.pack",
        "pack ./q.toml",
        "./p.toml → ./q.toml → ./p.toml",
        "that end",
    ),
    "a misspelt pack": ({"p.toml": 'include = ["mony"]'}, "rules.pack", "pack ./p.toml", "mony", "money"),
    "a misspelt kind": ({"p.toml": 'include = ["kind/sbon"]'}, "rules.pack", "pack ./p.toml", "kind/sbon", "kind/sbom"),
    "a file that is not there": ({"p.toml": 'include = ["./q.toml"]'}, "rules.pack", "pack ./p.toml", "./q.toml", "a file"),
    "nothing asked": ({"p.toml": ""}, "rules.empty", "rules", "no requirement of bank", "at least one"),
    "a misspelt id": (
        {"p.toml": 'include = ["internal"]\n[[requirement]]\nid = "test"\nminimum_percent = 9'},
        "rules.shape",
        "requirement test of bank in pack ./p.toml",
        "title",
        "there already",
    ),
    "an id of nothing": ({"p.toml": WHOLE.format(" ")}, "rules.shape", "requirement   of bank in pack ./p.toml", "empty id", "called"),
    "a role of nothing": (
        {"p.toml": 'include = ["internal"]\n[[approval]]\nrole = ""'},
        "rules.shape",
        "pack ./p.toml approval",
        "an empty role",
        "a role",
    ),
    "services of a role": (
        {"p.toml": 'include = ["internal"]\n[[approval]]\nrole = "ops"\nservices = ["web"]'},
        "rules.key",
        "pack ./p.toml approval ops",
        "services",
        "not_author",
    ),
    "where it comes from, by its own word": (
        {"p.toml": WHOLE.format("x") + 'origin = ["pack money"]'},
        "rules.key",
        "pack ./p.toml x",
        "origin",
        "minimum_count",
    ),
    "a condition, and where it stands": (
        {"p.toml": WHOLE.format("x") + 'condition = "facts.n > 1"'},
        "rules.condition-needs",
        "requirement x of bank in pack ./p.toml",
        "facts.n",
        "in needs",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_pack_is_said_with_its_file(name: str) -> None:
    """Each refusal names the file, or the one that names it, what it says and what it could say."""
    files, code, at, found, expected = WRONG[name]
    with pytest.raises(Refused) as e:
        of_repository(files)
    assert (e.value.code, e.value.at) == (code, at)
    assert found in e.value.found
    assert expected in e.value.expected


# text of a pack: (place, a word of what was found, a word of what is expected or of what is next)
SLIPS: dict[str, tuple[str, str, str, str]] = {
    "one bracket": ("[requirement]\nid = 'x'", "pack ./p.toml", "no list", "double brackets"),
    "a table without its id": (WHOLE.format("x") + "[[requirement]]\nretries = 1", "pack ./p.toml requirement 2", "without id", "with id"),
    "a key of the pack": ("[[requirements]]\nid = 'x'", "pack ./p.toml", "requirements", "mean requirement?"),
    "a key of a requirement": (WHOLE.format("x") + "age_max = 3", "pack ./p.toml x", "age_max", "mean age_max_s?"),
    "a pack": ("include = ['user-faced']", "pack ./p.toml", "user-faced", "mean user-facing?"),
    "an id": ("include = ['internal']\n[[requirement]]\nid = 'test'", "requirement test of bank in pack ./p.toml", "title", "mean tests?"),
    "a severity": (WHOLE.format("x") + "severity = 'warning'", "requirement x of bank in pack ./p.toml", "severity", "'block' or 'warn'"),
    "the type of a need": (
        WHOLE.format("x") + "needs = [{ fact = 'n', type = 'number' }]",
        "requirement x of bank in pack ./p.toml",
        "needs[0].type",
        "'float'",
    ),
    "a need as text": (WHOLE.format("x") + "needs = ['n']", "requirement x of bank in pack ./p.toml", "needs[0]", "{ fact = NAME"),
    "a skip as text": (WHOLE.format("x") + "skips = ['t']", "requirement x of bank in pack ./p.toml", "skips[0]", "reason = WORDS"),
    "witness as text": ("witness = 'yes'", "pack ./p.toml", "$.witness", "witness = true"),
    "nobody to sign": ("[[approval]]\nrole = 'ops'\ncount = 0", "pack ./p.toml", "approval[0].count", "role, count"),
}  # fmt: skip


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_named_with_its_place_and_what_was_meant(name: str) -> None:
    """Each refusal says where it is, what stands there, and the word or the form that was meant."""
    text, at, found, meant = SLIPS[name]
    with pytest.raises(Refused) as e:
        of_repository({"p.toml": text})
    assert e.value.at == at
    assert found in e.value.found
    assert meant in f"{e.value.expected} {e.value.help}"


def test_a_pack_is_utf8_with_or_without_a_mark() -> None:
    """Editors of Windows write a mark in front; other encodings are refused with the place, never read as other words."""
    assert of_repository({"p.toml": "\ufeff" + WHOLE.format("x")})["x"].title
    for name in ("p.toml", "p.tests.toml"):
        files = {"p.toml": WHOLE.format("x").encode()} | {name: "# schön".encode("latin-1")}
        with pytest.raises(Refused, match=r"rules\.syntax at|rules\.syntax: at") as e:
            (table_of if name == "p.tests.toml" else load)("./p.toml", lambda f, files=files: files.get(f))
        assert (e.value.at, "position 5" in e.value.found) == (f"./{name}", True)


@pytest.mark.parametrize("own", [{"waivable": True}, {"severity": "warn"}, {"blocks_from": "2030-01-01T00:00:00Z"}])
def test_what_a_pack_lets_nobody_waive_is_not_let_through_otherwise(own: dict[str, Any]) -> None:
    """Of whatever kind it is: no waiver, no warning in its place, no later day; a pack above it may not say so either."""
    lines = "\n".join(f"{k} = {msgspec.json.encode(v).decode()}" for k, v in own.items())
    files = {"p.toml": WHOLE.format("x") + "waivable = false", "q.toml": f'include = ["./p.toml"]\n[[requirement]]\nid = "x"\n{lines}'}

    def read(name: str) -> bytes | None:
        return files[name].encode()

    assert not thaw(freeze({}, [("s", "./p.toml", ())], read)).requirements[0].waivable
    for pack, mine in (("./p.toml", [{"id": "x"} | own]), ("./q.toml", [])):
        with pytest.raises(Refused, match=r"rules\.loosened"):
            freeze({"requirement": mine}, [("s", pack, ())], read)


def test_a_witness_one_pack_asks_for_is_not_excused_by_its_neighbour() -> None:
    """Only the pack above both says why it does without."""
    asks, excused = "witness = true\n" + WHOLE.format("x"), 'witness = true\nunwitnessed = "alone"\n' + WHOLE.format("y")
    for order in ('"./a.toml", "./b.toml"', '"./b.toml", "./a.toml"'):
        files = {
            "a.toml": asks,
            "b.toml": excused,
            "p.toml": f"include = [{order}]",
            "q.toml": 'include = ["./p.toml"]\nunwitnessed = "new"',
        }
        found = {name: freeze({}, [("s", f"./{name}", ())], lambda f, files=files: files[f].encode())["witness"] for name in files}  # type: ignore[misc]
        assert found == {"a.toml": {"s": ""}, "b.toml": {"s": "alone"}, "p.toml": {"s": ""}, "q.toml": {"s": "new"}}


def test_rules_about_nothing_are_refused() -> None:
    """No service, an unknown criticality and unknown tables are refused: none of them is an empty gate."""
    for config, services, code in (
        ({}, (), "rules.empty"),
        ({}, [("s", "../internal", ())], "rules.pack"),
        ({"requirements": []}, [SERVICE], "rules.key"),
        ({"requirement": {"id": "tests"}}, [SERVICE], "rules.key"),
        ({"requirement": ["tests"]}, [SERVICE], "rules.key"),
    ):
        with pytest.raises(Refused) as e:
            freeze(config, services)
        assert e.value.code == code


def test_thawing_refuses_what_freezing_did_not_make() -> None:
    """Frozen rules that lost a key or gained one are refused."""
    made = freeze({}, [SERVICE])
    assert thaw(made).digest == made["digest"]
    for broken in ({}, {**made, "approvals": 1}, {**made, "requirements": [{"id": "x"}]}):
        with pytest.raises(Refused, match=r"rules\.shape"):
            thaw(broken)
    loose = {**made["requirements"][0], "optional": True}
    with pytest.raises(Refused, match=r"rules\.shape"):
        thaw({**made, "requirements": [loose]})


def test_freezing_twice_is_equal() -> None:
    """The same settings freeze to the same digest."""
    assert freeze({}, [SERVICE]) == freeze({}, [SERVICE])


def test_every_refusal_is_listed() -> None:
    """Every code raised in rules, approvals and the gate has its cause and remedy, and every listed code is raised."""
    source = ROOT / "src" / "release_dossier"
    files = [
        *(source / f for f in ("gate.py", "approval.py", "trial.py", "steps/rules.py", "cli/rules.py")),
        *(f for f in (source / "rules").glob("*.py") if f.name != "refusals.py"),
    ]
    raised = {c for f in files for c in re.findall(r'(?:Refused|Misuse|Corrupt|Unavailable)\(\s*"([a-z.-]+)"', f.read_text("utf-8"))}
    assert raised == set(refusals.CODES)
    assert all(cause.endswith(".") and remedy.endswith(".") for cause, remedy in refusals.CODES.values())


def test_the_tables_beside_a_pack_are_called_as_their_file() -> None:
    assert [table_name(p) for p in ("money", "socialpredict/trading", "./rules/b1.toml")] == [
        "money.tests",
        "socialpredict/trading.tests",
        "./rules/b1.tests.toml",
    ]
