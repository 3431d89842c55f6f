"""What this machine has and is not asked about: a moment in which it is busy makes no example of Hypothesis wrong, and no proxy stands
between a test and its own server. In a pipeline Hypothesis tries the same examples each time."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = "127.0.0.1,localhost"
