"""What a client has seen of many runs, across positions and reconnections."""

from __future__ import annotations

from typing import Any

from headrace.client.progress import SeenRuns


def event(run_id: str, seq: int, **more: Any) -> dict[str, Any]:
    return {"run_id": run_id, "seq": seq, **more}


def test_a_final_event_that_comes_again_after_a_position_from_before_it_is_not_new() -> None:
    """The position was computed before the final event was sent, and arrived after it."""
    seen = SeenRuns()
    final = event("run", 2, final=True)
    assert [seen.take(event("run", 1)), seen.take(final)] == [True, True]
    seen.forget_ended()
    assert seen.take(final) is False


def test_runs_that_have_ended_are_forgotten_in_the_end() -> None:
    seen = SeenRuns()
    for number in range(100):
        seen.take(event(f"run-{number}", 1, final=True))
        seen.forget_ended()
    assert len(seen._seqs) == 1
    seen.forget_ended()
    assert seen._seqs == {}


def test_a_run_that_goes_on_is_never_forgotten() -> None:
    seen = SeenRuns()
    seen.take(event("run", 7))
    for _ in range(3):
        seen.forget_ended()
    assert [seen.take(event("run", 7)), seen.take(event("run", 8))] == [False, True]
