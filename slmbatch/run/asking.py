"""Asking an engine about one document: at once where it fits into the context, in pieces or by its ends where not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any

from slmbatch.chat import Completion, Request, Usage
from slmbatch.engines.engine import Engine
from slmbatch.errors import ConfigError, ContextTooLong, EngineError, RequestError
from slmbatch.run.answers import Task
from slmbatch.run.clock import BusyClock
from slmbatch.run.fieldwise import Question
from slmbatch.run.passages import GAP, passages
from slmbatch.run.pieces import Piece, breaks_off_listing, page_ends, split
from slmbatch.run.seeing import passages_of, picture_tokens, shown_pages, with_pictures
from slmbatch.tasks.classify import ClassifyTask
from slmbatch.tasks.extract import ExtractTask
from slmbatch.tasks.schema import Field
from slmbatch.tasks.subset import askable
from slmbatch.types import Document, Page

TEMPLATE_TOKENS = 64  # what a chat template adds around two messages
LEAST_ROOM_TOKENS = 64  # a prompt that leaves less than this for the text is a configuration error
BYTES_PER_TOKEN = 2  # where there's no tokenizer: dense figures have three; what is too long all the same is halved
MOST_CHARACTERS_PER_TOKEN = 8  # on average over a text: what lies beyond needn't be looked at
GAP_TOKENS = 6  # the sign for what is left out, with line breaks
BEST_LINES = (8, 4, 2)  # for each field: as many as there is room for
CHARACTERS_PER_TOKEN = 2  # of notes to a question: few, so that the room for them suffices


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request about a document and what came of it, after `seconds`: a completion or an error.

    `piece` is what was shown of the document, None where that was selected passages or a text's two ends.
    `superseded`: its two halves were asked about instead. `seen` are the numbers of the pages that were shown as
    pictures, which took about `seen_tokens`.
    """

    piece: Piece | None
    shown: str
    completion: Completion | None = None
    error: RequestError | None = None
    seconds: float = 0.0
    superseded: bool = False
    seen: tuple[int, ...] = ()
    seen_tokens: int = 0

    @property
    def usage(self) -> Usage:
        return self.completion.usage if self.completion else self.error.billed if self.error else Usage()

    @property
    def usd(self) -> Decimal:
        return self.completion.usd if self.completion else self.error.usd if self.error else Decimal(0)

    @property
    def requests(self) -> int:
        return self.completion.tries if self.completion else self.error.tries if self.error else 0


