"""Fixtures of the store's tests; what children need too stands in conftest_store."""

from __future__ import annotations

from tests.store.conftest_store import home, make, store

__all__ = ["home", "make", "store"]
