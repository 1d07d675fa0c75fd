"""The real parts that tests share: the embedded model, and servers that are stopped when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slmbatch.engines.models import PINNED, model_file, models_folder, pull
from tests.batch_provider import BatchProvider
from tests.harness import Loopback, Scripted


@pytest.fixture(scope="session")
def embedded_model() -> Path:
    """The pinned model, fetched if it isn't on this machine yet."""
    return model_file("smollm2-135m", download=True)


@pytest.fixture(scope="session")
def pinned_models() -> Path:
    """The folder with all pinned models, fetched if they aren't on this machine yet."""
    for model in PINNED.values():
        pull(model)
    return models_folder()


@pytest.fixture
def loopback() -> Iterator[Callable[..., Loopback]]:
    """Start loopback servers; see Loopback for the options."""
    started: list[Loopback] = []

    def start(*, latency_s: float = 0.0, faults: str = "", seed: int = 1) -> Loopback:
        started.append(Loopback(latency_s=latency_s, faults=faults, seed=seed))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Start scripted servers; see Scripted for the options."""
    started: list[Scripted] = []

    def start(*replies: object, **options: object) -> Scripted:
        started.append(Scripted(*replies, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def provider() -> Iterator[Callable[..., BatchProvider]]:
    """Start providers with batch endpoints; see BatchProvider for the options."""
    made: list[BatchProvider] = []

    def make(**how: object) -> BatchProvider:
        made.append(BatchProvider(**how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()
