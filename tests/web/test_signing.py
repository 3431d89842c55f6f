"""Signing through the pages: the words shown are the words recorded, signed by the person's own key, or nothing is."""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from release_dossier.cli import edge, main
from release_dossier.trust.document import Key, Person
from release_dossier.web.app import make_app
from release_dossier.web.pages.signing import _key_file
from release_dossier.web.place import Options, Place
from tests import needs
from tests.town import Town
from tests.trust.test_webauthn import Authenticator


def shown(page: str) -> dict[str, str]:
    """The hidden fields of a signing page, and the command it shows."""
    form = page.split('name="kind" value="sshsig"')[0]
    fields = {k: html.unescape(v) for k, v in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)}
    command = re.search(r'id="ssh-command"[^>]*>([^<]+)<', page)
    assert command is not None
    return {**fields, "command": html.unescape(command[1])}


class Desk:
    """A server over a copy of the demo, whose clock the test holds, and people with their keys."""

    def __init__(self, root: Path, now: datetime, environ: dict[str, str]) -> None:
        self.root, self.now = root, now
        self.place = Place(root / "socialpredict", environ, lambda: self.now, time.monotonic)
        self.client = TestClient(make_app(self.place), base_url="http://127.0.0.1", follow_redirects=False)

    @property
    def row(self) -> Any:
        return next(r for r in self.place.board(self.now).rows if r.version == "3.6.0")

    def read(self, target: str = "", **words: str) -> dict[str, str]:
        """Open the page that shows the words; returns its hidden fields and the command."""
        answer = self.client.get(f"/sign/{target or self.row.dossier[7:]}", params=words)
        assert answer.status_code == 200, answer.text
        return shown(answer.text)

    def run(self, command: str, person: str) -> str:
        """The shown command as a person runs it, with their own key in place of the usual one."""
        own = command.replace("~/.ssh/id_ed25519", str(self.root / "keys" / person))
        return subprocess.run(["sh", "-c", own], check=True, capture_output=True, text=True).stdout

    def revoke(self, key: str) -> None:
        """Ann revokes a key on the protected branch."""
        repo, environ = self.root / "socialpredict", self.place.environ
        git = lambda *args: subprocess.run(["git", *args], cwd=repo, env=environ, check=True, capture_output=True)  # noqa: E731
        git("switch", "-q", "main")
        words = ["-C", str(repo), "trust", "propose", "--revoke", key, "--key", str(self.root / "keys" / "ann")]
        clock = mock.Mock(return_value=self.now - timedelta(seconds=60))
        with mock.patch.dict(os.environ, environ, clear=True), mock.patch.object(edge, "clock", clock), CliRunner().isolation() as out:
            assert main.run(words) == 0, out[1].getvalue()
        git("-c", f"user.signingkey={self.root / 'keys' / 'ann'}", "commit", "-qam", "trust: a key is given up")

    def record(self, fields: dict[str, str], signature: str, target: str = "", **other: str) -> Any:
        """Send the form back."""
        data = {**{k: v for k, v in fields.items() if k != "command"}, "signature": signature, **other}
        return self.client.post(f"/sign/{target or self.row.dossier[7:]}/sign", data=data)


@pytest.fixture
def desk(copied: Callable[[], Path], environ: dict[str, str], demo_now: datetime) -> Desk:
    """A desk over a fresh copy."""
    return Desk(copied(), demo_now, environ)


@needs.ssh_keygen
def test_an_approval_is_signed_by_the_shown_command(desk: Desk) -> None:
    """Read, run, paste, recorded: the approval counts for its role at once, and the log holds it with the person's own signature."""
    fields = desk.read(seat="bo/release-manager", reason="looks <b>right</b> to me")
    before = desk.place.catalog.size
    answer = desk.record(fields, desk.run(fields["command"], "bo").replace("\n", "\r\n"))
    assert answer.status_code == 303, answer.text
    assert "tab=approvals" in answer.headers["location"]
    text = desk.client.get(answer.headers["location"]).text
    assert "looks &lt;b&gt;right&lt;/b&gt; to me" in text
    entries = desk.place.catalog.entries("n >= ? order by n", (before,))
    assert [e.type for e in entries] == ["approval", "decision"]
    bo = desk.place.ground().world.trust.person("bo")
    assert bo is not None
    assert bo.keys[0].id in desk.place.catalog.read(entries[0]).keys
    assert (desk.row.signed, desk.row.signers) == (1, ("bo",))


