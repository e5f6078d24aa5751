"""Runs of real graphs, executed in this process."""

from __future__ import annotations

from tests.integration.definitions.documents import document, transform
from tests.integration.definitions.site import Site


def test_run_gives_its_outputs_and_its_whole_story(site: Site) -> None:
    run_id = site.execute(
        document(
            "sum",
            transform("one", 1),
            transform("two", "{{ inputs.x + 1 }}"),
            edges=("one.value -> two.x",),
            outputs={"sum": "{{ nodes.two.value }}"},
        )
    )
    run = site.run(run_id)
    assert run.error is None
    assert (run.status, run.outputs, run.error) == ("SUCCESS", {"sum": 2}, None)
    assert site.story(run_id) == [
        ("run.queued", None),
        ("run.started", None),
        ("node.started", "one"),
        ("node.output", "one"),
        ("node.succeeded", "one"),
        ("node.started", "two"),
        ("node.output", "two"),
        ("node.succeeded", "two"),
        ("run.succeeded", None),
    ]
