"""Specs of versions, kept and forgotten."""

from __future__ import annotations

import json

import pytest
from sqlalchemy.engine import Engine

from graph_compiler.checking.validation import check
from platform_core.errors import VersionNotFound
from platform_core.graphs.graph_store import save_graph
from platform_core.identity.user_store import create_user
from tests.integration.trigger_api.conftest import document
from trigger_api.shared.graph_access import SpecCache


def test_a_spec_is_parsed_once_and_the_least_used_is_forgotten(engine: Engine) -> None:
    with engine.begin() as connection:
        ada = create_user(connection, "ada", "correct horse", "editor")
        for text in ("one", "two", "three"):
            checked = check(json.dumps(document(description=text)))
            assert checked.document is not None
            assert checked.sha256 is not None
            graph, _ = save_graph(
                connection,
                owner_id=ada.id,
                name="mill",
                document=checked.document,
                sha256=checked.sha256,
                created_by=ada.id,
            )
        specs = SpecCache(size=2)
        one, two = (specs.spec(connection, graph.id, version) for version in (1, 2))
        assert (one.description, two.description) == ("one", "two")
        assert specs.spec(connection, graph.id, 1) is one
        specs.spec(connection, graph.id, 3)
        assert specs.spec(connection, graph.id, 1) is one
        assert specs.spec(connection, graph.id, 2) is not two
        with pytest.raises(VersionNotFound):
            specs.spec(connection, graph.id, 4)
