"""report.html, for people, in one file that needs no network: counts and sums, and pages where these are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from slmbatch import __version__
from slmbatch.report.marked import Sheet
from slmbatch.report.markup import details, document, element, legend, table
from slmbatch.report.pace import pace
from slmbatch.report.pages import held, marked_documents
from slmbatch.report.promise import HEAD, parts_table, promised
from slmbatch.report.svg import Bar, bars, histogram
from slmbatch.report.unshown import Unshown
from slmbatch.store.folder import PAGE, write_durably
from slmbatch.tasks.triage import OTHER

PIECES = {"billed": "usd_billed", "doubt": "usd_in_doubt", "estimated": "usd_estimated"}
NAMES = {"billed": "billed", "doubt": "in doubt", "estimated": "estimated"}
ITEMS = {
    "total": "Total",
    "billed": "Billed",
    "in_doubt": "In doubt",
    "estimated": "Estimated",
    "per_1000_rows": "Per 1,000 rows",
    "fields_alone": "Spared by asking for doubtful fields alone",
    "all_to": "All rows to {tier}",
    "saving": "Saved against that",
}
WORK = {
    "documents": "Documents",
    "settled": "Accepted",
    "requests": "Requests",
    "input_tokens": "Tokens in",
    "output_tokens": "Tokens out",
}
STATUSES = {"review": "for review", "failed": "failed", "unreadable": "unreadable"}
SURE = {
    "confidence": "Confidence is a calibrated probability: of the answers at 0.9, nine in ten should be right.",
    "score": "Scores of language models are not probabilities; compare them with expected answers first.",
}


def write_page(
    root: Path, summary: Mapping[str, Any], sheets: Sequence[Sheet] | None = None, without: Unshown | None = None
) -> Path:
    """Write report.html and return its path."""
    write_durably(root / PAGE, page(summary, sheets, without).encode())
    return root / PAGE


def page(summary: Mapping[str, Any], sheets: Sequence[Sheet] | None = None, without: Unshown | None = None) -> str:
    """Return the page for what report.json holds, these documents and those without pages; None: it shows none."""
    title = f"{summary['task']}: {summary['rows']:,} rows"
    style = files("slmbatch.report").joinpath("page.css").read_text(encoding="utf-8")
    sure = [one for name in SURE if summary["plots"][name] for one in _sure(summary, name)]
    return document(
        f"slmbatch: {title}",
        style,
        element("h1", title),
        element("p", _when(summary), class_="soft"),
        *(element("p", one) for one in promised(summary["certificate"])),
        *_parts(summary["certificate"]),
        _tiles(summary),
        *_settled(summary),
        *_types(summary),
        *_cost(summary),
        *_bill(summary["bill"]),
        *sure,
        *pace(summary["plots"]["sessions"]),
        *(marked_documents(sheets, without) if sheets is not None else ()),
        element("footer", f"slmbatch {__version__}. {held(summary['task'], sheets)}"),
    )


def _parts(told: Mapping[str, Any] | None) -> list[Element]:
    """What each class or field was promised, and why some weren't, where each has a promise of its own."""
    rows = parts_table(told)
    if told is None or not rows:
        return []
    certified = table([told["per"].capitalize(), *map(str.capitalize, HEAD)], rows, id_="parts")
    refused = [[name, why] for name, why in told["refused_parts"].items()]
    return [certified, *([details(table(["Without certificate", "Because"], refused))] if refused else [])]


def _when(summary: Mapping[str, Any]) -> str:
    sessions = summary["plots"]["sessions"]
    began = f"Began {sessions[0]['started_at'][:16].replace('T', ' ')} UTC, " if sessions else ""
    work = f"{began}{summary['seconds']:,.1f} s of work"
    if summary.get("certificate") is not None:  # whose phases are sessions, too
        return f"{work}. No threshold decides which answers are accepted."
    resumed = f", in {len(sessions)} sessions" if len(sessions) > 1 else ""
    return f"{work}{resumed}. An answer is accepted from {summary['threshold']:g} on."


def _tiles(summary: Mapping[str, Any]) -> Element:
    bill, rows = summary["bill"], summary["rows"]
    accepted = summary["status"].get("accepted", 0)
    tiles = [("accepted", f"{100 * accepted / rows:.1f} %" if rows else "–", f"{accepted:,} of {rows:,} rows")]
    tiles.append(("total", _rounded(bill["total"]["usd"]), bill["total"]["basis"]))
    if bill["per_1000_rows"]:
        tiles.append(("per 1,000 rows", _rounded(bill["per_1000_rows"]["usd"]), bill["per_1000_rows"]["basis"]))
    if bill["saving"]:
        tiles.append(_saved(bill))
    return element(
        "div",
        *(
            element("div", element("span", name), element("b", figure), element("small", told), class_="tile")
            for name, figure, told in tiles
        ),
        class_="tiles",
    )


def _saved(bill: Mapping[str, Any]) -> tuple[str, str, str]:
    """The tile of the saving, which may be a loss: a cascade whose rows nearly all go up costs more than its top."""
    usd, percent = Decimal(bill["saving"]["usd"]), (bill["saving"]["percent"] or "–").lstrip("-")
    name, more = ("saved", "less") if usd >= 0 else ("extra cost", "more")
    told = f"{_rounded(str(abs(usd)))} {more} than all rows to {bill['all_to']['tier']}; {bill['saving']['basis']}"
    return name, f"{percent} %", told


