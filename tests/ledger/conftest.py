"""Fixtures of the ledger's tests: servers stand in servers.py."""

from __future__ import annotations

from tests.ledger.servers import debian, postgres

__all__ = ["debian", "postgres"]
