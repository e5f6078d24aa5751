"""Validating needs no Dagster, and networkx only for a graph: API processes start quickly and stay small."""

from __future__ import annotations

import subprocess
import sys

import pytest

MODULES = ["validation", "params", "triggers", "schema", "node_types", "naming", "tags", "execution"]


@pytest.mark.parametrize("module", MODULES)
def test_module_loads_without_dagster(module: str) -> None:
    code = f"import sys, graph_compiler.{module}; print({{'dagster', 'networkx', 'sqlalchemy'}} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_checking_a_document_never_loads_dagster() -> None:
    code = """
import sys
from graph_compiler.checking.validation import check
text = '{"spec_version": 1, "name": "a", "nodes": [{"id": "a", "type": "transform", "config": {"value": 1}}]}'
assert check(text).issues == ()
print("dagster" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
