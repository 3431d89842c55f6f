"""Who signed a commit is judged here, over the commit object itself, by the keys that are listed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from release_dossier.errors import Refused
from release_dossier.sources.git import Repository, find_repository, read_commit
from release_dossier.sources.ssh import git_signs_here
from release_dossier.store.files import new_key
from release_dossier.trust.keys import ED25519, key_of_public
from tests import needs

ENV = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


class Place:
    """A repository whose commits ann's key signs, by a program that needs no ssh-keygen."""

    def __init__(self, root: Path, path: str, objects: str = "sha1") -> None:
        self.root, self.env = root, {**ENV, "PATH": path, "HOME": str(root)}
        new_key(root / "ann", ED25519)
        self.public = key_of_public((root / "ann.pub").read_text())
        self.git("init", "-q", "-b", "main", f"--object-format={objects}")
        for key, value in {"user.name": "Ann", "user.email": "ann@example.invalid", "gpg.format": "ssh"}.items():
            self.git("config", key, value)
        self.git("config", "user.signingkey", str(root / "ann"))
        self.git("config", "gpg.ssh.program", git_signs_here(root))
        self.git("commit", "-q", "--allow-empty", "-m", "unsigned")
        self.base = self.git("rev-parse", "HEAD")
        self.git("commit", "-q", "--allow-empty", "-S", "-m", "signed\n\n gpgsig in the text\n")
        self.signed = self.git("rev-parse", "HEAD")

    def git(self, *args: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(["git", *args], cwd=self.root, env=self.env, input=stdin, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def rewritten(self, old: bytes, new: bytes) -> str:
        """The signed commit with other bytes in it, as an object of its own."""
        raw = subprocess.run(
            ["git", "cat-file", "commit", self.signed], cwd=self.root, env=self.env, check=True, capture_output=True
        ).stdout
        assert old in raw
        return self.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw.replace(old, new, 1))

    def keys_of(self, head: str, keys: dict[str, str] | None = None) -> list[str | None]:
        repo: Repository = find_repository(self.root, self.env)
        return [c.key for c in repo.commits(self.base, head, {self.public.id: self.public.public} if keys is None else keys)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("repo"), os.environ["PATH"])


def test_a_commit_signed_with_a_listed_key_is_bound_to_it(place: Place) -> None:
    """The signature covers everything in the commit but itself."""
    assert place.keys_of(place.signed) == [place.public.id]
    assert place.keys_of(place.signed, {}) == [None]


def test_a_commit_is_bound_where_git_names_objects_by_sha256(tmp_path: Path) -> None:
    """There a commit's own signature stands under another name; one under the usual name is over its SHA-1 form, and counts for nothing."""
    place = Place(tmp_path, os.environ["PATH"], "sha256")
    assert place.keys_of(place.signed) == [place.public.id]
    assert place.keys_of(place.rewritten(b"gpgsig-sha256 ", b"gpgsig "))[0] is None


@pytest.mark.parametrize(
    ("stderr", "code", "found", "help"),
    [
        ("fatal: not a git repository (or any of the parent directories): .git", "git.no-repository", "no git repository", "git init"),
        ("fatal: this operation must be run in a work tree", "git.no-repository", "a repository without a working tree", ""),
        (
            "fatal: detected dubious ownership in repository at '/x'\nTo add",
            "git.not-owned",
            "fatal: detected dubious",
            "git config --global",
        ),
        ("fatal: bad config line 1 in file .git/config", "git.failed", "fatal: bad config line 1", ""),
    ],
)
def test_why_git_works_in_no_repository_here(tmp_path: Path, stderr: str, code: str, found: str, help: str) -> None:
    """A repository of another user, one without a working tree and a broken one are each called what they are."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{stderr}\nEND\nexit 128\n")
    program.chmod(0o755)
    with pytest.raises(Refused) as e:
        find_repository(tmp_path, {**ENV, "PATH": f"{program.parent}:{os.environ['PATH']}"})
    assert (e.value.code, e.value.found[: len(found)], e.value.help[: len(help) or 99]) == (code, found, help)


@needs.ssh_keygen
def test_git_itself_accepts_such_a_signature(place: Place) -> None:
    """What signs without ssh-keygen makes what ssh-keygen verifies."""
    (place.root / "signers").write_text(f'ann namespaces="git" {place.public.public}\n')
    place.git(
        "-c", "gpg.ssh.program=ssh-keygen", "-c", f"gpg.ssh.allowedSignersFile={place.root / 'signers'}", "verify-commit", place.signed
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"author Ann <", b"author Bob <"),
        (b"signed\n", b"signee\n"),
        (b"committer Ann", b"committer Eve"),
        (b"author Ann", b"x-note y\nauthor Ann"),
        (b"gpgsig -----BEGIN SSH SIGNATURE-----", b"gpgsig -----BEGIN PGP SIGNATURE-----"),
        (b"gpgsig ", b"gpgsig-sha256 "),
    ],
)
def test_a_changed_commit_is_nobody_s(place: Place, old: bytes, new: bytes) -> None:
    """Author, committer, message, another header, another kind of signature, or none of this hash: bound to nobody, and no trace."""
    assert place.keys_of(place.rewritten(old, new))[0] is None


def test_git_s_own_configuration_has_no_say(place: Place, tmp_path: Path) -> None:
    """A repository configured to call every signature good binds nobody."""
    yes = tmp_path / "yes"
    yes.write_text("#!/bin/sh\necho 'Good \"git\" signature for ann'\nexit 0\n")
    yes.chmod(0o700)
    place.git("config", "gpg.ssh.program", str(yes))
    try:
        assert place.keys_of(place.rewritten(b"author Ann <", b"author Bob <"))[0] is None
    finally:
        place.git("config", "gpg.ssh.program", git_signs_here(place.root))


def test_an_author_in_another_encoding_is_read(place: Place) -> None:
    """Latin-1 by its header; bytes of no encoding become signs, not errors."""
    raw = subprocess.run(["git", "cat-file", "commit", place.base], cwd=place.root, env=place.env, check=True, capture_output=True).stdout
    tree, rest = raw.split(b"\n", 1)
    body = (
        tree
        + b"\nparent "
        + place.base.encode()
        + b"\n"
        + rest.replace(b"author Ann", b"author J\xf6rg").replace(b"\n\n", b"\nencoding ISO-8859-1\n\n", 1)
    )
    head = place.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=body)
    repo = find_repository(place.root, place.env)
    assert [c.name for c in repo.commits(place.base, head, {})] == ["J\u00f6rg"]


@pytest.mark.parametrize("encoding", ["idna", "undefined", "utf-7", "unicode_escape", "no such", "a\0b"])
def test_an_encoding_that_makes_no_text_is_read_as_utf_8(encoding: str) -> None:
    """Whoever writes a commit names its encoding: one that Python knows and that gives an error, or half a character, is none."""
    raw = f"tree 0\nauthor Ann +2AA- \\ud800 <ann@example>\nencoding {encoding}\n\nx\n".encode()
    found = read_commit("0", raw, {})
    assert (found.name, found.email) == ("Ann +2AA- \\ud800", "ann@example")


def test_a_branch_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    repo = Repository(tmp_path, {**ENV, "PATH": os.environ["PATH"]})
    repo.run("init", "-q")
    (tmp_path / ".git" / "HEAD").write_bytes(b"ref: refs/heads/caf\xe9\n")
    with pytest.raises(Refused) as refused:
        repo.branch()
    assert refused.value.code == "git.ref-name"


def test_a_commit_that_is_gone_is_said_in_gits_own_words(tmp_path: Path) -> None:
    """What git complains of comes first, not advice about how it is called."""
    repo = Repository(tmp_path, dict(os.environ))
    repo.run("init", "-q")
    with pytest.raises(Refused) as refused:
        repo.commits("", "12" * 20, {})
    assert (refused.value.code, refused.value.found) == ("git.failed", f"fatal: bad object {'12' * 20}")


def test_a_ref_holds_what_is_kept_and_stands_where_it_stood_when_that_fails(tmp_path: Path) -> None:
    """The blob first, then the ref; a refused ref is said, and a blob that cannot be written moves nothing."""
    repo = Repository(tmp_path, dict(os.environ))
    repo.run("init", "-q")
    for content in (b"one", b"\0two\n"):
        repo.keep("refs/dossier/log", content)
        assert repo.run("cat-file", "blob", "refs/dossier/log") == content
    odd = tmp_path / 'a "b\n\\c\u00fc'
    odd.mkdir()
    repo.keep("refs/dossier/log", b"odd", odd)
    assert (repo.run("cat-file", "blob", "refs/dossier/log"), list(odd.iterdir())) == (b"odd", [])
    repo.keep("refs/dossier/log", b"\0two\n")
    with pytest.raises(Refused) as refused:
        repo.keep("refs/dossier/..", b"three")
    assert refused.value.code == "git.failed"
    objects = tmp_path / ".git" / "objects"
    objects.rename(tmp_path / "away")
    objects.write_text("no folder")
    with pytest.raises(Refused):
        repo.keep("refs/dossier/log", b"four")
    objects.unlink()
    (tmp_path / "away").rename(objects)
    assert repo.run("cat-file", "blob", "refs/dossier/log") == b"\0two\n"


@pytest.mark.parametrize(
    "trailer",
    [
        "Co-authored-by: Bob  B <bob@example.invalid>",
        "Co-authored-by: Bob B <bob@example.invalid>\r",
        "Co-authored-by : Bob B <bob@example.invalid>",
        "CO-AUTHORED-BY:Bob B<bob@example.invalid>\u00a0",
        " Co-authored-by: Bob B <bob@example.invalid>",
        "Co-authored-by: Bob\n B <bob@example.invalid>, and more",
    ],
)
def test_a_co_author_is_seen_however_the_line_is_written(trailer: str) -> None:
    """Whatever blanks and line ends stand in the line: who is not seen could approve what they wrote."""
    raw = f"tree {'0' * 40}\nauthor Ann <ann@example.invalid> 1 +0000\n\nround\n\n{trailer}\nSigned-off-by: Ann <a@b>\n".encode()
    assert read_commit("c", raw, {}).co_authors == (("Bob B", "bob@example.invalid"),)


def test_what_a_name_stands_for_is_not_replaced(tmp_path: Path) -> None:
    """Neither `refs/replace` nor a graft has a say in what a commit holds or comes from."""
    place = Place(tmp_path, os.environ["PATH"])
    (tmp_path / "a").write_text("evil")
    place.git("add", "a")
    place.git("commit", "-q", "-m", "evil")
    head, tree = place.git("rev-parse", "HEAD"), place.git("rev-parse", "HEAD^{tree}")
    files = find_repository(tmp_path, place.env).files(head)
    place.git("replace", head, place.signed)
    repo = find_repository(tmp_path, place.env)
    assert (repo.tree(head), repo.files(head), repo.file_at(head, "a")) == (tree, files, b"evil")
    place.git("replace", "-d", head)
    (tmp_path / ".git/info").mkdir(exist_ok=True)
    (tmp_path / ".git/info/grafts").write_text(f"{head}\n")
    assert [c.id for c in repo.commits("", head, {})] == [head, place.signed, place.base]
