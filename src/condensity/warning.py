"""Warnings that point at the line of the user's code, however many layers lie between it and the check."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: Packages and modules between a call of the user and the code that warns.
PLUMBING = frozenset({"condensity", "sklearn", "joblib", "numpy", "scipy", "contextlib", "functools"})


#: Subjects of warnings that were emitted within a search, with the module and line that called it.
_said_in_searches: set[tuple[int, int, str]] = set()


def warn_user(message: str, category: type[Warning] = UserWarning, *, once: str | None = None) -> None:
    """Emit a warning at the innermost line of code outside `PLUMBING`: the caller's, also through pipelines and searches.

    Parameters
    ----------
    message : str
    category : type of Warning
    once : str, optional
        Subject of warnings of which a search or cross-validation of scikit-learn, called at one line, emits the first alone.
    """
    frame, searching = _caller()
    said = (id(frame.f_globals), frame.f_lineno, once or "")
    if searching and once:
        if said in _said_in_searches:
            return
        _said_in_searches.add(said)
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _caller() -> tuple[FrameType, bool]:
    """The innermost frame outside `PLUMBING`, the outermost of all where there is none, and whether it has called a search."""
    frame, searching = sys._getframe(1), False
    while frame.f_back is not None and _package(frame) in PLUMBING:
        searching |= str(frame.f_globals.get("__name__", "")).startswith("sklearn.model_selection")
        frame = frame.f_back
    return frame, searching


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect the warnings raised inside as notes of one line each; equal ones come once, with their number.

    Yields
    ------
    list of str
        Filled when the block ends.

    Examples
    --------
    >>> from condensity.warning import collected_warnings, warn_user
    >>> with collected_warnings() as notes:
    ...     for _ in range(2):
    ...         warn_user("y is constant.")
    >>> notes
    ['UserWarning: y is constant. (2 times)']
    """
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    counts: dict[str, int] = {}
    for warning in caught:
        text = " ".join(f"{warning.category.__name__}: {warning.message}".split())
        counts[text] = counts.get(text, 0) + 1
    notes.extend(text if count == 1 else f"{text} ({count} times)" for text, count in counts.items())
