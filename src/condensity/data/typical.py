"""A typical row of a table: medians of its numbers, modes of its categories."""

from typing import Any, NamedTuple

import numpy as np

from condensity.data.columns import RawTable
from condensity.data.frame import replace_columns, take_column, take_rows
from condensity.data.schema import MISSING


def median(values: np.ndarray) -> float:
    """Median of the values (n,) that are not missing; NaN if all are.

    Parameters
    ----------
    values : ndarray (n,)

    Examples
    --------
    >>> median(np.array([1.0, np.nan, 3.0]))
    2.0
    """
    values = values[~np.isnan(values)]
    return float(np.median(values)) if values.size else np.nan


def mode(codes: np.ndarray) -> float:
    """Most frequent code among those (n,) that are not missing, the smallest of several; NaN if all are.

    Parameters
    ----------
    codes : ndarray (n,)
        Whole numbers from 0, NaN where a value is missing.

    Examples
    --------
    >>> mode(np.array([2.0, np.nan, 0.0, 2.0]))
    2.0
    """
    codes = codes[~np.isnan(codes)]
    return float(np.bincount(codes.astype(int)).argmax()) if codes.size else np.nan


def column_of_levels(table: Any, raw: RawTable, j: int, codes: np.ndarray) -> Any:
    """Values (m,) of category j with the given codes (m,), in the column's own type.

    Parameters
    ----------
    table : table or ndarray (n, d)
    raw : RawTable
        The same table as numbers.
    j : int
    codes : ndarray (m,)
        Codes that occur in the column; NaN stands for a missing value.

    Returns
    -------
    series, Arrow array or ndarray (m,)
    """
    codes_in_table, first = np.unique(raw.values[:, j], return_index=True, equal_nan=True)
    return take_rows(take_column(table, j), first[np.searchsorted(codes_in_table, codes)])


def typical_rows(table: Any, raw: RawTable, count: int) -> Any:
    """A typical row, `count` times: medians of numbers, modes of categories.

    Parameters
    ----------
    table : table or ndarray (n, d)
    raw : RawTable
        The same table as numbers.
    count : int

    Returns
    -------
    table or ndarray (count, d)
        Of the library of the table. A column without any value stays missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from condensity.data import read_numbers
    >>> homes = pd.DataFrame({"size": [50, 80, 95], "town": ["Bé", "Aa", "Bé"]})
    >>> typical_rows(homes, read_numbers("X", homes), 2)
       size town
    0  80.0   Bé
    0  80.0   Bé
    """
    columns = {}
    for j, values in enumerate(raw.values.T):
        if j in raw.categories:
            columns[j] = column_of_levels(table, raw, j, np.full(count, mode(values)))
        else:
            columns[j] = np.full(count, median(values))
    return replace_columns(take_rows(table, np.zeros(count, dtype=int)), columns)


class OccurringLevels(NamedTuple):
    """Levels of a category that occur in a table, m of them.

    Attributes
    ----------
    texts : tuple of str
        `MISSING` the last of them where values are missing.
    codes : ndarray (m,)
        NaN for `MISSING`.
    counts : ndarray (m,) of int
        Rows that have them.
    """

    texts: tuple[str, ...]
    codes: np.ndarray
    counts: np.ndarray


def occurring_levels(raw: RawTable, j: int) -> OccurringLevels:
    """Levels of category j that occur, with their codes and counts.

    Parameters
    ----------
    raw : RawTable
    j : int
        Position of the category.

    Examples
    --------
    >>> import pandas as pd
    >>> from condensity.data import read_numbers
    >>> towns = pd.DataFrame({"town": ["Bé", None, "Aa", "Bé"]})
    >>> occurring_levels(read_numbers("X", towns), 0)
    OccurringLevels(texts=('Aa', 'Bé', '(missing)'), codes=array([ 0.,  1., nan]), counts=array([1, 2, 1]))
    """
    texts, values = raw.categories[j].texts, raw.values[:, j]
    missing = np.isnan(values)
    codes, counts = np.arange(float(len(texts))), np.bincount(values[~missing].astype(int), minlength=len(texts))
    if not missing.any():
        return OccurringLevels(texts, codes, counts)
    return OccurringLevels((*texts, MISSING), np.append(codes, np.nan), np.append(counts, missing.sum()))
