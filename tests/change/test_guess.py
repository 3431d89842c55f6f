"""What init proposes from what a repository shows."""

import pytest

from release_dossier.guess import declared_version, guess, project_name
from release_dossier.project import parse_settings
from release_dossier.steps.init import _settings


def test_folders_with_build_files_are_services() -> None:
    """Two folders with their own build file are two services with plans, owners and tags of their own."""
    tracked = ["backend/go.mod", "backend/main.go", "frontend/package.json", "loadtest/k6/smoke.js", "ops/alerts.rules.yml", "CODEOWNERS"]
    contents = {"CODEOWNERS": "# who\n/backend/ @money\n* @all\n", "frontend/package.json": '{"scripts": {"test": "vitest run"}}'}
    g = guess("shop", tracked, contents, ["v1.0.0", "backend-v2.1.0"], "ann")
    assert [(s.name, s.owners, s.tag) for s in g.services] == [
        ("backend", ("@money",), "backend-v{version}"),
        ("frontend", ("@all",), "frontend-v{version}"),
    ]
    plans = {p.name: p for p in g.plans}
    assert plans["tests-backend"].run == ("go", "-C", "backend", "test", "-json", "./...")
    assert (plans["tests-frontend"].format, plans["tests-frontend"].prepare) == (
        "vitest-json",
        (("npm", "--prefix", "frontend", "install"),),
    )
    assert (plans["latency"].run, plans["alert-coverage"].run) == ((), ())


def test_node_s_own_tests_are_run_as_tap() -> None:
    """`node --test` says TAP on its standard output; npm comes first only where there is something to install."""
    (plan,) = guess("shop", ["package.json"], {"package.json": '{"scripts": {"test": "node --test"}}'}, [], "ann").plans
    assert (plan.run, plan.format, plan.prepare) == (("node", "--test", "--test-reporter=tap"), "tap", ())
    contents = {"package.json": '{"scripts": {"test": "node --test"}, "devDependencies": {"x": "1"}}'}
    (plan,) = guess("shop", ["package.json", "package-lock.json"], contents, [], "ann").plans
    assert plan.prepare == (("npm", "ci"),)


def test_one_service_when_nothing_divides() -> None:
    """A repository with one build file at the top is one service that ships everything."""
    g = guess("My Shop", ["pyproject.toml", "shop.py", "test_shop.py", "pay/a.py"], {}, ["release/1.2.3"], "ann")
    assert [(s.name, s.paths, s.owners, s.tag) for s in g.services] == [("my-shop", ("**",), ("@ann",), "release/{version}")]
    assert g.plans[0].format == "junit"
    assert any("moves money" in line for line in g.lines)


def test_python_tests_bring_what_they_need() -> None:
    """pytest comes from an environment of its own, with the project where it can be built, else with its requirements."""

    def installed(tracked: list[str], contents: dict[str, str]) -> tuple[str, ...]:
        (plan,) = guess("shop", tracked, contents, [], "ann").plans
        assert plan.run[0] == ".venv/bin/python"
        return plan.prepare[-1][5:]

    assert installed(["test_shop.py"], {}) == ("pytest",)
    assert installed(["test_shop.py", "requirements.txt"], {}) == ("pytest", "-r", "requirements.txt")
    assert installed(["test_shop.py", "pyproject.toml"], {"pyproject.toml": "[build-system]"}) == ("pytest", "-e", ".")
    assert installed(["test_shop.py", "pyproject.toml", "requirements.txt"], {"pyproject.toml": ""}) == ("pytest", "-r", "requirements.txt")


def test_nothing_to_see() -> None:
    """An empty or unreadable repository still gives a project; a broken package.json is not a reason to fail."""
    g = guess("x", ["package.json"], {"package.json": "{broken"}, [], "ann")
    assert (len(g.services), g.plans) == (1, ())
    assert project_name({"package.json": "{broken", "pyproject.toml": "["}, "X y") == "x-y"
    assert project_name({"pyproject.toml": '[project]\nname = "Pay"'}, "x") == "pay"
    assert project_name({"package.json": "[" * 100_000, "pyproject.toml": "x = " + "[" * 5_000}, "x") == "x"


def test_proposal_is_valid_settings() -> None:
    """Whatever is guessed, even from hostile names, is a file the strict parser takes."""
    g = guess('a"b\n[evil]', ['we"ird/go.mod', "b/go.mod", "b/x_test.py"], {}, [], 'an"n')
    parse_settings(_settings(g, g.name, 'ma"in', "", "sha256:0", "solo").encode())


@pytest.mark.parametrize(
    ("paths", "files", "version"),
    [
        (("**",), {"package.json": b'{"version": "1.2.0"}'}, "1.2.0"),
        (("web/**", "lib/**"), {"web/pyproject.toml": b'[project]\nversion = "0.3.1"\n', "package.json": b'{"version": "9.0.0"}'}, "0.3.1"),
        (("core/src/*.rs",), {"core/src/Cargo.toml": b'[package]\nversion = "2.0.10"\n'}, "2.0.10"),
        (("**",), {"package.json": b'{"version": "1.2.0"}', "pyproject.toml": b'[project]\nversion = "1.3.0"\n'}, ""),
        (("**",), {"package.json": b'{"version": "1.2.0-beta"}'}, ""),
        (("**",), {"package.json": b'{"version": 2}'}, ""),
        (("**",), {"package.json": b'["version"]'}, ""),
        (("**",), {"package.json": b'{"version": "1.2.0"', "pyproject.toml": b"\xff"}, ""),
        (("**",), {}, ""),
        ((), {"package.json": b'{"version": "1.2.0"}'}, ""),
    ],
)
def test_a_build_file_says_the_version(paths: tuple[str, ...], files: dict[str, bytes], version: str) -> None:
    """In the service's own folder, as three numbers; two that disagree, and what cannot be read, say nothing."""
    assert declared_version(paths, files.get) == version
