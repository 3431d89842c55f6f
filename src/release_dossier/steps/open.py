"""Open a Change: read the scoped issue, bind it to the branch, freeze the criteria.

1. The issue is read and refused before git is asked anything.
2. Head is a clean commit on a named branch; base is the merge-base with the pinned protected branch, whatever `--base` says.
3. Settings and rules are those of the base, and freeze into the change. What the branch itself changes in them is listed.
4. Authors are git's free text; a commit signed with a listed person's key binds its author to that person, and by that person's word
   its co-authors, where the trust document lists their address. An address alone binds nobody, and keeps its person from approving.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from release_dossier.change import Author, Change, ChangedService, Issue
from release_dossier.digest import digest_of
from release_dossier.errors import Refused, counted, shown
from release_dossier.fingerprint import fingerprint, shipped
from release_dossier.guess import declared_version
from release_dossier.issue import ScopedIssue, bind_scope
from release_dossier.project import SETTINGS_FILE, Service, Settings, parse_settings
from release_dossier.rules.packs import Asked, freeze, load
from release_dossier.sources.git import Commit
from release_dossier.steps.world import World, settings_digest
from release_dossier.trust.document import Person
from release_dossier.trust.statement import Subject, state
from release_dossier.vouched import account_of


def open_change(
    world: World,
    issue: ScopedIssue,
    *,
    base: str | None,
    head: str | None,
    owner: str | None,
    versions: Mapping[str, str],
    vouched: Mapping[str, int] | None = None,
) -> tuple[str, Change, tuple[str, ...]]:
    """Open the change and enter it in the log. Opening the same change again gives the same digest.

    Args:
        vouched: what `parse_commits` of a platform's word gives.

    Returns:
        digest of the change statement, the change, and warnings in words.

    Raises:
        Refused: `change.*`, `git.*`, `settings.*`. Nothing was recorded.
    """
    repo = world.repo
    branch, head_commit = _head(world, head)
    forked = _base(world, base, head_commit)
    found = world.settings_at(forked)
    adopted = found is not None
    if found is None:
        raw = repo.file_at(head_commit, SETTINGS_FILE)
        if raw is None:
            raise Refused(
                "change.no-settings",
                at=SETTINGS_FILE,
                found=f"not committed on {branch}",
                expected="it in the commit",
                help=f"git add {SETTINGS_FILE}",
            )
        found = parse_settings(raw, SETTINGS_FILE), raw
    settings, raw = found
    files = _written(repo.changed(forked, head_commit))
    if not files:
        raise Refused(
            "change.empty", at=f"branch {branch}", found="no file differs from the protected branch", expected="at least one changed file"
        )
    services = _services(world, settings, head_commit, files, versions)
    commits = _commits(world, forked, head_commit)
    criteria = forked if adopted else head_commit
    asked = [(s.name, s.asked, s.owners) for c in services if (s := settings.service_named(c.name)) is not None]
    change = Change(
        id=f"{branch}@{head_commit[:12]}",
        project_name=settings.project.name,
        mode=settings.project.mode,
        adopted=adopted,
        issue=issue.issue,
        branch=branch,
        owner=_owner(world, owner or issue.owner),
        authors=_authors(world, commits, vouched or {}),
        base=forked,
        head=head_commit,
        tree=repo.tree(head_commit),
        criteria=forked if adopted else "",
        criteria_digest=settings_digest(raw),
        objective=issue.objective,
        in_scope=issue.in_scope,
        out_of_scope=issue.out_of_scope,
        features=issue.features,
        services=services,
        files=files,
        scope=bind_scope(issue, settings, files),
        risks=issue.risks,
        rules=freeze(settings.rules, asked, lambda f: repo.file_at(criteria, f)),
        rule_changes=_rule_changes(world, criteria, head_commit, asked),
        opened_at=world.stamp(),
    )
    digest, change, warnings = _record(world, change)
    return digest, change, (*warnings, *_unvouched(world, commits, vouched))


def open_retrospective(
    world: World, tag: str, *, since: str | None, owner: str, versions: Mapping[str, str]
) -> tuple[str, Change, tuple[str, ...]]:
    """Open what `tag` shipped, after the fact: from `since` (or the tag before it, or the beginning) to the tag, under today's criteria.

    It is marked retrospective for ever and never allowed. Nobody scoped it then, so no scope is made up: every file is bound by no line.

    Raises:
        Refused: `change.*`, `git.*`, `settings.*`. Nothing was recorded.
    """
    repo = world.repo
    ref = f"refs/tags/{tag}"
    head = repo.resolve(ref, "--retrospective")
    before = repo.resolve(since, "--base") if since else repo.tag_before(head)
    protected = world.protected_ref()
    criteria = repo.resolve(protected) if repo.exists(protected) else ""
    found = world.settings_at(criteria) if criteria else None
    if found is None:
        help = f"commit {SETTINGS_FILE} to the protected branch"
        raise Refused("change.no-settings", at=protected, found=f"no {SETTINGS_FILE}", expected="the criteria of today", help=help)
    settings, raw = found
    versions = versions or _trains(settings, tag)
    files = _written(repo.changed(before, head) if before else sorted(f.path for f in repo.files(head)))
    words = f"What {tag} shipped" + (f" since {since or before[:12]}" if before else ", from the beginning")
    issue = ScopedIssue(Issue(f"Retrospective of {tag}", source="retrospective"), words, (), (), (), (), owner)
    change = Change(
        id=f"{ref}@{head[:12]}",
        project_name=settings.project.name,
        mode="retrospective",
        adopted=True,
        issue=issue.issue,
        branch=ref,
        owner=_owner(world, owner),
        authors=_authors(world, _commits(world, before, head), {}),
        base=before,
        head=head,
        tree=repo.tree(head),
        criteria=criteria,
        criteria_digest=settings_digest(raw),
        objective=words,
        in_scope=(),
        out_of_scope=(),
        features=(),
        services=_services(world, settings, head, (), versions),
        files=files,
        scope=bind_scope(issue, settings, files),
        risks=(),
        rules=freeze(
            settings.rules, [(s.name, s.asked, s.owners) for s in settings.service if s.name in versions], lambda f: repo.file_at(head, f)
        ),
        rule_changes=(),
        opened_at=world.stamp(),
    )
    return _record(world, change)


def _written(paths: Iterable[str]) -> tuple[str, ...]:
    """Paths as documents write them: a byte that is no UTF-8 stands as `\\udcXX`. Fingerprints are over the bytes."""
    return tuple(p.encode("utf-8", "backslashreplace").decode() for p in paths)


def _trains(settings: Settings, tag: str) -> dict[str, str]:
    """The services whose release train a tag belongs to, and the version it gives them."""
    out = {}
    for s in settings.service:
        before, after = s.tag.split("{version}")
        if len(tag) > len(before) + len(after) and tag.startswith(before) and tag.endswith(after):
            version = tag[len(before) : len(tag) - len(after)]
            if version[:1].isdecimal():
                out[s.name] = version
    if not out:
        trains = ", ".join(s.tag for s in settings.service)
        raise Refused("change.no-service", at="--retrospective", found=f"{tag}, a tag of no service's train", expected=trains)
    return out


def _record(world: World, change: Change) -> tuple[str, Change, tuple[str, ...]]:
    warnings = tuple(f"untracked: {shown(p)} is not part of the change" for p in world.repo.untracked()[:5])
    if not change.adopted:
        warnings += (f"bootstrap: {SETTINGS_FILE} does not stand on {world.protected_name()} yet, so nothing is allowed",)
    with world.store.lock():
        for entry in reversed(world.store.entries()):
            if entry.type == "change" and entry.key == change.branch:
                before = world.change(entry.digest)
                if digest_of(msgspec.to_builtins(before)) == digest_of({**msgspec.to_builtins(change), "opened_at": before.opened_at}):
                    return entry.digest, before, warnings
                break
        subject = [Subject(change.id, {"gitCommit": change.head, "gitTree": change.tree})]
        statement = state("change", world.trust.project, subject, msgspec.to_builtins(change))
        return world.record(statement, change=statement.digest, key=change.branch), change, warnings


def _head(world: World, head: str | None) -> tuple[str, str]:
    repo = world.repo
    if head is not None:
        ref = f"refs/heads/{head}"  # in full: a tag may have the same name
        if not repo.exists(ref):
            repo.resolve(head, "--head")
            raise Refused("change.head-not-a-branch", at="--head", found=repr(head), expected="a local branch, which has an owner")
        return head, repo.resolve(ref, "--head")
    branch = world.branch()
    modified = repo.modified()
    if modified:
        raise Refused(
            "change.uncommitted",
            at=modified[0],
            found=f"{len(modified)} tracked files differ from HEAD",
            expected="all committed",
            help="git commit",
        )
    return branch, repo.resolve("HEAD", "HEAD")


def _base(world: World, base: str | None, head: str) -> str:
    """The merge-base with the protected branch. A base of the author's choice could hide files, so `--base` may only agree."""
    protected = world.protected_ref()
    if not world.repo.exists(protected):
        raise Refused(
            "change.no-protected-branch",
            at=protected,
            found="no such branch",
            expected=f"the protected branch {world.pin.protected_branch}",
        )
    forked = world.repo.merge_base(protected, head)
    if forked is None:
        raise Refused(
            "change.no-merge-base",
            at="HEAD",
            found=f"no common history with {world.pin.protected_branch}",
            expected="a branch made from it",
            help="git fetch --unshallow" if world.repo.text("rev-parse", "--is-shallow-repository") == "true" else "",
        )
    if base is not None and world.repo.merge_base(world.repo.resolve(base, "--base"), head) != forked:
        raise Refused(
            "change.base-not-protected",
            at="--base",
            found=repr(base),
            expected=f"{forked[:12]}, where the branch left {world.pin.protected_branch}",
        )
    return forked


