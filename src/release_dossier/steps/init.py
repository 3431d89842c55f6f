"""Init: propose a project from what the repository shows, and make its first trust document.

1. Refuses to overwrite: neither settings nor trust document may be there, in the tree or on the protected branch, and no log of a project.
2. The first person is whoever git says works here, with the SSH key git signs with, else a new key of their own.
3. Everything is written at the end, the settings last: without them there is no project, and init begins anew after a kill. Nothing is
   committed: the commit to make is printed.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from shlex import quote

import msgspec

from release_dossier.digest import canonical
from release_dossier.errors import DossierError, Refused, shown
from release_dossier.guess import Guess, files_to_read, guess, project_name
from release_dossier.project import SETTINGS_FILE, TRUST_FILE, parse_settings
from release_dossier.sources.git import Repository, find_repository
from release_dossier.sources.ssh import sign_with_ssh
from release_dossier.steps.world import (
    Pin,
    git_environment,
    keep_out_of_git,
    producer_key_path,
    protected_ref,
    read_pin,
    rfc3339,
    state_folder,
    write_pin,
)
from release_dossier.store.files import new_key, replace_file
from release_dossier.trust.document import Key, Person, Producer, first_version, parse_chain
from release_dossier.trust.dsse import pae, parse_envelope, seal
from release_dossier.trust.keys import ED25519, Signer, key_of_public, load_signer
from release_dossier.trust.statement import PAYLOAD_TYPE

ALL_ROLES = ("trust-root", "release-manager", "ops", "risk-owner", "rule-owner")

# A team of which the trust document knows one person can release nothing that person wrote: said while it is easily mended.
SECOND = (
    "in a team another signs what you write: dossier trust propose --person WHO --role release-manager --public THEIRS.pub --key {key}"
    ' (or set mode = "solo")'
)


class Initialised(msgspec.Struct, frozen=True):
    """What init wrote, guessed and asks for next."""

    config: str
    services: tuple[str, ...]
    guessed: tuple[str, ...]
    next: tuple[str, ...]
    project: str
    person: str
    key: str
    new_key: str


def init(start: Path, environ: Mapping[str, str], now: datetime, profile: str | None) -> Initialised:
    """Write `dossier.toml`, `dossier.trust.json`, the pin and the exclude line.

    Raises:
        Refused: `init.exists`, `init.unknown-profile`, `init.no-commit`, `init.no-branch`, `git.no-repository`. Nothing was written.
    """
    repo = find_repository(start, git_environment(environ))
    root = repo.root
    home = state_folder(root, environ)
    _nothing_in(repo, home)
    if not repo.exists("HEAD"):
        commit = "git commit --allow-empty -m start"
        raise Refused("init.no-commit", at=str(root), found="a repository without a commit", expected="at least one", help=commit)
    protected, remote = _protected(repo)
    _nothing_on(repo, Pin("", protected, remote))
    if (home / "log").exists():
        raise Refused(
            "init.exists",
            at=str(home),
            found="the log of a project",
            expected="none: init never overwrites",
            help=f"mv {quote(str(home))} {quote(f'{home}.before')}",
        )
    template = _template(profile) if profile else ""
    person_name, email = _git_config(repo, "user.name") or "owner", _git_config(repo, "user.email") or ""
    person = person_id(person_name)
    key_file, public, fresh = _person_key(repo, home, person, environ)
    producer = _producer(home, environ)
    tracked = [p.decode("utf-8", "surrogateescape") for p in repo.run("ls-files", "-z").split(b"\0") if p]
    contents = {f: (root / f).read_text("utf-8", "replace") for f in files_to_read(tracked) if (root / f).is_file()}
    name = project_name(contents, root.name)
    found = guess(name, tracked, contents, repo.text("tag", "--sort=creatordate").splitlines(), person)
    statement = first_version(
        project_name=name,
        threshold=1,
        people=(Person(person, person_name, ALL_ROLES, (key_of_public(public),), (email,) if email else ()),),
        producers=(Producer("runner", (Key(producer.key_id, producer.public),)),),
        created_at=rfc3339(now),
    )
    signature = sign_with_ssh(key_file, pae(PAYLOAD_TYPE, statement.raw), environ)
    envelope = seal(statement, (producer,), (("sshsig", key_of_public(public).id, signature),))
    mode = "solo" if _alone(repo) else "team"
    settings = (
        _filled(template, name, protected, remote, statement.digest, mode)
        if profile
        else _settings(found, name, protected, remote, statement.digest, mode)
    )
    parse_settings(settings.encode())
    _write(repo, home, settings, envelope, Pin(statement.digest, protected, remote))
    services = tuple(s.name for s in parse_settings(settings.encode()).service)
    guessed = (
        found.lines
        if not profile
        else (f"profile {profile}: services, rules and budgets are ready made; latency budgets are marked proposed",)
    )
    return Initialised(
        config=str(root / SETTINGS_FILE),
        services=services,
        guessed=(*guessed, f"protected branch: {protected}", f"mode: {mode}"),
        next=(
            *(
                ()
                if profile or any(p.kind == "tests" for p in found.plans)
                else ("no tests were found: plan them, [[evidence]] in dossier.toml",)
            ),
            *((SECOND.format(key=os.path.relpath(key_file, root)),) if mode == "team" else ()),
            f"git add {SETTINGS_FILE} {TRUST_FILE} && git commit -m 'release dossier project'"
            + (f" && git push {remote} {protected}" if remote else ""),
            f"then work on a branch made from {protected} and: dossier run --issue FILE --owner {person}",
        ),
        project=statement.digest,
        person=person,
        key=key_of_public(public).id,
        new_key=str(key_file) if fresh else "",
    )


def _nothing_in(repo: Repository, home: Path) -> None:
    """Neither file in the tree, but for the trust document of an init that was killed before it wrote the settings: that one is ours, as
    the pin says, and written anew."""
    for name in (SETTINGS_FILE, TRUST_FILE):
        file = repo.root / name
        if file.exists() and not (name == TRUST_FILE and _left(repo, home, file)):
            raise Refused("init.exists", at=str(file), found="a file", expected="none: init never overwrites", help="dossier doctor")


def _left(repo: Repository, home: Path, trust: Path) -> bool:
    try:
        pin = read_pin(home)
        return pin is not None and not repo.tracked(TRUST_FILE) and bool(parse_chain(trust.read_bytes(), TRUST_FILE, pin.project))
    except (DossierError, OSError):
        return False


def _nothing_on(repo: Repository, pin: Pin) -> None:
    """Nor on the protected branch: a branch made before the project was adopted has no files, and is no reason for a second project."""
    ref = protected_ref(repo, pin)
    name = next((n for n in (SETTINGS_FILE, TRUST_FILE) if repo.exists(ref) and repo.file_at(ref, n) is not None), None)
    if name is not None:
        branch = ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")
        found = f"{name}, and not on this branch"
        raise Refused("init.exists", at=branch, found=found, expected="none: init never overwrites", help=f"git merge {branch}")


def person_id(name: str) -> str:
    """The id a person gets from a name: its letters without their marks, in lower case, `-` for everything else."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-") or "owner"


