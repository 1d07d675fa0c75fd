"""Measure repairs, passages, and what asking for doubtful fields alone saves and costs in accuracy.

    python benchmarks/fieldwise.py --einvoice DIR [--sroie DIR --model llamacpp:NAME --documents N]

Repairs: each invoice's true net, tax and total is corrupted in every way below, and put right from its text. Passages:
whether a true value is in what is shown when its field alone is asked for. With --model, the first N documents of each
set go through `rules` and that model twice, field by field and with --ask-whole.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from field_data import SCHEMAS, Labelled, load_einvoice, load_sroie

from slmbatch.checks.amounts import scan_amounts
from slmbatch.checks.grounding import TextIndex
from slmbatch.checks.values import parse_value
from slmbatch.run.checked import compile_rules
from slmbatch.run.passages import passages
from slmbatch.run.repairing import Repairer
from slmbatch.tasks.extract import ExtractTask
from slmbatch.types import Kind, Leaf, Page

SUM = ("net_amount", "total_tax_amount", "total_amount")
SEED, PAIRS, DIGITS = 20_261_125, 5, 3
SCHEMA_FILES = {"sroie": "receipt.schema.json", "einvoice": "invoice-header.schema.json"}
Amounts = dict[str, Decimal]


def corruptions(true: Amounts, printed: list[Decimal], dice: Random) -> Iterator[tuple[str, Amounts]]:
    """Yield what could have been read instead, and how it is wrong."""
    for name, amount in true.items():
        for other in printed:
            yield "another amount of the document", {name: other}
        digits = str(amount)
        for _ in range(DIGITS):
            at = dice.choice([place for place, one in enumerate(digits) if one.isdigit()])
            yield "one digit", {name: Decimal(digits[:at] + dice.choice("0123456789") + digits[at + 1 :])}
        yield "sign", {name: -amount}
        yield "decimal point", {name: amount * 100}
        yield "zero", {name: Decimal("0.00")}
    for first, second in ((SUM[0], SUM[1]), (SUM[0], SUM[2]), (SUM[1], SUM[2])):
        yield "two exchanged", {first: true[second], second: true[first]}
        for _ in range(PAIRS if len(printed) > 1 else 0):
            yield "two other amounts", {first: dice.choice(printed), second: dice.choice(printed)}


def repairs(one: Labelled) -> None:
    """Print how many corrupted sums were put right, and how many wrongly."""
    task = ExtractTask(one.schema)
    repairer, rules, dice = Repairer(task), compile_rules(task), Random(SEED)
    (rule,) = [rule for rule in rules if set(rule.names) == set(SUM)]
    made, right, wrong = Counter[str](), Counter[str](), Counter[str]()
    for document, gold in zip(one.documents, one.gold, strict=True):
        true = {name: Decimal(str(gold[name])) for name in SUM if name in gold}
        if len(true) < len(SUM) or rule.check(true) is not True:
            continue
        printed = list(dict.fromkeys(found.value for found in scan_amounts(document.text) if "." in str(found.value)))
        for how, change in corruptions(true, printed, dice):
            values = true | change
            if rule.check(values) is not False:
                continue
            made[how] += 1
            mended = repairer.mended([Leaf(name, value, str(value)) for name, value in values.items()], document)
            if mended is not None:
                same = {leaf.path: leaf.value for leaf in mended} == true
                (right if same else wrong)[how] += 1
    for how in made:
        print(f"  {how:32} {made[how]:5} corrupted, {right[how]:5} put right, {wrong[how]:3} wrongly")
    total = right.total() + wrong.total()
    print(
        f"  all: {made.total()} corrupted, {total} repaired, "
        f"{wrong.total()} of these wrongly ({wrong.total() / total:.2%})"
    )


def shown(one: Labelled) -> None:
    """Print how many true values are in the passages for their field, and how long these are."""
    fields, kept, asked, lengths, whole = dict(one.schema.fields()), 0, 0, 0, 0
    for document, gold in zip(one.documents, one.gold, strict=True):
        for path, value in gold.items():
            typed = parse_value(str(value), fields[path].kind, literal=True)
            part = passages(document.text, [(path, fields[path])], [])
            if part is None or typed is None or not _stands(document.text, str(value), typed, fields[path].kind):
                continue
            asked += 1
            kept += _stands(part, str(value), typed, fields[path].kind)
            lengths, whole = lengths + len(part), whole + len(document.text)
    print(f"passages: {kept} of {asked} true values are in them, with {lengths / max(whole, 1):.1%} of the characters")


def _stands(text: str, raw: str, value: object, kind: Kind) -> bool:
    return TextIndex([Page(1, text)]).find(raw, value, kind).stands  # type: ignore[arg-type]


def escalated(one: Labelled, model: str, most: int) -> None:
    """Run both ways and print tokens and accuracy."""
    chosen = [index for index, designed in enumerate(one.designed) if designed and one.gold[index]][:most]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        texts = {"id": [str(index) for index in chosen], "text": [one.documents[index].text for index in chosen]}
        pq.write_table(pa.table(texts), folder / "texts.parquet")
        gold = [json.dumps({"id": str(index), "values": one.gold[index]}, default=str) for index in chosen]
        (folder / "gold.jsonl").write_text("\n".join(gold))
        for name, more in (
            ("rules alone", []),
            ("doubtful fields", ["--escalate", model]),
            ("everything", ["--escalate", model, "--ask-whole"]),
        ):
            out = folder / name
            command = [
                "extract",
                folder / "texts.parquet",
                "--schema",
                SCHEMAS / SCHEMA_FILES[one.name],
                "-o",
                out,
                *more,
            ]
            _slmbatch(*command, "--id-column", "id", "--quiet")
            report = json.loads((out / "report.json").read_text())
            judged = json.loads(_slmbatch("eval", out, "--gold", folder / "gold.jsonl", "--json"))
            right = next(one for one in judged["measures"] if one["metric"] == "field_accuracy" and one["name"] is None)
            print(f"  {name:16} {right['value']:.1%} of the values right; {_told(report['tiers'][-1])}")


def _told(tier: Mapping[str, int]) -> str:
    spared = f", spared {tier['spared_input_tokens']} in {tier['spared_output_tokens']} out (estimated)"
    return (
        f"last tier: {tier['documents']} documents, {tier['input_tokens']} tokens in, "
        f"{tier['output_tokens']} out{spared}, busy {tier['busy_s']:.0f} s"
    )


def _slmbatch(*arguments: object) -> str:
    command = [sys.executable, "-m", "slmbatch", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--einvoice", type=Path, required=True)
    options.add_argument("--sroie", type=Path)
    options.add_argument("--model")
    options.add_argument("--documents", type=int, default=20)
    given = options.parse_args()
    invoices = load_einvoice(given.einvoice)
    if given.model is None:
        print("repairs:")
        repairs(invoices)
        shown(invoices)
        return
    for one in [invoices, *([load_sroie(given.sroie)] if given.sroie else [])]:
        print(f"{one.name}, first {given.documents} documents:")
        escalated(one, given.model, given.documents)


if __name__ == "__main__":
    main()
