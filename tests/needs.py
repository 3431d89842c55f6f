"""What a test needs of the machine beside Python and git: marks that skip with the reason `make test` knows how to remedy."""

from __future__ import annotations

import os
import shutil

import pytest

from release_dossier.sources.runner import isolation_here


def program(name: str, *, called: str = "") -> pytest.MarkDecorator:
    """Skip where `name` is not on the PATH; `called` is what it is known as."""
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"needs {called or name}")


ssh_keygen = program("ssh-keygen")
go = program("go")
chromium = program("chromium")
namespaces = pytest.mark.skipif(
    isolation_here(dict(os.environ)) != "namespace",
    reason="needs unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1",
)
