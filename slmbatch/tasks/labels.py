"""Label sets: loading them, and the short codes a model is held to. Knows no prompt and no engine."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from slmbatch.errors import TaskError

OTHER = "none of these"
JOINT = "|"  # between the labels of a text that has several
FEWEST_EXAMPLES = 2
MIN_LABELS, MAX_LABELS = 2, 200


def in_order(joined: str) -> str:
    """Return the labels of a text in one order, so that the same set of them is the same text."""
    return JOINT.join(sorted(joined.split(JOINT)))


@dataclass(frozen=True, slots=True)
class Label:
    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels sorted by name, so that their order in the file changes nothing. `other` adds OTHER as an answer."""

    labels: tuple[Label, ...]
    other: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        names = tuple(label.name for label in self.labels)
        return (*names, OTHER) if self.other else names

    @property
    def exemplified(self) -> bool:
        """Whether every label has examples enough for a head to be fitted on them."""
        return all(len(set(label.examples)) >= FEWEST_EXAMPLES for label in self.labels)


class _LabelEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


class _LabelFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    labels: tuple[_LabelEntry | str, ...]
    other: bool = False


def load_labels(spec: str) -> LabelSet:
    """Read a label set from a YAML file, or from names separated by commas.

    Raises TaskError for a file that can't be read, doesn't fit, or names fewer than 2 or more than 200 labels.
    """
    path = Path(spec)
    # os.path, as Path raises for what is too long to be a name: a list of many labels.
    if path.suffix.lower() in {".yaml", ".yml", ".json"} or os.path.isfile(spec):
        return _from_file(path)
    if "," not in spec:
        remedy = "Pass a YAML file with `labels:`, or at least two names separated by commas."
        raise TaskError(f"--labels {spec}: neither a file nor a list of names.", remedy)
    return _checked([Label(name.strip()) for name in spec.split(",") if name.strip()], other=False, where="--labels")


def _from_file(path: Path) -> LabelSet:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        parsed = _LabelFile.model_validate(content)
    except OSError as error:
        raise TaskError(f"{path}: can't be read ({error.strerror}).", "Check the path given to --labels.") from error
    except ValidationError as error:
        raise TaskError(f"{path}: {_first_problem(error)}", _nearest_key(error)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # no such date as 2026-13-01; nested without end
        raise TaskError(f"{path}: not valid YAML: {error}", "Correct the file.") from error
    labels = [
        Label(entry)
        if isinstance(entry, str)
        else Label(entry.name.strip(), entry.description.strip(), tuple(text.strip() for text in entry.examples))
        for entry in parsed.labels
    ]
    return _checked(labels, other=parsed.other, where=str(path))


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"] if part not in {"_LabelEntry", "str"}]
    place = ".".join(parts) or "the file"
    if isinstance(first["input"], bool):
        return f"{place}: {first['input']} is not a text: put it in quotes, as YAML reads yes and no as true and false."
    if first["type"] in {"model_type", "model_attributes_type"}:
        return f"{place}: must be an object, not {first['input']!r}."
    return f"{place}: {first['msg'].lower()}."


def _nearest_key(error: ValidationError) -> str:
    known = ["labels", "other", "name", "description", "examples"]
    place = error.errors()[0]["loc"]
    unknown = error.errors()[0]["type"] == "extra_forbidden"
    nearest = difflib.get_close_matches(str(place[-1]), known, n=1) if unknown else []
    hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
    return f"A label file has `labels:` (name, description, examples) and `other: true|false`.{hint}"


def _checked(labels: Sequence[Label], *, other: bool, where: str) -> LabelSet:
    names = [label.name for label in labels]
    if not MIN_LABELS <= len(names) <= MAX_LABELS:
        remedy = "Split a larger set into a coarse run and one finer run per group."
        raise TaskError(f"{where}: {len(names)} labels; {MIN_LABELS} to {MAX_LABELS} are possible.", remedy)
    folded: dict[str, str] = {OTHER: OTHER} if other else {}
    for name in names:
        if not name or any(ord(character) < 32 for character in name):
            raise TaskError(f"{where}: a label name is empty or holds control characters: {name!r}.", "Rename it.")
        if name.casefold() in folded:
            raise TaskError(f"{where}: label {name!r} is there twice.", "Remove or rename one of them.")
        folded[name.casefold()] = name
    return LabelSet(tuple(sorted(labels, key=lambda label: label.name)), other)


def codes(names: Sequence[str]) -> tuple[str, ...]:
    """Shorten each name to its shortest unique word prefix, so that a model writes as few tokens as it takes.

    Same order as `names`. No code is a prefix of another, so a code ends by itself: where short codes or whole names
    would collide ("card", "card payment"), all names are quoted and the closing quote decides.
    """
    short = tuple(_shortest_prefix(name, names) for name in names)
    for candidate in (short, tuple(names)):
        if _prefix_free(candidate):
            return candidate
    return tuple(f'"{name}"' for name in names)


def _shortest_prefix(name: str, names: Sequence[str]) -> str:
    words = name.split(" ")
    others = [other.split(" ") for other in names if other != name]
    for count in range(1, len(words)):
        if all(other[:count] != words[:count] for other in others):
            return " ".join(words[:count])
    return name


def _prefix_free(candidates: Sequence[str]) -> bool:
    ordered = sorted(candidates)
    return all(not later.startswith(earlier) for earlier, later in itertools.pairwise(ordered))
