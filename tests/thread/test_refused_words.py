"""What is refused before anything is done: each by its code and exit, with the place, what was found and what was expected."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from release_dossier.trust.keys import generate, load_signer
from tests.town import TESTS, Town

SECOND = '\n[[service]]\nname = "desk"\npaths = ["desk/**"]\n'
DESTINATIONS = """
[[destination]]
name = "nowhere"
kind = "webhook"
audience = "customer"
secret_env = "SECRET"

[[destination]]
name = "moved"
kind = "webhook"
audience = "customer"
secret_env = "SECRET"
url = "https://one.invalid/"
"""


def said(error: dict[str, str], names: dict[str, str]) -> tuple[str, str, str, str]:
    """Code, place, found and expected, with the names that are this run's own put back."""
    out = []
    for word in ("code", "at", "found", "expected"):
        text = error[word]
        for name, value in names.items():
            text = text.replace(value, name)
        out.append(text)
    return out[0], out[1], out[2], out[3]


def escaped(pattern: str) -> str:
    """A pattern in which only `*` stands for something else."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A change assembled in a project of two services that ask the same; a folder with files nobody wants."""
    town = Town(tmp_path_factory.mktemp("town"), settings=TESTS + SECOND + DESTINATIONS)
    town.write("desk/till.py", "x = 1\n")
    town.commit("a till")
    town.assembled()
    for name, content in {
        "numbers.json": "[1]",
        "lone.json": r'["\ud800"]',
        "no-actions.json": "[]",
        "lint.sarif": json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": []}]}),
    }.items():
        (town.root / name).write_text(content)
    (town.root / "open.key").write_bytes(town.key.read_bytes())
    (town.root / "open.key").chmod(0o644)
    town.dossier("ledger", "generate", str(town.root / "small.sqlite"), "--bets", "20")
    return town


