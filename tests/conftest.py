"""How Hypothesis tries: a machine that is busy for a moment makes no example wrong. In a pipeline it tries the same ones each time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
