"""What goes wrong, as exceptions: each is a RescoldoError and the Python exception that a caller would expect."""

from __future__ import annotations

_BY_STATUS: dict[str, type[RescoldoError]] = {}


class RescoldoError(Exception):
    """Base of all errors that the library reports. `status` is its name in the C API, such as "invalid_data"."""

    status: str = "internal"

    def __init_subclass__(cls, status: str | None = None) -> None:
        super().__init_subclass__()
        if status is not None:
            cls.status = status
            _BY_STATUS[status] = cls


class InvalidArgumentError(RescoldoError, ValueError, status="invalid_argument"):
    """The call cannot be met as asked."""


class InvalidDataError(RescoldoError, ValueError, status="invalid_data"):
    """An ember or a published model is malformed; the message says where."""


class UnsupportedError(RescoldoError, ValueError, status="unsupported"):
    """Well-formed, but this version or this model does not have it: a cross-encoder does not embed."""


class NotFoundError(RescoldoError, FileNotFoundError, status="not_found"):
    """A file, or a part of it, is absent."""


class LimitExceededError(RescoldoError, ValueError, status="limit_exceeded"):
    """Larger than a stated limit: a text that may not be cut is too long."""


class OutOfMemoryError(RescoldoError, MemoryError, status="out_of_memory"):
    """An allocation failed."""


class InputOutputError(RescoldoError, OSError, status="input_output"):
    """A system call failed; the message carries its reason."""


class CancelledError(RescoldoError, status="cancelled"):
    """The call's CancelFlag was set."""


class DeadlineExceededError(RescoldoError, TimeoutError, status="deadline_exceeded"):
    """The call's timeout passed."""


class InternalError(RescoldoError, RuntimeError, status="internal"):
    """A bug of rescoldo: please report it."""


def from_status(status: str, message: str) -> RescoldoError:
    """The exception for a status of the C API; called by the extension module."""
    return _BY_STATUS.get(status, InternalError)(message)