ISSUE = "open --issue ROOT/issue.md"
TABLE: list[tuple[str, int, str, str, str, str]] = [
    ("-C ROOT/none gate", 30, "edge.directory", "ROOT/none", "No such file or directory", "a folder"),
    ("-C ROOT gate", 20, "project.none", "ROOT", "no dossier.toml here or above", "a project"),
    ("init", 20, "init.exists", "REPO/dossier.toml", "a file", "none: init never overwrites"),
    ("demo --keep REPO", 2, "demo.exists", "--keep", "REPO exists", "a folder to make"),
    ("open --issue none.md", 20, "issue.no-file", "--issue", "no file none.md", "a Markdown file, GitHub's JSON, or a number"),
    (f"{ISSUE} --pull none.json", 20, "commits.no-file", "--pull", "no file none.json", "GitHub's JSON of its commits, or a number"),
    (
        f"{ISSUE} --pull ROOT/numbers.json",
        20,
        "commits.shape",
        "numbers.json",
        "Expected `object`, got `int` - at `$[0]`",
        "a list of commits as GitHub gives it: GET /repos/OWNER/NAME/pulls/NUMBER/commits",
    ),
    (f"{ISSUE} --pull ROOT/lone.json", 20, "json.surrogate", "lone.json", r"'\ud800'", "Unicode scalar values only"),
    ("evidence read ROOT/issue.md --format odd", 20, "evidence.no-such-format", "--format", "odd", "actionlint, *"),
    (f"evidence read {'x' * 300}", 30, "evidence.unreadable", "x" * 300, "File name too long", "a file that can be read"),
    ("export DOSSIER -o REPO", 30, "export.unwritable", "REPO", "Is a directory", "a file to write"),
    ("verify none.dossier", 20, "bundle.unreadable", "none.dossier", "no such file", "a bundle"),
    ("verify none.dossier --trust none", 20, "verify.trust-unreadable", "none", "No such file or directory", "a trust document"),
    ("payload DOSSIER", 2, "payload.words", "command line", "no DIGEST or no --audience", "both, or --check and --opening"),
    ("payload --check FILE", 2, "payload.words", "command line", "--check or --opening alone", "both"),
    ("payload DOSSIER --audience us", 20, "payload.audience", "--audience", "'us'", "auditor, customer, github, webhook, raw"),
    ("payload DOSSIER --audience raw --open /no", 20, "payload.not-withheld", "--open", "/no", "nothing is withheld"),
    (
        "payload --check ROOT/no-actions.json --opening ROOT/no-actions.json",
        20,
        "payload.shape",
        "ROOT/no-actions.json",
        "Expected `object`, got `array`",
        "the opening as `dossier payload` writes it",
    ),
    ("payload --check none --opening none", 20, "evidence.no-file", "none", "no such file", "a file"),
    ("send DOSSIER", 2, "send.words", "command line", "no DIGEST or no --to", "both, or --due, or --list"),
    ("send --due --wait soon", 2, "send.words", "--wait", "'soon'", "seconds"),
    ("send DOSSIER --to nowhere", 20, "send.address", "destination nowhere url", "none", "https://host/path"),
    ("rules lint --settings no.toml", 20, "rules.no-settings", "no.toml", "No such file or directory", "settings to try"),
    ("rules lint --ref START", 20, "rules.no-settings", "--ref", "no dossier.toml at START", "a commit with settings"),
    ("rules explain tests", 20, "rules.which-service", "--service", "tests of shop, desk", "one of them"),
    ("trust propose KEY", 20, "trust.nothing", "options", "no change", "--person, --producer, --revoke or --threshold"),
    ("trust propose KEY --person zoe", 20, "trust.no-key", "--public", "no key for a new person", "their public key"),
    ("trust propose KEY --producer zoe", 20, "trust.no-key", "--public", "no key for a new producer", "its public key"),
    ("reject DOSSIER --reason no --as ann --key REPO", 20, "key.unreadable", "REPO", "Is a directory", "a readable SSH key"),
    (
        "approve DOSSIER --role release-manager --as ann --key ROOT/open.key",
        20,
        "key.refused",
        "ROOT/open.key",
        "*too open*",
        "a signature*",
    ),
    ("ledger generate ROOT/l.sqlite --mutant odd", 20, "ledger.unknown-mutant", "--mutant", "odd", "*"),
    (
        "ledger generate ROOT/l.sqlite --bets 0 --mutant shares-floor",
        20,
        "ledger.nothing-to-mutate",
        "--mutant shares-floor",
        "no place where it makes a difference",
        "more bets, another seed, or rules under which it is wrong",
    ),
    ("log audit --log none --key VKEY", 20, "log.place", "none", "no such folder", "a folder with a log's files, or http(s)://…"),
    ("ledger verify ROOT/small.sqlite --only S4,X9", 20, "ledger.unknown-check", "--require or --only", "X9", "S1, *"),
    ("ledger verify ROOT/small.sqlite --explain nobody", 20, "ledger.unknown-user", "--explain", "nobody", "a username of the ledger"),
    ("ledger generate REPO", 20, "ledger.destination", "shop", "something is there already", "a new name"),
    ("ledger generate none/x.sqlite", 20, "ledger.destination", "none", "no such folder", "a folder that exists"),
    ("ledger generate ROOT/l.sqlite --bets -1", 20, "ledger.generate", "--bets", "-1", "0 to 2000000000"),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[2]} {row[0][:20]}")
def test_words_that_are_refused(town: Town, row: tuple[str, int, str, str, str, str]) -> None:
    """Nothing was recorded, and the place is one the caller wrote."""
    command, code, *due = row
    entries = [json.loads(line) for line in town.read(".dossier/log/entries.ndjson").splitlines()]
    digest = next(e["digest"] for e in entries if e["type"] == "dossier")
    names = {"DOSSIER": digest, "START": town.git("rev-list", "--max-parents=0", "HEAD"), "REPO": str(town.repo), "ROOT": str(town.root)}
    words = re.sub(r"\bKEY\b", f"--key {town.key}", command).replace("VKEY", str(town.dossier("log", "checkpoint")["key"]))
    for name, value in names.items():
        words = words.replace(name, value)
    found = said(town.refused(*words.split(), code=code), names)
    assert all(fnmatchcase(x, escaped(y)) for x, y in zip(found, due, strict=True)), found
    assert len(town.read(".dossier/log/entries.ndjson").splitlines()) == len(entries)


