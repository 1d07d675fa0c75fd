"""`slmbatch models`: the embedded models."""

from __future__ import annotations

from typing import Annotated

import typer

from slmbatch.cli import options as o

models = typer.Typer(no_args_is_help=True, help="The embedded models: list them, or fetch them.", rich_markup_mode=None)


@models.command("list")
def models_list(json_: o.Json = False) -> None:
    """Show the pinned models: where they are, size, licence, SHA-256."""
    from slmbatch.cli.doctor import list_models

    list_models(json_=json_)


@models.command("pull")
def models_pull(
    names: Annotated[list[str] | None, typer.Argument(help="Names from `models list`; all of them if none.")] = None,
    debug: o.Debug = False,
) -> None:
    """Fetch pinned models that are missing, and check them."""
    from slmbatch.cli.doctor import pull_models

    pull_models(names or [])
