"""`shell` in the sandbox of users' code."""

from __future__ import annotations

import psutil
import pytest

from definitions.services.services import Services
from graph_compiler.nodes.runtime import Command
from graph_compiler.values.errors import NodeError
from tests.integration.nodes.nodes import run_node


def test_script_gets_its_values_and_its_output_comes_live(services: Services) -> None:
    lines: list[tuple[str, str]] = []
    command = Command('cat; echo "$N" >&2; pwd | grep -c headrace-code', {"N": "7"}, "in\n")
    answer = services.run_command(command, timeout=20, on_line=lambda stream, line: lines.append((stream, line)))
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "in\n1\n", "7\n")
    assert sorted(lines) == [("stderr", "7"), ("stdout", "1"), ("stdout", "in")]


def test_nothing_of_the_worker_is_in_its_environment(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SECRET_KEY", "s3cr3t")
    script = "env; cat /proc/$PPID/environ; cat /proc/1/environ; exit 0"
    answer = run_node(services, "shell", {"script": script})
    assert "s3cr3t" not in answer["stdout"] + answer["stderr"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("exit 3", "shell_status"),
        ("no-such-program", "shell_status"),
        ("kill -9 $$", "shell_status"),
        ("trap '' TERM; sleep 60", "code_timeout"),
        ("kill -9 $PPID; sleep 60", "code_exit"),
    ],
)
def test_script_that_ends_badly_has_its_kind(services: Services, script: str, kind: str) -> None:
    with pytest.raises(NodeError) as raised:
        run_node_in_time(services, script)
    assert raised.value.kind == kind


def test_script_that_writes_without_end_is_cut(services: Services) -> None:
    lines: list[str] = []
    command = Command("yes | head -c 30000000")
    answer = services.run_command(command, timeout=60, on_line=lambda _, line: lines.append(line))
    assert len(answer.stdout) == 1024 * 1024
    assert len(lines) <= 10_001


def test_secret_at_the_end_of_output_that_is_cut_is_masked_whole(services: Services) -> None:
    services._masking.add("sk_live_4242424242424242")
    lines: list[str] = []
    command = Command('head -c 1048566 /dev/zero | tr "\\0" x; echo "$K"', {"K": "sk_live_4242424242424242"})
    answer = services.run_command(command, timeout=60, on_line=lambda _, line: lines.append(line))
    assert answer.stdout[-13:] == "xxxxxxxxxx***"
    assert lines[-1].strip("x") == "***"
    assert [line for line in lines if "sk_" in line or "42" in line] == []


def test_process_that_is_left_behind_is_ended(services: Services) -> None:
    # By its arguments, since it may have another process id here than there.
    there: list[int] = []
    command = Command("sleep 61.4711 > /dev/null 2>&1 & echo started; sleep 0.2")
    services.run_command(command, timeout=20, on_line=lambda *_: there.extend(_sleepers("61.4711")))
    assert len(there) == 1
    assert _sleepers("61.4711") == []


def _sleepers(seconds: str) -> list[int]:
    return [p.info["pid"] for p in psutil.process_iter(["pid", "cmdline"]) if p.info["cmdline"] == ["sleep", seconds]]


def run_node_in_time(services: Services, script: str) -> None:
    from tests.integration.nodes.nodes import Runtime
    from tests.unit.graph_compiler.nodes.running import run

    run("shell", {"script": script}, {}, Runtime(services), timeout="2s")