@needs.ssh_keygen
def test_a_form_sent_twice_is_recorded_and_decided_once(desk: Desk) -> None:
    """A second click, or a page loaded again: one approval, one decision; so it is once the same was said by another form."""
    fields = desk.read(seat="bo/release-manager")
    signature = desk.run(fields["command"], "bo")
    before = desk.place.catalog.size
    assert {desk.record(fields, signature).status_code for _ in range(3)} == {303}
    assert [e.type for e in desk.place.catalog.entries("n >= ? order by n", (before,))] == ["approval", "decision"]


@needs.ssh_keygen
def test_taken_back_it_counts_no_more(desk: Desk) -> None:
    """A withdrawal is signed the same way, by the one who said it."""
    fields = desk.read(seat="bo/release-manager")
    desk.record(fields, desk.run(fields["command"], "bo"))
    assert desk.row.signed == 1
    approval = desk.place.catalog.entries("type = 'approval' order by n desc")[0].digest[7:]
    desk.now += timedelta(seconds=5)
    fields = desk.read(approval, what="withdrawal", person="bo", reason="too soon")
    assert desk.record(fields, desk.run(fields["command"], "bo"), approval).status_code == 303
    assert desk.row.signed == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signature": "cy"}, "people.unsigned"),
        ({"signature": "-----BEGIN SSH SIGNATURE-----\nnonsense\n-----END SSH SIGNATURE-----"}, "people.unsigned"),
        ({"kind": "webauthn"}, "people.unsigned"),
        ({"kind": "luck"}, "people.unsigned"),
        ({"reason": "other words"}, "sign.changed"),
        ({"role": "ops"}, "people.role"),
        ({"person": "cy"}, "people.role"),
        ({"person": "mallory"}, "people.unknown"),
        ({"what": "blessing"}, "sign.what"),
        ({"statement": "sha256:" + "0" * 64}, "sign.changed"),
        ({"at": "yesterday"}, "time.syntax"),
    ],
)
@needs.ssh_keygen
def test_nothing_else_is_recorded(desk: Desk, change: dict[str, str], code: str) -> None:
    """Another person's key, no signature, other words, another role: refused with its code, and the log is as long as it was."""
    fields = desk.read(seat="bo/release-manager")
    signature = desk.run(fields["command"], "bo")
    if change.get("signature") == "cy":
        change = {"signature": desk.run(fields["command"], "cy")}
    before = desk.place.catalog.size
    answer = desk.record(fields, **{"signature": signature, **change})
    assert (answer.status_code, code in answer.text) == (422, True), answer.text[:2000]
    assert "signature by SHA256:" not in answer.text, "nobody is said to have made what their key did not make"
    assert desk.place.catalog.refresh() == before


@needs.ssh_keygen
def test_words_read_too_long_ago_are_not_recorded(desk: Desk) -> None:
    """A quarter of an hour lies at most between reading and signing, by the server's clock; a moment from the future is none."""
    fields = desk.read(seat="bo/release-manager")
    signature = desk.run(fields["command"], "bo")
    desk.now += timedelta(minutes=16)
    assert "sign.late" in desk.record(fields, signature).text
    desk.now -= timedelta(minutes=30)
    assert "sign.late" in desk.record(fields, signature).text


@needs.ssh_keygen
def test_a_waiver_is_asked_for_where_the_requirement_stands(desk: Desk) -> None:
    """The release's page offers it to those who may, for what may be waived, until a day; the statement says exactly that."""
    text = desk.client.get("/releases/trading/3.6.0").text
    assert text.count('name="what" value="waiver"') == sum(u.id not in ("payouts", "ledger-invariants") for u in desk.row.unmet)
    words = {"what": "waiver", "person": "dee", "requirement": "latency", "service": "trading", "reason": "none", "until": "2026-12-01"}
    fields = desk.read(**words)
    assert desk.record(fields, desk.run(fields["command"], "dee")).status_code == 303
    assert (desk.row.waived, "latency" in [u.id for u in desk.row.unmet]) == (1, False)


