"""Every error slmbatch raises, with the exit code it ends the program with.

SlmbatchError                    1
├── UsageError                   2   the user asked for something that can't be done
│   ├── ConfigError              2   a flag, the TOML file or an environment variable
│   ├── InputError               2   a source, a column or a file that a whole run needs
│   ├── TaskError                2   a label file or a schema
│   └── RunFolderError           2   the output folder belongs to another run, or is in use
├── EngineError                  1   an engine can't be started, or died for good
├── ModelError                   1   a model file is missing, damaged or can't be fetched
├── Unsettled                    3   --strict, and rows are in review, failed or unreadable
├── Interrupted                130   the user stopped the run
└── RequestError                 -   one request failed: becomes data of its row, never ends a run
    ├── Rejected                     the server refuses this request for good (4xx)
    │   └── Forbidden                the key, the address or the model's name is wrong (401, 403, 404)
    ├── ContextTooLong               the prompt doesn't fit into the model's context
    ├── Unavailable                  retries are used up (429, 5xx)
    │   └── ConnectionLost           the connection failed before a whole reply came
    │       └── Unreachable          there never was one: refused, or no such host
    ├── TimedOut                     no reply in time, retries used up
    ├── MalformedReply               the server answered with something that isn't a completion
    └── Poisoned                     the engine died three times with this row in flight
"""

from __future__ import annotations


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


class Unsettled(SlmbatchError):
    exit_code = 3


class Interrupted(SlmbatchError):
    exit_code = 130


class RequestError(SlmbatchError):
    """One request failed; `kind` is the stable word written into the row, `tries` how often it was sent.

    `billed` are the input, cached and output tokens of a reply that came and can't be used.
    """

    kind = "request"
    tries = 1
    billed = (0, 0, 0)


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


class MalformedReply(RequestError):
    kind = "malformed_reply"


class Poisoned(RequestError):
    kind = "poisoned"
