"""One demo project for all page tests: played once, copied by whoever changes it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from release_dossier.cli import main
from release_dossier.web.app import make_app
from release_dossier.web.place import Place

# The captures are of this day: looked at then, evidence is hours old.
DEMO_NOW = datetime.fromisoformat("2026-11-23T10:00:00+00:00")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a played demo: `socialpredict/` is the project, `keys/` its people's."""
    root = tmp_path_factory.mktemp("web") / "demo"
    with CliRunner().isolation():
        assert main.run(["demo", "--keep", str(root), "--json"]) == 0
    return root


@pytest.fixture(scope="session")
def demo_now() -> datetime:
    """An hour after the demo was played."""
    return DEMO_NOW


@pytest.fixture(scope="session")
def environ(demo: Path) -> dict[str, str]:
    """What the server sees of the machine."""
    return {"PATH": os.environ["PATH"], "HOME": str(demo / "home"), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def copied(demo: Path, tmp_path: Path) -> Callable[[], Path]:
    """Makes a copy of the demo that a test may change, and returns its root."""

    def copy() -> Path:
        for part in ("socialpredict", "keys"):
            shutil.copytree(demo / part, tmp_path / part, symlinks=True, ignore=shutil.ignore_patterns("index.sqlite*"))
        return tmp_path

    return copy


@pytest.fixture(scope="session")
def place(demo: Path, environ: dict[str, str]) -> Place:
    """The demo being served, on the evening it was played."""
    return Place(demo / "socialpredict", environ, lambda: DEMO_NOW, time.monotonic)


@pytest.fixture(scope="session")
def client(place: Place) -> Iterator[TestClient]:
    """The application without a network."""
    with TestClient(make_app(place), base_url="http://127.0.0.1") as c:
        yield c
