"""One file, every byte of it accounted for; and the steps by hand really work."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_dossier import bundle
from release_dossier.bundle import is_name, pack, unpack_bytes
from release_dossier.errors import Corrupt, DossierError, Refused
from release_dossier.trust.keys import load_signer
from tests import needs
from tests.thread.test_attacks import revoking, second_root, serve, world_of
from tests.thread.test_gate import allowed
from tests.town import Town

FILES = {"a.txt": b"hello", "dir/b.json": b"{}", "empty": b""}
NAME = st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5}){0,2}", fullmatch=True)


@settings(max_examples=60)
@given(files=st.dictionaries(NAME, st.binary(max_size=700), max_size=6))
def test_packing_and_unpacking_are_inverse(files: dict[str, bytes]) -> None:
    """The same files give the same bytes, in any order, and come out again; an ordinary tar reads them too."""
    raw = pack(files)
    assert raw == pack(dict(reversed(files.items())))
    assert unpack_bytes(raw) == files
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        assert {m.name for m in tar.getmembers()} == set(files)


def test_no_byte_is_free() -> None:
    """Any byte changed in header, content or padding: another content, or an error that names the place."""
    raw = pack(FILES)
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 0x40
        try:
            found = unpack_bytes(bytes(changed))
        except DossierError:
            continue
        assert found != FILES, at


def member(name: str, content: bytes = b"") -> bytes:
    """A file as a bundle writes it, without the end of the bundle."""
    return pack({name: content})[:-1024]


def member_with(at: int, raw: bytes) -> bytes:
    """A file called `a` whose header says something else from byte `at` on, under a right sum."""
    header = bytearray(member("a"))
    header[at : at + len(raw)] = raw
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


END = bytes(1024)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (member("a").replace(b"a", b"../up", 1) + END, "bundle.name"),
        (bundle._header("/abs", 0) + END, "bundle.name"),
        (bundle._header("a/../b", 0) + END, "bundle.name"),
        (member_with(156, b"2") + END, "bundle.header"),
        (member_with(156, b"1") + END, "bundle.header"),
        (member_with(156, b"3") + END, "bundle.header"),
        (member_with(156, b"5") + END, "bundle.header"),
        (member_with(100, b"0000777") + END, "bundle.header"),
        (member_with(108, b"0001750") + END, "bundle.header"),
        (member_with(136, b"00000000001") + END, "bundle.header"),
        (member_with(345, b"x") + END, "bundle.header"),
        (bundle._header("a", -1) + END, "bundle.header"),
        (bundle._header("a", 1) + END, "bundle.end"),
        (bundle._header("a", 513) + bytes(512) + END, "bundle.end"),
        (bundle._header("a", 2000) + END, "bundle.header"),
        (member("a", b"x")[:-1] + b"\1" + END, "bundle.padding"),
        (member("a") + member("a") + END, "bundle.order"),
        (member("a", b"x") + member("a", b"y") + END, "bundle.order"),
        (member("b") + member("a") + END, "bundle.order"),
        (pack(FILES) + b"\0", "bundle.end"),
        (pack(FILES)[:-512], "bundle.end"),
        (pack(FILES)[:700], "bundle.padding"),
        (pack(FILES)[:-1024] + bytes(512) + member("z"), "bundle.end"),
        (b"", "bundle.end"),
    ],
    ids=range(24),
)
def test_what_is_no_bundle_is_broken(raw: bytes, code: str) -> None:
    """Links, devices, other modes, owners and times, steps upwards, doubles, another order, trailing or missing bytes."""
    with pytest.raises((Corrupt, Refused), match=f"^{code}:"):
        unpack_bytes(raw)


def test_a_bundle_keeps_to_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, bytes, and bytes of documents: what is at the limit goes in and comes out, one more does neither. Artifacts pass by."""
    raw = pack(FILES)
    limits = {"BUNDLE_FILES_MAX": len(FILES), "BUNDLE_BYTES_MAX": len(raw)}
    for name, limit in limits.items():
        monkeypatch.setattr(bundle, name, limit)
        assert unpack_bytes(pack(FILES)) == FILES
        monkeypatch.setattr(bundle, name, limit - 1)
        for call in (lambda: pack(FILES), lambda: unpack_bytes(raw)):
            with pytest.raises(Refused, match=rf"^bundle\.too-large: .*expected at most {limit - 1}"):
                call()
        monkeypatch.undo()
    content = pack({"artifacts/a": bytes(9), "x.json": b"{}"})
    monkeypatch.setattr(bundle, "BUNDLE_DOCUMENTS_BYTES_MAX", 2)
    assert bundle.open_bytes(content).files == {"x.json": b"{}"}
    monkeypatch.setattr(bundle, "BUNDLE_DOCUMENTS_BYTES_MAX", 1)
    with pytest.raises(Refused, match=r"^bundle\.too-large: at bundle, x\.json: found over 2 bytes of documents"):
        bundle.open_bytes(content)