def _owner(world: World, owner: str) -> str:
    known = sorted(p.id for p in world.trust.document.people)
    if not owner:
        raise Refused(
            "change.no-owner",
            at="owner",
            found="none in the issue, no --owner",
            expected=f"one of {', '.join(known)}",
            help=f"--owner {known[0]}, or a line under ## Owner in the issue",
        )
    if world.trust.person(owner.lstrip("@")) is None:
        asked = owner.lstrip("@").lower()
        meant = next((p.id for p in world.trust.document.people if asked in (p.id.lower(), p.name.lower())), "")
        raise Refused(
            "change.owner-unknown",
            at="owner",
            found=owner,
            expected=f"a person of the trust document: {', '.join(known)}",
            help=f"--owner {meant}" if meant else "dossier trust propose",
        )
    return owner.lstrip("@")


def _commits(world: World, base: str, head: str) -> tuple[Commit, ...]:
    """Each with the key of a person that signed it, revoked or not."""
    return world.repo.commits(base, head, {k.id: k.public for p in world.trust.document.people for k in p.keys})


def _authors(world: World, commits: Sequence[Commit], vouched: Mapping[str, int]) -> tuple[Author, ...]:
    """Who made the commits. A platform is only heard about those no key of the trust document signed, revoked or not. Whose
    address a commit shows and who is bound by it may be two: then neither approves."""
    trust, people = world.trust, world.trust.document.people
    known = accounts(world)
    out: dict[Author, int] = {}
    for c in commits:
        signer, by = trust.person_of_key(c.key) if c.key and not trust.revoked_at(c.key) else None, "author"
        if c.key is None and c.id in vouched:
            signer, by = known.get(vouched[c.id]), "platform"
        for name, email, how in ((c.name, c.email, "author"), *((n, e, "co-author") for n, e in c.co_authors)):
            listed = next((p.id for p in people if email.lower() in {x.lower() for x in p.emails}), "")
            person = (signer.id if how == "author" else listed or None) if signer else None
            who = Author(name, email, person, 0, by if person and how == "author" else how, "" if person == listed else listed)
            out[who] = out.get(who, 0) + 1
    in_order = sorted(out.items(), key=lambda x: (x[0].name, x[0].email, x[0].person or "", x[0].how))
    return tuple(msgspec.structs.replace(a, commits=n) for a, n in in_order)


