"""Names of ours and of Dagster's."""

from __future__ import annotations

import keyword

from dagster._core.definitions.utils import DISALLOWED_NAMES
from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.running.naming import (
    DAGSTER_RESERVED,
    INPUTS_INPUT,
    OUTPUTS_OP,
    dagster_name,
    job_name,
    node_id,
    owner_and_graph,
)

IDS = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True) | st.sampled_from(sorted(DISALLOWED_NAMES))
OWNERS = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4}){0,3}", fullmatch=True)
GRAPHS = st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True)


@given(IDS)
def test_node_id_comes_back_and_is_legal_for_dagster(identifier: str) -> None:
    name = dagster_name(identifier)
    assert node_id(name) == identifier
    assert name not in DISALLOWED_NAMES
    assert name not in (OUTPUTS_OP, INPUTS_INPUT)


@given(st.sets(IDS))
def test_no_two_ids_share_a_name(identifiers: set[str]) -> None:
    assert len({dagster_name(identifier) for identifier in identifiers}) == len(identifiers)


@given(OWNERS, GRAPHS)
def test_owner_and_graph_come_back_from_the_job_name(owner: str, graph: str) -> None:
    assert owner_and_graph(job_name(owner, graph)) == (owner, graph)


def test_reserved_names_are_those_of_this_dagster() -> None:
    of_dagster = {name for name in DISALLOWED_NAMES if not keyword.iskeyword(name)}
    assert of_dagster == DAGSTER_RESERVED
