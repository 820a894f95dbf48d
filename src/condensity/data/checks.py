"""What is not finite or plausible is named, column by column."""

import hashlib

import numpy as np

from condensity.warning import warn_user

#: Rows looked at when counting duplicates; a warning needs no more.
DUPLICATE_SAMPLE = 100_000

#: Standardised targets further out than this are worth a warning: no fit that follows them can describe the rest.
OUTLIER_DISTANCE = 1000.0

#: Targets beyond this leave no room for their own quantiles within float64.
LARGEST_TARGET = 1e300


def require_finite(name, values, columns=None, *, missing_allowed=False):
    """Refuse infinity, and NaN unless gaps are allowed, saying where.

    Parameters
    ----------
    name : str
        The argument's name.
    values : ndarray (n,) or (n, c)
    columns : sequence of str, optional
        Names of the columns, for the message.
    gaps_allowed : bool
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if np.isfinite(total):  # then every one of them is
        return
    bad = np.isinf(values) if missing_allowed else ~np.isfinite(values)
    if not bad.any():
        return
    what = "NaN" if np.isnan(values[bad]).any() else "inf"
    rows = bad if values.ndim == 1 else bad.any(axis=1)
    where = f"{int(rows.sum())} of {len(values)} rows, the first at row {int(np.argmax(rows))}"
    if values.ndim == 2:
        labels = [str(j) if columns is None else repr(str(columns[j])) for j in np.flatnonzero(bad.any(axis=0))]
        shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
        where = f"column {shown}: {where}"
    raise ValueError(
        f"Input {name} contains {what} ({where}); only finite numbers{' and gaps (NaN)' if missing_allowed else ''} are "
        "accepted. Drop or impute these rows first."
    )


def require_moderate(name, values):
    """Refuse magnitudes above `LARGEST_TARGET`."""
    largest = _farthest(values)
    if largest > LARGEST_TARGET:
        raise ValueError(
            f"{name} holds values of magnitude {largest:.3g}; beyond {LARGEST_TARGET:g} its own quantiles would leave "
            f"float64. Divide {name} by a constant."
        )


def _farthest(values):
    """Largest magnitude of what is not nan; 0 if there is nothing."""
    return max(np.fmax.reduce(values, axis=None, initial=0.0), -np.fmin.reduce(values, axis=None, initial=0.0))


def warn_about_oddities(x, y, constant, columns=None):
    """Warn of what a fit survives but its reader should know: constant or repeated columns, a constant target, copies.

    Parameters
    ----------
    x : ndarray (n, d)
    y : ndarray (n, q)
    constant : bool ndarray (d,)
    columns : sequence of str, optional
    """
    labels = [str(j) if columns is None else repr(str(columns[j])) for j in range(x.shape[1])]
    unknown = constant & np.isnan(x).all(axis=0) if constant.any() else constant
    for what, flags in (("is constant in", constant & ~unknown), ("knows no value of", unknown)):
        if flags.any():
            named = ", ".join(label for label, flag in zip(labels, flags, strict=True) if flag)
            warn_user(f"X {what} column {named}; it is ignored.")
    first_of: dict[bytes, str] = {}
    for label, column, flag in zip(labels, x.T, constant, strict=True):
        content = b"" if flag else hashlib.blake2b(np.ascontiguousarray(column).data).digest()
        if not flag and first_of.setdefault(content, label) != label:
            warn_user(f"Columns {first_of[content]} and {label} of X are equal; one of them says nothing new.")
    lowest = np.fmin.reduce(y, axis=0)
    y_constant = lowest == np.fmax.reduce(y, axis=0)
    for j in np.flatnonzero(y_constant):
        what = "y" if y.shape[1] == 1 else f"Column {j} of y"
        warn_user(
            f"{what} is constant ({lowest[j]:g}); the fitted density is a narrow peak there, whose width means nothing."
        )
    sample = slice(0, DUPLICATE_SAMPLE)
    n_rows = len(y[sample])
    n_distinct = len(
        np.unique(y[sample, 0])
    )  # rows are at least as many; comparing whole rows takes twenty times as long
    if n_distinct < n_rows / 2:
        n_distinct = len(np.unique(np.column_stack([x, y])[sample], axis=0))
    if n_distinct < n_rows / 2 and not y_constant.all():
        warn_user(
            f"Only {n_distinct} of {n_rows} rows are distinct; held-out rows then repeat training rows, and the "
            "density may be too sharp. Count copies with sample_weight instead."
        )


def warn_about_outliers(y):
    """Warn of targets so far away that a fit robust to them leaves them aside.

    Parameters
    ----------
    y : ndarray (n, q)
        Standardised.
    """
    if _farthest(y) > OUTLIER_DISTANCE:
        far = (np.abs(y) > OUTLIER_DISTANCE).any(axis=1)
        warn_user(
            f"{int(far.sum())} of {len(y)} values of y lie more than {OUTLIER_DISTANCE:g} times its usual spread from the "
            f"rest, the first in row {int(np.argmax(far))}; they have little say in the fit. Check them."
        )
