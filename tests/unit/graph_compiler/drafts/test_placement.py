"""What an operator does not allow is an issue at its place."""

from __future__ import annotations

import pytest

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.checking.validation import check
from graph_compiler.drafts.placement import ClusterPolicy, quantity

DOCUMENT = """\
spec_version: 1
name: placed
nodes:
  - { id: box, type: container, config: { image: other/train:1, resources: { cpu: "8" } } }
  - { id: free, type: container, config: { image: "{{ params.image }}" } }
params: { type: object, properties: { image: { type: string } }, required: [image] }
settings:
  resources: { cpu: "3", memory: 4Gi }
  kubernetes:
    image: other/run:1
    service_account: admin
    node_selector: { a/b: c }
    tolerations: [{ key: dedicated, operator: Exists }]
"""


def issues(policy: ClusterPolicy | None) -> list[tuple[str, str, int | None]]:
    found = check(DOCUMENT, syntax="yaml", node_types=builtin_node_types(containers=True), cluster=policy).issues
    return [(issue.code, issue.path, issue.line) for issue in found]


def test_a_document_may_say_what_it_wants_where_there_is_no_cluster() -> None:
    assert issues(None) == []


def test_nothing_is_allowed_that_is_not_listed() -> None:
    assert issues(ClusterPolicy(max_cpu="2", max_memory="2Gi")) == [
        ("unavailable", "/nodes/0/config/image", 4),
        ("unavailable", "/nodes/0/config/resources/cpu", 4),
        ("unavailable", "/settings/resources/cpu", 8),
        ("unavailable", "/settings/resources/memory", 8),
        ("unavailable", "/settings/kubernetes/image", 10),
        ("unavailable", "/settings/kubernetes/service_account", 11),
        ("unavailable", "/settings/kubernetes/node_selector/a~1b", 12),
        ("unavailable", "/settings/kubernetes/tolerations/0/key", 13),
    ]


def test_what_is_listed_is_allowed() -> None:
    policy = ClusterPolicy(["other/*"], ["admin"], ["a/*"], ["dedicated"], max_cpu="8", max_memory="4Gi")
    assert issues(policy) == []


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2), ("1.5", 1.5), ("64Mi", 64 * 2**20), ("2G", 2e9), ("1Ti", 2**40)]
)
def test_quantities_are_numbers(text: str, number: float) -> None:
    assert quantity(text) == number


def test_other_text_is_no_quantity() -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantity("2mM")
