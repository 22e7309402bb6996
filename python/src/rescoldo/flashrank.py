"""A drop-in for FlashRank 0.2: change `from flashrank import ...` to `from rescoldo.flashrank import ...`.

    >>> from rescoldo.flashrank import Ranker, RerankRequest
    >>> ranker = Ranker(model_name="ms-marco-MiniLM-L-12-v2", cache_dir="/opt/models")
    >>> ranker.rerank(RerankRequest(query="...", passages=[{"id": 1, "text": "...", "meta": {}}]))

The model that FlashRank has downloaded into cache_dir is baked to an ember beside it when it is first used, and mapped
from then on. Libraries that import flashrank themselves (LangChain, LlamaIndex) take this module after
`rescoldo.flashrank.install()`. docs/python.md lists what is different.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ._errors import InvalidDataError, UnsupportedError
from ._model import bake
from ._reranker import Reranker

__all__ = ["Ranker", "RerankRequest", "install"]

DEFAULT_MODEL = "ms-marco-TinyBERT-L-2-v2"

# What install() may change.
_defaults: dict[str, str] = {"cache_dir": "/tmp"}

# Models of FlashRank that no ember can hold.
_LISTWISE = ("rank_zephyr_7b_v1_full",)

# Files beside the weights that the bake reads.
_DESCRIPTIONS = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_SAMPLES, _SAMPLE_BYTES = 32, 4096


class RerankRequest:
    """A query and the passages to rank: dictionaries with "text" and whatever else, which is kept."""

    def __init__(self, query: str | None = None, passages: list[dict[str, Any]] | None = None) -> None:
        self.query: str | None = query
        self.passages: list[dict[str, Any]] = passages if passages is not None else []


class Ranker:
    """Ranks passages with a model of FlashRank.

    Args:
        model_name: the folder of the model in cache_dir, as FlashRank unpacks it; or NAME.zip as FlashRank downloads it;
            or NAME.ember, where only that is shipped.
        cache_dir: where FlashRank keeps its models; None: what install() was told, else /tmp, as FlashRank has it.
        max_length: tokens of query and passage together; at most the model's own limit.
        log_level: of the logger "rescoldo.flashrank".
        threads: how many share the passages of one call; None: as many as this process has processors, as FlashRank does
            it. Scores do not depend on it.
        ember_dir: where embers are kept; None: cache_dir. For a cache_dir that cannot be written.

    Raises:
        FileNotFoundError: cache_dir has no such model. Nothing is downloaded.
        PermissionError, OSError: the ember cannot be written.
        InvalidDataError, UnsupportedError: the model's files are malformed, or of a kind that rescoldo does not run.
    """

    def __init__(
        self,
        model_name: str = DEFAULT_MODEL,
        cache_dir: str | os.PathLike[str] | None = None,
        max_length: int = 512,
        log_level: str = "INFO",
        *,
        threads: int | None = None,
        ember_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.logger: logging.Logger = logging.getLogger(__name__)
        if log_level.upper() in _LOG_LEVELS:
            self.logger.setLevel(log_level.upper())
        if not model_name or os.sep in model_name or model_name in (".", ".."):
            raise ValueError(f"model_name is {model_name!r}, expected the name of a folder in cache_dir")
        if model_name in _LISTWISE:
            raise UnsupportedError(f"{model_name} is a language model that ranks lists; rescoldo runs cross-encoders")
        self.model_name: str = model_name
        self.cache_dir: Path = Path(cache_dir if cache_dir is not None else _defaults["cache_dir"])
        self.model_dir: Path = self.cache_dir / model_name
        if threads is None:
            threads = len(os.sched_getaffinity(0))
        self._reranker = _open(
            model_name, self.cache_dir, Path(ember_dir) if ember_dir is not None else self.cache_dir, max_length,
            threads, self.logger,
        )

    def rerank(self, request: RerankRequest) -> list[dict[str, Any]]:
        """Puts "score" (0 to 1) into each passage and sorts request.passages by it, the best first; returns that list."""
        passages = request.passages
        if request.query is None:
            raise TypeError("the request has no query")
        texts = [passage["text"] for passage in passages]
        ranked = [(result["corpus_id"], result["score"]) for result in self._reranker.rank(request.query, texts)]
        ordered = [passages[index] for index, _ in ranked]
        for passage, (_, score) in zip(ordered, ranked):
            passage["score"] = score
        passages[:] = ordered
        return passages


def install(cache_dir: str | os.PathLike[str] | None = None) -> ModuleType:
    """Makes `import flashrank` give this module, for libraries that import it themselves. Returns this module.

    Call it before they do. cache_dir is where a Ranker that is not told looks for models, since not every library passes
    one on. Raises RuntimeError when the package flashrank has been imported already.
    """
    this = sys.modules[__name__]
    if sys.modules.setdefault("flashrank", this) is not this:
        raise RuntimeError("the package flashrank is imported already; call rescoldo.flashrank.install() before")
    if cache_dir is not None:
        _defaults["cache_dir"] = os.path.abspath(cache_dir)
    return this


# ---- the ember of a model ----


def _open(
    name: str, cache_dir: Path, ember_dir: Path, max_length: int, threads: int, logger: logging.Logger
) -> Reranker:
    source = _find_source(name, cache_dir)
    if source is None:
        shipped = next((path for path in (ember_dir / f"{name}.ember", cache_dir / f"{name}.ember") if path.exists()), None)
        if shipped is None:
            raise FileNotFoundError(
                f"{cache_dir} has neither the folder {name} nor {name}.zip nor {name}.ember. rescoldo downloads nothing: "
                f"let FlashRank fetch the model once, or put its published {name}.zip there"
            )
        return _open_ember(shipped, max_length, threads)
    ember = ember_dir / f"{name}-{_fingerprint(source)}.ember"
    if ember.exists():
        try:
            return _open_ember(ember, max_length, threads)
        except (InvalidDataError, UnsupportedError) as error:
            logger.warning("baking %s anew: %s", name, error)
            return _bake(name, source, ember, ember.stat().st_mtime_ns, logger, max_length, threads)
    return _bake(name, source, ember, None, logger, max_length, threads)


def _open_ember(path: Path, max_length: int, threads: int) -> Reranker:
    reranker = Reranker(path, threads=threads)
    if reranker.kind != "cross-encoder":
        raise UnsupportedError(f"{path} holds {reranker.name}, an embedder; FlashRank's models are cross-encoders")
    if max_length < reranker.max_length:
        reranker = Reranker(path, threads=threads, max_length=max_length)
    return reranker


def _find_source(name: str, cache_dir: Path) -> Path | None:
    """What there is to bake: the weights in the model's folder (safetensors before ONNX), or the zip."""
    folder = cache_dir / name
    if folder.is_dir():
        for pattern in ("model.safetensors", "*.onnx"):
            found = sorted(folder.glob(pattern))
            if len(found) > 1:
                raise InvalidDataError(f"{folder} has {len(found)} ONNX files, expected one: {[p.name for p in found]}")
            if found:
                return found[0]
        raise FileNotFoundError(f"{folder} has neither an ONNX file nor model.safetensors")
    archive = cache_dir / f"{name}.zip"
    return archive if archive.is_file() else None