def accounts(world: World) -> dict[int, Person]:
    """Who is behind an account of the platform; not one that two people claim."""
    listed = {(n, p.id): p for p in world.trust.document.people for e in p.emails if (n := account_of(e)) is not None}
    claims = Counter(n for n, _ in listed)
    return {n: p for (n, _), p in listed.items() if claims[n] == 1}


def _unvouched(world: World, commits: Sequence[Commit], vouched: Mapping[str, int] | None) -> tuple[str, ...]:
    """Why a platform's word does not bind every commit it could have."""
    if vouched is None:
        return ()
    unsigned = [c.id for c in commits if c.key is None]
    said = [c for c in unsigned if c in vouched]
    strangers = sorted({vouched[c] for c in said} - accounts(world).keys())
    propose = "dossier trust propose --email {}+LOGIN@users.noreply.github.com"
    words = [f"account {n} is listed for no one person: {propose.format(n)}" for n in strangers]
    if len(said) < len(unsigned):
        many = counted(len(unsigned), "commit")
        words.append(f"GitHub verified {len(said)} of the {many} that no listed key signed, as their authors' own")
    return tuple(f"--pull: {w}" for w in words)


def _services(
    world: World, settings: Settings, head: str, files: tuple[str, ...], versions: Mapping[str, str]
) -> tuple[ChangedService, ...]:
    stranger = next((s for s in versions if settings.service_named(s) is None), None)
    if stranger is not None:
        raise Refused("change.unknown-service", at="--service", found=stranger, expected=", ".join(s.name for s in settings.service))
    tree = world.repo.files(head)
    touched = [s for s in settings.service if s.name in versions or any(_touches(s, settings, f) for f in files)]
    if not touched:
        raise Refused(
            "change.no-service",
            at="files",
            found=f"{len(files)} files no service ships",
            expected="a file of a service, or --service NAME=VERSION",
        )
    return tuple(
        ChangedService(
            s.name, versions.get(s.name) or next_version(world, s, head), fingerprint(s, settings.service, tree), s.criticality, s.owners
        )
        for s in touched
    )


