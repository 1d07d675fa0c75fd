"""Measure the fields that rules find: as shipped, and trained on the other vendors of the same set.

    python benchmarks/fields.py --sroie DIR --einvoice DIR

Right means: the same amount or day, the same letters and digits for numbers, at least nine tenths of them for names
and addresses. Values that aren't readable in a document's text don't count. The shipped weights were fitted on these
same development documents; the line `rules, other vendors` fits them again without the vendor that is measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import _lru_cache_wrapper, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from field_data import SCHEMAS, Labelled, load_einvoice, load_lines, load_sroie
from fit_shipped_fields import FOLDS, Fitting

from slmbatch.checks.letters import plain
from slmbatch.evaluate import same
from slmbatch.heads.fields.agree import LIKENESS, Expected
from slmbatch.heads.fields.field_head import FieldHead
from slmbatch.heads.fields.fit_fields import fit_fields, split
from slmbatch.heads.fields.learned import load_fields
from slmbatch.heads.fields.reading import targets
from slmbatch.heads.fields.scorer import Scorer
from slmbatch.heads.fields.shipped import kind_scorers, rules_head
from slmbatch.heads.folder import Stored
from slmbatch.tasks.schema_files import load_schema
from slmbatch.types import Answer, Leaf

SURE = 0.9
ROUNDS = 10
Line = tuple[object, object, str]  # quantity, amount, name
Judged = tuple[str, bool, float | None]  # leaf, right, confidence or None where nothing was found


def judge(head: FieldHead, one: Labelled, chosen: list[int], *, show: bool = False) -> list[Judged]:
    """Compare a head's answers with the values of some documents."""
    kinds = {target.path: target.hint.kind for target in targets(one.schema)}
    judged: list[Judged] = []
    answers = head.answer([one.documents[index] for index in chosen])
    for index, answer in zip(chosen, answers, strict=True):
        found: dict[str, Leaf] = {leaf.path: leaf for leaf in answer.leaves}
        for path, value in one.gold[index].items():
            leaf = found.get(path)
            like = kinds[path] in LIKENESS or one.name == "sroie"  # whose dates and amounts are as printed
            right = leaf is not None and (
                Expected(value, kinds[path]).agrees(leaf.value)  # type: ignore[arg-type]
                if like
                else same(leaf.value, value)
            )
            judged.append((path, right, leaf.confidence if leaf else None))
            if show and not right:
                print(
                    one.documents[index].id,
                    path,
                    "expected",
                    repr(value),
                    "found",
                    leaf and (leaf.raw, leaf.confidence),
                )
    return judged


def told(name: str, judged: list[Judged]) -> None:
    """Print one table."""
    by_path: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        by_path[one[0]].append(one)
    print(f"\n{name}: {_line(judged)}")
    for path, some in by_path.items():
        print(f"  {path:18} {_line(some)}")


def _line(judged: list[Judged]) -> str:
    right = sum(ok for _, ok, _ in judged)
    sure = [ok for _, ok, confidence in judged if confidence is not None and confidence >= SURE]
    precision = f"{sum(sure) / len(sure):.3f}" if sure else "-"
    found = sum(confidence is not None for *_, confidence in judged)
    return (
        f"right {right} of {len(judged)} ({right / len(judged):.3f}), found {found}; "
        f"at {SURE}: coverage {len(sure) / len(judged):.3f}, precision {precision}"
    )


def measured(one: Labelled, head_of: Callable[[int], FieldHead], *, show: bool) -> list[Judged]:
    """Judge every fold of designed documents by the head that hasn't seen its vendors."""
    judged = []
    folds = split(one.vendors, FOLDS)
    for fold in range(FOLDS):
        chosen = [index for index, other in enumerate(folds) if other == fold and one.designed[index]]
        if chosen:
            judged += judge(head_of(fold), one, chosen, show=show)
    return judged


def trained(fitting: Fitting, position: int, fold: int) -> FieldHead:
    """Return a head trained on the other folds."""
    return load_fields(fitted(fitting, position, fold), fitting.sets[position].schema)


def fitted(fitting: Fitting, position: int, fold: int) -> Stored:
    """Train on the other folds, beginning from weights that haven't seen this one either."""
    one = fitting.sets[position]
    folds = split(one.vendors, FOLDS)
    others = [index for index, other in enumerate(folds) if other != fold]
    return fit_fields(
        [one.documents[index] for index in others],
        [one.gold[index] for index in others],
        one.schema,
        groups=[one.vendors[index] for index in others],
        shipped=unseen(fitting, position, fold),
    )


def unseen(fitting: Fitting, position: int, fold: int) -> dict[str, Scorer]:
    """Fit the shipped weights without one fold; the confidence's curve stays."""
    kinds = fitting.fit(fold)
    schema = fitting.sets[position].schema
    shipped = kind_scorers(targets(schema))
    return {
        target.path: Scorer(
            kinds[target.hint.kind].weights, kinds[target.hint.kind].none, {}, shipped[target.path].calibration
        )
        for target in targets(schema)
    }


