"""Where the demo plays: a small git repository that stands for SocialPredict's, four people with SSH keys, and the captures unpacked.

The repository holds only its own short files. Commits are real and signed; each message names the SocialPredict commit whose
captures the demo brings as evidence for it.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path

import msgspec

from release_dossier.sources.ssh import git_signs_here, has_ssh_keygen
from release_dossier.store.files import new_key
from release_dossier.trust.keys import ED25519

HISTORY = "history"  # the folder of `data` that only `demo --history` unpacks
PEOPLE = {"ann": "Ann", "bo": "Bo", "cy": "Cy", "dee": "Dee"}
FILES = {
    "backend/internal/domain/bets/bet_sell.go": "// Selling shares: what a position may be sold for.\npackage bets\n",
    "backend/internal/domain/markets/market_resolution.go": "// Resolving a market: who is paid what.\npackage markets\n",
    "backend/internal/domain/users/service.go": "// Users: profile and balance.\npackage users\n",
    "frontend/src/sell.jsx": "// The page to sell shares.\n",
    "README.md": "A small repository that stands for SocialPredict in the release dossier demo.\n",
}


class Place(msgspec.Struct, frozen=True):
    """Folders of the demo: `root` holds everything, `repo` the repository, `captures` the evidence, `keys` people's SSH keys."""

    root: Path
    env: Mapping[str, str]

    @property
    def repo(self) -> Path:
        return self.root / "socialpredict"

    @property
    def captures(self) -> Path:
        return self.root / "captures"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    def git(self, *args: str, at: datetime | None = None) -> str:
        """Run git as ann."""
        when = {"GIT_AUTHOR_DATE": at.isoformat(), "GIT_COMMITTER_DATE": at.isoformat()} if at else {}
        done = subprocess.run(["git", *args], cwd=self.repo, env={**self.env, **when}, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str, at: datetime, **files: str) -> str:
        """Write files, `__` in a name standing for `/`, and commit everything signed; returns the commit."""
        for name, text in files.items():
            self.write(name, text)
        self.git("add", "-A")
        self.git("commit", "-qm", message, at=at)
        return self.git("rev-parse", "HEAD")

    def write(self, name: str, text: str) -> None:
        """Write a file of the repository."""
        file = self.repo / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def make_place(root: Path, path: str, at: datetime) -> Place:
    """Keys, captures and a repository with one signed commit and the tag v3.5.2, under `root`, which is made new."""
    place = make_ground(root, path)
    for name, text in FILES.items():
        place.write(name, text)
    place.commit("SocialPredict before the repair of sales\n\nStands for 0e84d07e of openpredictionmarkets/socialpredict.", at)
    place.git("tag", "v3.5.2")
    return place


def make_ground(root: Path, path: str, *within: str) -> Place:
    """Keys, captures and an empty repository under `root`, which is made new."""
    home = root / "home"
    home.mkdir(parents=True)
    env = {"PATH": path, "HOME": str(home), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    place = Place(root, env)
    for name in PEOPLE:
        new_key(place.keys / name, ED25519)
    _unpack(place.captures)
    if within:
        _unpack(place.captures, *within)
    place.repo.mkdir()
    place.git("init", "-q", "-b", "main")
    for key, value in {
        "user.name": "Ann",
        "user.email": "ann@example.invalid",
        "gpg.format": "ssh",
        "user.signingkey": str(place.keys / "ann"),
        "commit.gpgsign": "true",
        "tag.gpgsign": "false",
    }.items():
        place.git("config", key, value)
    if not has_ssh_keygen(env):
        place.git("config", "gpg.ssh.program", git_signs_here(place.keys))
    return place


def _unpack(target: Path, *within: str) -> None:
    """Every capture of `data` (or of a folder in it), each into a folder of its name."""
    source = (resources.files("release_dossier.demo") / "data").joinpath(*within)
    for folder in source.iterdir():
        if not folder.is_dir() or folder.name == HISTORY:
            continue
        out = target / folder.name
        out.mkdir(parents=True)
        for file in folder.iterdir():
            raw = file.read_bytes()
            packed = file.name.endswith(".xz") and not file.name.startswith("journal")
            (out / (file.name.removesuffix(".xz") if packed else file.name)).write_bytes(lzma.decompress(raw) if packed else raw)


def clear(root: Path) -> None:
    """Remove what an earlier demo left under `root`."""
    shutil.rmtree(root, ignore_errors=True)
