"""The shape of the house: imports run downwards, files and functions fit in the eye, the README names what exists."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "slmbatch"
FLOORS = {
    "chat": 0, "places": 0, "__init__": 0,
    "errors": 0.5, "types": 0.5, "einvoice": 0.7,  # a failed request and an attempt carry the tokens they used
    "tasks": 1, "checks": 1, "confidence": 1, "certificates": 1, "money": 1,
    "heads": 1.5,  # built from tasks and checks
    "readers": 2, "engines": 2, "store": 2,
    "run": 3, "report": 3,
    "evaluate": 3.5,  # reads the report's figures and draws with its pen
    "calibrate": 3.7,  # judges its curves as an evaluation does
    "cli": 4, "__main__": 5,
}  # fmt: skip
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 260, 45, 7
HEAVY = ("aiohttp", "numpy", "pyarrow", "polars", "pydantic", "rich", "xllamacpp", "pypdf", "pypdfium2", "dateparser")
HEAVY += ("docx", "olefile", "openpyxl", "pptx")


def room(module: str) -> str:
    """`slmbatch.tasks.labels` and `slmbatch.tasks` -> `tasks`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("slmbatch"):
            yield from [node.module] if node.module != "slmbatch" else [f"slmbatch.{one.name}" for one in node.names]
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.startswith("slmbatch"))


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path: Path) -> None:
    own = room("slmbatch." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    for module in imports(path):
        other = room(module) if room(module) in FLOORS else "__init__"
        if other not in {own, "__init__"}:
            assert FLOORS[other] < FLOORS[own], f"{own} (floor {FLOORS[own]}) imports {module} (floor {FLOORS[other]})"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_fit_in_the_eye(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and path.parent.name != "cli":
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name
            arguments = node.args
            names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            assert len([name for name in names if name not in {"self", "cls"}]) <= MOST_PARAMETERS, node.name
    assert ast.get_docstring(ast.parse(text)) or not text.strip(), "a module says what it knows"


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(finished.stdout.split())


@pytest.mark.parametrize("statement", ["import slmbatch", "import slmbatch.cli.main", "import slmbatch.readers"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    assert not loaded_after(statement) & set(HEAVY)


def commands(group: Any, prefix: str = "slmbatch") -> Iterator[tuple[str, list[str]]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", [flag for one in command.params for flag in one.opts if flag.startswith("--")]


def defined(tree: ast.Module) -> set[str]:
    """Return the names that importing a module binds."""
    names = {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.ClassDef)}
    names |= {one.id for each in tree.body for one in ast.walk(each) if isinstance(one, ast.Name)}
    imports = [one for one in ast.walk(tree) if isinstance(one, ast.Import | ast.ImportFrom)]
    return names | {alias.asname or alias.name for one in imports for alias in one.names}


def test_benchmarks_find_what_they_take_from_each_other() -> None:
    trees = {path.stem: ast.parse(path.read_text()) for path in (ROOT / "benchmarks").glob("*.py")}
    taken = [
        (name, one.module, alias.name)
        for name, tree in trees.items()
        for one in ast.walk(tree)
        if isinstance(one, ast.ImportFrom) and one.module in trees
        for alias in one.names
    ]
    assert taken
    assert [one for one in taken if one[2] not in defined(trees[str(one[1])])] == []


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]


def test_the_readme_names_every_command_and_flag() -> None:
    from slmbatch.cli.main import app

    readme = (ROOT / "README.md").read_text()
    for command, flags in commands(get_command(app)):
        assert command in readme, command
        for flag in flags:
            assert f"`{flag}" in readme or f" {flag}" in readme, f"{command} {flag}"


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_of_the_documentation_lead_somewhere() -> None:
    for page in pages():
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            assert path.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(path), f"{page.name}: {target}"


def test_nothing_committed_names_a_place_of_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    for name in listed:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".json"} and path.is_file() and path != Path(__file__):
            assert "/work/" not in path.read_text(), name