@pytest.mark.parametrize(
    ("public", "file"),
    [
        ("ssh-ed25519 AAAA", "~/.ssh/id_ed25519"),
        ("ssh-rsa AAAA", "~/.ssh/id_rsa"),
        ("ecdsa-sha2-nistp384 AAAA", "~/.ssh/id_ecdsa"),
        ("sk-ssh-ed25519@openssh.com AAAA", "~/.ssh/id_ed25519_sk"),
    ],
)
def test_the_shown_command_takes_the_key_a_person_has(desk: Desk, public: str, file: str) -> None:
    """Of the kind the trust document lists, where OpenSSH puts it; on this machine the one `init` made, and only there."""
    person = Person("bo's", "Bo", (), (Key("k", public),))
    made = desk.place.world().home / "keys" / "bo's"
    assert _key_file(desk.place.world(), person, True) == file
    made.parent.mkdir(exist_ok=True)
    made.write_text("private")
    assert shlex.split(_key_file(desk.place.world(), person, True)) == [str(made)]
    assert _key_file(desk.place.world(), person, False) == file


@needs.ssh_keygen
def test_from_a_link_to_an_approval_with_what_the_pages_show(tmp_path: Path) -> None:
    """A release that awaits approval leads to the tab, the tab to the words, the words to a command that works as it stands; once
    signed it says what to ship. No word in it is left to be filled in but the key of a person who signs elsewhere."""
    town = Town(tmp_path)
    digest = town.assembled()
    assert town.gate()["outcome"] == "DENY"
    place = Place(town.repo, town.env, town.tick, time.monotonic)
    client = TestClient(make_app(place), base_url="http://127.0.0.1", follow_redirects=False)
    sign = re.search(r'<a class="button main" href="([^"]+)">Read and sign it</a>', client.get("/releases/shop/0.1.0").text)
    assert sign
    tab = client.get(html.unescape(sign[1])).text
    assert f"dossier approve {digest[:19]} --as ann --role release-manager --key FILE" in tab
    assert "Read and sign it" not in tab
    fields = shown(client.get(f"/sign/{digest[7:]}", params={"seat": "ann/release-manager"}).text)
    signature = subprocess.run(["sh", "-c", fields.pop("command")], check=True, capture_output=True, text=True).stdout
    answer = client.post(f"/sign/{digest[7:]}/sign", data={**fields, "signature": signature})
    assert answer.status_code == 303, answer.text
    assert f"dossier release {digest[:19]}" in client.get(answer.headers["location"]).text


@needs.ssh_keygen
def test_a_signature_for_another_release_is_not_one_that_lapsed(tmp_path: Path) -> None:
    """Who signed the release before may sign the next, and it says so; a signature for an earlier round of this one has lapsed."""
    town = Town(tmp_path)
    town.approve(town.assembled(), "release-manager")
    town.gate()
    town.dossier("release")
    town.git("switch", "-qc", "fix/more")
    place = Place(town.repo, town.env, town.tick, time.monotonic)
    client = TestClient(make_app(place), base_url="http://127.0.0.1")
    for n, words in enumerate(("may sign", "lapsed: signed for dossier")):
        town.write("app/pay.py", f"def pay(x):\n    return int(x) + {n}\n")
        town.commit("more")
        digest = town.assembled()
        assert [len(t["refused"]) for t in town.gate()["approvals"]] == [n + 1]
        page = client.get("/releases/shop/0.1.1?tab=approvals").text
        matrix = page.partition("Who signed")[2].partition("</table>")[0]
        assert words in re.sub(r"\s+", " ", matrix), matrix
        town.approve(digest, "release-manager")


