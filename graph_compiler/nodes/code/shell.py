"""`shell`: a script, run in another process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from graph_compiler.nodes.code.python import CODE_FAILURES, CodeConfig, EnvironmentName
from graph_compiler.nodes.node_type import TEMPLATED, FailureKind, NodeCall, NodeType, Port, Ports
from graph_compiler.nodes.runtime import Command
from graph_compiler.values.errors import NodeError
from graph_compiler.values.texts import shortened
from graph_compiler.values.values import as_text


class ShellConfig(CodeConfig):
    """Config of `shell`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "script": 'sort -u | head -n "$LIMIT"',
                    "stdin": "{{ inputs.names }}",
                    "env": {"LIMIT": "{{ params.limit }}"},
                }
            ]
        }
    )

    script: str = Field(
        description=(
            "For `/bin/sh`. Templates are not rendered in it, so nothing can be injected: values come by `env` and"
            " `stdin`."
        )
    )
    env: Annotated[dict[EnvironmentName, Any], TEMPLATED] = Field(
        default_factory=dict, description="Environment variables; what is not text is written as JSON."
    )
    stdin: Annotated[Any, WithJsonSchema({"type": "string"}), TEMPLATED] = Field(
        default="", description="Its standard input; what is neither text nor bytes is written as JSON."
    )
    fail_on_status: bool = Field(default=True, description="Whether an exit code other than 0 fails the node.")


class Shell(NodeType[ShellConfig]):
    """See the module."""

    name = "shell"
    summary = "Run a shell script in a process of its own."
    config_model = ShellConfig
    notes = (
        "It runs in the sandbox of `python` nodes: an own user and empty folder, no credentials, 512 MiB of memory,"
        " the node's `timeout`."
        " What it writes becomes `stdout` and `stderr` events, line by line; the ports have the first MiB of each."
    )
    failures = (
        FailureKind("shell_status", "The script exited with another code than 0.", True),
        *CODE_FAILURES,
    )
    secrets = True

    def ports(self, config: ShellConfig) -> Ports:
        return Ports(
            inputs=(),
            outputs=(
                Port("stdout", "string", "What it wrote, up to 1 MiB."),
                Port("stderr", "string", "What it wrote there, up to 1 MiB."),
                Port("exit_code", "integer", "Its exit code; 128 and more after a signal."),
            ),
        )

    def execute(self, call: NodeCall[ShellConfig]) -> Mapping[str, Any]:
        config = call.config
        env = {name: as_text(value) for name, value in config.env.items()}
        stdin = config.stdin if isinstance(config.stdin, bytes) else as_text(config.stdin)
        command = Command(config.script, env, stdin, config.wish)
        answer = call.runtime.run_command(command, timeout=call.timeout, on_line=call.publish_line)
        if config.fail_on_status and answer.exit_code != 0:
            last = shortened(answer.stderr.strip().rpartition("\n")[2], 500)
            raise NodeError(
                "shell_status", f"the script exited with {answer.exit_code}" + (f": {last}" if last else "")
            )
        return {"stdout": answer.stdout, "stderr": answer.stderr, "exit_code": answer.exit_code}
