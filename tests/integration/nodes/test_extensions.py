"""Node types of a package that is really installed: found by its entry point, validated and run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports


class ShoutConfig(NodeConfig):
    text: Annotated[str, TEMPLATED] = Field(description="What to shout.")


class Shout(NodeType[ShoutConfig]):
    name = "acme.shout"
    summary = "Shout."
    config_model = ShoutConfig

    def ports(self, config: ShoutConfig) -> Ports:
        return Ports((), (Port("text", "string"),))

    def execute(self, call: NodeCall[ShoutConfig]) -> Mapping[str, Any]:
        return {"text": call.config.text.upper()}


class Other:
    pass
"""
PROGRAM = """
import json
from definitions.execution.context import ProcessContext
from graph_compiler.testing.memory import MemoryRuntime
from graph_engine.testing.memory_run import run_in_memory
from graph_compiler.checking.validation import check
from headrace_cli.serve.extensions import installed_node_types
from platform_core.settings import Settings

document = {"spec_version": 1, "name": "shout", "outputs": {"said": "{{ nodes.a.text }}"},
            "nodes": [{"id": "a", "type": "acme.shout", "config": {"text": "{{ params.t }}"}}],
            "params": {"properties": {"t": {"type": "string"}}}}
types = installed_node_types()
spec = check(json.dumps(document), node_types=types).spec
worker_types = ProcessContext(Settings()).node_types
assert list(types) == list(worker_types)
ended = run_in_memory(spec, MemoryRuntime(params={"t": "hey"}), node_types=worker_types)
print(json.dumps(ended.outputs))
"""


def install(folder: Path, entry_point: str) -> Path:
    """A distribution as pip leaves it: a module, and metadata beside it."""
    (folder / "acme_shout.py").write_text(MODULE)
    metadata = folder / "acme_shout-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-shout\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[headrace.node_types]\nshout = {entry_point}\n")
    (metadata / "RECORD").write_text("")
    return folder


def execute(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    # A process of its own: entry points are those of the interpreter that starts.
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{program}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_installed_type_is_validated_and_run(tmp_path: Path) -> None:
    done = execute(install(tmp_path, "acme_shout:Shout"), PROGRAM)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"said": "HEY"}


@pytest.mark.parametrize(
    ("entry_point", "said"),
    [
        ("acme_shout:Missing", "shout of acme-shout cannot be loaded: AttributeError"),
        ("acme_missing:Shout", "shout of acme-shout cannot be loaded: ModuleNotFoundError"),
        ("acme_shout:Other", "shout of acme-shout makes no NodeType"),
    ],
)
def test_type_that_cannot_be_used_names_its_package(tmp_path: Path, entry_point: str, said: str) -> None:
    program = "from headrace_cli.serve.extensions import installed_node_types\ninstalled_node_types()"
    done = execute(install(tmp_path, entry_point), program)
    assert done.returncode != 0
    assert f"The node types of an installed package cannot be used: {said}" in done.stderr