def _write(repo: Repository, home: Path, settings: str, envelope: bytes, pin: Pin) -> None:
    trust = repo.root / TRUST_FILE
    trust.unlink(missing_ok=True)  # first: under another pin it would be nobody's
    keep_out_of_git(repo, home)
    write_pin(home, pin)
    replace_file(trust, canonical({"versions": [parse_envelope(envelope, TRUST_FILE).as_json()]}) + b"\n")
    replace_file(repo.root / SETTINGS_FILE, settings.encode())


def _protected(repo: Repository) -> tuple[str, str]:
    """The branch to protect and its remote: the remote's default, else main, master, or the one that is checked out."""
    remotes = repo.text("remote").splitlines()
    remote = "origin" if "origin" in remotes else remotes[0] if remotes else ""
    if remote:
        r = repo.result("symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD", ok=(0, 1, 128))
        if r.returncode == 0:
            return r.stdout.decode().strip().removeprefix(f"{remote}/"), remote
    for name in ("main", "master"):
        if repo.exists(f"refs/heads/{name}"):
            return name, remote
    branch = repo.branch()
    if branch is None:
        raise Refused(
            "init.no-branch", at="HEAD", found="a commit without a branch", expected="a branch to protect", help="git switch -c main"
        )
    return branch, remote


