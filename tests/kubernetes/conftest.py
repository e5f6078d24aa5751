"""The cluster that KUBECONFIG names, with the `local` overlay applied; without one the tests say so and are skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.kubernetes.installation import OVERLAY, SERVICES, Installation, kubectl
from tests.waiting import wait_until

READY_SECONDS = 300.0
_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Note a measured figure, which the summary tells with the machine's load; no figure decides about a test."""
    noted = pytestconfig.stash.setdefault(_FIGURES, [])

    def note(text: str) -> None:
        noted.append(f"{text} (load {os.getloadavg()[0]:.0f})")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for text in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(f"figure: {text}")


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    if "KUBECONFIG" not in os.environ:
        pytest.skip("no cluster: KUBECONFIG is not set (`make test-kube` starts one)")
    done = subprocess.run(["kubectl", "apply", "-k", str(OVERLAY)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    try:
        kubectl(
            "-n", SERVICES, "wait", "--for=condition=available", "deployment", "--all", f"--timeout={READY_SECONDS:g}s"
        )
        signed_in = wait_until(_signed_in, "the administrator may sign in", READY_SECONDS)
        yield signed_in
        signed_in.close()
    finally:
        if os.environ.get("HEADRACE_TEST_KEEP") != "1":
            kubectl("delete", "-k", str(OVERLAY), "--wait=true", "--ignore-not-found", check=False)


def _signed_in() -> Installation | None:
    try:
        return Installation()
    except (AssertionError, OSError, KeyError):
        return None
