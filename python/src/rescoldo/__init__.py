"""Reranking and embedding on the CPU.

    >>> import rescoldo
    >>> reranker = rescoldo.Reranker("ms-marco-MiniLM-L-12-v2.ember")
    >>> reranker.rank("What is the capital of France?", ["Berlin is in Germany.", "Paris is the capital."], top_n=1)
    >>> embedder = rescoldo.Embedder("all-MiniLM-L6-v2.ember")
    >>> embedder.encode(["A text.", "Another."])

rescoldo.flashrank is a drop-in for the package flashrank; rescoldo.bake makes the files.
"""

from ._embedder import Embedder
from ._errors import (
    CancelledError,
    DeadlineExceededError,
    InputOutputError,
    InternalError,
    InvalidArgumentError,
    InvalidDataError,
    LimitExceededError,
    NotFoundError,
    OutOfMemoryError,
    RescoldoError,
    UnsupportedError,
)
from ._model import CancelFlag, Tokens, bake
from ._native import version as _version
from ._reranker import RankedDocument, Reranker

__version__ = _version()

__all__ = [
    "CancelFlag",
    "CancelledError",
    "DeadlineExceededError",
    "Embedder",
    "InputOutputError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidDataError",
    "LimitExceededError",
    "NotFoundError",
    "OutOfMemoryError",
    "RankedDocument",
    "Reranker",
    "RescoldoError",
    "Tokens",
    "UnsupportedError",
    "bake",
]
