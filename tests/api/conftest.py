"""A project being served: the played demo for reading, a small town for writing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from release_dossier.web.app import make_app
from release_dossier.web.place import Place
from tests.town import Town
from tests.web.conftest import client, demo, environ, place  # noqa: F401


def served(town: Town) -> TestClient:
    """The town's project behind the application; `with` begins and ends its desk."""
    return TestClient(make_app(Place(town.repo, town.env, town.tick, time.monotonic)), base_url="http://127.0.0.1")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


@pytest.fixture
def desk(town: Town) -> Iterator[TestClient]:
    """The town being served."""
    with served(town) as c:
        yield c
