"""GitHub over HTTPS, as little as the thread needs: one issue by its number. The token, if any, is GITHUB_TOKEN."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from release_dossier.errors import Refused, Unavailable
from release_dossier.limits import ISSUE_BYTES_MAX
from release_dossier.sources.git import Repository

_REMOTE = re.compile(r"github\.com[:/](?P<owner>[A-Za-z0-9-]+)/(?P<name>[A-Za-z0-9._-]+?)(?:\.git)?/?\Z")
_SECONDS = 20


def fetch_issue(number: int, repo: Repository, remote: str, environ: Mapping[str, str]) -> bytes:
    """The JSON of issue `number` of the remote's repository (`GET /repos/{owner}/{repo}/issues/{number}`).

    Raises:
        Refused: `github.no-remote`, `github.issue`. Unavailable: `github.unreachable`.
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
    api = environ.get("GITHUB_API_URL", "https://api.github.com")
    url = f"{api}/repos/{m['owner']}/{m['name']}/issues/{number}"
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "release-dossier"}
    if environ.get("GITHUB_TOKEN"):
        headers["Authorization"] = f"Bearer {environ['GITHUB_TOKEN']}"
    try:
        with _opener.open(urllib.request.Request(url, headers=headers), timeout=_SECONDS) as answer:
            return bytes(answer.read(ISSUE_BYTES_MAX + 1))
    except urllib.error.HTTPError as e:
        with e:
            raise _refusal(e, url) from e
    except OSError as e:
        raise Unavailable(
            "github.unreachable", at=url, found=str(getattr(e, "reason", e)), expected="an answer", help="dossier open --issue FILE"
        ) from e


class _SameHost(urllib.request.HTTPRedirectHandler):
    """A renamed repository answers with another address on the same host; a token goes nowhere else."""

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        there = urllib.parse.urlsplit(newurl)
        if (there.scheme, there.netloc) != (urllib.parse.urlsplit(req.full_url).scheme, req.host):
            raise Refused("github.issue", at=req.full_url, found=f"a redirect to {there.netloc}", expected="the same host")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_opener = urllib.request.build_opener(_SameHost)


def _refusal(e: urllib.error.HTTPError, url: str) -> Refused | Unavailable:
    """Asked too often, or the service is ill: try again later. Else the question was wrong."""
    if e.code >= 500 or e.code == 429 or e.headers.get("x-ratelimit-remaining") == "0":
        why = "asked too often" if e.code < 500 else "the service's own error"
        return Unavailable(
            "github.unreachable", at=url, found=f"HTTP {e.code}, {why}", expected="an answer", help="dossier open --issue FILE"
        )
    help = "check the number, and GITHUB_TOKEN for a private repository"
    return Refused("github.issue", at=url, found=f"HTTP {e.code}", expected="the issue", help=help)