@pytest.mark.parametrize("name", ["", ".", "..", "a/..", "/a", "a//b", "a b", "a\nb", "x" * 101])
def test_names_that_are_none(name: str) -> None:
    """A name is relative, plain and short."""
    assert not is_name(name)
    with pytest.raises(Refused):
        pack({name: b""})


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Town, Path]:
    """A released project, and its bundle unpacked with ordinary tar."""
    if shutil.which("tar") is None:
        pytest.skip("needs tar")
    town = Town(tmp_path_factory.mktemp("released"))
    digest = allowed(town)
    town.dossier("release")
    file, room = town.root / "x.dossier", town.root / "room"
    town.dossier("export", digest, "-o", str(file))
    room.mkdir()
    subprocess.run(["tar", "-xf", str(file), "-C", str(room)], check=True)
    return town, room


def commands(room: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)\n```", (room / "HOW-TO-CHECK.md").read_text(), re.DOTALL)


def run(command: str, room: Path, town: Town) -> int:
    env = {"PATH": os.environ["PATH"], "HOME": str(room), "REPO": str(town.repo), "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=room, env=env, capture_output=True).returncode


@needs.ssh_keygen
def test_how_to_check_works_step_by_step(released: tuple[Town, Path]) -> None:
    """Every command in it but cosign's ends well with sha256sum, ssh-keygen and git alone."""
    town, room = released
    mine = [c for c in commands(room) if not c.startswith("cosign")]
    assert {c.split()[0].split("$")[0] for c in mine} >= {"sha256sum", "ssh-keygen", "cut"}
    for command in mine:
        assert run(command, room, town) == 0, command


class NamedBySha256(Town):
    """A town whose repository names objects by SHA-256."""

    def _found(self, adopted: bool, settings: str) -> None:
        self.env["GIT_DEFAULT_HASH"] = "sha256"
        super()._found(adopted, settings)


@needs.ssh_keygen
def test_how_to_check_works_where_git_names_objects_by_sha256(tmp_path: Path) -> None:
    """From the planned command to the tag: the whole way is gone there too."""
    town = NamedBySha256(tmp_path, founded_anew=True)
    digest = allowed(town)
    town.dossier("release")
    file, room = tmp_path / "x.dossier", tmp_path / "room"
    town.dossier("export", digest, "-o", str(file))
    assert town.dossier("verify", str(file))["standing"] == "allowed"
    room.mkdir()
    subprocess.run(["tar", "-xf", str(file), "-C", str(room)], check=True)
    for command in (c for c in commands(room) if not c.startswith("cosign")):
        assert run(command, room, town) == 0, command


@needs.ssh_keygen
def test_how_to_check_works_when_a_key_was_given_up_later(tmp_path: Path) -> None:
    """What the log had before the key was revoked counts, and ssh-keygen is asked as of then; what came after counts for neither."""
    town = Town(tmp_path)
    zoe = second_root(town)
    digest = allowed(town)
    ann, early = load_signer(town.key).key_id, town.now - timedelta(hours=1)
    town.later(seconds=5)
    for at, holds in ((town.now - timedelta(seconds=1), True), (early, False)):
        serve(town, revoking(town, world_of(town).trust_chain, ann, zoe, at.isoformat()))
        file, room = tmp_path / "x.dossier", tmp_path / f"room-{holds}"
        town.dossier("export", digest, "-o", str(file))
        assert (town.dossier("verify", str(file), ok=(0, 10))["standing"] == "allowed") is holds
        room.mkdir()
        subprocess.run(["tar", "-xf", str(file), "-C", str(room)], check=True)
        (command,) = [c for c in commands(room) if c.startswith("ssh-keygen")]
        assert (run(command, room, town) == 0) is holds


@needs.ssh_keygen
def test_how_to_check_works_after_rework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people signed in an earlier round is said to be over another dossier, and is not asked to speak of this one. A bundle made
    when it was still verifies."""
    town = Town(tmp_path)
    town.approve(town.assembled(), "release-manager")
    town.write("app/pay.py", "def pay(x):\n    return round(x)\n")
    town.commit("rework")
    digest = town.dossier("run", ok=(10,))["decision"]["dossier"]
    town.approve(digest, "release-manager")
    town.dossier("release")
    for before in (False, True):
        file, room = tmp_path / "x.dossier", tmp_path / f"room-{before}"
        with monkeypatch.context() as then:
            if before:
                then.setattr(bundle, "written_out", partial(bundle.written_out, before=True))
            town.dossier("export", digest, "-o", str(file))
        assert town.dossier("verify", str(file))["standing"] == "allowed"
        room.mkdir()
        subprocess.run(["tar", "-xf", str(file), "-C", str(room)], check=True)
        steps = [c for c in commands(room) if not c.startswith("cosign")]
        assert sum(c.startswith("ssh-keygen") for c in steps) == 2
        assert {run(c, room, town) for c in steps} == ({0, 1} if before else {0})
    assert "ann, approval, over another dossier: it counts there, not here:" in (tmp_path / "room-False/HOW-TO-CHECK.md").read_text()


def test_how_to_check_with_cosign(released: tuple[Town, Path]) -> None:
    """cosign accepts the manifest's envelope by the maker's key."""
    town, room = released
    if shutil.which("cosign") is None:
        pytest.skip("needs cosign: go install github.com/sigstore/cosign/v2/cmd/cosign@v2.6.5")
    (command,) = [c for c in commands(room) if c.startswith("cosign")]
    assert run(command, room, town) == 0


@needs.ssh_keygen
@pytest.mark.parametrize(
    "tag", ["v1$(touch${IFS}ran)", "v1`touch${IFS}ran`", "v1;touch${IFS}ran", "v1'$(touch${IFS}ran)'", "v1&touch${IFS}ran"]
)
def test_attack_a_version_that_a_shell_would_run(released: tuple[Town, Path], tmp_path: Path, tag: str) -> None:
    """Git takes such a name for a tag, and whoever opens a change chooses its version: what people paste runs nothing of it."""
    town, _ = released
    world = world_of(town)
    (tmp_path / "HOW-TO-CHECK.md").write_text(
        bundle.how_to_check(world.trust, world.signer().key_id, {}, {}, (), {"tags/x": (tag, "sha1")})
    )
    subprocess.run(["git", "check-ref-format", f"refs/tags/{tag}"], check=True)
    for command in commands(tmp_path):
        if "REPO" in command:
            run(command, tmp_path, town)
    assert not (tmp_path / "ran").exists()


def test_how_to_check_finds_a_changed_file(released: tuple[Town, Path], tmp_path: Path) -> None:
    """One byte in one file: the sums fail. One byte in what a person signed: ssh-keygen fails."""
    town, room = released
    for name, word in (("DOSSIER.md", "sha256sum"), ("approvals", "ssh-keygen")):
        other = tmp_path / word
        shutil.copytree(room, other)
        file = other / name if (other / name).is_file() else next((other / name).glob("*.pae"))
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 1
        file.write_bytes(raw)
        assert any(run(c, other, town) != 0 for c in commands(other) if c.startswith(word))
