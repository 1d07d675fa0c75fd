"""Reading replies with the place of every leaf."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from slmbatch.tasks.spans import LeafText, scan

LEAF = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=12)
KEY = st.text(st.characters(exclude_characters='.[]"\\', exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
TREE = st.dictionaries(
    KEY,
    st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3)),
    max_size=4,
)


def leaves_of(value: object, path: str = "") -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [pair for key, one in value.items() for pair in leaves_of(one, f"{path}.{key}" if path else key)]
    if isinstance(value, list):
        return [pair for index, one in enumerate(value) for pair in leaves_of(one, f"{path}[{index}]")]
    return [(path, value)]


@given(TREE, st.sampled_from([None, 1, 4]), st.booleans())
def test_every_leaf_is_found_with_its_place(tree: dict[str, object], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(tree, indent=indent, ensure_ascii=ascii_only)
    reply = scan(text)
    assert reply.whole
    assert [leaf.path for leaf in reply.leaves] == [path for path, _ in leaves_of(tree)]
    for leaf, (_, value) in zip(reply.leaves, leaves_of(tree), strict=True):
        assert json.loads(text[leaf.start : leaf.end]) == value
        if isinstance(value, str):
            assert leaf.text == value


@given(st.text(max_size=60))
def test_no_text_makes_the_scanner_fail(text: str) -> None:
    scan(text)


@given(TREE, st.integers(0, 200))
def test_a_reply_that_breaks_off_keeps_the_leaves_before(tree: dict[str, object], at: int) -> None:
    text = json.dumps(tree)
    whole = scan(text).leaves
    part = scan(text[: min(at, len(text) - 1)])
    assert not part.whole
    assert whole[: len(part.leaves)] == part.leaves


def test_numbers_keep_their_digits() -> None:
    (leaf,) = scan('{"a": 1056.050}').leaves
    assert leaf == LeafText("a", "1056.050", literal=True, start=6, end=14)
    assert leaf.text is not None
    assert str(Decimal(leaf.text)) == "1056.050"


def test_a_preamble_and_a_code_fence_are_passed_over() -> None:
    assert scan('Here:\n```json\n{"a": "x"}\n```').leaves[0].text == "x"


def test_very_deep_nesting_ends_the_reply() -> None:
    assert not scan('{"a":' * 50).whole
