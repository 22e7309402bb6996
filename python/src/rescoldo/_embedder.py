"""Embedder: texts to vectors, in the shape of sentence-transformers' SentenceTransformer."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

from . import _native
from ._errors import UnsupportedError
from ._model import TRUNCATION_SIDES, TRUNCATIONS, CancelFlag, Model, TruncationSide, array_of, choice, flag_of
from ._reranker import as_list

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

PromptName = Literal["query", "passage"]
PROMPTS: dict[str, int] = {"query": 1, "passage": 2}


class Embedder(Model):
    """Turns texts into vectors with the embedder of an ember.

    Args:
        path: the ember, as `rescoldo bake` or rescoldo.bake wrote it.
        model: the name of the model, where the ember holds several; by default the first embedder.
        max_length: tokens of a text, special tokens included; by default the model's.
        truncation: "longest_first" cuts a longer text at its end, "none" raises LimitExceededError.
        truncation_side: the end that gives way: "right" or "left".
        threads: how many threads share the texts of one call. Vectors do not depend on it.
        verify: read the whole file and compare its checksums.
        max_batch_tokens: tokens run through the model at once; working memory is in proportion to it, vectors do not
            depend on it.

    Raises:
        UnsupportedError: the ember holds a cross-encoder.
        Else as for Reranker.
    """

    _task = 2

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        model: str | None = None,
        max_length: int | None = None,
        truncation: Literal["longest_first", "none"] = "longest_first",
        truncation_side: TruncationSide = "right",
        threads: int = 1,
        verify: bool = False,
        max_batch_tokens: int | None = None,
    ) -> None:
        self._truncation = choice({name: TRUNCATIONS[name] for name in ("longest_first", "none")}, truncation, "truncation")
        self._truncation_side = choice(TRUNCATION_SIDES, truncation_side, "truncation_side")
        super().__init__(
            path, model=model, max_length=max_length, threads=threads, verify=verify, max_batch_tokens=max_batch_tokens
        )
        if self.kind != "embedder":
            raise UnsupportedError(f"{self.path} holds {self.name}, a cross-encoder: it reranks (rescoldo.Reranker) and "
                                   "does not embed")

    @property
    def hidden_size(self) -> int:
        """Floats of a vector."""
        return self._hidden_size

    @overload
    def encode(
        self, sentences: str | Sequence[str], *, prompt: str = "", prompt_name: PromptName | None = None,
        convert_to_numpy: Literal[True] = True, timeout: float | None = None, cancel: CancelFlag | None = None,
    ) -> NDArray[float32]: ...

    @overload
    def encode(
        self, sentences: str, *, prompt: str = "", prompt_name: PromptName | None = None,
        convert_to_numpy: Literal[False], timeout: float | None = None, cancel: CancelFlag | None = None,
    ) -> list[float]: ...

    @overload
    def encode(
        self, sentences: list[str] | tuple[str, ...], *, prompt: str = "", prompt_name: PromptName | None = None,
        convert_to_numpy: Literal[False], timeout: float | None = None, cancel: CancelFlag | None = None,
    ) -> list[list[float]]: ...

    def encode(
        self, sentences: str | Sequence[str], *, prompt: str = "", prompt_name: PromptName | None = None,
        convert_to_numpy: bool = True, timeout: float | None = None, cancel: CancelFlag | None = None,
    ) -> NDArray[float32] | list[float] | list[list[float]]:
        """The vector of each text, pooled and normalized as the model's authors have it.

        Args:
            sentences: one text, or N texts; N may be 0.
            prompt: put before every text, such as "query: " for an E5 model.
            prompt_name: "query" or "passage": the model's own prompt of that name, kept in the ember; nothing where the
                model has none.
            convert_to_numpy: False for lists of float, for which numpy need not be installed.
            timeout: seconds; DeadlineExceededError after them.
            cancel: CancelledError when set.

        Returns:
            float32 [hidden_size] for one text, [N, hidden_size] for N; with convert_to_numpy=False lists of that shape.

        Raises:
            TypeError: a text is not a str.
            LimitExceededError: with truncation "none", a text is too long.
            CancelledError, DeadlineExceededError, OutOfMemoryError; ImportError when numpy is wanted and not installed.
        """
        texts = [sentences] if isinstance(sentences, str) else as_list(sentences, "sentences")
        wanted = 0 if prompt_name is None else choice(PROMPTS, prompt_name, "prompt_name")
        if prompt:
            texts = [prompt + text for text in texts]

        def run(part: Sequence[str], first: int, stop: _native.CancelFlag | None) -> bytearray:
            return _native.embed(
                self._model, part, self._max_length, self._truncation, self._truncation_side, wanted, timeout,
                flag_of(cancel), stop, first,
            )[0]

        data = bytearray().join(parts) if len(parts := self._over_threads(texts, run)) > 1 else parts[0]
        shape = (self._hidden_size,) if isinstance(sentences, str) else (len(texts), self._hidden_size)
        if convert_to_numpy:
            return array_of(data, shape)
        numbers = array("f", bytes(data)).tolist()
        lists = [numbers[start : start + self._hidden_size] for start in range(0, len(numbers), self._hidden_size)]
        return lists[0] if isinstance(sentences, str) else lists
