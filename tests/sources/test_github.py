"""Issues from GitHub: a server on loopback stands in for it and holds every request against GitHub's published description."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.town import ISSUE, Town

DESCRIPTION = Path(__file__).parents[3] / "shared/conformance/02-github-openapi/api.github.com.subset.json"


class GitHub:
    """Answers from `answers` (path → status, headers, body); `asked` holds what came, `faults` what GitHub would not know."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.description = description
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.faults: list[str] = []
        self.bodies: list[bytes] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                server.check(self.command.lower(), self.path, {k.lower(): v for k, v in self.headers.items()})
                if self.command == "POST":
                    server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                    server.check_body(self.path, server.bodies[-1])
                status, headers, body = server.answers.get(self.path, (404, {}, b'{"message":"Not Found"}'))
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def operation(self, method: str, path: str) -> tuple[dict[str, Any], dict[str, str]] | None:
        """The described operation a request is for, and the values in its path."""
        for template, methods in self.description["paths"].items():
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template).replace("/", "/"))
            m = re.fullmatch(pattern, path.split("?")[0])
            if m and method in methods:
                return methods[method], m.groupdict()
        return None

    def check(self, method: str, path: str, headers: dict[str, str]) -> None:
        found = self.operation(method, path)
        if found is None:
            self.faults.append(f"no operation {method} {path}")
            return
        operation, values = found
        for p in operation.get("parameters", ()):
            p = self.resolved(p)
            if p["in"] == "path":
                value: Any = values[p["name"]]
                value = int(value) if p["schema"].get("type") == "integer" and value.isdigit() else value
                if not jsonschema_rs.is_valid(p["schema"], value):
                    self.faults.append(f"{p['name']}={value} is not {p['schema']}")
        if not headers.get("accept", "").startswith("application/vnd.github") or not headers.get("user-agent"):
            self.faults.append(f"headers {headers}")

    def check_body(self, path: str, body: bytes) -> None:
        """What is posted against the schema of its operation."""
        found = self.operation("post", path)
        if found is not None:
            schema = found[0]["requestBody"]["content"]["application/json"]["schema"]
            whole = {**schema, "components": self.description["components"]}
            self.faults += [str(e) for e in jsonschema_rs.iter_errors(whole, json.loads(body))]

    def resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            at: Any = self.description
            for word in value["$ref"].removeprefix("#/").split("/"):
                at = at[word]
            value = at
        return value

    def issue(self) -> dict[str, Any]:
        """GitHub's own example of an issue."""
        answer = self.description["paths"]["/repos/{owner}/{repo}/issues/{issue_number}"]["get"]["responses"]["200"]
        example = next(iter(self.resolved(answer)["content"]["application/json"]["examples"].values()))
        return dict(self.resolved(example["value"])["value"])


@pytest.fixture
def github() -> Iterator[GitHub]:
    if not DESCRIPTION.exists():
        pytest.skip("needs ../shared: GitHub's published description")
    server = GitHub(json.loads(DESCRIPTION.read_text()))
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def town(tmp_path: Path, github: GitHub) -> Town:
    town = Town(tmp_path)
    town.git("remote", "add", "origin", "git@github.com:octo-org/shop.git")
    town.env["GITHUB_API_URL"] = github.url
    return town


@pytest.mark.conformance
def test_an_issue_by_its_number(town: Town, github: GitHub) -> None:
    """`open --issue 7` asks what GitHub describes, with the token, and opens the change its text says."""
    town.env["GITHUB_TOKEN"] = "t0ken"
    issue = github.issue() | {"number": 7, "body": ISSUE, "title": "Round payments"}
    github.answers["/repos/octo-org/shop/issues/7"] = 200, {}, json.dumps(issue).encode()
    change = town.dossier("open", "--issue", "7")["change"]
    assert (change["issue"]["number"], change["issue"]["url"], change["objective"]) == (7, issue["html_url"], "Payments are whole credits.")
    assert github.asked[0][2]["authorization"] == "Bearer t0ken"
    assert github.faults == []


