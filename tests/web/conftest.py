"""One demo project for all page tests: played once, copied by whoever changes it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
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
def place(demo: Path) -> Place:
    """The demo being served, on the evening it was played."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(demo / "home"), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    return Place(demo / "socialpredict", environ, lambda: DEMO_NOW, time.monotonic)


@pytest.fixture(scope="session")
def client(place: Place) -> Iterator[TestClient]:
    """The application without a network."""
    with TestClient(make_app(place), base_url="http://127.0.0.1") as c:
        yield c
