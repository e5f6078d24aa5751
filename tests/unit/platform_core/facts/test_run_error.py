from platform_core.facts.run_error import RunError


def test_an_error_always_says_its_node_and_the_rest_only_if_it_is_known() -> None:
    assert RunError("canceled", "The run was canceled.").as_dict() == {
        "kind": "canceled",
        "message": "The run was canceled.",
        "node": None,
    }
    assert RunError("no_rows", "none", "load", 0, 3).as_dict() == {
        "kind": "no_rows",
        "message": "none",
        "attempts": 3,
        "node": "load",
        "item": 0,
    }