@pytest.mark.conformance
def test_the_commits_of_a_pull_request(town: Town, github: GitHub) -> None:
    """`open --pull 3` asks for every page; GitHub's own example of a commit is read, and nobody is bound by one it did not verify."""
    answer = github.description["paths"]["/repos/{owner}/{repo}/pulls/{pull_number}/commits"]["get"]["responses"]["200"]
    example = next(iter(github.resolved(answer)["content"]["application/json"]["examples"].values()))
    (commit,) = github.resolved(example)["value"]
    assert commit["commit"]["verification"]["verified"] is False
    head = town.git("rev-parse", "HEAD")
    verified = {**commit["commit"], "verification": {**commit["commit"]["verification"], "verified": True}}
    pages = [commit] * 100, [{**commit, "sha": head, "commit": verified}]
    for n, page in enumerate(pages, 1):
        github.answers[f"/repos/octo-org/shop/pulls/3/commits?per_page=100&page={n}"] = 200, {}, json.dumps(page).encode()
    account = f"{commit['author']['id']}+octocat@users.noreply.github.com"
    town.change_trust("--person", "ann", "--email", account)
    (author,) = town.open("--pull", "3")["authors"]
    assert (author["person"], author["how"]) == ("ann", "platform")
    assert github.faults == []
    (author,) = town.open()["authors"]
    assert author["person"] is None
    github.answers["/repos/octo-org/shop/pulls/3/commits?per_page=100&page=2"] = 503, {}, b"{}"
    refusal = town.refused("open", "--issue", str(town.root / "issue.md"), "--pull", "3", code=30)
    assert refusal["code"] == "github.unreachable"
    for answer, code, found in (((404, {}, b"{}"), "github.pull", "HTTP 404"), ((200, {}, b"{}"), "commits.shape", "dict")):
        github.answers["/repos/octo-org/shop/pulls/3/commits?per_page=100&page=2"] = answer
        refusal = town.refused("open", "--issue", str(town.root / "issue.md"), "--pull", "3")
        assert (refusal["code"], found in refusal["found"]) == (code, True)
        assert "/repos/octo-org/shop/pulls/3/commits?" in refusal["at"]


@pytest.mark.conformance
def test_a_request_github_does_not_describe_is_a_fault(github: GitHub) -> None:
    """The stand-in says no to another path, to a number that is none and to a missing Accept."""
    for path in ("/repos/a/b/issue/7", "/repos/a/b/issues/seven"):
        github.check("get", path, {"accept": "application/vnd.github+json", "user-agent": "x"})
    github.check("get", "/repos/a/b/issues/7", {})
    assert len(github.faults) == 3


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("status", "headers", "code", "exit_code"),
    [
        (404, {}, "github.issue", 20),
        (401, {}, "github.issue", 20),
        (403, {}, "github.issue", 20),
        (403, {"x-ratelimit-remaining": "0"}, "github.unreachable", 30),
        (403, {"retry-after": "60"}, "github.unreachable", 30),
        (429, {}, "github.unreachable", 30),
        (503, {}, "github.unreachable", 30),
    ],
)
def test_answers_that_are_no_issue(town: Town, github: GitHub, status: int, headers: dict[str, str], code: str, exit_code: int) -> None:
    """Not there or not allowed is refused; asked too often or ill is unavailable; both name the address."""
    github.answers["/repos/octo-org/shop/issues/7"] = status, headers, b"{}"
    refusal = town.refused("open", "--issue", "7", code=exit_code)
    assert (refusal["code"], f"HTTP {status}" in refusal["found"]) == (code, True)
    assert refusal["at"].endswith("/repos/octo-org/shop/issues/7")


@pytest.mark.conformance
def test_a_redirect_to_another_host_gets_no_token(town: Town, github: GitHub) -> None:
    """A renamed repository is followed on the same host, and nowhere else."""
    town.env["GITHUB_TOKEN"] = "t0ken"
    issue = github.issue() | {"number": 7, "body": ISSUE}
    github.answers["/repos/octo-org/shop/issues/7"] = 301, {"Location": f"{github.url}/repos/octo-org/store/issues/7"}, b""
    github.answers["/repos/octo-org/store/issues/7"] = 200, {}, json.dumps(issue).encode()
    assert town.dossier("open", "--issue", "7")["change"]["issue"]["number"] == 7
    elsewhere = github.url.replace("127.0.0.1", "localhost")
    github.answers["/repos/octo-org/shop/issues/8"] = 302, {"Location": f"{elsewhere}/repos/octo-org/store/issues/7"}, b""
    asked = len(github.asked)
    assert town.refused("open", "--issue", "8")["found"].startswith("a redirect to localhost")
    assert len(github.asked) == asked + 1


def test_nobody_answers(tmp_path: Path) -> None:
    """A service that cannot be reached is said to be; a remote that is not GitHub is refused."""
    town = Town(tmp_path)
    town.git("remote", "add", "origin", "https://github.com/octo-org/shop")
    town.env["GITHUB_API_URL"] = "http://127.0.0.1:9"
    assert town.refused("open", "--issue", "7", code=30)["code"] == "github.unreachable"
    town.git("remote", "set-url", "origin", "https://example.invalid/x.git")
    assert town.refused("open", "--issue", "7")["code"] == "github.no-remote"
