"""Raw tables at the door: what is not numeric, finite or plausible is named, column by column."""

import warnings

import numpy as np

#: Rows looked at when counting duplicates; a warning needs no more.
DUPLICATE_SAMPLE = 100_000


def require_numeric_columns(X):
    """Refuse a data frame's columns that hold no numbers, by name.

    Parameters
    ----------
    X : anything
        Only tables with named columns are looked at; arrays are left to scikit-learn's checks.

    Raises
    ------
    ValueError
        Naming the column, its type and the remedy.
    """
    names = getattr(X, "columns", None)
    if names is None or callable(names) or not hasattr(X, "__getitem__"):
        return
    for name in list(names):
        column = X[name]
        if getattr(column, "ndim", 1) != 1:
            raise ValueError(f"X has more than one column named {name!r}; give every column its own name.")
        kind = np.asarray(column).dtype.kind
        if kind in "mM":
            raise ValueError(
                f"Column {name!r} of X holds dates or durations ({column.dtype}); numbers are needed. "
                "Convert it, for example to days since a reference date, or drop it."
            )
        if kind in "OUST" and not _holds_numbers(column):
            raise ValueError(
                f"Column {name!r} of X holds {column.dtype} values that are not numbers; "
                "encode it (for example with sklearn.preprocessing.OneHotEncoder) or drop it."
            )


def _holds_numbers(column) -> bool:
    try:
        np.asarray(column).astype(float)
    except (TypeError, ValueError):
        return False
    return not any(isinstance(value, str) for value in column)


def require_finite(name, values, columns=None):
    """Refuse NaN and infinity, saying where.

    Parameters
    ----------
    name : str
        The argument's name.
    values : ndarray (n,) or (n, c)
    columns : sequence of str, optional
        Names of the columns, for the message.
    """
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    what = "NaN" if np.isnan(values).any() else "inf"
    rows = bad if values.ndim == 1 else bad.any(axis=1)
    where = f"{int(rows.sum())} of {len(values)} rows, the first at row {int(np.argmax(rows))}"
    if values.ndim == 2:
        labels = [str(j) if columns is None else repr(str(columns[j])) for j in np.flatnonzero(bad.any(axis=0))]
        shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
        where = f"column {shown}: {where}"
    raise ValueError(
        f"Input {name} contains {what} ({where}); only finite numbers are accepted. Drop or impute these rows first."
    )


def warn_about_oddities(x, y, constant, columns=None):
    """Warn of what a fit survives but its reader should know: constant or repeated columns, a constant target, copies.

    Parameters
    ----------
    x : ndarray (n, d)
    y : ndarray (n,)
    constant : bool ndarray (d,)
    columns : sequence of str, optional
    """
    labels = [str(j) if columns is None else repr(str(columns[j])) for j in range(x.shape[1])]
    if constant.any():
        named = ", ".join(label for label, flag in zip(labels, constant, strict=True) if flag)
        warn_user(f"X is constant in column {named}; it is ignored.")
    first_of: dict[bytes, str] = {}
    for label, column, flag in zip(labels, x.T, constant, strict=True):
        if not flag and first_of.setdefault(column.tobytes(), label) != label:
            warn_user(f"Columns {first_of[column.tobytes()]} and {label} of X are equal; one of them says nothing new.")
    if y.min() == y.max():
        warn_user(f"y is constant ({y[0]:g}); the fitted density is a narrow peak there, whose width means nothing.")
    rows = np.column_stack([x, y])[:DUPLICATE_SAMPLE]
    n_distinct = len(np.unique(rows, axis=0))
    if n_distinct < len(rows) / 2 and y.min() != y.max():
        warn_user(
            f"Only {n_distinct} of {len(rows)} rows are distinct; held-out rows then repeat training rows, and the "
            "density may be too sharp. Count copies with sample_weight instead."
        )


def warn_user(message):
    """Warn the user of their data, at the line that called `fit`."""
    warnings.warn(message, UserWarning, stacklevel=4)
