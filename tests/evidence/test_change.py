"""Who looked at a change, and what it does to the database."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.github_event import event
from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading
from release_dossier.evidence.review import owners, owners_of
from release_dossier.evidence.schema_change import divided, migration, without_comments

WEBHOOKS = Path(__file__).resolve().parents[3] / "shared/conformance/01-github-webhooks/octokit__webhooks/api.github.com"
HEAD, OLD = "a" * 40, "b" * 40


def says(raw: Any, **more: str) -> Reading:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    return read(io.BytesIO(text.encode()), exit_status=0, expectations=more, asked={"commit": HEAD})


def review(by: str, state: str, at: int, commit: str = HEAD) -> dict[str, Any]:
    return {"author": {"login": by}, "state": state, "submittedAt": f"2026-01-01T00:00:{at:02}Z", "commit": {"oid": commit}}


def pull(*reviews: dict[str, Any], checks: Any = (), **more: Any) -> dict[str, Any]:
    rollup = [{"name": n, "status": "COMPLETED" if c else "IN_PROGRESS", "conclusion": c} for n, c in checks]
    return {"author": {"login": "alice"}, "headRefOid": HEAD, "reviews": list(reviews), "statusCheckRollup": rollup} | more


@pytest.mark.parametrize(
    ("reviews", "verdict", "words"),
    [
        ([review("bob", "APPROVED", 1)], "pass", ""),
        ([review("bob", "APPROVED", 1), review("bob", "CHANGES_REQUESTED", 2)], "fail", "bob asked for changes"),
        ([review("bob", "CHANGES_REQUESTED", 1), review("bob", "APPROVED", 2)], "pass", ""),
        ([review("bob", "APPROVED", 1), review("bob", "COMMENTED", 2)], "pass", ""),
        ([review("bob", "APPROVED", 1), review("bob", "DISMISSED", 2)], "inconclusive", "0 of 1 approvals"),
        ([review("bob", "APPROVED", 1, OLD)], "inconclusive", "0 of 1 approvals; 1 are of an earlier commit"),
        ([review("alice", "APPROVED", 1)], "inconclusive", "0 of 1 approvals"),
        ([review("bob", "COMMENTED", 1)], "inconclusive", "0 of 1 approvals"),
    ],
)
def test_reviews(reviews: list[Any], verdict: str, words: str) -> None:
    """The latest decision of each reviewer, of the commit that is released, by somebody else than its author."""
    r = says(pull(*reviews, checks=[("ci", "SUCCESS")]))
    assert r.verdict == verdict
    assert words in (r.cause or (r.counterexamples[0].text if r.counterexamples else ""))


@pytest.mark.parametrize(
    ("checks", "more", "verdict"),
    [
        ([("ci", "SUCCESS")], {}, "pass"),
        ([("ci", "FAILURE")], {}, "fail"),
        ([("ci", "")], {}, "inconclusive"),
        ([("ci", "SUCCESS"), ("e2e", "SKIPPED")], {"checks": "ci"}, "pass"),
        ([("ci", "SUCCESS"), ("e2e", "SKIPPED")], {"checks": "e2e"}, "inconclusive"),
        ([("ci", "SUCCESS"), ("ci", "TIMED_OUT")], {}, "fail"),
        ([("ci", "SUCCESS")], {"checks": "gone"}, "inconclusive"),
        ([("ci", "SUCCESS")], {"approvals": "2"}, "inconclusive"),
    ],
)
def test_checks(checks: Any, more: dict[str, str], verdict: str) -> None:
    """A check that failed, did not end, was skipped or is not there is not one that passed."""
    assert says(pull(review("bob", "APPROVED", 1), checks=checks), **more).verdict == verdict


@pytest.mark.parametrize("approvals", ["two", "²", "-1", "1.5", ""])
def test_how_many_must_approve_is_a_number(approvals: str) -> None:
    """Taken for one, it would ask less than whoever wrote it."""
    with pytest.raises(Refused) as refused:
        says(pull(review("bob", "APPROVED", 1)), approvals=approvals)
    assert (refused.value.code, refused.value.at, refused.value.found) == ("evidence.shape", "expectations.approvals", approvals)


def test_other_shapes() -> None:
    """The list of reviews, the check runs and the combined status say the same things; a page of check runs is not all of them."""
    listed = [{"user": {"login": "bob"}, "state": "APPROVED", "commit_id": HEAD, "submitted_at": "2026-01-01T00:00:00Z"}]
    assert says(listed).verdict == "pass"
    runs = {"total_count": 1, "check_runs": [{"name": "ci", "status": "completed", "conclusion": "success", "head_sha": HEAD}]}
    assert says(runs).verdict == "pass"
    assert says(runs | {"total_count": 2}).verdict == "inconclusive"
    status = {"state": "success", "sha": HEAD, "statuses": [{"context": "ci", "state": "success"}]}
    assert says(status).verdict == "pass"
    assert says(status | {"statuses": [{"context": "ci", "state": "pending"}]}).verdict == "inconclusive"
    assert says(status | {"statuses": []}).verdict == "missing"


@pytest.mark.parametrize(
    ("file", "who"),
    [
        ("README.md", ("@all",)),
        ("backend/a.go", ("@bob",)),
        ("backend/docs/x.md", ("@doc",)),
        ("deep/backend/a.go", ("@all",)),
        ("money/ledger.sql", ()),
        ("src/a/b/gen/x.py", ("@gen",)),
        ("x/build/y", ("@build",)),
        ("apps/one/main.js", ("@team/js", "@carl")),
    ],
)
def test_codeowners(file: str, who: tuple[str, ...]) -> None:
    """The last line that matches decides, anchored where it has a slash; a line without owners gives a file to nobody."""
    text = "* @all\n/backend/ @bob # Go\ndocs/ @doc\nmoney/*.sql\nsrc/**/gen/ @gen\nbuild/ @build\napps/*/main.js @team/js @carl\n"
    assert owners_of(file, owners(text)) == who


def test_owners_must_approve() -> None:
    """A file whose owner did not approve is named; one only a team owns is taken as approved, because a team cannot be looked into."""
    files = [{"path": "a.go"}, {"path": "b.sql"}, {"path": "c.md"}]
    change = pull(review("bob", "APPROVED", 1), checks=[("ci", "SUCCESS")], files=files)
    r = says(change, codeowners="*.go @bob\n*.sql @dana\n*.md @org/docs\n")
    assert (r.verdict, r.cause) == ("inconclusive", "no owner approved b.sql")
    assert says(change, codeowners="*.go @Bob\n*.sql @bob\n").verdict == "pass"


@pytest.mark.conformance
def test_published_deliveries() -> None:
    """Every payload is read; repository, actor, action and head are what stands there."""
    if not WEBHOOKS.exists():
        pytest.skip("needs ../shared: published webhook payloads")
    seen = 0
    for file in sorted(WEBHOOKS.rglob("*.json")):
        payload = json.loads(file.read_text())
        r = read(io.BytesIO(file.read_bytes()))
        assert r.format == "github-webhook", file
        e = event(payload)
        assert e.repository == (payload.get("repository") or {}).get("full_name", "")
        assert e.actor == (payload.get("sender") or {}).get("login", "")
        assert e.action == payload.get("action", "")
        name = file.parent.name
        if name in ("pull_request", "pull_request_review", "pull_request_review_comment"):
            assert e.head == payload["pull_request"]["head"]["sha"]
        if name in ("check_run", "check_suite", "workflow_run", "workflow_job"):
            assert e.head == payload[name]["head_sha"]
        if name in ("check_run", "check_suite", "pull_request", "push", "status", "issues", "release", "deployment_status"):
            assert e.name == name, file
        if name == "push":
            assert e.head == (payload["after"] if not payload["deleted"] else "")
        seen += 1
    assert seen >= 200


@pytest.mark.parametrize(
    ("sql", "step", "destroys"),
    [
        ("DROP TABLE IF EXISTS bets;", ("drops table", "bets"), True),
        ("alter table public.bets drop column amount;", ("drops a column of", "bets"), True),
        ('ALTER TABLE "bets" DROP amount;', ("drops a column of", "bets"), True),
        ("ALTER TABLE bets RENAME TO old_bets;", ("renames", "bets"), True),
        ("ALTER TABLE bets ALTER COLUMN amount TYPE int;", ("changes a type in", "bets"), True),
        ("TRUNCATE bets;", ("empties table", "bets"), True),
        ("DELETE FROM bets;", ("deletes all rows of", "bets"), True),
        ("DELETE FROM bets WHERE id = 1;", ("deletes rows of", "bets"), True),
        ("DROP VIEW money;", ("drops view", "money"), True),
        ("CREATE TABLE IF NOT EXISTS bets (id int);", ("creates table", "bets"), False),
        ("ALTER TABLE bets ADD COLUMN x int;", ("adds to", "bets"), False),
        ("ALTER TABLE bets DROP CONSTRAINT c;", ("changes", "bets"), False),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON bets (x);", ("indexes", "bets"), False),
        ("UPDATE bets SET x = 1;", ("writes rows of", "bets"), False),
    ],
)
def test_what_sql_does(sql: str, step: tuple[str, str], destroys: bool) -> None:
    """Each statement with its table, and whether what was there is gone after it."""
    found = migration("1.sql", sql).steps
    assert step in [(s.what, s.table) for s in found]
    assert any(s.destroys for s in found) is destroys
    assert migration("1.sql", f"-- {sql}\n/* {sql} */").steps == ()


@pytest.mark.parametrize(
    ("name", "text", "destroys", "reversible"),
    [
        ("1.sql", "-- +goose Up\nCREATE TABLE a (i int);\n-- +goose Down\nDROP TABLE a;\n", False, True),
        ("1.sql", "-- migrate:up\nDROP TABLE a;\n-- migrate:down\n", True, False),
        ("1.py", "def upgrade():\n    op.add_column('a', x)\n\ndef downgrade():\n    op.drop_column('a', 'x')\n", False, True),
        ("1.py", "def upgrade():\n    op.drop_table('a')\n\ndef downgrade():\n    pass\n", True, False),
        ("1.py", "def upgrade():\n    op.drop_table('a')\n\ndef downgrade():\n    raise NotImplementedError\n", True, False),
        ("1.go", 'db.Exec("ALTER TABLE a DROP COLUMN b")', True, False),
        ("1.go", "db.AutoMigrate(&models.Market{})", False, False),
        ("1.rb", "def up\n remove_column :users, :x\nend\ndef down\n add_column :users, :x\nend", True, True),
    ],
)
def test_ways_back(name: str, text: str, destroys: bool, reversible: bool) -> None:
    """The way back is not counted among what a migration does; an empty one is none."""
    m = migration(name, text)
    assert m.steps
    assert (any(s.destroys for s in m.steps), m.reversible) == (destroys, reversible)


def diff(path: str, *lines: str, new: bool = True) -> str:
    mode = "new file mode 100644\n" if new else ""
    return f"diff --git a/{path} b/{path}\n{mode}--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n" + "".join(f"+{x}\n" for x in lines)


@pytest.mark.parametrize(
    ("raw", "more", "verdict", "looked_at"),
    [
        (diff("db/migrations/1.up.sql", "CREATE TABLE a (i int);"), {}, "pass", 1),
        (diff("db/migrations/1.up.sql", "DROP TABLE a;"), {}, "fail", 1),
        (diff("db/migrations/1.up.sql", "DROP TABLE a;"), {"allowed": "db/migrations/1.up.sql"}, "pass", 1),
        (diff("db/migrations/1.up.sql", "CREATE TABLE a (i int);", new=False), {}, "fail", 0),
        (diff("db/migrations/1.up.sql", "SELECT 1;"), {}, "inconclusive", 0),
        (diff("src/a.go", "x"), {}, "missing", 0),
        (diff("changes/1.sql", "DROP TABLE a;"), {"paths": "changes/"}, "fail", 1),
        (diff("db/migrations/1.up.sql", "CREATE TABLE a (i int);") + diff("db/migrations/1.down.sql", "DROP TABLE a;"), {}, "pass", 1),
    ],
)
def test_migrations_of_a_release(raw: str, more: dict[str, str], verdict: str, looked_at: int) -> None:
    """New ones are read; what destroys must be allowed by name; one that ran already must not change; a way back is not what it does."""
    r = says(raw, **more)
    assert (r.verdict, r.looked_at) == (verdict, looked_at)
    assert read(io.BytesIO(raw.encode())).verdict in ("fail", "inconclusive")


@pytest.mark.parametrize(
    "text",
    [
        "--" + " " * 100_000,
        "/*" * 50_000,
        "def downgrade(" * 5_000,
        "alter table " * 10_000,
        "-- up\n" * 20_000,
        "drop table " + "a." * 50_000,
    ],
)
def test_no_migration_takes_long(text: str) -> None:
    """Text made of beginnings costs no more than another."""
    began = time.process_time()
    migration("1.sql", text)
    migration("1.py", text)
    assert time.process_time() - began < 5


def test_comments_and_halves() -> None:
    """Comments go, halves are told apart."""
    assert without_comments("a -- b\nc /* d */ e").split() == ["a", "c", "e"]
    assert divided("x\n-- +goose Down\ny")[1].strip() == "y"
