"""Covariances of a joint mixture where rows are few for the number of columns: type and shrinkage, chosen on held-out rows.

    one component    a ladder of shrinkages, from full to diagonal: ridge regression, all of it from one decomposition a split
    several          a few pairs of type and shrinkage, each with a sweep over numbers of components

With many rows covariances are full and not shrunk, and only the number of components is chosen, where it is to be.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from condensity.compute import AUTO, Compute
from condensity.em.aside import InputsAside
from condensity.em.component_search import ComponentSearch, PartialFit
from condensity.em.joint import Settings, covariance_bytes
from condensity.em.ridge import ridge_log_density
from condensity.em.steps import GaussianMixtureParameters
from condensity.em.sweep import candidate_sizes
from condensity.monitor import Monitor

#: Rows are few below this number for every column of (x, y). Six kinds of data, four seeds, NLL full → chosen: 5 inputs: 60 rows
#: 1.26 → 1.11, 100 rows 1.19 → 1.00; 10 inputs, 200 rows (18 a column) 1.08 → .95.
FEW_ROWS_PER_COLUMN = 20

#: Fewer rows can choose nothing: covariances are full if there are more rows than columns, else diagonal.
MIN_ROWS = 10

#: Shrinkages of one component; 1 is diagonal.
SHRINKAGES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)

#: Types and shrinkages of several components; with at most `FEWEST_ROWS_PER_COLUMN`, diagonal ones only.
OF_SEVERAL = (("full", 0.05), ("full", 0.4), ("full", 0.8), ("tied", 0.6))
FEWEST_ROWS_PER_COLUMN = 2

#: Bytes of the covariances of several components, at most, where rows are few.
MAX_SWEPT_BYTES = 2**25

#: Bytes of the covariances, at most, of a mixture that is fitted several times: with more than 2900 columns that takes minutes.
MAX_REPEATED_BYTES = 2**26

#: A sweep ends after this many sizes without a better one.
PATIENCE = 1

Splits = Sequence[tuple[np.ndarray, np.ndarray]]


class Choice(NamedTuple):
    """What was chosen of a joint mixture, and where its fit should start.

    Attributes
    ----------
    settings : Settings
        With a covariance type that is one.
    n_components : int
    start : GaussianMixtureParameters or None
    log_density : ndarray (n,) or None
        log p(y | x) of held-out rows, nan elsewhere; None where none were held out.
    table : dict of lists
        One entry for each candidate: 'n_components', 'score' and, where they were chosen, 'covariance_type' and 'shrinkage'.
    partial_fits : list of PartialFit or None
        Of what was chosen, one for each split, where EM made them.
    aside : InputsAside or None
        Inputs that the mixture was chosen without; start and partial fits are over all columns.
    """

    settings: Settings
    n_components: int
    start: GaussianMixtureParameters | None = None
    log_density: np.ndarray | None = None
    table: dict[str, list[Any]] = {}  # noqa: RUF012  (of a named tuple, and never changed)
    partial_fits: list[PartialFit] | None = None
    aside: InputsAside | None = None

    @property
    def columns_aside(self) -> np.ndarray | None:
        """Positions (s,) of the inputs set aside; None without any."""
        return None if self.aside is None else self.aside.columns

    @property
    def score(self) -> float:
        """The best score of the table; −inf where nothing was scored."""
        return max(self.table.get("score", []), default=-np.inf)

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """The rows of the table."""
        return [dict(zip(self.table, values, strict=True)) for values in zip(*self.table.values(), strict=True)]


class HeldOutRows(NamedTuple):
    """Pairs (kept, held-out) of row indices, and the caller's validation rows (v, d + q), which replace those held out."""

    splits: Splits
    held_out: np.ndarray | None


Choices = Iterator[Choice]


def has_few_rows(n: int, n_columns: int) -> bool:
    """Whether covariances of `n_columns` columns are shrunk with n rows.

    >>> has_few_rows(100, 51), has_few_rows(927, 9)
    (True, False)
    """
    return n < FEW_ROWS_PER_COLUMN * n_columns


def can_repeat(n_components: int, n_columns: int) -> bool:
    """Whether a mixture of `n_components` over `n_columns` is small enough to be fitted several times, to parts of the rows."""
    return covariance_bytes(n_components, n_columns) <= MAX_REPEATED_BYTES


