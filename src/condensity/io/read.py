"""Columns of a table that was read from a user's file; errors are one line with the remedy."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from condensity.io.errors import TableError

#: Names listed in an error, at most.
MAX_NAMES = 12


def feature_names(
    names: Sequence[str], targets: Sequence[str], features: Sequence[str] | None = None, others: Sequence[str] = ()
) -> list[str]:
    """Names of the columns X of a table.

    Parameters
    ----------
    names : sequence of str
        Of all its columns.
    targets : sequence of str
    features : sequence of str, optional
        All but the targets and `others` by default.
    others : sequence of str
        Columns that are no features: weights, groups.

    Raises
    ------
    TableError
        If a column is missing or named twice, or there is no feature.

    Examples
    --------
    >>> from condensity.io.read import feature_names
    >>> feature_names(["area", "town", "price", "w"], ["price"], others=["w"])
    ['area', 'town']
    """
    for name in others:
        require_column(names, name)
    left = [name for name in names if name not in others]
    for target in targets:
        require_column(left, target)
    chosen = [name for name in left if name not in targets] if features is None else list(features)
    known = set(left)
    for name in chosen:
        if name not in known:
            require_column(left, name)
        if name in targets:
            raise TableError(f"column {name!r} is the target, so it cannot be a feature; leave it out of the features.")
    repeated = next((name for name, count in Counter(chosen).items() if count > 1), None)
    if repeated is not None:
        raise TableError(f"feature {repeated!r} is named twice; name it once.")
    if not chosen:
        raise TableError(f"there is no feature: {targets[0]!r} is the only column; at least one other is needed.")
    return chosen


def refuse_duplicates(names: Sequence[str], file: str) -> None:
    """Refuse columns of the same name among the `names` of the table that messages call `file`, by a `TableError`."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        listed = ", ".join(map(repr, repeated[:MAX_NAMES]))
        raise TableError(f"{file} has several columns of the same name: {listed}; rename them.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:MAX_NAMES]))
    return shown if len(names) <= MAX_NAMES else f"{shown} and {len(names) - MAX_NAMES} more"


def require_column(names: Sequence[str], name: str) -> None:
    """Refuse a column `name` that is not among the `names` of a table.

    Raises
    ------
    TableError
        With the names, and those that are spelled alike.
    """
    if name in names:
        return
    message = f"there is no column {name!r}; the columns are {_listed(names)}."
    close = _alike(name, names)
    if close:
        message += f" Did you mean {' or '.join(_told_apart(other, name) for other in close)}?"
    if len(names) == 1 and re.search(r"\W", names[0].strip()):
        message += " If these are several, say what separates the cells by --sep."
    raise TableError(message)


def _alike(name: str, names: Sequence[str]) -> list[str]:
    """Names that differ from one in case, blanks or the coding of letters alone; else those that are spelled alike."""
    same = [other for other in names if _plain(other) == _plain(name)]
    return same or difflib.get_close_matches(name, names, n=3)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _told_apart(name: str, other: str) -> str:
    """A name in quotes, by the numbers of its letters where it looks like the other."""
    looks_same = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other)
    return f"{name!r}, which is {name!a} and not {other!a}" if looks_same else repr(name)


def numeric_column(table: Any, name: str) -> np.ndarray:
    """Column `name` of a table (pyarrow.Table) as float64 (n,).

    Raises
    ------
    TableError
        If it is not numeric, or has missing or infinite values.
    """
    import pyarrow
    from pyarrow import types

    column = table.column(name)
    is_numeric = any(
        test(column.type)
        for test in (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
    )
    if not is_numeric:
        _refuse_type(column, name)
    if types.is_boolean(column.type):
        column = column.cast(pyarrow.int8())
    values = np.asarray(column.cast(pyarrow.float64(), safe=False).to_numpy(), dtype=float)
    missing, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if missing == values.size > 0:
        raise TableError(f"column {name!r} is empty: all {values.size} values are missing; leave it out or fill it.")
    if missing:
        share = f"{missing} of {values.size} rows"
        raise TableError(f"column {name!r} has missing values in {share}; remove or fill them, or leave it out.")
    if infinite:
        share = f"{infinite} of {values.size} rows"
        raise TableError(f"column {name!r} is infinite in {share}; remove or replace those values.")
    return values


def _refuse_type(column: Any, name: str) -> NoReturn:
    values = (str(value) for value in column.drop_null().to_pylist())
    example = next((value for value in values if not _is_number(value)), "")
    raise TableError(
        f"column {name!r} is not numeric (it holds {column.type}, such as {example[:40]!r}); "
        "turn it into numbers or choose other columns (--target, --features)."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