def _settled(summary: Mapping[str, Any]) -> list[Element]:
    rows, counted = summary["rows"], summary["plots"]["settled"]
    accepted = {one["tier"]: one["rows"] for one in counted if one["status"] == "accepted"}
    named = [(f"accepted from {tier['tier']}", "accepted", accepted.get(tier["tier"], 0)) for tier in summary["tiers"]]
    named += [(told, status, summary["status"].get(status, 0)) for status, told in STATUSES.items()]
    shown = [(name, kind, count, f"{100 * count / rows:.1f} %" if rows else "–") for name, kind, count in named]
    drawn = [Bar(name, [(kind, count)], f"{count:,} · {share}") for name, kind, count, share in shown]
    told = "; ".join(f"{name} {count:,}" for name, _, count, _ in shown)
    figures = table(["Where", "Rows", "Share"], [[name, f"{count:,}", share] for name, _, count, share in shown])
    return [
        element("h2", "Where rows settled"),
        element("p", "Every row goes up the tiers until one is trusted with it.", class_="soft"),
        element("figure", bars("Where rows settled", told, drawn), details(figures)),
    ]


def _types(summary: Mapping[str, Any]) -> list[Element]:
    """The types of documents, where the run told any apart; rows whose type is in doubt are counted too."""
    if "types" not in summary:
        return []
    rows, types = summary["rows"], summary["types"]
    names = {OTHER: "other: none of the types"}
    counted = [(names.get(name, name), count) for name, count in types.items()]
    if unknown := rows - sum(types.values()):
        counted.append(("not told: in doubt, or unreadable", unknown))
    lines = [[name, f"{count:,}", f"{100 * count / rows:.1f} %"] for name, count in counted]
    return [element("h2", "Types of documents"), table(["Type", "Rows", "Share"], lines, id_="types")]


def _cost(summary: Mapping[str, Any]) -> list[Element]:
    tiers, bill = summary["tiers"], summary["bill"]
    drawn = [
        Bar(tier["tier"], [(kind, float(tier[usd])) for kind, usd in PIECES.items()], _rounded(tier["usd"]))
        for tier in tiers
    ]
    if bill["all_to"]:
        usd, name = bill["all_to"]["usd"], f"all rows to {bill['all_to']['tier']}, instead"
        drawn.append(Bar(name, [("estimated", float(usd))], f"about {_rounded(usd)}"))
    told = "; ".join(f"{bar.name} {bar.told}" for bar in drawn)
    dollars = [
        [tier["tier"], *(_exact(tier[name]) for name in (*PIECES.values(), "usd")), tier["basis"]] for tier in tiers
    ]
    work = [
        [tier["tier"], tier["model"] or "–", *(f"{tier[name]:,}" for name in WORK), f"{tier['busy_s']:,.1f}"]
        for tier in tiers
    ]
    used = {kind for bar in drawn for kind, size in bar.pieces if size}
    plot = [bars("Cost by tier", told, drawn), legend({kind: NAMES[kind] for kind in NAMES if kind in used})]
    return [
        element("h2", "Cost by tier"),
        element("p", "US dollars." if used else "No tier cost anything.", class_="soft"),
        element(
            "figure",
            *(plot if used else ()),
            table(
                ["Tier", *(f"{name.capitalize()} USD" for name in NAMES.values()), "USD", "Basis"], dollars, id_="cost"
            ),
            details(table(["Tier", "Model", *WORK.values(), "Busy s"], work, id_="work")),
        ),
    ]


def _bill(bill: Mapping[str, Any]) -> list[Element]:
    tier = bill["all_to"]["tier"] if bill["all_to"] else ""
    rows = [
        [name.format(tier=tier), _exact(bill[key]["usd"]), bill[key]["basis"]]
        for key, name in ITEMS.items()
        if bill.get(key)
    ]
    if bill["saving"] and bill["saving"]["percent"]:
        rows[-1][0] += f" ({bill['saving']['percent']} %)"
    parts = [element("h2", "The bill"), table(["", "USD", "Basis"], rows, id_="bill")]
    if projection := bill["projection"]:
        spans = [
            [ITEMS[key].format(tier=tier), *(_rounded(projection[key][span]["usd"]) for span in ("month", "year"))]
            for key in ("total", "all_to", "saving")
            if key in projection
        ]
        parts.append(
            element("p", f"At {projection['volume']:,} rows a month, {projection['total']['month']['basis']}:")
        )
        parts.append(table(["", "A month", "A year"], spans, id_="projection"))
    return parts


def _sure(summary: Mapping[str, Any], name: str) -> list[Element]:
    found = summary["plots"][name]
    accepted, refused = found["accepted"], found["not_accepted"]
    bins = len(accepted)
    title = f"{name.capitalize()} against acceptance"
    told = f"{sum(accepted):,} accepted and {sum(refused):,} not accepted answers by {name}, from 0 to 1."
    rows = [
        [f"{at / bins:.2f} to {(at + 1) / bins:.2f}", f"{accepted[at]:,}", f"{refused[at]:,}"]
        for at in range(bins)
        if accepted[at] or refused[at]
    ]
    plot = histogram(title, told, [("accepted", accepted), ("review", refused)], mark=summary["threshold"])
    named = legend({"accepted": "accepted", "review": "not accepted"})
    figures = table([name.capitalize(), "Accepted", "Not accepted"], rows)
    return [
        element("h2", title),
        element("p", SURE[name], class_="soft"),
        element("figure", plot, named, details(figures)),
    ]


def _exact(usd: str) -> str:
    return format(Decimal(usd).normalize(), "f")


def _rounded(usd: str) -> str:
    """Dollars for reading: cents from a dollar on, else two digits that matter."""
    amount = Decimal(usd)
    places = 2 if abs(amount) >= 1 or not amount else 1 - amount.adjusted()
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{places}f}"