@needs.ssh_keygen
def test_the_first_seat_is_one_whose_approval_counts(tmp_path: Path) -> None:
    """Whoever wrote the change comes last and is told they may only reject; no command is shown for them, nor for who signed already."""
    town = Town(tmp_path)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "bea")], check=True)
    town.git("switch", "-q", "main")
    more = ("--person", "bea", "--name", "Bea", "--role", "release-manager", "--public", str(tmp_path / "bea.pub"))
    town.dossier("trust", "propose", *more, "--key", str(town.key))
    town.write("dossier.toml", town.read("dossier.toml").replace('mode = "solo"', 'mode = "team"'))
    town.commit("a team")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    digest = town.assembled()
    town.gate()
    place = Place(town.repo, town.env, town.tick, time.monotonic)
    client = TestClient(make_app(place), base_url="http://127.0.0.1")

    def seats() -> tuple[list[str], list[str]]:
        tab = client.get("/releases/shop/0.1.0?tab=approvals").text.partition('id="sign"')[2]
        return re.findall(r"<option value=\"[^\"/]+/[^\"]+\">([^<]+)</option>", tab), re.findall(r"--as (\w+) --role", tab)

    assert seats() == (["bea, release-manager", "ann, release-manager (wrote or owns it: may only reject)"], ["bea"] * len(seats()[1]))
    assert seats()[1]
    town.dossier("approve", digest, "--as", "bea", "--role", "release-manager", "--key", str(tmp_path / "bea"))
    town.gate()
    assert "bea, release-manager (signed already)" in seats()[0]
    assert not seats()[1]


@pytest.mark.parametrize("credential", ["no JSON", "{}", "[" * 9000, '{"id": "x", "rawId": "x", "type": "public-key", "response": 1}'])
def test_what_no_browser_returns_is_no_passkey(client: TestClient, credential: str) -> None:
    """A page says that it is none, however it is broken."""
    answer = client.post("/passkey", data={"person": "ann", "credential": credential})
    assert answer.status_code == 422
    assert all(x in answer.text for x in ("passkey.registration", "the browser&#39;s answer", "a passkey made on this page"))


@needs.ssh_keygen
def test_what_is_rejected_awaits_no_approval(tmp_path: Path) -> None:
    """Everything met and somebody against it: blocked by them and their reason, in the list, on its page and on a badge, signed or not."""
    town = Town(tmp_path)
    digest = town.assembled()
    town.dossier("reject", digest, "--as", "ann", "--key", str(town.key), "--reason", "rounds <i>down</i>")
    place = Place(town.repo, town.env, town.tick, time.monotonic)
    client = TestClient(make_app(place), base_url="http://127.0.0.1")
    for _ in range(2):
        assert town.gate()["outcome"] == "DENY"
        page = client.get("/releases/shop/0.1.0").text
        assert "Blocked: rejected by ann: rounds &lt;i&gt;down&lt;/i&gt;." in page
        assert "awaits approval" not in page
        assert "rejected by ann: rounds &lt;i&gt;down&lt;/i&gt;" in client.get("/?status=blocked").text
        assert client.get("/api/v1/status/shop").json()["status"] == "blocked"
        town.approve(digest, "release-manager")


def test_a_passkey_is_made_behind_a_proxy(tmp_path: Path) -> None:
    """Where browsers come by https and the server sees http, a passkey made on our page is taken, and one made on another is not."""
    town = Town(tmp_path)
    place = Place(town.repo, town.env, town.tick, time.monotonic)
    app = make_app(place, Options(address="dossier.example", base_url="https://dossier.example"))
    client = TestClient(app, base_url="http://dossier.example")
    challenge = re.search(r'data-challenge="([^"]+)" data-site="dossier.example"', client.get("/passkey?person=ann").text)
    assert challenge
    for origin, status in (("https://dossier.example", 200), ("http://dossier.example", 422), ("https://other.example", 422)):
        form = {"person": "ann", "credential": Authenticator().credential(challenge[1], origin)}
        assert client.post("/passkey", data=form).status_code == status, origin


@needs.ssh_keygen
def test_a_revoked_key_is_not_offered(desk: Desk) -> None:
    """The page to sign on names the keys that stand, and no command or passkey of one that was given up."""
    keys = {k.id: k for k in desk.place.world().trust.person("bo").keys}  # type: ignore[union-attr]
    (old,) = keys
    assert f"<code>{old[:19]}…</code>" in desk.client.get(f"/sign/{desk.row.dossier[7:]}?seat=bo/release-manager").text
    desk.revoke(old)
    page = desk.client.get(f"/sign/{desk.row.dossier[7:]}?seat=bo/release-manager").text
    assert f"<code>{old[:19]}…</code>" not in page
    assert "bo has no SSH key in the trust document that stands" in page
