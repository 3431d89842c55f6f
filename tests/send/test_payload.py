"""What leaves the house: nothing nobody decided on, and what is withheld can be opened later and only as what it was."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from release_dossier.brief import markdown, plain
from release_dossier.errors import Refused
from release_dossier.limits import GITHUB_TEXT_CHARS_MAX
from release_dossier.payload import AUDIENCES, Opening, Payload, check_opening, make_payload, open_at, payload_bytes
from tests import needs
from tests.town import Town

KEY = bytes(range(32))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(max_size=8),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3),
    max_leaves=12,
)


def made(document: dict[str, Any], audience: str) -> Payload:
    return make_payload(document, audience=audience, project="p", dossier="d", decision="", key=KEY)[0]


@given(
    st.dictionaries(st.sampled_from(["change", "decision", "evidence", "risks", "x/~y"]), json_values, min_size=1),
    st.sampled_from(list(AUDIENCES)),
)
@settings(max_examples=150)
def test_the_whole_comes_back_from_payload_and_openings(document: dict[str, Any], audience: str) -> None:
    """Every place is in the payload or withheld by name; putting every opening back gives the document, to the byte."""
    payload = made(document, audience)
    whole = json.loads(json.dumps(payload.document))
    for mark in payload.withheld:
        opening = open_at(document, mark.path, audience=audience, dossier="d", key=KEY)
        check_opening(payload, opening)
        *steps, last = (s.replace("~1", "/").replace("~0", "~") for s in mark.path.split("/")[1:])
        at: Any = whole
        for step in steps:
            at = at[int(step)] if isinstance(at, list) else at[step]
        at[int(last) if isinstance(at, list) else last] = opening.value
    assert whole == document


@pytest.mark.parametrize("audience", ["customer", "github", "webhook"])
def test_what_nobody_decided_on_is_withheld(audience: str) -> None:
    """A field added tomorrow, at the top or deep inside, does not leave; raw and auditor get it."""
    document = {
        "tomorrow": "secret-1",
        "decision": {"outcome": "DENY", "tomorrow": ["secret-2"]},
        "evidence": [{"name": "t", "new": "secret-3"}],
    }
    assert b"secret" not in payload_bytes(made(document, audience))
    assert b"secret-3" in payload_bytes(made(document, "raw"))
    assert b"secret-3" in payload_bytes(made(document, "auditor"))


def test_a_commitment_is_sha256_and_nothing_else() -> None:
    """Anyone can check an opening without this project; another value, place or salt does not fit."""
    document = {"change": {"owner": "ann"}}
    payload = made(document, "customer")
    mark = next(m for m in payload.withheld if m.path == "/change/owner")
    opening = open_at(document, "/change/owner", audience="customer", dossier="d", key=KEY)
    said = {"path": opening.path, "salt": opening.salt, "value": opening.value}
    assert mark.commitment == "sha256:" + hashlib.sha256(rfc8785.dumps(said)).hexdigest()
    for other in ({"value": "bob"}, {"salt": "0" * 64}, {"path": "/change"}):
        with pytest.raises(Refused, match=r"payload\.other-opening"):
            check_opening(payload, msgspec.structs.replace(opening, **other))


def test_the_salt_is_its_own_for_every_place_audience_and_dossier() -> None:
    """The same value withheld twice shows two commitments, so nobody learns that they are the same."""
    document = {"a": "x", "b": "x"}
    first, second = (m.commitment for m in made(document, "customer").withheld)
    assert first != second
    assert made(document, "github").withheld[0].commitment != first
    other = make_payload(document, audience="customer", project="p", dossier="e", decision="", key=KEY)[0]
    assert other.withheld[0].commitment != first
    assert made(document, "customer") == made(document, "customer")


def test_an_unknown_audience_and_a_place_that_is_not_withheld() -> None:
    """Both are refused with what there is."""
    with pytest.raises(Refused, match=r"payload\.audience"):
        made({}, "everyone")
    with pytest.raises(Refused, match=r"payload\.not-withheld"):
        open_at({"decision": {"outcome": "ALLOW"}}, "/decision/outcome", audience="customer", dossier="d", key=KEY)


def test_a_payload_that_lost_a_place_it_withholds() -> None:
    """The opening of a place that is listed and no longer there is refused, naming the step that leads nowhere."""
    document = {"change": {"owner": "ann"}}
    whole = made(document, "customer")
    opening = open_at(document, "/change/owner", audience="customer", dossier="d", key=KEY)
    check_opening(whole, opening)
    for left in ({"change": {}}, {"change": []}, {}):
        with pytest.raises(Refused) as e:
            check_opening(msgspec.structs.replace(whole, document=left), opening)
        step = "'change'" if left == {} else "'owner'"
        assert (e.value.code, e.value.at, e.value.found) == ("payload.no-place", "/change/owner", f"nothing at {step}")


def brief(reason: str, count: int = 1) -> str:
    row = {"id": "r", "service": "s", "state": "fail", "waived_from": None, "looked_at": 1, "of": 2, "reason": reason, "title": "t"}
    document = {"decision": {"outcome": "DENY", "requirements": [dict(row) for _ in range(count)]}}
    return markdown(made(document, "github"))


def test_a_brief_calls_nobody_and_runs_nothing() -> None:
    """Mentions, issue numbers, HTML, links and table borders in outside text are shown, not obeyed."""
    text = brief("@octocat see #7 <script>x</script> [a](https://e.example) | x | `y` <!-- z -->")
    for harm in ("@octocat", "<script", "](https", "| x |", "<!-- z", " #7"):
        assert harm not in text
    assert plain("a_b") == "a\\_b"


def test_a_brief_says_what_denies_beside_requirements() -> None:
    """Everything met and still DENY: whose signature is missing and who said no stand in it, for those who may see it."""
    row = {"id": "r", "service": "s", "state": "pass", "waived_from": None, "looked_at": 2, "of": 2, "reason": "", "title": "t"}
    seats = [{"role": "owner of s", "needed": 1, "missing": 1, "counted": []}, {"role": "ops", "needed": 1, "missing": 0, "counted": []}]
    notes = ["rejected by bo: not on a @friday", *(f"note {n}" for n in range(25))]
    document = {"decision": {"outcome": "DENY", "requirements": [row], "approvals": seats, "notes": notes}}
    text = markdown(made(document, "github"))
    assert text.startswith(f"### ✗ {plain('DENY: 0 of 1 requirements unmet, 1 approval missing')}\n")
    assert "\nApprovals missing: owner of s\n" in text
    assert f"\n- {plain(notes[0])}\n" in text
    assert ("\n- and 6 more\n" in text, "@friday" in text) == (True, False)
    outside = markdown(made(document, "customer"))
    assert ("pprovals" in outside, "rejected" in outside) == (False, False)


def test_a_brief_that_does_not_fit_says_how_much_is_shown() -> None:
    """GitHub takes 65,535 characters: what is left out is counted."""
    text = brief("x" * 400, 300)
    assert len(text) <= GITHUB_TEXT_CHARS_MAX
    assert "of 300 requirements shown" in text
    assert "shown." not in brief("short")


@needs.ssh_keygen
def test_payload_of_a_real_dossier(tmp_path: Path) -> None:
    """The command says what is in it and what is not; the signature holds for ssh-keygen; a withheld field opens later."""
    town = Town(tmp_path)
    digest = town.assembled()
    town.gate()
    answer = town.dossier("payload", digest, "--audience", "customer", "-o", str(tmp_path / "p.json"))
    raw = (tmp_path / "p.json").read_bytes()
    assert (answer["bytes"], answer["digest"]) == (len(raw), "sha256:" + hashlib.sha256(raw).hexdigest())
    assert raw == rfc8785.dumps(answer["payload"])
    assert b"ann@example.invalid" not in raw
    assert b"app/pay.py" not in raw
    assert answer == town.dossier("payload", digest, "--audience", "customer")
    places = {m["path"] for m in answer["withheld"]}
    assert "/change/files" in places
    assert not places & {m["path"] for m in answer["included"]}

    public = (town.repo / ".dossier/keys/producer.pub").read_text()
    (tmp_path / "signers").write_text(f"p {public}")
    (tmp_path / "sig").write_text(answer["signature"])
    words = ["-Y", "verify", "-f", str(tmp_path / "signers"), "-I", "p", "-n", "release-dossier-payload", "-s", str(tmp_path / "sig")]
    subprocess.run(["ssh-keygen", *words], input=raw, check=True, capture_output=True)

    opening = town.dossier("payload", digest, "--audience", "customer", "--open", "/change/files")
    assert opening["value"] == ["app/pay.py"]
    (tmp_path / "o.json").write_text(json.dumps(opening))
    check = ("payload", "--check", str(tmp_path / "p.json"), "--opening", str(tmp_path / "o.json"))
    assert town.dossier(*check)["value"] == ["app/pay.py"]
    (tmp_path / "o.json").write_text(json.dumps({**opening, "value": ["app/else.py"]}))
    assert town.refused(*check)["code"] == "payload.other-opening"
    assert Opening(**opening).path == "/change/files"


def test_an_auditor_gets_everything_but_addresses(tmp_path: Path) -> None:
    """Names and keys are an auditor's business, e-mail addresses are not; raw has them."""
    town = Town(tmp_path)
    digest = town.assembled()
    auditor = town.dossier("payload", digest, "--audience", "auditor")
    assert [m["path"] for m in auditor["withheld"]] == ["/change/authors/0/email"]
    assert town.dossier("payload", digest, "--audience", "raw")["withheld"] == []
    assert (town.repo / ".dossier/keys/salt").stat().st_mode & 0o777 == 0o600
