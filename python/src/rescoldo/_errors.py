"""What goes wrong, as exceptions: each is a RescoldoError and the Python exception that a caller would expect."""

from __future__ import annotations


class RescoldoError(Exception):
    """Base of all errors that the library reports. `status` is its name in the C API, such as "invalid_data"."""

    status: str = "internal"


class InvalidArgumentError(RescoldoError, ValueError):
    """The call cannot be met as asked."""

    status = "invalid_argument"


class InvalidDataError(RescoldoError, ValueError):
    """An ember or a published model is malformed; the message says where."""

    status = "invalid_data"


class UnsupportedError(RescoldoError, ValueError):
    """Well-formed, but this version or this model does not have it: a cross-encoder does not embed."""

    status = "unsupported"


class NotFoundError(RescoldoError, FileNotFoundError):
    """A file, or a part of it, is absent."""

    status = "not_found"


class LimitExceededError(RescoldoError, ValueError):
    """Larger than a stated limit: a text that may not be cut is too long."""

    status = "limit_exceeded"


class OutOfMemoryError(RescoldoError, MemoryError):
    """An allocation failed."""

    status = "out_of_memory"


class InputOutputError(RescoldoError, OSError):
    """A system call failed; the message carries its reason."""

    status = "input_output"


class CancelledError(RescoldoError):
    """The call's CancelFlag was set."""

    status = "cancelled"


class DeadlineExceededError(RescoldoError, TimeoutError):
    """The call's timeout passed."""

    status = "deadline_exceeded"


class InternalError(RescoldoError, RuntimeError):
    """A bug of rescoldo: please report it."""


_BY_STATUS: dict[str, type[RescoldoError]] = {
    error.status: error
    for error in (
        InvalidArgumentError, InvalidDataError, UnsupportedError, NotFoundError, LimitExceededError, OutOfMemoryError,
        InputOutputError, CancelledError, DeadlineExceededError, InternalError,
    )
}


def from_status(status: str, message: str) -> RescoldoError:
    """The exception for a status of the C API; called by the extension module."""
    return _BY_STATUS.get(status, InternalError)(message)
