"""Sentence embeddings from a local ONNX model: mean of the last layer over the word pieces, of length 1.

Works with any model folder that holds `model.onnx` and a Hugging Face `tokenizer.json`. Nothing is fetched here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slmbatch.errors import ModelError
from slmbatch.heads.memory import give_memory_back

Floats: TypeAlias = npt.NDArray[np.float32]

PIECES = 128  # of a text, as the pinned model was trained; what comes later is left to TF-IDF
CHARACTERS = 1_200  # more than fit into PIECES word pieces of any European language
BATCH_ROWS, BATCH_PIECES = 16, 256  # of one call, padding included: larger ones are no faster


class Embedder:
    """A loaded sentence model. Batches of texts of similar length are spread over `threads` threads."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._folder = folder
        self._workers = ThreadPoolExecutor(threads, "embedding")
        try:
            import onnxruntime
            from tokenizers import Tokenizer

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # batches are spread over threads instead: none waits for another
            options.graph_optimization_level = (
                onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
            )  # fusing is 8 % slower
            options.enable_cpu_mem_arena = False  # the arena keeps the largest batch's memory for ever
            options.enable_mem_pattern = False  # so do the buffers planned for every shape that came
            path = str(folder / "model.onnx")
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            self._inputs = {one.name for one in self._session.get_inputs()}
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # what both libraries raise for a file that isn't theirs
            remedy = "Give the folder of an ONNX sentence model with its tokenizer.json, or none for the pinned one."
            raise ModelError(f"{folder}: not a sentence model that can be loaded: {error}", remedy) from error
        self._tokenizer.enable_truncation(PIECES)
        self._tokenizer.no_padding()
        give_memory_back()  # loading takes 60 MB more for a moment

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model and the tokenizer."""
        digest = sha256()
        for name in ("model.onnx", "tokenizer.json"):
            digest.update((self._folder / name).read_bytes())
        return digest.hexdigest()

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return (texts, width), each row of length 1. The same text gets the same row but for rounding."""
        encoded = [one.ids for one in self._tokenizer.encode_batch([text[:CHARACTERS] for text in texts])]
        groups = list(_groups([len(ids) for ids in encoded]))
        batches = ([encoded[at] for at in group] for group in groups)
        embedded: Floats | None = None
        for group, rows in zip(groups, self._workers.map(self._run, batches), strict=True):
            if embedded is None:
                embedded = np.empty((len(texts), rows.shape[1]), np.float32)
            embedded[group] = rows
        give_memory_back()  # else a long run ends up with the most that any batch needed, several times over
        return np.zeros((0, 0), np.float32) if embedded is None else embedded

    def _run(self, encoded: Sequence[Sequence[int]]) -> Floats:
        """Embed one batch of word pieces: (rows, width)."""
        ids = np.zeros((len(encoded), max(map(len, encoded))), np.int64)
        mask = np.zeros_like(ids)
        for row, one in enumerate(encoded):
            ids[row, : len(one)] = one
            mask[row, : len(one)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        told = self._session.run(None, {name: value for name, value in given.items() if name in self._inputs})[0]
        summed = np.einsum("rpw,rp->rw", told, mask.astype(np.float32)) if told.ndim == 3 else told
        pooled: Floats = summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9)
        return pooled.astype(np.float32)


def _groups(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Group texts of similar size: little is padding, and a batch is bounded in rows and in word pieces."""
    group: list[int] = []
    for at in sorted(range(len(sizes)), key=sizes.__getitem__):
        if group and (len(group) == BATCH_ROWS or (len(group) + 1) * sizes[at] > BATCH_PIECES):
            yield group
            group = []
        group.append(at)
    if group:
        yield group