def refitted(fitting: Fitting, position: int, fold: int) -> FieldHead:
    """Use the shipped weights as fitted without one fold."""
    return FieldHead(fitting.sets[position].schema, unseen(fitting, position, fold), fingerprint="")


def items(one: Labelled, folder: Path) -> None:
    """Print how many invoice lines are found with the right quantity and amount, by kind of page.

    A description is right when it holds the line's name, or is a part of it.
    """
    lines = load_lines(folder)
    head = rules_head(load_schema(str(SCHEMAS / "invoice.schema.json")))
    for designed in (True, False):
        documents = [document for document, is_ in zip(one.documents, one.designed, strict=True) if is_ == designed]
        wanted = [lines[document.id] for document in documents]
        told = [_lines(answer) for answer in head.answer(documents)]
        found = sum(map(len, told))
        lists = [_numbers(some) == _numbers(all_) for some, all_ in zip(told, wanted, strict=True) if some]
        right = sum(
            (Counter(_numbers(some)) & Counter(_numbers(all_))).total() for some, all_ in zip(told, wanted, strict=True)
        )
        named = sum(
            any(_named(row, other) for other in all_) for some, all_ in zip(told, wanted, strict=True) for row in some
        )
        kind = "designed pages" if designed else "prints of the XML"
        print(
            f"\nlines on {kind}: {sum(map(len, wanted))} in {len(documents)} documents; found {found}, "
            f"right {right}, described rightly {named}; lists told {len(lists)}, complete and in order {sum(lists)}"
        )


def _lines(answer: Answer) -> list[Line]:
    values = {leaf.path: leaf.value for leaf in answer.leaves}
    paths = [
        path.removesuffix("amount") for path in values if path.startswith("line_items[") and path.endswith("].amount")
    ]
    return [
        (values[f"{path}quantity"], values[f"{path}amount"], str(values.get(f"{path}description"))) for path in paths
    ]


def _numbers(lines: Sequence[Line]) -> list[tuple[object, object]]:
    return [(quantity, amount) for quantity, amount, _ in lines]


def _named(one: Line, other: Line) -> bool:
    told, expected = plain(one[2]), plain(other[2])
    return one[:2] == other[:2] and (told in expected or expected in told)


def speed(one: Labelled, head: FieldHead) -> None:
    """Print documents per second in this one process, text already read: the best of ROUNDS.

    The head keeps what lines of text are. So each round begins without that, and answers all documents twice: as the
    first of their senders, and as ones whose lines are known.
    """
    best = {"first": 0.0, "again": 0.0}
    head.answer(one.documents)
    for _ in range(ROUNDS):
        for cache in _caches():
            cache.cache_clear()
        for turn, so_far in best.items():
            start = time.process_time()
            head.answer(one.documents)
            best[turn] = max(so_far, len(one.documents) / (time.process_time() - start))
    print(f"{one.name}: {best['first']:.0f} documents/s of CPU time, {best['again']:.0f}/s with lines that are known")


def _caches() -> list[_lru_cache_wrapper[object]]:
    """Return the caches of this package's functions, but for tables that are made once."""
    modules = [module for name, module in sys.modules.items() if name.startswith("slmbatch.")]
    caches = [one for module in modules for one in vars(module).values() if isinstance(one, _lru_cache_wrapper)]
    return [one for one in caches if one.cache_parameters()["maxsize"] is not None]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sroie", type=Path, required=True)
    parser.add_argument("--einvoice", type=Path, required=True)
    parser.add_argument("--only", choices=["shipped", "refitted", "trained", "items", "speed"])
    parser.add_argument("--show", action="store_true", help="print every wrong value (they are other people's data)")
    options = parser.parse_args()
    sets = [load_sroie(options.sroie), load_einvoice(options.einvoice)]
    wanted = (options.only,) if options.only else ("shipped", "refitted", "trained", "items", "speed")
    fitting = Fitting(sets) if {"refitted", "trained"} & set(wanted) else None
    for position, one in enumerate(sets):
        designed = [index for index, ok in enumerate(one.designed) if ok]
        vendors = len({one.vendors[index] for index in designed})
        print(f"\n== {one.name}: {len(designed)} documents of {vendors} vendors")
        if "shipped" in wanted:
            told("rules as shipped", judge(rules_head(one.schema), one, designed, show=options.show))
        if fitting and "refitted" in wanted:
            head_of: Callable[[int], FieldHead] = partial(refitted, fitting, position)
            told("rules, other vendors", measured(one, head_of, show=options.show))
        if fitting and "trained" in wanted:
            head_of = partial(trained, fitting, position)
            told("trained, other vendors", measured(one, head_of, show=options.show))
        if "items" in wanted and one.name == "einvoice":
            items(one, options.einvoice)
        if "speed" in wanted:
            speed(one, rules_head(one.schema))


if __name__ == "__main__":
    main()
