"""`dossier open`"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from release_dossier.change import Author, Change
from release_dossier.cli import edge
from release_dossier.errors import Misuse, counted

if TYPE_CHECKING:
    from release_dossier.sources.git import Repository

T = TypeVar("T")


@click.command("open", epilog="Example: dossier open --issue issue.md --owner ann --service api=1.4.0")
@click.option("--issue", metavar="FILE|NUMBER", help="the scoped issue: Markdown, GitHub's JSON, or a number on GitHub")
@click.option("--base", metavar="REF", help="must agree with where the branch left the protected branch")
@click.option("--head", metavar="BRANCH", help="the branch to open; the one checked out when not given")
@click.option("--owner", metavar="WHO", help="who answers for the change, when the issue does not say")
@click.option("--retrospective", "tag", metavar="TAG", help="what a tag shipped, after the fact: marked so, and never allowed")
@click.option("--pull", metavar="FILE|NUMBER", help="what GitHub says of the pull request's commits: a file of it, or a number to ask for")
@click.option("--service", "services", multiple=True, metavar="S=VERSION", help="the version a service is to become")
@edge.json_option
def open_(
    issue: str | None,
    base: str | None,
    head: str | None,
    owner: str | None,
    tag: str | None,
    pull: str | None,
    services: tuple[str, ...],
    as_json: bool,
) -> None:
    """Open the change of a branch: what it is for, what is in and out of scope, who made it, which services it touches."""
    from release_dossier.steps.open import open_change, open_retrospective

    if issue is None and tag is None:
        raise Misuse("usage.open", at="command line", found="no issue", expected="--issue FILE, --issue NUMBER, or --retrospective TAG")
    if tag is not None and (issue, head, pull) != (None, None, None):
        raise Misuse(
            "usage.open",
            at="command line",
            found=f"--retrospective with {next(n for n, x in (('--issue', issue), ('--head', head), ('--pull', pull)) if x is not None)}",
            expected="--issue, or --retrospective TAG without --head or --pull",
        )
    versions = versions_of(services)
    if tag is not None:
        world = edge.open_world()
        digest, change, warnings = open_retrospective(world, tag, since=base, owner=owner or "", versions=versions)
    else:
        scoped = read_issue(issue or "")
        world = edge.open_world()
        vouched = read_commits(pull) if pull else None
        digest, change, warnings = open_change(world, scoped, base=base, head=head, owner=owner, versions=versions, vouched=vouched)
    for words in warnings:
        edge.note(f"warning: {words}")
    guessed = () if tag is not None else tuple(s.name for s in change.services if s.name not in versions)
    edge.emit({"change": change_json(digest, change)}, as_json, lambda: _words(digest, change, guessed))


def versions_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """`S=VERSION` options as a table."""
    out = {}
    for pair in pairs:
        name, _, version = pair.partition("=")
        if not name or not version:
            raise Misuse("usage.service", at="--service", found=repr(pair), expected="NAME=VERSION, neither empty")
        out[name] = version
    return out


def read_issue(issue: str) -> Any:
    """The scoped issue behind `--issue`: a file, or a number asked of GitHub."""
    from release_dossier.issue import parse_issue

    raw = _file("issue.no-file", "--issue", issue, "a Markdown file, GitHub's JSON, or a number")
    if raw is None:
        from release_dossier.sources.github import fetch_issue

        return parse_issue(_fetched(fetch_issue, issue), f"issue {issue}")
    return parse_issue(raw, Path(issue).name)


def read_commits(pull: str) -> dict[str, int]:
    """The platform's word behind `--pull`: a file, or a number asked of GitHub."""
    from release_dossier.vouched import commits_of, parse_commits

    raw = _file("commits.no-file", "--pull", pull, "GitHub's JSON of its commits, or a number")
    if raw is None:
        from release_dossier.sources.github import fetch_commits

        return commits_of(_fetched(fetch_commits, pull), f"pull request {pull}")
    return parse_commits(raw, Path(pull).name)


def _file(code: str, option: str, word: str, expected: str) -> bytes | None:
    """What stands in the file an option names; None where it is a number and no file is called so."""
    from release_dossier.errors import Refused

    file = Path(word)
    if word.isdecimal() and not file.exists():
        return None
    try:
        return file.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as e:
        raise Refused(code, at=option, found=f"no file {word}", expected=expected) from e


def _fetched(fetch: Callable[[int, Repository, str, Mapping[str, str]], T], number: str) -> T:
    """What GitHub has under a number."""
    world = edge.open_world()
    return fetch(int(number), world.repo, world.pin.remote or "origin", world.environ)


def change_json(digest: str, change: Change) -> dict[str, Any]:
    """The change as the contract shows it."""
    import msgspec

    out: dict[str, Any] = msgspec.to_builtins(change)
    del out["rules"]
    return {**out, "digest": digest, "outside_scope": list(change.scope.outside)}


def _bound(a: Author) -> str:
    if a.person is None:
        return " (bound to no listed key)"
    return " (bound by GitHub's word)" if a.how == "platform" else ""


def _words(digest: str, c: Change, guessed: tuple[str, ...]) -> str:
    services = ", ".join(f"{s.name} → {s.version} ({s.criticality})" for s in c.services)
    authors = ", ".join(a.name + _bound(a) for a in c.authors)
    lines = [
        f"opened  {c.issue.title or c.branch} · change {digest[:19]}…",
        f"  objective  {c.objective}",
        f"  branch     {c.branch} at {c.head[:12]}, from {c.base[:12] or 'the beginning'}; {counted(len(c.files), 'file')}",
        f"  owner      {c.owner}; authors: {authors}",
        f"  services   {services}",
        *(
            f"  guess      {name}: its build file's, else the patch after its newest tag, 0.1.0 without one; or --service {name}=VERSION"
            for name in guessed
        ),
        f"  scope      {len(c.scope.inside)} of {len(c.files)} files inside, {len(c.scope.outside)} outside, "
        f"{len(c.scope.unbound)} bound by no line",
        f"  risks      {len(c.risks)} declared",
        "next: dossier collect",
    ]
    return "\n".join(lines)
