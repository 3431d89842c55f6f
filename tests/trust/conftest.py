"""People and machines with real keys."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from release_dossier.trust.document import Key, Person, Producer, first_version
from release_dossier.trust.dsse import pae, seal
from release_dossier.trust.keys import Signer, generate, parse_private
from release_dossier.trust.sshsig import armor_signature
from release_dossier.trust.statement import PAYLOAD_TYPE, Statement


class Town:
    """Ann and Bob guard the trust document, Cy only works here, and the runner is a machine. `sign` makes a person's signature."""

    def __init__(self) -> None:
        self.signers: dict[str, Signer] = {}
        for name in ("ann", "ann2", "bob", "cy", "runner", "stranger"):
            self.signers[name] = parse_private(generate()[0], name)

    def key(self, name: str) -> Key:
        return Key(self.signers[name].key_id, self.signers[name].public)

    def person(self, name: str, *keys: str, roles: tuple[str, ...] = ("trust-root",)) -> Person:
        return Person(name, name.title(), roles, tuple(self.key(k) for k in keys or (name,)))

    def people(self) -> tuple[Person, ...]:
        return self.person("ann", "ann", "ann2"), self.person("bob"), self.person("cy", roles=("ops",))

    def runner(self) -> Producer:
        return Producer("runner", (self.key("runner"),))

    def sign(self, statement: Statement, name: str) -> tuple[str, str, str]:
        signer = self.signers[name]
        return "sshsig", signer.key_id, armor_signature(signer, pae(PAYLOAD_TYPE, statement.raw))

    def envelope(self, statement: Statement, *names: str) -> bytes:
        return seal(statement, (self.signers["runner"],), tuple(self.sign(statement, n) for n in names))

    def founding(self, threshold: int = 2) -> Statement:
        return first_version(
            project_name="shop", threshold=threshold, people=self.people(), producers=(self.runner(),), created_at="2026-01-01T00:00:00Z"
        )


@pytest.fixture(scope="session")
def town() -> Town:
    return Town()


@pytest.fixture(scope="session")
def ssh_keygen() -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("needs ssh-keygen: apt install openssh-client")
    return program


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
