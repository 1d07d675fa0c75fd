"""report.html: well-formed, one file, with the figures of cost.parquet; in a real browser where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.harness import LABELS, Loopback, row_text, slmbatch, write_rows

VOID = {"meta", "wbr"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ODD = "a<b>&'\"</title><script>alert(1)</script>"  # a name of a model that would break a careless page


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, its tables, its text. Fails where tags don't nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str | None, list[list[str]]] = {}
        self.text = ""
        self._open: list[str] = []
        self._table: list[list[str]] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._table = self.tables.setdefault(dict(attrs).get("id"), [])
        elif tag == "tr":
            self._table.append([])
        elif tag in {"td", "th"}:
            self._table[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data
        if "table" in self._open and self._open[-1] in {"td", "th"}:
            self._table[-1][-1] += data

    def column(self, table: str, name: str) -> list[str]:
        head, *rows = self.tables[table]
        return [row[head.index(name)] for row in rows]

    def count(self, tag: str) -> int:
        return sum(one == tag for one, _ in self.elements)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of three tiers: free, by the hour, by the token (under an odd name)."""
    folder, servers = tmp_path_factory.mktemp("html"), [Loopback(), Loopback(latency_s=0.02), Loopback()]
    free, hourly, paid = (f"openai:{name}@{one.url}" for name, one in zip(("m", "n", ODD), servers, strict=True))
    config = folder / "c.toml"
    config.write_text(f'[tier."{hourly}"]\nusd_per_hour = "7.2"\n')
    arguments = ["classify", write_rows(folder / "t.parquet", [*range(30), *range(5)]), "--labels", ",".join(LABELS)]
    arguments += [
        "-o",
        folder / "out",
        "--config",
        config,
        "--threshold",
        0.99,
        "--model",
        free,
        "--price",
        f"{free}=0",
    ]
    ran = slmbatch(*arguments, "--escalate", hourly, "--escalate", paid, "--price", f"{paid}=1.5/6")
    for server in servers:
        server.close()
    assert ran.code == 0, ran.err
    return folder / "out"


@pytest.fixture
def page(run: Path) -> Page:
    return Page((run / "report.html").read_text(encoding="utf-8"))


def test_nothing_in_it_comes_from_elsewhere_or_runs(run: Path, page: Page) -> None:
    assert not {"script", "link", "iframe", "img", "object", "base", "a", "use", "image"} & {
        tag for tag, _ in page.elements
    }
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"src", "href", "srcset", "style", "action"}}
    assert not re.search(r"url\(|@import|@font-face|expression\(", (run / "report.html").read_text())


def test_the_figures_are_those_of_cost_parquet(run: Path, page: Page) -> None:
    costs = pq.read_table(run / "cost.parquet").to_pylist()
    assert [cost["usd"] > 0 for cost in costs] == [False, True, True]
    assert costs[2]["usd_billed"] == 30 * Decimal("0.000168")  # 100 tokens in at 1.5, 3 out at 6
    for name, column in (
        ("usd", "USD"),
        ("usd_billed", "Billed USD"),
        ("usd_in_doubt", "In doubt USD"),
        ("usd_estimated", "Estimated USD"),
    ):
        assert [Decimal(one) for one in page.column("cost", column)] == [cost[name] for cost in costs]
    assert all(cost["usd"] == cost["usd_billed"] + cost["usd_in_doubt"] + cost["usd_estimated"] for cost in costs)
    assert page.column("cost", "Tier") == [cost["tier"] for cost in costs]
    assert page.column("cost", "Basis") == [cost["basis"] for cost in costs]
    assert [int(one) for one in page.column("work", "Requests")] == [cost["requests"] for cost in costs]
    assert Decimal(page.tables["bill"][1][1]) == sum(cost["usd"] for cost in costs)


def test_the_report_writes_it_again_with_what_its_options_add(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "out")
    before = json.loads((copy / "report.json").read_text())
    assert "projection" not in Page((copy / "report.html").read_text()).tables
    assert slmbatch("report", copy, "--html", "--volume", 3500, "--compare-to", "openai:gpt-4.1").code == 0
    page = Page((copy / "report.html").read_text())
    assert "at list price of openai/gpt-4.1 on" in page.text
    month = 100 * Decimal(before["bill"]["total"]["usd"])  # 35 rows, 3500 a month
    shown = Decimal(page.column("projection", "A month")[0].removeprefix("$"))
    assert abs(shown - month) <= month / 10  # two digits that matter
    assert json.loads((copy / "report.json").read_text()) == before


def test_it_holds_counts_and_no_documents(page: Page) -> None:
    assert row_text(0) not in page.text
    assert "My card" not in page.text
    assert not any(label in page.text for label in ("transfer", "account"))


def test_every_plot_can_be_read_without_seeing_it(page: Page) -> None:
    assert page.count("svg") == page.count("desc") == 4
    assert page.count("title") == 5  # and the page's own
    assert all(attributes["role"] == "img" for tag, attributes in page.elements if tag == "svg")
    assert page.count("figure") == 4
    assert page.count("table") >= 5


MEASURE = """<script>document.title = JSON.stringify({
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    plots: [...document.querySelectorAll("svg")].map(one => one.getBoundingClientRect().height > 50),
    painted: [...document.querySelectorAll("svg rect.billed, svg rect.review, svg path")].map(
        one => getComputedStyle(one).fill),
    loaded: performance.getEntriesByType("resource").length,
    tables: [...document.querySelectorAll("#cost tbody tr")].length,
})</script>"""


def browse(address: Path, profile: Path, *options: str) -> str:
    assert BROWSER is not None
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", *options, address.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine: report.html isn't tried in a browser")
def test_a_real_browser_shows_it_without_a_network(run: Path, tmp_path: Path) -> None:
    html = (run / "report.html").read_text()
    measured = tmp_path / "measured.html"
    measured.write_text(html.replace("</body>", MEASURE + "</body>"))
    shown = browse(measured, tmp_path / "profile", "--window-size=600,900", "--dump-dom")
    title = re.search(r"<title>(.*?)</title>", shown, re.DOTALL)
    assert title is not None
    found = json.loads(title[1].replace("&quot;", '"'))
    assert found["plots"] == [True] * 4
    assert (found["loaded"], found["tables"], found["wide"]) == (0, 3, False)
    assert found["painted"]
    assert all(re.fullmatch(r"rgb\((?!0, 0, 0\)).*\)", fill) for fill in found["painted"]), "the style sheet isn't used"


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine: report.html isn't tried in a browser")
def test_a_real_browser_paints_it_light_and_dark(run: Path, tmp_path: Path) -> None:
    corners = []
    for scheme in (1, 0):  # of Blink: light, dark
        picture = tmp_path / f"{scheme}.png"
        options = [
            f"--blink-settings=preferredColorScheme={scheme}",
            "--window-size=900,1200",
            f"--screenshot={picture}",
        ]
        browse(run / "report.html", tmp_path / "profile", *options)
        with Image.open(picture) as image:
            colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
            assert colours is not None
            assert len(colours) > 20, "an empty page"
            corners.append(sum(image.convert("RGB").getpixel((2, 2))))
    assert corners[0] > 600 > 150 > corners[1]
