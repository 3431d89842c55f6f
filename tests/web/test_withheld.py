"""What looks like a secret in an artifact stands on no page and in no payload, wherever a page cuts its text."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from release_dossier.payload import AUDIENCES
from release_dossier.web.app import make_app
from release_dossier.web.exhibits import TEXT_BYTES_MAX, exhibit
from release_dossier.web.pages.release import TABS
from release_dossier.web.place import Place
from tests.town import TESTS, Town

TOKEN, WORD, MAIL = "ghp_" + "a1B2" * 9, "hunter2secret99", "jane.doe@corp-mail.de"
JUNIT = (
    f'<testsuite name="s" tests="3"><testcase classname="t" name="a"><failure message="token {TOKEN} refused">password={WORD}\n'
    f'{MAIL}</failure></testcase><testcase classname="t" name="to {MAIL}"/><testcase classname="t" name="b"/></testsuite>'
)
BEGINNINGS = [secret[: len(secret) // 2] for secret in (TOKEN, WORD, MAIL)]


def go_test(said: str) -> str:
    events = ({"Action": "run"}, {"Action": "output", "Output": said}, {"Action": "fail"})
    return "\n".join(json.dumps({"Package": "p", "Test": "T", **e}) for e in events)


def sarif(said: str) -> str:
    return json.dumps({"version": "2.1.0", "runs": [{"results": [{"ruleId": "R", "message": {"text": said}}]}]})


def junit(said: str) -> str:
    return f'<testsuite tests="1"><testcase name="a"><failure message="{said}"/></testcase></testsuite>'


@pytest.mark.parametrize("before", [0, 360, 370, 380, 390, TEXT_BYTES_MAX - 20, TEXT_BYTES_MAX - 10])
@pytest.mark.parametrize(
    ("format", "name", "write"),
    [
        ("junit", "a.xml", junit), ("go-test-json", "a.ndjson", go_test), ("sarif", "a.sarif", sarif), ("", "a.txt", str),
        ("", "a.json", lambda said: json.dumps({"said": said})), ("junit", "broken.xml", lambda said: "<testsuite>" + said),
    ],
)  # fmt: skip
def test_no_cut_leaves_half_of_one(format: str, name: str, write: object, before: int) -> None:
    """In cells and in text, whole or at the place where it is cut."""
    assert callable(write)
    for secret, half in zip((TOKEN, f"password={WORD}", MAIL), BEGINNINGS, strict=True):
        seen = exhibit(write("x" * before + " " + secret + " y").encode(), name, format)
        told = " ".join([seen.text, *(c for row in seen.rows for c in row)])
        assert half not in told
        assert seen.withheld == 1


def test_what_is_no_secret_stands_as_it_is() -> None:
    """And nothing is said to be withheld."""
    seen = exhibit(junit("2 is not 3").encode(), "a.xml", "junit")
    assert (seen.rows[0][3], seen.withheld) == ("2 is not 3", 0)


def test_no_page_and_no_payload_shows_one(tmp_path: Path) -> None:
    """The evidence's page says how many are withheld; the download is the artifact, to the byte."""
    town = Town(tmp_path, settings=TESTS + '\n[[evidence]]\nname = "brought"\nkind = "tests"\n')
    town.open()
    (tmp_path / "r.xml").write_text(JUNIT)
    (e,) = town.dossier("collect", "brought", "--from", str(tmp_path / "r.xml"))["evidence"]
    digest = town.dossier("assemble")["dossier"]["digest"]
    town.gate()
    now = town.now
    place = Place(town.repo, town.env, lambda: now, time.monotonic)
    row = place.board(place.clock()).rows[0]
    base, told = f"/releases/{row.service}/{row.version}", {}
    with TestClient(make_app(place), base_url="http://127.0.0.1") as client:
        mine = f"/evidence/{e['digest'][7:]}"
        audiences = [f"/payload/{digest[7:]}{file}?audience={a}" for a in AUDIENCES for file in ("", "/file")]
        for address in ["/", mine, *(f"{base}?tab={key}" for key, _ in TABS), *audiences]:
            answer = client.get(address)
            assert answer.status_code == 200, address
            told[address] = answer.text
        assert client.get(f"/artifacts/{e['artifacts'][0]['digest'][7:]}").content == JUNIT.encode()
    told |= {a: json.dumps(town.dossier("payload", digest, "--audience", a)) for a in AUDIENCES}
    told["show"] = town.run("show", e["digest"])[1]
    told["rework"] = town.read(".dossier/rework.md")
    assert not [(where, half) for where, text in told.items() for half in BEGINNINGS if half in text]
    assert "4 × what looks like a secret is withheld here" in told[mine]
    assert "[withheld: GitHub token" in told[mine]
