"""What Reranker and Embedder share: an opened ember, threads, cancelling, and baking one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from . import _native

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from numpy import float32
    from numpy.typing import NDArray

Truncation = Literal["longest_first", "only_passage", "none", "windows"]
TruncationSide = Literal["right", "left"]
Precision = Literal["int8", "f32"]

TRUNCATIONS: dict[str, int] = {"longest_first": 0, "only_passage": 1, "none": 2, "windows": 3}
TRUNCATION_SIDES: dict[str, int] = {"right": 0, "left": 1}
PRECISIONS: dict[str, int] = {"int8": 0, "f32": 1}

Part = TypeVar("Part")


def choice(values: dict[str, int], value: str, name: str) -> int:
    """The number of a named value; ValueError says which names there are."""
    if value not in values:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(values)}")
    return values[value]


class CancelFlag:
    """Ends calls from another thread: give it to any number of calls as `cancel`, and set it from anywhere.

    A call that finds it set raises CancelledError before its next batch, until the flag is cleared.
    """

    __slots__ = ("_flag",)

    def __init__(self) -> None:
        self._flag = _native.cancel_flag_create()

    def set(self) -> None:
        """Calls that name this flag end with CancelledError."""
        _native.cancel_flag_set(self._flag)

    def is_set(self) -> bool:
        """Whether it is set."""
        return _native.cancel_flag_is_set(self._flag)

    def clear(self) -> None:
        """The flag may be used again."""
        _native.cancel_flag_clear(self._flag)


def flag_of(cancel: CancelFlag | None) -> _native.CancelFlag | None:
    return None if cancel is None else cancel._flag


class Tokens(NamedTuple):
    """A text as the model reads it."""

    ids: list[int]
    type_ids: list[int]
    truncated: bool


def bake(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    name: str | Sequence[str | None] | None = None,
    precision: Precision = "int8",
    query_prompt: str | None = None,
    passage_prompt: str | None = None,
    progress: Callable[[str, int, int], object] | None = None,
    timeout: float | None = None,
    cancel: CancelFlag | None = None,
) -> None:
    """Turns a published model, or several, into one ember, as `rescoldo bake` does.

    Args:
        source: a Hugging Face directory, or what else `rescoldo bake --model` takes; or a sequence of up to 8 of them,
            such as a reranker and an embedder: what they have in common is stored once.
        output: the file to write; it appears whole or not at all.
        name: of the model in the ember; by default the known name of these weights, else the directory's. A sequence
            names several models, the first name that of the first; None in it is the default.
        precision: "int8" or "f32".
        query_prompt, passage_prompt: what the embedders read before a query and before a passage, such as "query: ";
            by default what each model's files say, "" for nothing.
        progress: called with (step, done, total) from time to time; total is 0 where a step has no measure. What it
            raises ends the bake and comes out of this call.
        timeout: seconds; DeadlineExceededError after them.
        cancel: ends the bake with CancelledError when set.

    Raises:
        InvalidArgumentError: two models would have one name, or there are prompts and no embedder.
        NotFoundError, InputOutputError: a file is absent, or cannot be read or written.
        InvalidDataError, UnsupportedError: the model is malformed, or none that rescoldo runs.
        InternalError: the written ember failed its self-test.
    """
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    names = [name] if isinstance(name, str) or name is None else list(name)
    if not sources or len(names) > len(sources):
        raise ValueError(f"{len(sources)} models and {len(names)} names, expected at least one model, and as many for names")
    names += [None] * (len(sources) - len(names))
    models = tuple(zip(map(os.fsencode, sources), names))
    _native.bake(
        models, output, choice(PRECISIONS, precision, "precision"), query_prompt, passage_prompt, progress, timeout,
        flag_of(cancel),
    )


class Model:
    """An opened ember. Its weights are mapped from the file: processes that open the same one share its memory.

    Objects may be used by any number of threads at once, are pickled by the path of their ember, and work in a process
    forked from the one that made them.
    """

    # What the model of an ember that holds several is wanted for.
    _task: int

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        model: str | None = None,
        max_length: int | None = None,
        threads: int = 1,
        verify: bool = False,
        max_batch_tokens: int | None = None,
    ) -> None:
        self._path = os.path.abspath(path)
        self._wanted = model
        self._max_length = 0 if max_length is None else at_least(1, max_length, "max_length")
        self._threads = at_least(1, threads, "threads")
        self._max_batch_tokens = 0 if max_batch_tokens is None else at_least(1, max_batch_tokens, "max_batch_tokens")
        self._open(verify)

    def _open(self, verify: bool) -> None:
        self._model = _native.open(self._path, self._task, self._wanted, verify, self._max_batch_tokens)
        description = _native.describe(self._model)
        self._name, self._kind, self._precision, self._hidden_size, self._longest, self._vocabulary_size = description
        if self._max_length > self._longest:
            raise ValueError(f"max_length is {self._max_length}, expected at most {self._longest} for this model")
        self._executor: tuple[int, Executor] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_model"], state["_executor"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open(verify=False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path!r})"

    @property
    def path(self) -> str:
        """The absolute path of the ember."""
        return self._path

    @property
    def name(self) -> str:
        """The model's name, such as "all-MiniLM-L6-v2"."""
        return self._name

    @property
    def kind(self) -> str:
        """ "cross-encoder" or "embedder"."""
        return self._kind

    @property
    def precision(self) -> str:
        """ "int8" or "f32"."""
        return self._precision

    @property
    def max_length(self) -> int:
        """Tokens a sequence may have, special tokens included."""
        return self._max_length or self._longest

    @property
    def vocabulary_size(self) -> int:
        """Token ids are below it."""
        return self._vocabulary_size

    def tokenize(self, text: str, pair: str | None = None) -> Tokens:
        """The tokens of a text, or of a query and a passage, special tokens included, cut to max_length."""
        return Tokens(*_native.tokenize(self._model, text, pair, self._max_length, TRUNCATIONS["longest_first"]))

    def _over_threads(
        self, texts: Sequence[str], run: Callable[[Sequence[str], int, _native.CancelFlag | None], Part]
    ) -> list[Part]:
        """run(part, number of its first text, flag that ends it) in as many parts as there are threads, in order."""
        if self._threads == 1 or len(texts) < 2:
            return [run(texts, 0, None)]
        # An interrupt reaches this thread only, and what one part raises the others do not know.
        stop = CancelFlag()
        executor = self._get_executor()
        futures: list[Future[Part]] = []
        try:
            for start, end in _parts(texts, self._threads):
                futures.append(executor.submit(run, texts[start:end], start, flag_of(stop)))
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise

    def _get_executor(self) -> Executor:
        # Threads do not survive a fork.
        if self._executor is None or self._executor[0] != os.getpid():
            from concurrent.futures import ThreadPoolExecutor

            self._executor = (os.getpid(), ThreadPoolExecutor(self._threads, thread_name_prefix="rescoldo"))
        return self._executor[1]


def _parts(texts: Sequence[str], count: int) -> Iterator[tuple[int, int]]:
    """Cuts texts into at most `count` runs of about equal size in characters."""
    # A sequence costs something even when its text is empty.
    sizes = [len(text) + 16 for text in texts]
    share = sum(sizes) / count
    start, filled = 0, 0
    for index, size in enumerate(sizes):
        filled += size
        if filled >= share:
            yield start, index + 1
            start, filled = index + 1, 0
    if start < len(texts):
        yield start, len(texts)


def at_least(least: int, number: int, name: str) -> int:
    """The number; ValueError when it is smaller, or larger than the library takes."""
    if not least <= number <= 0x7FFFFFFF:
        raise ValueError(f"{name} is {number}, expected {least} or more")
    return number


def array_of(data: bytearray | list[float], shape: tuple[int, ...]) -> NDArray[float32]:
    """float32 of that shape, over the bytes themselves."""
    try:
        import numpy
    except ImportError as error:
        raise ImportError("numpy is not installed; pass convert_to_numpy=False for lists of floats") from error
    if isinstance(data, list):
        return numpy.array(data, dtype=numpy.float32).reshape(shape)
    return numpy.frombuffer(data, dtype=numpy.float32).reshape(shape)
