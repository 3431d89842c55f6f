"""What holds for every test: a skip says what it needs; with DOSSIER_NO_SKIP=1, where all of that has been installed, it is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

# How a reason may begin, and what brings it. `make test` prints these at its end.
NEEDS = {
    "needs ../shared": "captured and published test material, laid beside the checkout",
    "needs cosign": "go install github.com/sigstore/cosign/v2/cmd/cosign@v2.6.5",
    "needs actionlint": "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",
    "no ssh-keygen": "the system's package openssh-client",
    "needs unprivileged user namespaces": "sysctl -w kernel.unprivileged_userns_clone=1, and the system's package util-linux",
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip whose reason names nothing that could be installed is a failure, and so is every skip where DOSSIER_NO_SKIP is set."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        why = why.removeprefix("Skipped: ")
        if os.environ.get("DOSSIER_NO_SKIP"):
            report.outcome = "failed"
            report.longrepr = f"skipped where a skip is a failure: {why}"
        elif not why.startswith(tuple(NEEDS)):
            report.outcome = "failed"
            report.longrepr = f"a skip has to begin with one of {', '.join(NEEDS)}, and says: {why}"
    return report
