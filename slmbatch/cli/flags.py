"""The options that classify, extract and estimate have in common, as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_type_hints

from slmbatch.cli import options as o


@dataclass(frozen=True, slots=True)
class Flags:
    """What was given on the command line."""

    inputs: o.Inputs
    out: o.Out
    model: o.Model = None
    escalate: o.Escalate = None
    ask_whole: o.AskWhole = False
    config: o.Config = None
    threshold: o.Threshold = None
    calibration: o.Calibration = None
    max_usd: o.MaxUsd = None
    price: o.Prices = None
    target: o.Target = None
    delta: o.Delta = "0.1"
    seed: o.Seed = 0
    earlier: o.Earlier = None
    reuse: o.Reuse = None
    leave_out: o.LeaveOut = False
    per: o.Per = None
    ask_twice: o.AskTwice = None
    yes: o.Yes = False
    batch: o.Batch = False
    batch_wait: o.BatchWait = None
    vllm_arg: o.VllmArgs = None
    text_column: o.TextColumn = None
    id_column: o.IdColumn = None
    encoding: o.Encoding = "utf-8"
    attachments: o.Apart = None
    limit: o.Limit = None
    workers: o.Workers = None
    dry_run: o.DryRun = False
    pilot: o.Pilot = None
    json_: o.Json = False
    quiet: o.Quiet = False
    strict: o.Strict = False
    debug: o.Debug = False
    overwrite: o.Overwrite = False
    retry_failed: o.RetryFailed = False
    no_download: o.NoDownload = False


def with_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function that takes Flags and, by keyword, options of its own."""
    own = [one for one in inspect.signature(verb).parameters.values() if one.name != "flags"]
    shared = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
        )
        for one in fields(Flags)
    ]

    def command(**given: Any) -> None:
        flags = Flags(**{one.name: given.pop(one.name) for one in shared})
        verb(flags, **given)

    hints = get_type_hints(Flags, include_extras=True) | get_type_hints(verb, include_extras=True)
    signed = [shared[0], *own, *shared[1:]]
    command.__signature__ = inspect.Signature([one.replace(annotation=hints[one.name]) for one in signed])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: hints[one.name] for one in signed}
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    return command
