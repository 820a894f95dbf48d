"""What users say of rows that are not independent, `groups` and `cv`, read into the splitter of a fit."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, check_cv

from condensity.data import is_missing
from condensity.data.splitting import GivenSplitter, GroupSplitter, RowSplit, RowSplitter
from condensity.estimators.reading import Weights
from condensity.missing import unmasked


def read_splitter(
    cv: Any, X: Any, y: Any, groups: Any, weights: Weights, *, validated: bool = False
) -> RowSplitter | None:
    """Splitter of the rows that are used, those of `weights`, by `cv` of X (n, d) and y, and groups (n,); None without both.

    Raises
    ------
    ValueError
        For `cv` where the caller has `validated`, by rows of their own; and see `read_groups` and `read_splits`.
    """
    if cv is None:
        return None if groups is None else read_groups(groups, weights)
    if validated:
        raise ValueError(
            "Give either cv or X_val and y_val: both say which rows are held out. Set cv=None, or leave X_val and y_val out."
        )
    return read_splits(cv, X, y, groups, weights)


def read_groups(groups: Any, weights: Weights) -> RowSplitter:
    """The splitter by groups (n,) of the rows that are used; n and these are those of `weights`.

    Raises
    ------
    ValueError
        For another number of labels, missing ones, and a single group.
    """
    return _of_used_rows(GroupSplitter(_numbered(groups, weights.n_rows)), weights)


def read_splits(cv: Any, X: Any, y: Any, groups: Any, weights: Weights) -> RowSplitter:
    """The splitter of the rows that are used by the splits that `cv` makes of X (n, d), y and groups, (n,) or None.

    Splits must keep rows of a group together. Rows of weight 0 among them, by `weights`, are left out of the splits.

    Raises
    ------
    ValueError
        For splits that are empty, have a row or a group on both sides, or are of other rows.
    """
    n = weights.n_rows
    numbered = None if groups is None else _numbered(groups, n)
    if isinstance(cv, Integral) and numbered is not None:
        cv = GroupKFold(int(cv))
    splits = [_checked(split, j, n, numbered) for j, split in enumerate(check_cv(cv).split(X, y, numbered))]
    if not splits:
        raise ValueError("cv makes no split; give a splitter, an int, or pairs (train, test) of row numbers.")
    otherwise = None if numbered is None else GroupSplitter(numbered)
    return _of_used_rows(GivenSplitter.of(splits, n, otherwise), weights)


def _of_used_rows(splitter: RowSplitter, weights: Weights) -> RowSplitter:
    used = splitter.take(slice(None) if weights.present is None else weights.present)
    if used is None:
        raise ValueError(
            "All rows are on one side of every split: groups must have two different labels at least, and cv must keep and hold "
            "out rows with a positive weight."
        )
    return used


def _checked(split: Sequence[Any], number: int, n: int, groups: np.ndarray | None) -> RowSplit:
    """Row numbers of a split of n rows, in which neither a row nor one of the `groups` (n,) is on both sides."""
    try:
        kept, held_out = (np.arange(n)[np.asarray(part, dtype=None if len(part) else int)] for part in split)
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"Split {number} of cv must be a pair of row numbers (train, test) below {n}: {error}."
        ) from None
    if not len(kept) or not len(held_out):
        raise ValueError(
            f"Split {number} of cv has an empty side: {len(kept)} rows to train on, {len(held_out)} held out."
        )
    for what, labels in (("row", np.arange(n)), ("group", groups)):
        if labels is not None and len(both := np.intersect1d(labels[kept], labels[held_out])):
            advice = " Use sklearn.model_selection.GroupKFold, for example." if what == "group" else ""
            raise ValueError(
                f"Split {number} of cv has {len(both)} {what}s on both sides, which must be apart.{advice}"
            )
    return kept, held_out


def _numbered(groups: Any, n: int) -> np.ndarray:
    """Groups (n,) as numbers from 0, in order of appearance."""
    groups = unmasked(groups)
    values = np.asarray(groups) if hasattr(groups, "__array__") else np.fromiter(groups, dtype=object)
    if values.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), a label for each row of X; got {values.shape}.")
    labels = values.tolist()
    missing = [i for i, label in enumerate(labels) if is_missing(label)]
    if missing:
        raise ValueError(
            f"groups has no label in {len(missing)} of {n} rows, the first of them row {missing[0]}; "
            "give each such row a label of its own, or leave it out."
        )
    place: dict[Any, int] = {}
    return np.array([place.setdefault(label, len(place)) for label in labels])
