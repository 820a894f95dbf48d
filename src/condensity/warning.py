"""Warnings that point at the line of the user's code, however many layers lie between it and the check."""

import sys
import warnings
from types import FrameType

#: Packages and modules between a call of the user and the code that warns.
PLUMBING = frozenset({"condensity", "sklearn", "joblib", "numpy", "scipy", "contextlib", "functools"})


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Emit a warning at the innermost line of code outside `PLUMBING`: the caller's, also through pipelines and searches.

    Parameters
    ----------
    message : str
    category : type of Warning
    """
    frame = _caller()
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _caller() -> FrameType:
    """The innermost frame outside `PLUMBING`; the outermost of all where there is none, as in a thread."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _package(frame) in PLUMBING:
        frame = frame.f_back
    return frame


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
