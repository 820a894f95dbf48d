"""Splits into kept and held-out rows: one random part of many rows, folds of few; by groups, or as the caller splits them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

#: Kept and held-out row indices.
RowSplit = tuple[np.ndarray, np.ndarray]

#: Rows, or groups of rows, below which one held-out part is too small to choose by, so that folds are used.
MIN_ROWS_FOR_ONE_SPLIT = 300
N_FOLDS = 5
MIN_HELD_OUT_ROWS = 50


class RowSplitter(Protocol):
    """Splits of rows that are not independent."""

    @property
    def n_units(self) -> int:
        """Number of groups, each of which counts for one row where the amount of data matters; of rows where there are none."""

    def take(self, index: Any) -> "RowSplitter | None":
        """The splitter of the rows at `index`, positions (m,), flags (n,) or a slice; None where it has no split of them."""

    def held_out(self, fraction: float, rng: np.random.Generator) -> list[RowSplit]:
        """Splits to choose by, with about a `fraction` of the rows held out where there is one; chance is drawn from `rng`."""

    def folds(self, n_members: int, rng: np.random.Generator) -> list[RowSplit]:
        """A split for each of `n_members`; chance is drawn from `rng`."""

    def arrays(self) -> list[np.ndarray]:
        """Everything that decides the splits but chance."""


def held_out_splits(
    n: int,
    fraction: float,
    rng: np.random.Generator,
    splitter: RowSplitter | None = None,
    *,
    min_rows: int = MIN_ROWS_FOR_ONE_SPLIT,
) -> list[RowSplit]:
    """Pairs (kept, held-out) of row indices: one random split, or `N_FOLDS` folds below `min_rows` rows.

    Parameters
    ----------
    n : int
        Rows, at least 2.
    fraction : float
        Share of a single held-out part, which has `MIN_HELD_OUT_ROWS` rows at least.
    rng : numpy Generator
    splitter : RowSplitter, optional
        Of these rows, where they are not independent.
    min_rows : int
        Rows from which on one split is enough.

    Examples
    --------
    >>> import numpy as np
    >>> from condensity.data.splitting import held_out_splits
    >>> [(len(kept), len(held_out)) for kept, held_out in held_out_splits(1000, 0.15, np.random.default_rng(0))]
    [(850, 150)]
    >>> [(len(kept), len(held_out)) for kept, held_out in held_out_splits(10, 0.15, np.random.default_rng(0))]
    [(8, 2), (8, 2), (8, 2), (8, 2), (8, 2)]
    """
    if splitter is not None:
        return splitter.held_out(fraction, rng)
    if n < min_rows:
        return fold_splits(n, min(N_FOLDS, n), rng)
    order = _permutation(n, rng)
    n_held_out = min(max(MIN_HELD_OUT_ROWS, round(fraction * n)), n - 1)
    return [(order[n_held_out:], order[:n_held_out])]


def fold_splits(
    n: int, n_members: int, rng: np.random.Generator, splitter: RowSplitter | None = None
) -> list[RowSplit]:
    """Splits of n rows, one for each of `n_members`: the folds of as many random partitions, by `rng`, as that takes.

    Rows that are not independent are split by their `splitter`.
    """
    if splitter is not None:
        return splitter.folds(n_members, rng)
    folds = min(N_FOLDS, n)
    splits: list[RowSplit] = []
    while len(splits) < n_members:
        parts = np.array_split(_permutation(n, rng), folds)
        splits += [(np.concatenate(parts[:j] + parts[j + 1 :]), part) for j, part in enumerate(parts)]
    return splits[:n_members]


@dataclass(frozen=True, eq=False)
class GroupSplitter:
    """Random splits with the rows of a group always on the same side.

    Attributes
    ----------
    groups : ndarray (n,) of int
        The group of every row, from 0.

    Examples
    --------
    >>> import numpy as np
    >>> from condensity.data.splitting import GroupSplitter
    >>> splits = GroupSplitter(np.repeat(np.arange(10), 3)).held_out(0.15, np.random.default_rng(0))
    >>> [(len(kept), len(held_out)) for kept, held_out in splits]
    [(24, 6), (24, 6), (24, 6), (24, 6), (24, 6)]
    """

    groups: np.ndarray

    @property
    def n_units(self) -> int:
        """Number of groups."""
        return int(self.groups.max()) + 1

    def take(self, index: Any) -> RowSplitter | None:
        """The splitter of the rows at `index`; None where they are of one group, which cannot be split otherwise."""
        labels, groups = np.unique(self.groups[index], return_inverse=True)
        return GroupSplitter(groups) if len(labels) > 1 else None

    def held_out(self, fraction: float, rng: np.random.Generator) -> list[RowSplit]:
        """As `held_out_splits` of independent rows, for `fraction` and `rng`, but of groups."""
        sizes = np.bincount(self.groups)
        if len(sizes) < MIN_ROWS_FOR_ONE_SPLIT:
            return self.folds(min(N_FOLDS, len(sizes)), rng)
        order = rng.permutation(len(sizes))
        least = max(MIN_HELD_OUT_ROWS, round(fraction * len(self.groups)))
        n_out = min(1 + int(np.searchsorted(np.cumsum(sizes[order]), least)), len(sizes) - 1)
        return [_apart(np.isin(self.groups, order[:n_out]))]

    def folds(self, n_members: int, rng: np.random.Generator) -> list[RowSplit]:
        """A split for each of `n_members`: groups are dealt in random order, by `rng`, each to the fold with fewest rows."""
        sizes = np.bincount(self.groups)
        splits: list[RowSplit] = []
        while len(splits) < n_members:
            fold_of = np.empty(len(sizes), dtype=int)
            rows_in = [0] * min(N_FOLDS, len(sizes))
            for group in rng.permutation(len(sizes)).tolist():
                fold_of[group] = fewest = rows_in.index(min(rows_in))
                rows_in[fewest] += int(sizes[group])
            fold_of_row = fold_of[self.groups]
            splits += [_apart(fold_of_row == fold) for fold in range(len(rows_in))]
        return splits[:n_members]

    def arrays(self) -> list[np.ndarray]:
        """The groups."""
        return [self.groups]


@dataclass(frozen=True, eq=False)
class GivenSplitter:
    """The caller's own splits, the same whatever they are for.

    Attributes
    ----------
    roles : ndarray (n, s) of int8
        Of every row in each of s splits: `KEPT`, `HELD_OUT`, or 0 where it takes no part.
    otherwise : RowSplitter or None
        Splits rows among which no given split has two sides, such as those that a given split keeps.
    """

    roles: np.ndarray
    otherwise: RowSplitter | None = None

    @property
    def n_units(self) -> int:
        """Number of groups or, where there are none, of rows."""
        return len(self.roles) if self.otherwise is None else self.otherwise.n_units

    @classmethod
    def of(cls, splits: Sequence[RowSplit], n: int, otherwise: RowSplitter | None = None) -> "GivenSplitter":
        """The splitter of `splits` into row numbers of n rows, with what splits rows `otherwise`."""
        roles = np.zeros((n, len(splits)), dtype=np.int8)
        for j, (kept, held_out) in enumerate(splits):
            roles[kept, j], roles[held_out, j] = KEPT, HELD_OUT
        return cls(roles, otherwise)

    def take(self, index: Any) -> RowSplitter | None:
        """The splitter of the rows at `index`: the given splits that have two sides among them, else what splits otherwise."""
        roles = self.roles[index]
        two_sided = (roles == KEPT).any(axis=0) & (roles == HELD_OUT).any(axis=0)
        otherwise = None if self.otherwise is None else self.otherwise.take(index)
        return GivenSplitter(roles[:, two_sided], otherwise) if two_sided.any() else otherwise

    def held_out(self, fraction: float, rng: np.random.Generator) -> list[RowSplit]:
        """All given splits; `fraction` and `rng` have no use."""
        return [(np.flatnonzero(role == KEPT), np.flatnonzero(role == HELD_OUT)) for role in self.roles.T]

    def folds(self, n_members: int, rng: np.random.Generator) -> list[RowSplit]:
        """The given splits, which `n_members` take in turn; `rng` has no use."""
        splits = self.held_out(0.0, rng)
        return [splits[j % len(splits)] for j in range(n_members)]

    def arrays(self) -> list[np.ndarray]:
        """The roles, and what decides the splits otherwise."""
        return [self.roles, *([] if self.otherwise is None else self.otherwise.arrays())]


#: Roles of a row in a split.
KEPT, HELD_OUT = 1, 2


def _apart(held_out: np.ndarray) -> RowSplit:
    """Indices of the other rows and of those flagged by `held_out` (n,)."""
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _permutation(n: int, rng: np.random.Generator) -> np.ndarray:
    """A random order of n rows, in four bytes a row where these suffice."""
    return rng.permutation(n).astype(np.uint32 if n < 2**32 else np.int64)
