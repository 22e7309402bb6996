"""Reranker: documents by their relevance to a query, in the shape of sentence-transformers' CrossEncoder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypedDict, overload

from . import _native
from ._model import (
    TRUNCATION_SIDES,
    TRUNCATIONS,
    CancelFlag,
    Model,
    Truncation,
    TruncationSide,
    array_of,
    at_least,
    choice,
    flag_of,
)

if TYPE_CHECKING:
    from typing_extensions import NotRequired

    from numpy import float32
    from numpy.typing import NDArray


class RankedDocument(TypedDict):
    """One document of Reranker.rank."""

    corpus_id: int
    """Its index in the documents given."""
    score: float
    """0 to 1: the sigmoid of a cross-encoder's logit, (1 + cosine) / 2 of an embedder."""
    raw_score: float
    """The logit, or the cosine; documents are ordered by it."""
    tokens: int
    """Of the sequence that gave the score, special tokens included."""
    truncated: bool
    """Whether tokens of the query or the document were left out."""
    character_start: int
    character_end: int
    """The part of the document that the score rests on."""
    text: NotRequired[str]
    """The document, with return_documents=True."""


class Reranker(Model):
    """Scores documents against a query with the model of an ember.

    A cross-encoder reads query and document together; an embedder compares their vectors by cosine.

    Args:
        path: the ember, as `rescoldo bake` or rescoldo.bake wrote it.
        model: the name of the model, where the ember holds several; by default the first cross-encoder.
        max_length: tokens of query and document together, special tokens included; by default the model's.
        truncation: what happens to a longer pair: "longest_first" (the longer of the two gives way, as in
            sentence-transformers and FlashRank), "only_passage", "windows" (a long document is scored as overlapping
            windows, and the best one counts), or "none" (LimitExceededError).
        truncation_side: the end that gives way: "right" or "left".
        window_stride: with "windows", the tokens that a window shares with the one before it.
        max_windows: with "windows", at most so many are scored; 0 for all.
        max_passage_tokens: documents are cut to so many tokens first; 0 for no such limit.
        threads: how many threads share the documents of one call. Scores do not depend on it.
        verify: read the whole file and compare its checksums.
        max_batch_tokens: tokens run through the model at once; working memory is in proportion to it, scores do not
            depend on it.

    Raises:
        NotFoundError, InputOutputError: the file is absent or cannot be read.
        InvalidDataError, UnsupportedError: it is no ember, or one of another version.
        ValueError: an argument is out of its range.
    """

    _task = 1

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        model: str | None = None,
        max_length: int | None = None,
        truncation: Truncation = "longest_first",
        truncation_side: TruncationSide = "right",
        window_stride: int = 0,
        max_windows: int = 0,
        max_passage_tokens: int = 0,
        threads: int = 1,
        verify: bool = False,
        max_batch_tokens: int | None = None,
    ) -> None:
        self._truncation = choice(TRUNCATIONS, truncation, "truncation")
        self._truncation_side = choice(TRUNCATION_SIDES, truncation_side, "truncation_side")
        self._window_stride = at_least(0, window_stride, "window_stride")
        self._max_windows = at_least(0, max_windows, "max_windows")
        self._max_passage_tokens = at_least(0, max_passage_tokens, "max_passage_tokens")
        super().__init__(
            path, model=model, max_length=max_length, threads=threads, verify=verify, max_batch_tokens=max_batch_tokens
        )

    def _score(
        self, query: str, documents: Sequence[str], timeout: float | None, cancel: CancelFlag | None
    ) -> list[_native.Result]:
        def run(part: Sequence[str], first: int, stop: _native.CancelFlag | None) -> list[_native.Result]:
            return _native.rerank(
                self._model, query, part, self._max_length, self._truncation, self._truncation_side,
                self._max_passage_tokens, self._window_stride, self._max_windows, timeout,
                flag_of(cancel), stop, first,
            )

        parts = self._over_threads(documents, run)
        return parts[0] if len(parts) == 1 else [result for part in parts for result in part]

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_n: int | None = None,
        *,
        return_documents: bool = False,
        timeout: float | None = None,
        cancel: CancelFlag | None = None,
    ) -> list[RankedDocument]:
        """The documents by relevance to the query, the best first, equal ones in the order given.

        Args:
            query: the question.
            documents: N texts; N may be 0.
            top_n: return so many at most; None for all.
            return_documents: put each document's text into its result.
            timeout: seconds; DeadlineExceededError after them.
            cancel: CancelledError when set.

        Returns:
            min(N, top_n) dictionaries with corpus_id, score, raw_score, tokens, truncated, character_start and
            character_end, and text if asked for.

        Raises:
            TypeError: the query or a document is not a str.
            LimitExceededError: with truncation "none", a pair is too long.
            CancelledError, DeadlineExceededError, OutOfMemoryError.
        """
        if top_n is not None and top_n < 0:
            raise ValueError(f"top_n is {top_n}, expected 0 or more")
        documents = as_list(documents, "documents")
        results = self._score(query, documents, timeout, cancel)
        order = sorted(range(len(results)), key=lambda index: -results[index][1])
        ranked = [_ranked(index, results[index]) for index in order[:top_n]]
        if return_documents:
            for document in ranked:
                document["text"] = documents[document["corpus_id"]]
        return ranked

    @overload
    def predict(
        self, pairs: Iterable[Sequence[str]], *, convert_to_numpy: Literal[True] = True, raw: bool = False,
        timeout: float | None = None, cancel: CancelFlag | None = None,
    ) -> NDArray[float32]: ...

    @overload
    def predict(
        self, pairs: Iterable[Sequence[str]], *, convert_to_numpy: Literal[False], raw: bool = False,
        timeout: float | None = None, cancel: CancelFlag | None = None,
    ) -> list[float]: ...

    def predict(
        self, pairs: Iterable[Sequence[str]], *, convert_to_numpy: bool = True, raw: bool = False,
        timeout: float | None = None, cancel: CancelFlag | None = None,
    ) -> NDArray[float32] | list[float]:
        """The score of each (query, document), in the order given.

        Neighbours with one query are computed together, so sort pairs by query where you can.

        Args:
            pairs: N pairs of str.
            convert_to_numpy: False for a list of float, for which numpy need not be installed.
            raw: logits (or cosines) instead of scores from 0 to 1.
            timeout: seconds; DeadlineExceededError after them.
            cancel: CancelledError when set.

        Returns:
            float32 [N], or a list of N floats.

        Raises:
            TypeError: an element is not a pair of str.
            Else as for rank; ImportError when numpy is wanted and not installed.
        """
        checked = [_pair(pair, index) for index, pair in enumerate(pairs)]
        scores: list[float] = []
        # A deadline for the whole call, not for each query.
        import time

        deadline = None if timeout is None else time.monotonic() + timeout
        for query, group in groupby(checked, key=lambda pair: pair[0]):
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            results = self._score(query, [document for _, document in group], left, cancel)
            scores.extend(result[1 if raw else 0] for result in results)
        return array_of(scores, (len(scores),)) if convert_to_numpy else scores


def as_list(texts: Sequence[str], name: str) -> list[str]:
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"{name} is one {type(texts).__name__}, expected a sequence of str")
    return list(texts)


def _pair(pair: Sequence[str], index: int) -> tuple[str, str]:
    if isinstance(pair, (str, bytes)) or len(pair) != 2:
        raise TypeError(f"pairs[{index}] is {pair!r:.80}, expected (query, document)")
    return pair[0], pair[1]


def _ranked(index: int, result: _native.Result) -> RankedDocument:
    return {
        "corpus_id": index,
        "score": result[0],
        "raw_score": result[1],
        "tokens": result[2],
        "truncated": result[3],
        "character_start": result[5],
        "character_end": result[6],
    }