def _fingerprint(weights: Path) -> str:
    """Changes when the model does, and not when its files are copied: sizes, samples of the weights, the small files."""
    import hashlib  # not needed where only an ember is shipped, and it loads OpenSSL

    digest = hashlib.sha256()
    size = weights.stat().st_size
    digest.update(f"{weights.name} {size}".encode())
    with open(weights, "rb") as file:
        for sample in range(_SAMPLES):
            file.seek(max(size - _SAMPLE_BYTES, 0) * sample // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    if weights.suffix != ".zip":
        for name in _DESCRIPTIONS:
            path = weights.parent / name
            content = path.read_bytes() if path.is_file() else b""
            digest.update(f" {name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:12]


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # cache_dir may be /tmp, where others could have put a link of this name, or have made the file.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _bake(
    name: str, source: Path, ember: Path, replaced: int | None, logger: logging.Logger, max_length: int, threads: int
) -> Reranker:
    """Bakes unless another process has done so: where `replaced` is given, since the ember had that time."""
    try:
        with _lock(ember.parent / f".{name}.rescoldo-lock"):
            if not ember.exists() or ember.stat().st_mtime_ns == replaced:
                logger.info("baking %s to %s (once)", source, ember)
                bake(source if source.suffix != ".safetensors" else source.parent, ember, name=name)
                for stale in ember.parent.glob(f"{name}-{'[0-9a-f]' * 12}.ember"):
                    if stale != ember:
                        stale.unlink(missing_ok=True)
            return _open_ember(ember, max_length, threads)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise OSError(
            error.errno, f"{error.strerror}; the ember of {name} is written there once: pass ember_dir, or make it "
            "beforehand where the folder can be written", error.filename
        ) from error
