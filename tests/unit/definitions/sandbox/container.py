"""Users' code as in most containers, where the kernel's filter refuses namespaces: in a process that has such a filter.

`python -m tests.unit.definitions.sandbox.container` reads a JSON of hidden paths, ports, code and arguments, and writes
what the code returns.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from definitions.sandbox import process, system_calls
from definitions.sandbox.interpreter import CodeInterpreter
from graph_compiler.nodes.network import Network


def run_in_container(code: str, arguments: Mapping[str, Any], hidden: Sequence[str] = (), **how: Any) -> Any:
    """What `main(**arguments)` of the code returns there; `how` is for `CodeInterpreter.run`."""
    asked = json.dumps({"code": code, "arguments": dict(arguments), "hidden": list(hidden), "how": how})
    command = [sys.executable, "-m", __name__]
    return json.loads(subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout)


def refuse_namespaces() -> None:
    """From here on no process below this one makes namespaces or mounts."""
    process.renounce_privileges()
    refused = [system_calls._own(system_calls._NUMBERS[name]) for name in ("unshare", "mount")]
    code = [*system_calls._beginning()]
    for number in refused:
        code += [system_calls._jump(system_calls._EQUAL, number, 0, 1), system_calls._return(system_calls._EPERM)]
    system_calls._set([*code, system_calls._return(system_calls._ALLOW)])


def main() -> None:
    """See the module."""
    asked = json.load(sys.stdin)
    refuse_namespaces()
    with CodeInterpreter(hidden=asked["hidden"]) as interpreter:
        network = Network(asked["how"].pop("network", Network.ALL))
        how = {"timeout": 30, "on_line": lambda *_: None, "network": network, **asked["how"]}
        json.dump(interpreter.run(asked["code"], asked["arguments"], **how), sys.stdout)


if __name__ == "__main__":
    main()