def _git_config(repo: Repository, key: str) -> str:
    r = repo.result("config", "--get", key, ok=(0, 1))
    return r.stdout.decode("utf-8", "replace").strip()


def _alone(repo: Repository) -> bool:
    return len(set(repo.text("log", "--format=%ae", "-n", "2000").splitlines())) <= 1


def _person_key(repo: Repository, home: Path, person: str, environ: Mapping[str, str]) -> tuple[Path, str, bool]:
    """The key file people sign with, its public line, and whether it was made just now."""
    configured = _git_config(repo, "user.signingkey")
    if _git_config(repo, "gpg.format") == "ssh" and configured:
        file = Path(environ.get("HOME", "~"), configured[2:]) if configured.startswith("~/") else Path(configured)
        public_file = file if file.suffix == ".pub" else Path(f"{file}.pub")
        if public_file.is_file():
            private = public_file.with_suffix("") if public_file.with_suffix("").is_file() else public_file
            return private, _public_line(public_file.read_text()), False
    file = home / "keys" / person
    fresh = not file.exists()
    new_key(file, ED25519)
    return file, _public_line(Path(f"{file}.pub").read_text()), fresh


def _public_line(text: str) -> str:
    return " ".join(text.split()[:2])


def _producer(home: Path, environ: Mapping[str, str]) -> Signer:
    file = producer_key_path(home, environ)
    new_key(file)
    return load_signer(file)


def _quoted(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(q(v) for v in values) + "]"


def q(text: str) -> str:
    """`text` as a TOML basic string: JSON's escapes are TOML's, but for surrogate pairs, which are written out."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _settings(found: Guess, name: str, protected: str, remote: str, trust: str, mode: str) -> str:
    out = [
        "# What this repository says about its releases. Lines marked `guess` were proposed by `dossier init`: check them.",
        "# Keys: docs/dossier-toml.md of release-dossier. In force only as committed on the protected branch.",
        "schema = 1",
        "",
        "[project]",
        f"name = {q(name)}",
        f"protected_branch = {q(protected)}",
        f"remote = {q(remote)}",
        f"mode = {q(mode)}  # solo: one person may approve alone, labelled self-approved; team: the packs' roles",
        f"trust = {q(trust)}  # identity of the project: digest of its first trust document",
    ]
    for s in found.services:
        out += ["", "[[service]]", f"name = {q(s.name)}  # guess: {shown(s.because)}", f"paths = {_quoted(s.paths)}  # guess"]
        out += [f"criticality = {q(s.criticality)}  # guess; money, user-facing or internal", f"owners = {_quoted(s.owners)}  # guess"]
        out += [f"tag = {q(s.tag)}  # guess"]
    for n, path in found.features:
        out += ["", "[[feature]]", f"name = {q(n)}  # guess", f"paths = {_quoted((path,))}"]
    for p in found.plans:
        out += ["", "[[evidence]]", f"name = {q(p.name)}  # guess: {shown(p.because)}", f"kind = {q(p.kind)}"]
        out += [f"services = {_quoted(p.services)}"] if p.services else []
        out += [f"prepare = [{', '.join(_quoted(c) for c in p.prepare)}]"] if p.prepare else []
        out += [f"run = {_quoted(p.run)}"] if p.run else []
        out += [f"output = {q(p.output)}"] if p.output else []
        out += [f"format = {q(p.format)}"] if p.format else []
    return "\n".join(out) + "\n"


def _template(profile: str) -> str:
    """The settings of a ready-made project, with places to fill."""
    folder = resources.files("release_dossier") / "profiles" / profile / SETTINGS_FILE
    if not re.fullmatch(r"[a-z0-9-]+", profile) or not folder.is_file():
        known = sorted(p.name for p in (resources.files("release_dossier") / "profiles").iterdir() if (p / SETTINGS_FILE).is_file())
        raise Refused("init.unknown-profile", at="--profile", found=profile, expected=", ".join(known))
    return folder.read_text(encoding="utf-8")


def _filled(text: str, name: str, protected: str, remote: str, trust: str, mode: str) -> str:
    for key, value in {"NAME": name, "PROTECTED": protected, "REMOTE": remote, "TRUST": trust, "MODE": mode}.items():
        text = text.replace(f"@{key}@", value)
    return text
