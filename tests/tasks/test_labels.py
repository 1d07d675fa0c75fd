"""Label sets: what is accepted, what is refused and how, and the codes that models are held to."""

from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmbatch.chat import Capabilities
from slmbatch.errors import TaskError
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.labels import OTHER, Label, LabelSet, codes, load_labels

WORDS = st.lists(st.sampled_from(["card", "cards", "payment", "lost", "fee", "a"]), min_size=1, max_size=3)
NAMES = st.lists(WORDS.map(" ".join), min_size=2, max_size=8, unique=True)


@given(NAMES)
def test_no_code_is_a_prefix_of_another(names: list[str]) -> None:
    shortened = codes(names)
    assert len(set(shortened)) == len(names)
    for one, other in permutations(shortened, 2):
        assert not other.startswith(one)


def test_codes_are_the_shortest_unique_word_prefixes() -> None:
    names = ["card arrival", "card payment fee charged", "lost card"]
    assert codes(names) == ("card arrival", "card payment", "lost")


def test_a_name_that_begins_another_makes_all_codes_quoted() -> None:
    assert codes(["card", "card payment"]) == ('"card"', '"card payment"')


def test_order_of_labels_in_the_file_changes_nothing(tmp_path: Path) -> None:
    tasks = []
    for number, names in enumerate((["b", "a", "c"], ["c", "b", "a"])):
        path = tmp_path / f"{number}.yaml"
        path.write_text("labels:\n" + "".join(f"  - name: {name}\n    description: d{name}\n" for name in names))
        tasks.append(ClassifyTask(load_labels(str(path))))
    assert tasks[0].instructions == tasks[1].instructions
    assert tasks[0].fingerprint == tasks[1].fingerprint


def test_names_on_the_command_line_are_a_label_set() -> None:
    assert load_labels("refund, billing,other thing").names == ("billing", "other thing", "refund")


def test_other_adds_none_of_these(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text("labels: [a, b]\nother: true\n")
    assert load_labels(str(path)).names == ("a", "b", OTHER)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("labels: [a]", "1 labels"),
        ("labels: [a, A]", "twice"),
        ("labels: [a, b]\nothr: true", "othr"),
        ("labels: [{name: a, descripton: x}, b]", "descripton"),
        ("- a\n- b", "must be an object"),
        ("labels: [a, yes, no]", "labels.1: True is not a text"),
        ("labels: [", "not valid YAML"),
        ("labels: [a, b, 2026-13-01]", "not valid YAML"),
        pytest.param("labels: " + "[" * 20_000, "not valid YAML", id="nested without end"),
        (f"labels: [{', '.join(f'l{n}' for n in range(201))}]", "201 labels"),
    ],
)
def test_a_wrong_label_file_is_refused_with_its_reason(tmp_path: Path, content: str, part: str) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(content)
    with pytest.raises(TaskError) as caught:
        load_labels(str(path))
    assert str(path) in caught.value.message
    assert part in caught.value.message
    assert caught.value.remedy


def test_a_misspelt_key_is_answered_with_the_nearest_known_one(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text("labels: [a, b]\nothr: true")
    with pytest.raises(TaskError) as caught:
        load_labels(str(path))
    assert "Did you mean `other`?" in caught.value.remedy


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(TaskError, match="can't be read"):
        load_labels("no/such/labels.yaml")


def test_a_reply_is_read_as_code_as_name_and_as_json() -> None:
    task = ClassifyTask(LabelSet((Label("card arrival"), Label("lost card"))))
    for reply in ("lost", "lost card", ' {"label": "lost card"} '):
        assert task.parse(reply) == "lost card"
    for reply in ("", "lots", '{"label": "x"}', '{"label"', "[]"):
        assert task.parse(reply) is None


def test_the_prompt_has_its_fixed_part_first_and_the_text_last() -> None:
    task = ClassifyTask(LabelSet((Label("a", "about a"), Label("b"))))
    able = Capabilities(choice=True, top_logprobs=20, raw_logprobs=True, context_tokens=None)
    request = task.request("hello", able)
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.messages[0].content == (
        "You sort texts into classes. Read the text and answer with the name of the one class that fits it best, "
        "and nothing else.\n\nClasses:\n- a: about a\n- b"
    )
    assert request.messages[1].content == "Text: hello"