class Asker:
    """Sends one tier's requests, as many at a time as the engine likes.

    A text that doesn't fit is asked about in pieces, for fields. Where all that is asked for are single fields, the
    passages that can hold them are tried first: one request instead of n pays from the moment that it suffices once in
    n times, and it does far more often (benchmarks/longdocs.py). Of a text to classify the beginning and the end are
    shown: what a text is about is said there, and n requests for one label would cost more than they tell.
    """

    def __init__(self, engine: Engine, task: Task, busy: BusyClock) -> None:
        self._engine = engine
        self._task = task
        self._busy = busy
        self._places = asyncio.Semaphore(engine.concurrency)
        self._room: int | None = None
        self._estimates = False  # there's no tokenizer

    async def measure(self, name: str) -> None:
        """Find out how much room there is for a text, once the engine has started.

        Raises EngineError where the tokens can't be counted, ConfigError where there's no room.
        """
        told = self._engine.capabilities
        try:
            self._estimates = await self._engine.count("") is None
            fixed = await self._count(self._task.instructions)
        except RequestError as error:
            remedy = "Mend that; the same command goes on."
            raise EngineError(f"{name} can't count tokens: {error.message}", remedy) from error
        if told.context_tokens is None:
            return
        reply = self._task.max_tokens + told.reasoning_tokens
        self._room = told.context_tokens - fixed - reply - TEMPLATE_TOKENS
        if self._room < LEAST_ROOM_TOKENS:
            raise ConfigError(
                f"{name}: instructions ({fixed} tokens) and reply ({reply}) leave no room for a text in a context of "
                f"{told.context_tokens} tokens.",
                "Raise context_tokens in the tier's table, or ask for fewer labels or fields.",
            )

    async def ask(
        self, document: Document, question: Question | None, enough: Callable[[Exchange], bool]
    ) -> list[Exchange]:
        """Ask for everything, or what the question asks for; return all requests, those about pieces in their order.

        `enough` says whether a reply about selected passages suffices.
        """
        text = document.text if question is None else question.text
        parts = question is not None and question.parts
        room = self._room_for(document, question)
        tried: list[Exchange] = []
        try:
            if await self._reach(text, room) == len(text):
                return await self._about(document, question, None if parts else Piece(0, len(text)), text)
            if isinstance(self._task, ClassifyTask):
                return [await self._exchange(document, None, await self._two_ends(text, room), question)]
            if question is None and (shown := await self._selected(document, room)):
                tried = [await self._exchange(document, None, shown, question)]
                if enough(tried[0]):
                    return tried
            text = document.text
            pieces = await split(text, page_ends(document), partial(self._reach, text, room))
        except RequestError as error:
            return [*tried, Exchange(Piece(0, len(text)), text, error=error)]
        asked = [self._about(document, question, one, text[one.start : one.end]) for one in pieces]
        return [*tried, *chain(*await _together(asked))]

    async def _about(
        self, document: Document, question: Question | None, piece: Piece | None, shown: str
    ) -> list[Exchange]:
        """Ask about one piece; in halves, if it's too long after all or there's more in it than a reply can list."""
        asked = await self._exchange(document, piece, shown, question)
        listing = asked.completion is not None and breaks_off_listing(asked.completion)
        halves = None
        if (listing or isinstance(asked.error, ContextTooLong)) and not isinstance(self._task, ClassifyTask):
            halves = (piece or Piece(0, len(document.text))).halves(document.text, page_ends(document))
        if halves is None:
            return [asked]
        again = [self._about(document, question, one, document.text[one.start : one.end]) for one in halves]
        return [replace(asked, superseded=True), *chain(*await _together(again))]

    async def _exchange(
        self, document: Document, piece: Piece | None, shown: str, question: Question | None
    ) -> Exchange:
        pages = self._pages(document, [piece] if piece else passages_of(document.text, shown))
        async with self._places:
            started = time.monotonic()
            completion, error = None, None
            try:
                with self._busy:
                    request = with_pictures(self._request(piece, shown, question), pages)
                    completion = await self._engine.complete(request)
            except RequestError as failed:
                error = failed
            seconds, seen = time.monotonic() - started, tuple(page.number for page in pages)
            return Exchange(piece, shown, completion, error, seconds, seen=seen, seen_tokens=picture_tokens(pages))

    def _pages(self, document: Document, pieces: Sequence[Piece] | None) -> list[Page]:
        """Return the pages that are shown as pictures: none to an engine that doesn't see."""
        return shown_pages(document, pieces, self._room) if self._engine.capabilities.sees else []

    def _request(self, piece: Piece | None, shown: str, question: Question | None) -> Request:
        told = self._engine.capabilities
        if isinstance(self._task, ClassifyTask):
            return self._task.request(shown, told)
        parts = piece is None or piece.part
        if question is None:
            return self._task.request(shown, told, parts=parts)
        return question.request(shown, told, parts=parts)

    def _room_for(self, document: Document, question: Question | None) -> int | None:
        """Return how many tokens of text a request has room for, None where that's unknown."""
        if self._room is None:
            return None
        room = self._room - picture_tokens(self._pages(document, None))
        notes = 0 if question is None else sum(map(len, question.failed)) // CHARACTERS_PER_TOKEN
        return max(room - notes, LEAST_ROOM_TOKENS // 2)

    async def _count(self, text: str) -> int:
        counted = None if self._estimates else await self._engine.count(text)
        return -(-len(text.encode()) // BYTES_PER_TOKEN) if counted is None else counted

    async def _reach(self, text: str, room: int | None, start: int = 0) -> int:
        """Return where what fits ends, if it begins at `start`."""
        if room is None:
            return len(text)
        near = text[start : start + room * MOST_CHARACTERS_PER_TOKEN]
        if self._estimates:
            fitting = near.encode()[: room * BYTES_PER_TOKEN].decode("utf-8", "ignore")
        else:
            fitting = await self._engine.cut(near, room)
        return start + max(len(fitting), 1)

    async def _selected(self, document: Document, room: int | None) -> str | None:
        """Return the passages that can hold the fields, as many as fit; None where all of the text may matter."""
        assert isinstance(self._task, ExtractTask)
        fields = list(askable(self._task.schema))
        singles = [(path, field) for path, field in fields if isinstance(field, Field)]
        for best in BEST_LINES if len(singles) == len(fields) else ():
            shown = passages(document.text, singles, (), best=best)
            if shown is not None and await self._reach(shown, room) == len(shown):
                return shown
        return None

    async def _two_ends(self, text: str, room: int | None) -> str:
        """Return the beginning and the end of a text, two thirds and a third of the room."""
        assert room is not None
        head = text[: await self._reach(text, room * 2 // 3)]
        left = room - room * 2 // 3 - GAP_TOKENS
        length = min(len(head) // 2, len(text) - len(head))
        while length and (tokens := await self._count(text[-length:])) > left:
            length = min(length * left // tokens, length - 1)
        return f"{head}\n{GAP}\n{text[len(text) - length :]}" if length else head


async def _together(work: Sequence[Coroutine[Any, Any, list[Exchange]]]) -> list[list[Exchange]]:
    """Run all to their ends, then raise what one of them raised: none is left running."""
    told = await asyncio.gather(*work, return_exceptions=True)
    for one in told:
        if isinstance(one, BaseException):
            raise one
    return [one for one in told if not isinstance(one, BaseException)]
