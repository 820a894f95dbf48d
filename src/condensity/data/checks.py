"""Checks of training data: values that are not finite are refused, and implausible ones warned of, by column."""

import hashlib
from collections.abc import Sequence

import numpy as np

from condensity.warning import warn_user

#: Rows among which duplicates are counted, at most.
MAX_ROWS_FOR_DUPLICATES = 100_000

#: Standardised targets further out than this are warned of: a fit that follows them cannot describe the rest.
OUTLIER_DISTANCE = 1000.0

#: Largest magnitude of a target: quantiles of larger ones would overflow float64.
MAX_TARGET = 1e300


def require_finite(
    name: str, values: np.ndarray, columns: Sequence[str] | None = None, *, missing_allowed: bool = False
) -> None:
    """Refuse values, (n,) or (n, c), that are infinite or, unless missing ones are allowed, NaN.

    Parameters
    ----------
    name : str
        The argument's name.
    values : ndarray (n,) or (n, c)
    columns : sequence of str, optional
        Names of the columns, for the message.
    missing_allowed : bool
        Whether NaN, a missing value, is accepted.

    Raises
    ------
    ValueError
        With the number of such rows, the first of them, and the columns.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if np.isfinite(total):  # then so is every value
        return
    bad = np.isinf(values) if missing_allowed else ~np.isfinite(values)
    if not bad.any():
        return
    kind = "NaN" if np.isnan(values[bad]).any() else "inf"
    rows = bad if values.ndim == 1 else bad.any(axis=1)
    place = f"{int(rows.sum())} of {len(values)} rows, the first at row {int(np.argmax(rows))}"
    if values.ndim == 2:
        labels = [str(j) if columns is None else repr(str(columns[int(j)])) for j in np.flatnonzero(bad.any(axis=0))]
        shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
        place = f"column {shown}: {place}"
    accepted = "finite numbers and missing values (NaN)" if missing_allowed else "finite numbers"
    raise ValueError(
        f"Input {name} contains {kind} ({place}); only {accepted} are accepted. Drop or impute these rows first."
    )


def require_moderate(name: str, values: np.ndarray) -> None:
    """Refuse values (n,) or (n, q) of the argument `name` with magnitudes above `MAX_TARGET`.

    Raises
    ------
    ValueError
    """
    largest = _largest_magnitude(values)
    if largest > MAX_TARGET:
        raise ValueError(
            f"{name} holds values of magnitude {largest:.3g}; beyond {MAX_TARGET:g} its own quantiles would leave "
            f"float64. Divide {name} by a constant."
        )


def _largest_magnitude(values: np.ndarray) -> float:
    """Largest magnitude of the values that are not missing; 0 if there are none."""
    return max(np.fmax.reduce(values, axis=None, initial=0.0), -np.fmin.reduce(values, axis=None, initial=0.0))


def warn_about_oddities(
    x: np.ndarray, y: np.ndarray, constant: np.ndarray, columns: Sequence[str] | None = None
) -> None:
    """Warn of what a fit survives but its reader should know: columns without spread or equal to others, repeated rows.

    Parameters
    ----------
    x : ndarray (n, d)
    y : ndarray (n, q)
    constant : bool ndarray (d,)
        Columns of x without spread.
    columns : sequence of str, optional
        Names of the columns of x.
    """
    labels = [str(j) if columns is None else repr(str(columns[j])) for j in range(x.shape[1])]
    _warn_of_constant_inputs(x, constant, labels)
    _warn_of_equal_inputs(x, constant, labels)
    y_constant = _warn_of_constant_targets(y)
    if not y_constant.all():
        _warn_of_repeated_rows(x, y)


def _warn_of_constant_inputs(x: np.ndarray, constant: np.ndarray, labels: list[str]) -> None:
    empty = constant & np.isnan(x).all(axis=0) if constant.any() else constant
    for problem, flags in (("is constant in", constant & ~empty), ("knows no value of", empty)):
        if flags.any():
            named = ", ".join(label for label, flag in zip(labels, flags, strict=True) if flag)
            warn_user(f"X {problem} column {named}; it is ignored.")


def _warn_of_equal_inputs(x: np.ndarray, constant: np.ndarray, labels: list[str]) -> None:
    first_of: dict[bytes, str] = {}
    for j in np.flatnonzero(~constant):
        content = hashlib.blake2b(np.ascontiguousarray(x[:, j]).data).digest()
        if first_of.setdefault(content, labels[j]) != labels[j]:
            warn_user(f"Columns {first_of[content]} and {labels[j]} of X are equal; one of them says nothing new.")


def _warn_of_constant_targets(y: np.ndarray) -> np.ndarray:
    """Warn, and return the flags (q,) of constant columns."""
    lowest = np.fmin.reduce(y, axis=0)
    constant: np.ndarray = lowest == np.fmax.reduce(y, axis=0)
    for j in np.flatnonzero(constant):
        label = "y" if y.shape[1] == 1 else f"Column {j} of y"
        warn_user(
            f"{label} is constant ({lowest[j]:g}); the fitted density is a narrow peak there, whose width means nothing."
        )
    return constant


def _warn_of_repeated_rows(x: np.ndarray, y: np.ndarray) -> None:
    x, y = x[:MAX_ROWS_FOR_DUPLICATES], y[:MAX_ROWS_FOR_DUPLICATES]
    n_rows, n_distinct = (
        len(y),
        len(np.unique(y[:, 0])),
    )  # a lower bound; comparing whole rows takes twenty times as long
    if n_distinct < n_rows / 2:
        n_distinct = len(np.unique(np.column_stack([x, y]), axis=0))
    if n_distinct < n_rows / 2:
        warn_user(
            f"Only {n_distinct} of {n_rows} rows are distinct; held-out rows then repeat training rows, and the "
            "density may be too sharp. Count copies with sample_weight instead."
        )


def warn_about_outliers(y: np.ndarray) -> None:
    """Warn of standardised targets y (n, q) beyond `OUTLIER_DISTANCE`, which a robust fit discounts."""
    if _largest_magnitude(y) > OUTLIER_DISTANCE:
        far = (np.abs(y) > OUTLIER_DISTANCE).any(axis=1)
        warn_user(
            f"{int(far.sum())} of {len(y)} values of y lie more than {OUTLIER_DISTANCE:g} times its usual spread from the "
            f"rest, the first in row {int(np.argmax(far))}; they have little say in the fit. Check them."
        )