def choose(
    settings: Settings,
    z: np.ndarray,
    weight: np.ndarray,
    n_inputs: int,
    n_components: int | str,
    rng: np.random.Generator,
    *,
    splits: Callable[[], Splits],
    held_out: np.ndarray | None = None,
    criterion: str = "conditional",
    compute: Compute = AUTO,
    monitor: Monitor | None = None,
) -> Choice:
    """Choose what `settings` and `n_components` leave open, each if it is 'auto'.

    Parameters
    ----------
    settings : Settings
    z : ndarray (n, d + q)
        Standardised rows (x, y); nan where a value is missing.
    weight : ndarray (n,)
        With mean one.
    n_inputs : int
        d.
    n_components : int or 'auto'
    rng : numpy Generator
    splits : callable () -> sequence of (kept, held_out)
        Indices of rows; called where something is to be chosen.
    held_out : ndarray (v, d + q), optional
        The caller's validation rows, standardised; they replace those of the splits.
    criterion : {'conditional', 'joint', 'bic'}
    compute : Compute
    monitor : Monitor, optional
    """
    few = False
    if settings.covariance_type == "auto":
        few = has_few_rows(*z.shape) and len(z) >= MIN_ROWS
        settings = replace(settings, covariance_type="full" if few or len(z) > z.shape[1] else "diag")
    if not few and not isinstance(n_components, str):
        return Choice(settings, n_components)

    search = ComponentSearch(settings, z, weight, n_inputs, criterion=criterion, compute=compute, monitor=monitor)
    if not few:
        best = search.best_size(splits(), held_out, rng)
        return Choice(settings, *best, search.cross_fits[best[0]])
    rows = HeldOutRows(splits(), held_out)
    fewest = min(len(kept) for kept, _ in rows.splits)
    sizes = candidate_sizes(fewest) if isinstance(n_components, str) else [n_components]
    return _best_of([*_of_one(search, sizes, rows, rng), *_of_several(search, sizes, rows, rng)])


def _of_one(search: ComponentSearch, sizes: list[int], rows: HeldOutRows, rng: np.random.Generator) -> Choices:
    """Choices of one component, where that is among the `sizes`."""
    if 1 not in sizes:
        return
    if search.criterion == "conditional" and _has_ridge(search.z):
        yield _by_ridge(search, rows)
        return
    for shrinkage in SHRINKAGES if search.criterion != "bic" else (0.0, 1.0):
        yield _sweep(search.with_settings(_shrunk(search.settings, "full", shrinkage)), [1], rows, rng)


def _of_several(search: ComponentSearch, sizes: list[int], rows: HeldOutRows, rng: np.random.Generator) -> Choices:
    """The best choice of several components for every type of covariance; sizes must fit the memory, or be the only one."""
    n, n_columns = search.z.shape
    fitting = [size for size in sizes if size > 1 and covariance_bytes(size, n_columns) <= MAX_SWEPT_BYTES]
    several = fitting if len(sizes) > 1 else [size for size in sizes if size > 1]
    if not several:
        return
    if search.criterion == "bic":
        candidates: Sequence[tuple[str, float]] = (("full", 0.0), ("tied", 0.0), ("full", 1.0))
    else:
        candidates = OF_SEVERAL if n > FEWEST_ROWS_PER_COLUMN * n_columns else (("full", 1.0),)
    for kind, shrinkage in candidates:
        yield _sweep(search.with_settings(_shrunk(search.settings, kind, shrinkage)), several, rows, rng)


def _shrunk(settings: Settings, kind: str, shrinkage: float) -> Settings:
    """The settings with a covariance type and a shrinkage; that of 1 is 'diag'."""
    if shrinkage == 1.0:
        return replace(settings, covariance_type="diag", shrinkage=0.0)
    return replace(settings, covariance_type=kind, shrinkage=shrinkage)


def _sweep(search: ComponentSearch, sizes: list[int], rows: HeldOutRows, rng: np.random.Generator) -> Choice:
    """The best of some sizes."""
    size, start, log_density, table = search.best_size(*rows, rng, sizes=sizes, patience=PATIENCE)
    n, settings = len(table["score"]), search.settings
    table |= {"covariance_type": [settings.covariance_type] * n, "shrinkage": [settings.shrinkage] * n}
    return Choice(settings, size, start, log_density, table, search.cross_fits[size])


def _has_ridge(z: np.ndarray) -> bool:
    """Whether one component is scored as ridge regression: nothing is missing, or EM over so many columns would take too long."""
    return not np.isnan(z).any() or covariance_bytes(1, z.shape[1]) > MAX_SWEPT_BYTES


def _by_ridge(search: ComponentSearch, rows: HeldOutRows) -> Choice:
    """The best shrinkage of one component."""
    z, weight, d = search.z, search.weight, search.n_inputs
    log_density, scores = np.full((len(SHRINKAGES), len(z)), np.nan), []
    for kept, out in rows.splits:
        target = z[out] if rows.held_out is None else rows.held_out
        of_target = weight[out] if rows.held_out is None else np.ones(len(target))
        found = ridge_log_density(search.settings.spec, z[kept], weight[kept], target, d, SHRINKAGES)
        if rows.held_out is None:
            log_density[:, out] = found
        known = ~np.isnan(found[0])
        if not known.any():
            raise ValueError("No held-out row knows y; give X_val and y_val, or covariance_type.")
        scores.append(np.average(found[:, known], weights=of_target[known], axis=1))
    score = np.mean(scores, axis=0)
    best = int(np.argmax(score))
    ladder = [_shrunk(search.settings, "full", shrinkage) for shrinkage in SHRINKAGES]
    table = {
        "n_components": [1] * len(ladder),
        "score": score.tolist(),
        "covariance_type": [each.covariance_type for each in ladder],
        "shrinkage": [each.shrinkage for each in ladder],
    }
    return Choice(ladder[best], 1, None, log_density[best], table)


def _best_of(choices: list[Choice]) -> Choice:
    """The choice of the best score, with the table of all of them."""
    tables = [choice.table for choice in choices]
    table = {key: [value for each in tables for value in each[key]] for key in tables[0]}
    return max(choices, key=lambda choice: max(choice.table["score"]))._replace(table=table)