def _touches(service: Service, settings: Settings, path: str) -> bool:
    return shipped(service, settings.service, path)


def next_version(world: World, service: Service, head: str) -> str:
    """What the service's build file says at `head` if that is after its newest tag; else the patch after that tag, `0.1.0` without one."""
    before, after = service.tag.split("{version}")
    numbers = []
    for tag in world.repo.text("tag", "--list", f"{before}*{after}").splitlines():
        parts = tag[len(before) : len(tag) - len(after) if after else None].split(".")
        if len(parts) == 3 and all(p.isdecimal() for p in parts):
            numbers.append(tuple(int(p) for p in parts))
    said = declared_version(service.paths, lambda f: world.repo.file_at(head, f))
    if said and tuple(map(int, said.split("."))) > max(numbers, default=(0, 0, 0)):
        return said
    if not numbers:
        return "0.1.0"
    major, minor, patch = max(numbers)
    return f"{major}.{minor}.{patch + 1}"


def _rule_changes(world: World, criteria: str, head: str, asked: Asked) -> tuple[str, ...]:
    """Lines of dossier.toml, and of the packs of this repository it names, that the branch adds or takes away against the criteria."""
    import difflib

    files = [SETTINGS_FILE, *dict.fromkeys(f for _, name, _ in asked for f in load(name, lambda f: world.repo.file_at(criteria, f)).files)]
    out: list[str] = []
    for file in files:
        path = file.removeprefix("./")
        frozen, mine = (world.repo.file_at(c, path) or b"" for c in (criteria, head))
        if mine == frozen or (file == SETTINGS_FILE and not mine):
            continue
        before, after = (x.decode("utf-8", "replace").splitlines() for x in (frozen, mine))
        lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
        kept = [line for line in lines if not line.startswith("@@")]
        out += kept if file == SETTINGS_FILE else [f"{file}: {line}" for line in kept]
    return tuple(out)
