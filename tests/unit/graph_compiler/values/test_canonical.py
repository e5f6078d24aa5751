"""One graph, one text, one hash."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.checking.validation import check
from graph_compiler.values.canonical import canonical_json, content_hash
from tests.unit.graph_compiler.documents import document, node


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1e9, 1e9) | st.text("ab {}é:-#'\"\n", max_size=8)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text("abc", max_size=3), v, max_size=3)
)


@given(
    VALUES.filter(lambda value: "{{" not in str(value) and "{#" not in str(value)), st.randoms(use_true_random=False)
)
def test_key_order_and_syntax_do_not_change_the_hash(value: Any, rng: random.Random) -> None:
    one = document(nodes=[node("a", value)])
    other = shuffled(one, rng)
    hashes = {
        check(json.dumps(one)).sha256,
        check(json.dumps(other, indent=3, ensure_ascii=False)).sha256,
        check(yaml.safe_dump(other, sort_keys=False, allow_unicode=True, width=20), syntax="yaml").sha256,
    }
    assert len(hashes) == 1
    assert None not in hashes


def test_canonical_text_is_sorted_compact_and_not_escaped() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'


def test_hash_is_sha256_of_the_text() -> None:
    assert content_hash("{}") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_what_is_no_json_has_no_canonical_text() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
