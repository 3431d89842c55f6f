"""GitHub over HTTPS, as little as the thread needs: an issue or a pull request's commits by number, a comment, a check run on a commit.

Every request goes through `sources.outside`. GITHUB_API_URL names another GitHub, which may lie in a private network: whoever sets a
variable of this process may say so. A token goes to that host and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from release_dossier.delivery import asked_too_often
from release_dossier.digest import parse_json
from release_dossier.errors import Refused, Unavailable
from release_dossier.limits import ISSUE_BYTES_MAX
from release_dossier.sources.git import Repository
from release_dossier.sources.outside import REDIRECTS_MAX, Answer, request

API = "https://api.github.com"
_REMOTE = re.compile(r"github\.com[:/](?P<owner>[A-Za-z0-9-]+)/(?P<name>[A-Za-z0-9._-]+?)(?:\.git)?/?\Z")
_PAGE = 100  # what GitHub gives at most at once
_PAGES_MAX = 10  # pages looked through for a mark of ours: the newest thousand


def github_repository(repo: Repository, remote: str) -> str:
    """owner/name of the remote's repository.

    Raises:
        Refused: `github.no-remote`.
    """
    r = repo.result("remote", "get-url", remote, ok=(0, 2, 128))
    m = _REMOTE.search(r.stdout.decode().strip())
    if m is None:
        raise Refused(
            "github.no-remote",
            at=f"remote {remote}",
            found=r.stdout.decode().strip() or "none",
            expected="a GitHub repository",
            help="dossier open --issue FILE",
        )
    return f"{m['owner']}/{m['name']}"


def fetch_issue(number: int, repo: Repository, remote: str, environ: Mapping[str, str]) -> bytes:
    """The JSON of issue `number` of the remote's repository (`GET /repos/{owner}/{repo}/issues/{number}`).

    Raises:
        Refused: `github.no-remote`, `github.issue`. Unavailable: `github.unreachable`.
    """
    github = GitHub.of(environ, environ.get("GITHUB_TOKEN", ""), github_repository(repo, remote))
    url = f"{github.api}/repos/{github.repository}/issues/{number}"
    answer = github.get(url)
    if answer.status != 200:
        raise _refusal(answer, url)
    return answer.body


def fetch_commits(number: int, repo: Repository, remote: str, environ: Mapping[str, str]) -> list[Any]:
    """The list of a pull request's commits (`GET /repos/{owner}/{repo}/pulls/{pull_number}/commits`); GitHub lists the first 250.

    Raises:
        Refused: `github.no-remote`, `github.pull`, `json.*`, `commits.shape`. Unavailable: `github.unreachable`.
    """
    github = GitHub.of(environ, environ.get("GITHUB_TOKEN", ""), github_repository(repo, remote))
    url = f"{github.api}/repos/{github.repository}/pulls/{number}/commits"

    def listed(answer: Answer, at: str) -> list[Any]:
        if answer.status != 200:
            raise _refusal(answer, at, "github.pull", "the pull request", "dossier open --pull FILE")
        some = parse_json(answer.body, at)
        if not isinstance(some, list):
            raise Refused("commits.shape", at=at, found=type(some).__name__, expected="a list of commits")
        return some

    return [commit for some, _ in github.pages(f"{url}?", listed) for commit in some]


class GitHub(msgspec.Struct, frozen=True, kw_only=True):
    """One repository at one GitHub, and the token that may write to it, empty for none."""

    api: str
    private: bool
    token: str
    repository: str

    @classmethod
    def of(cls, environ: Mapping[str, str], token: str, repository: str) -> GitHub:
        """As the environment says where GitHub is."""
        own = environ.get("GITHUB_API_URL", "")
        return cls(api=(own or API).rstrip("/"), private=bool(own), token=token, repository=repository)

    def comment(self, issue: int, mark: str, body: bytes, *, look_first: bool) -> Answer:
        """A comment on an issue. `mark` stands in `body`; with `look_first` a comment that has it is the one to be made.

        Raises:
            Refused: `outside.*`, `github.issue`. Unavailable: `outside.unreachable`, `github.unreachable`.
        """
        url = f"{self.api}/repos/{self.repository}/issues/{issue}/comments"
        if look_first:
            for found, answer in self.pages(f"{url}?", _objects):
                if any(mark in str(c.get("body", "")) for c in found):
                    return msgspec.structs.replace(answer, status=200)
        return self._post(url, body)

    def check_run(self, head: str, mark: str, body: bytes, *, look_first: bool) -> Answer:
        """A check run on a commit, `mark` as its external id.

        Raises:
            As `comment`.
        """
        if look_first:
            for found, answer in self.pages(f"{self.api}/repos/{self.repository}/commits/{head}/check-runs?filter=all&", _objects):
                if any(c.get("external_id") == mark for c in found):
                    return msgspec.structs.replace(answer, status=200)
        return self._post(f"{self.api}/repos/{self.repository}/check-runs", body)

    def get(self, url: str) -> Answer:
        """A renamed repository answers with another address on the same host; nothing is asked anywhere else."""
        start = url
        for _ in range(REDIRECTS_MAX + 1):
            answer = self._ask("GET", url, None)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            there = urlsplit(answer.headers.get("location", ""))
            if (there.scheme, there.netloc) != urlsplit(start)[:2]:
                raise Refused("github.issue", at=start, found=f"a redirect to {there.netloc}", expected="the same host")
            url = there.geturl()
        raise Refused("github.issue", at=start, found=f"more than {REDIRECTS_MAX} redirects", expected="an answer")

    def pages(self, url: str, read: Callable[[Answer, str], list[Any]]) -> Iterator[tuple[list[Any], Answer]]:
        """What `read` takes from each page of a list, until one is not full; `url` ends where the number of the page goes on."""
        for page in range(1, _PAGES_MAX + 1):
            at = f"{url}per_page={_PAGE}&page={page}"
            answer = self.get(at)
            found = read(answer, at)
            yield found, answer
            if len(found) < _PAGE:
                return

    def _post(self, url: str, body: bytes) -> Answer:
        return self._ask("POST", url, body)

    def _ask(self, method: str, url: str, body: bytes | None) -> Answer:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            return request(method, url, headers, body, private=self.private, follow=False, bytes_max=ISSUE_BYTES_MAX * 4)
        except Unavailable as e:
            raise Unavailable("github.unreachable", at=url, found=e.found, expected="an answer", help="dossier open --issue FILE") from e


def _objects(answer: Answer, url: str) -> list[dict[str, Any]]:
    """The objects of a list, bare or of check runs."""
    if answer.status != 200:
        raise _refusal(answer, url)
    try:
        value = json.loads(answer.body)
    except ValueError as e:
        raise Unavailable("github.unreachable", at=url, found=str(e), expected="JSON") from e
    items = value.get("check_runs") if isinstance(value, dict) else value
    return [x for x in items if isinstance(x, dict)] if isinstance(items, list) else []


def _refusal(
    answer: Answer, url: str, code: str = "github.issue", expected: str = "the issue", instead: str = "dossier open --issue FILE"
) -> Refused | Unavailable:  # fmt: skip
    """Asked too often, or the service is ill: try again later. Else the question was wrong."""
    status = answer.status
    if status >= 500 or asked_too_often(status, answer.headers):
        why = "asked too often" if status < 500 else "the service's own error"
        return Unavailable("github.unreachable", at=url, found=f"HTTP {status}, {why}", expected="an answer", help=instead)
    help = "check the number, and GITHUB_TOKEN for a private repository"
    return Refused(code, at=url, found=f"HTTP {status}", expected=expected, help=help)
