"""Every error slmbatch raises, with the exit code it ends the program with.

SlmbatchError                    1
├── UsageError                   2   the user asked for something that can't be done
│   ├── ConfigError              2   a flag, the TOML file or an environment variable
│   ├── InputError               2   a source, a column or a file that a whole run needs
│   ├── TaskError                2   a label file or a schema
│   └── RunFolderError           2   the output folder belongs to another run, or is in use
├── EngineError                  1   an engine can't be started, or died for good
├── ModelError                   1   a model file is missing, damaged or can't be fetched
├── BudgetReached                4   rows wait for a tier that --max-usd doesn't pay for any more
├── Unsettled                    3   --strict, and rows are in review, failed or unreadable
├── FellShort                    3   an evaluation is below what was wanted, or worse than an earlier run's
├── Interrupted                130   the user stopped the run
└── RequestError                 -   one request failed: becomes data of its row, never ends a run
    ├── Rejected                     the server refuses this request for good (4xx)
    │   └── Forbidden                the key, the address or the model's name is wrong (401, 403, 404)
    ├── ContextTooLong               the prompt doesn't fit into the model's context
    ├── Unavailable                  retries are used up (429, 5xx)
    │   └── ConnectionLost           the connection failed before a whole reply came
    │       └── Unreachable          there never was one: refused, or no such host
    ├── TimedOut                     no reply in time, retries used up
    ├── Refused                      the model, or a filter around it, declined to answer
    ├── MalformedReply               the server answered with something that isn't a completion
    ├── OverBudget                   its worst case doesn't fit into what --max-usd leaves
    └── Poisoned                     the engine died three times with this row in flight
"""

from __future__ import annotations

from decimal import Decimal

from slmbatch.chat import NO_USAGE


class SlmbatchError(Exception):
    """Say what happened, to which file, row or key, and what to do next."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(SlmbatchError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class InputError(UsageError):
    pass


class TaskError(UsageError):
    pass


class RunFolderError(UsageError):
    pass


class EngineError(SlmbatchError):
    pass


class ModelError(SlmbatchError):
    pass


class BudgetReached(SlmbatchError):
    exit_code = 4


class Unsettled(SlmbatchError):
    exit_code = 3


class FellShort(SlmbatchError):
    exit_code = 3


class Interrupted(SlmbatchError):
    exit_code = 130


class RequestError(SlmbatchError):
    """One request failed; `kind` is the stable word written into the row, `tries` how often it was sent.

    `billed` are the tokens of a reply that came and can't be used, `usd` what the ledger has counted for all tries.
    `passing`: another try may succeed, after `wait_s` seconds if the server said so. `status` is the one it answered
    with, None where it didn't.
    """

    kind = "request"
    tries = 1
    billed = NO_USAGE
    usd = Decimal(0)
    passing = False
    wait_s: float | None = None
    status: int | None = None


class Rejected(RequestError):
    kind = "rejected"


class Forbidden(Rejected):
    kind = "forbidden"


class ContextTooLong(RequestError):
    kind = "context_too_long"


class Unavailable(RequestError):
    kind = "unavailable"


class ConnectionLost(Unavailable):
    kind = "connection_lost"


class Unreachable(ConnectionLost):
    kind = "unreachable"


class TimedOut(RequestError):
    kind = "timed_out"


class Refused(RequestError):
    kind = "refused"


class MalformedReply(RequestError):
    kind = "malformed_reply"


class OverBudget(RequestError):
    kind = "over_budget"
    tries = 0


class Poisoned(RequestError):
    kind = "poisoned"