def commit_in(folder: Path, town: Town, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b.example", *words], env=town.env, check=True)


def test_a_project_cannot_begin_everywhere(town: Town, tmp_path: Path) -> None:
    """Without a repository, a commit, a branch or a known profile nothing is written; nor is a project found below the top."""
    init = ["-C", str(tmp_path), "init"]
    names = {"HERE": str(tmp_path)}
    none = ("no git repository here or above", "a git working tree")
    assert said(town.refused(*init), names) == ("git.no-repository", "HERE", *none)
    commit_in(tmp_path, town, "init", "-q", "-b", "trunk")
    assert said(town.refused(*init), names) == ("init.no-commit", "HERE", "a repository without a commit", "at least one")
    assert town.refused(*init)["help"] == "git commit --allow-empty -m start"
    commit_in(tmp_path, town, "commit", "-q", "--allow-empty", "-m", "x")
    assert said(town.refused(*init, "--profile", "odd"), names) == ("init.unknown-profile", "--profile", "odd", "socialpredict")
    commit_in(tmp_path, town, "checkout", "-q", "--detach")
    assert said(town.refused(*init), names) == ("init.no-branch", "HEAD", "a commit without a branch", "a branch to protect")
    assert list(tmp_path.iterdir()) == [tmp_path / ".git"]
    below = tmp_path / "below"
    below.mkdir()
    shutil.copy(town.repo / "dossier.toml", below)
    found = said(town.refused("-C", str(below), "gate"), names)
    assert found == ("project.not-at-top", "HERE/below/dossier.toml", "a folder below the top", "it to stand in HERE")


def test_what_a_branch_has_not_yet(tmp_path: Path) -> None:
    """Nothing opened, nothing assembled; no protected branch to compare with; no git."""
    town = Town(tmp_path)
    branch = "branch fix/rounding"
    assert said(town.refused("collect"), {}) == ("change.none", branch, "no open change", "an opened change")
    assert said(town.refused("gate"), {}) == ("dossier.none", branch, "no dossier", "an assembled one")
    path, town.env["PATH"] = town.env["PATH"], str(tmp_path)
    assert said(town.refused("gate", code=30), {}) == ("git.missing", "PATH", "no git", "git 2.34 or newer")
    town.env["PATH"] = path
    town.git("branch", "-qD", "main")
    found = said(town.refused("open", "--issue", str(town.root / "issue.md")), {})
    assert found == ("change.no-protected-branch", "refs/heads/main", "no such branch", "the protected branch main")


def test_whose_word_counts_is_there_whole_and_no_older(tmp_path: Path) -> None:
    """A trust document that is gone or older than one seen, and a pin that is none, are said before anything is read by them."""
    town = Town(tmp_path)
    first = town.git("rev-parse", "main")
    (town.root / "bob").write_bytes(generate()[0])
    (town.root / "bob.pub").write_text(load_signer(town.root / "bob").public + "\n")
    town.change_trust("--person", "bob", "--role", "guest", "--public", str(town.root / "bob.pub"))
    town.run("gate")
    town.git("branch", "-qf", "main", first)
    at = "dossier.trust.json on main"
    expected = "version 2 or newer, which was seen before"
    assert said(town.refused("gate", code=40), {}) == ("trust.rolled-back", at, "version 1", expected)
    town.git("branch", "-qD", "main")
    (town.repo / "dossier.trust.json").unlink()
    due = ("trust.none", "dossier.trust.json", "no such file", "the trust document dossier init wrote")
    assert said(town.refused("gate"), {}) == due
    pin = town.repo / ".dossier" / "project.json"
    pin.write_text("{}")
    found = said(town.refused("gate", code=40), {"PIN": str(pin)})
    assert found == ("project.pin", "PIN", "Object missing required field `project`", "the pin dossier init wrote")


def test_what_git_no_longer_has(tmp_path: Path) -> None:
    """A file that a partial clone lacks, and the commit with the settings a change froze after history was rewritten."""
    town = Town(tmp_path, adopted=False)
    head = town.open()["head"]
    blob = town.git("rev-parse", "HEAD:app/pay.py")
    file = town.repo / ".git" / "objects" / blob[:2] / blob[2:]
    held = file.read_bytes()
    file.unlink()
    found = said(town.refused("open", "--issue", str(town.root / "issue.md"), code=30), {})
    assert found == ("git.object-missing", f"{head[:12]}:app/pay.py", f"no object {blob}", "a complete clone")
    file.write_bytes(held)
    town.git("commit", "-q", "--amend", "-m", "another")
    town.git("reflog", "expire", "--expire=now", "--all")
    town.git("gc", "-q", "--prune=now")
    found = said(town.refused("collect", code=40), {})
    assert found == ("change.settings-gone", head, "no dossier.toml", "the settings the change froze")


def test_evidence_of_another_kind_is_not_collected(town: Town) -> None:
    """What a file holds decides its kind, whatever a plan calls it."""
    refused = town.dossier("collect", "tests", "--from", str(town.root / "lint.sarif"), ok=(20,))["refused"]
    assert said(refused[0], {}) == ("collect.other-kind", "tests", "sarif says static-analysis", "tests")
