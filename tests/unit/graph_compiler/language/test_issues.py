"""How issues are written."""

from __future__ import annotations

from graph_compiler.language.issues import Issue, did_you_mean


def test_issue_is_a_dictionary_in_problem_documents() -> None:
    assert Issue("cycle", "/nodes/0", "round", 3, 4).as_dict() == {
        "code": "cycle",
        "path": "/nodes/0",
        "message": "round",
        "line": 3,
        "column": 4,
        "hint": None,
    }


def test_hint_names_the_closest_word_or_the_few_there_are() -> None:
    assert did_you_mean("tranform", ["transform", "delay"]) == "did you mean `transform`?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", []) is None
    assert did_you_mean("zzz", map(str, range(13))) is None
