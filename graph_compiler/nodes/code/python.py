"""`python`: a function of the user's, called in another process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from graph_compiler.language.issues import Issue
from graph_compiler.nodes.code.python_code import CodeDefect, Main, Parameter, read_main
from graph_compiler.nodes.network import Network
from graph_compiler.nodes.node_type import (
    TEMPLATED,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.values.values import as_text

_EXAMPLE = 'def main(commits: list, weight: int = 1) -> dict:\n    return {"size": weight * len(commits)}\n'
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
CODE_FAILURES = (
    FailureKind("code_timeout", "The code ran longer than the node's `timeout`.", True),
    FailureKind("code_exit", "The code ended its process, or was ended by a signal.", True),
    FailureKind("code_memory", "The code used more memory than it may (512 MiB).", True),
    FailureKind("code_interrupted", "The code interpreter died while the code ran.", True),
    FailureKind("code_output", "The code returned more than it may (8 MiB)."),
    FailureKind("sandbox_weak", "The machine cannot keep this owner's code from others' and from the services."),
    FailureKind("network_refused", "The operator allows code less of the network than the node's `network`."),
    FailureKind("network_unavailable", "The machine cannot enforce the node's `network`, so the code did not run."),
)
"""Of everything that runs in the sandbox."""


class CodeConfig(NodeConfig):
    """What all nodes say whose code runs in the sandbox."""

    network: Literal["none", "public", "all"] | None = Field(
        default=None,
        description=(
            "What the code may reach: `none`; `public`, the internet by an HTTP proxy (`HTTP_PROXY`, `HTTPS_PROXY`),"
            " but no private, loopback or link-local address; `all`. Without it, what the operator says"
            " (`HEADRACE_CODE_NETWORK`), who may also allow less (`HEADRACE_CODE_NETWORK_MOST`)."
        ),
    )

    @property
    def wish(self) -> Network | None:
        """`network`, if it is said."""
        return None if self.network is None else Network(self.network)


class PythonConfig(CodeConfig):
    """Config of `python`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": _EXAMPLE, "args": {"weight": 2}}]})

    code: str = Field(
        description="Python source that defines `main`: its parameters are the inputs, what it returns is `result`."
    )
    args: Annotated[dict[str, Any], TEMPLATED] = Field(
        default_factory=dict, description="Arguments of `main` that no edge brings; templates are rendered."
    )
    env: Annotated[dict[EnvironmentName, Any], TEMPLATED] = Field(
        default_factory=dict, description="Environment variables; what is not text is written as JSON."
    )


class Python(NodeType[PythonConfig]):
    """See the module."""

    name = "python"
    summary = "Call a Python function in a process of its own."
    config_model = PythonConfig
    uses_processor = True
    secrets = True
    fallback_ports = Ports(inputs=(), outputs=(Port("result"),), takes_all=True)
    notes = (
        "The parameters of `main` that `args` does not give are the node's input ports, required without a default,"
        " of the type that a plain annotation (`bool int float str bytes list dict None`) says, else `any`;"
        " with `**kwargs` it takes inputs of any name. What it prints becomes `stdout` and `stderr` events, line by"
        " line. What the process may and may not do is in"
        " [ADR 0008](../../adr/0008-users-code-in-forks-of-a-warm-interpreter.md)."
    )
    failures = (FailureKind("code_error", "The code raised; the message has the exception.", True), *CODE_FAILURES)

    def ports(self, config: PythonConfig) -> Ports:
        main = read_main(config.code)
        if isinstance(main, CodeDefect):
            return self.fallback_ports
        return Ports(
            inputs=tuple(
                _port(parameter, config) for parameter in main.parameters if parameter.name not in _given(config)
            ),
            outputs=(Port("result", main.returns, "What main returns."),),
            takes_all=main.takes_any_name,
        )

    def defects(self, config: PythonConfig) -> Iterator[Issue]:
        main = read_main(config.code)
        if isinstance(main, CodeDefect):
            yield Issue(main.code, "/code", main.message, inside=(main.line, main.column or 1))
        elif not main.takes_any_name:
            yield from _unknown_arguments(config, main)

    def execute(self, call: NodeCall[PythonConfig]) -> Mapping[str, Any]:
        main = read_main(call.config.code)
        names = {parameter.name for parameter in main.parameters} if isinstance(main, Main) else set()
        everything = isinstance(main, Main) and main.takes_any_name
        arguments = {name: value for name, value in call.inputs.items() if everything or name in names}
        result = call.runtime.run_code(
            call.config.code,
            arguments | call.config.args,
            env={name: as_text(value) for name, value in call.config.env.items()},
            timeout=call.timeout,
            network=call.config.wish,
            on_line=call.publish_line,
            on_publish=call.publish,
        )
        return {"result": result}


def _port(parameter: Parameter, config: PythonConfig) -> Port:
    """An input of a parameter; `args` that is one template may turn out to give it."""
    required = parameter.required and isinstance(config.args, dict)
    return Port(parameter.name, parameter.type, f"Parameter `{parameter.name}` of main.", required)


def _given(config: PythonConfig) -> set[str]:
    return set(config.args) if isinstance(config.args, dict) else set()


def _unknown_arguments(config: PythonConfig, main: Main) -> Iterator[Issue]:
    names = [parameter.name for parameter in main.parameters]
    for name in sorted(_given(config) - set(names)):
        close = get_close_matches(name, names, 1)
        hint = f"did you mean `{close[0]}`?" if close else None
        yield Issue("unknown_argument", f"/args/{name}", f"`main` has no parameter `{name}`", hint=hint)
