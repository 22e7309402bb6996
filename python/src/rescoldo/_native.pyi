"""The extension module: thin, unchecked by users' eyes; rescoldo's Python code is what they call.

Truncation is 0 longest_first, 1 only_passage, 2 none, 3 windows; direction 0 right, 1 left; precision 0 int8, 1 f32; task
1 rerank, 2 embed; prompt 0 none, 1 query, 2 passage.
timeout is in seconds from now; stop is a second cancel flag, first the number of
the first text for messages. Every call of the library runs without the GIL.
"""

from collections.abc import Callable, Iterable
from os import PathLike
from typing import NewType, TypeAlias

Model = NewType("Model", object)
CancelFlag = NewType("CancelFlag", object)

# (relevance_score, raw_score, tokens, truncated, windows, character_start, character_end)
Result: TypeAlias = tuple[float, float, int, bool, int, int, int]
# (tokens, truncated, character_end)
EmbeddingInfo: TypeAlias = tuple[int, bool, int]

def version() -> str: ...
def open(
    path: str | PathLike[str], task: int, name: str | None, verify: bool, max_batch_tokens: int, /
) -> Model: ...
def describe(model: Model, /) -> tuple[str, str, str, int, int, int]: ...
def rerank(
    model: Model,
    query: str,
    documents: Iterable[str],
    max_length: int,
    truncation: int,
    direction: int,
    max_passage_tokens: int,
    window_stride: int,
    max_windows: int,
    timeout: float | None,
    cancel: CancelFlag | None,
    stop: CancelFlag | None,
    first: int,
    /,
) -> list[Result]: ...
def embed(
    model: Model,
    texts: Iterable[str],
    max_length: int,
    truncation: int,
    direction: int,
    prompt: int,
    timeout: float | None,
    cancel: CancelFlag | None,
    stop: CancelFlag | None,
    first: int,
    /,
) -> tuple[bytearray, list[EmbeddingInfo]]: ...
def tokenize(
    model: Model, text: str, pair: str | None, max_length: int, truncation: int, /
) -> tuple[list[int], list[int], bool]: ...
def bake(
    models: tuple[tuple[bytes, str | None], ...],
    output: str | PathLike[str],
    precision: int,
    query_prompt: str | None,
    passage_prompt: str | None,
    progress: Callable[[str, int, int], object] | None,
    timeout: float | None,
    cancel: CancelFlag | None,
    /,
) -> None: ...
def cancel_flag_create() -> CancelFlag: ...
def cancel_flag_set(flag: CancelFlag, /) -> None: ...
def cancel_flag_clear(flag: CancelFlag, /) -> None: ...
def cancel_flag_is_set(flag: CancelFlag, /) -> bool: ...
