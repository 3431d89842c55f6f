"""What a platform says of a pull request's commits: which account made each one whose signature it verified.

GitHub knows its accounts' keys and we do not, so this is its word and no more. Its shape is GitHub's answer to
`GET /repos/{owner}/{repo}/pulls/{pull_number}/commits`. The trust document lists an account by the address GitHub gives it for commits,
`ID+LOGIN@users.noreply.github.com`; the number alone counts, because a name that was given up can be somebody else's tomorrow.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from release_dossier.digest import parse_json
from release_dossier.errors import Refused

_ACCOUNT = re.compile(r"([0-9]{1,19})\+[A-Za-z0-9_-]+(?:\[bot\])?@users\.noreply\.github\.com", re.IGNORECASE)


class _Account(msgspec.Struct):
    id: int = 0  # none in the empty object that stands for nobody


class _Verification(msgspec.Struct):
    verified: bool = False


class _Git(msgspec.Struct):
    verification: _Verification = msgspec.field(default_factory=_Verification)


class _Commit(msgspec.Struct):
    sha: str
    commit: _Git
    author: _Account | None = None
    committer: _Account | None = None


def parse_commits(raw: bytes, at: str) -> dict[str, int]:
    """`commits_of` what a file holds.

    Raises:
        Refused: `json.*`, `commits.shape`.
    """
    return commits_of(parse_json(raw, at), at)


def commits_of(value: Any, at: str) -> dict[str, int]:
    """Number of the author's account by commit id, of the commits whose signature the platform verified and the author's account made. A
    commit by one that another signed (the platform itself, where it was edited there) says nothing of its author.

    Raises:
        Refused: `commits.shape`.
    """
    try:
        commits = msgspec.convert(value, list[_Commit])
    except msgspec.ValidationError as e:
        expected = "a list of commits as GitHub gives it: GET /repos/OWNER/NAME/pulls/NUMBER/commits"
        raise Refused("commits.shape", at=at, found=str(e), expected=expected) from e
    return {
        c.sha: c.author.id
        for c in commits
        if c.commit.verification.verified and c.author is not None and c.author.id and c.author == c.committer
    }  # fmt: skip


def account_of(address: str) -> int | None:
    """The number of the account an address of a person names; None where it is another kind of address."""
    found = _ACCOUNT.fullmatch(address)
    return int(found[1]) if found else None
