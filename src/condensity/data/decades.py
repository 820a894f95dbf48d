"""Coordinates for inputs that span decades: logarithms far out, linear near an origin, monotone and smooth everywhere."""

from dataclasses import dataclass

import numpy as np

from condensity.data.scaling import QUANTILE_ROWS, weighted_quantiles
from condensity.persistence import require_numbers, require_positions, saveable

#: Levels of a column's quantiles: the middle half, and 98 %.
CENTRAL = np.array([0.01, 0.25, 0.5, 0.75, 0.99])

#: A column spans decades if 98 % of its values take this many times the room of the middle half; 3.4 for a normal, 7 for a
#: lognormal with σ = 1, 29 with σ = 2, 32 for Cauchy's. Most columns of real tables have less than 10, the most 17.
MIN_REACH = 25.0
#: The same for columns of both signs, where near the origin a logarithm says little.
MIN_REACH_BOTH_SIGNS = 100.0
#: Fewer distinct values are levels, not a scale.
MIN_DISTINCT = 20

LOG_2 = np.log(2.0)


@saveable("SignedLogs")
@dataclass(frozen=True)
class SignedLogs:
    """u = arsinh((x − origin) / unit) in some columns of x, u = x in the others.

    Attributes
    ----------
    columns : ndarray (h,)
        Positions of the columns that span decades.
    origin, unit : ndarray (h,)
        Where the coordinate is linear, and how far; unit > 0.
    """

    columns: np.ndarray
    origin: np.ndarray
    unit: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, weight: np.ndarray) -> "SignedLogs | None":
        """Coordinates for the columns of `values` (n, c), of `weight` (n,), NaN left out, that span decades; or None."""
        found = {j: _origin_and_unit(values[:, j], weight) for j in range(values.shape[1])}
        columns = [j for j, pair in found.items() if pair is not None]
        if not columns:
            return None
        origin, unit = np.array([found[j] for j in columns], dtype=float).T
        return cls(np.array(columns), origin, unit)

    def check_loaded(self) -> None:
        """Refuse what `fit` cannot have learned."""
        require_positions("columns that span decades", self.columns)
        for name, part in (("origin", self.origin), ("unit", self.unit)):
            require_numbers(f"the {name} of columns that span decades", part, self.columns.shape)
        if not (self.unit > 0).all():
            raise ValueError("the units of columns that span decades must be positive")

    def transform(self, values: np.ndarray) -> np.ndarray:
        """A copy of `values` (…, c) in these coordinates."""
        result = np.array(values, dtype=float)
        with np.errstate(over="ignore"):
            result[..., self.columns] = np.arcsinh((result[..., self.columns] - self.origin) / self.unit)
        return result

    def inverse(self, coordinates: np.ndarray) -> np.ndarray:
        """A copy of `coordinates` (…, c) in the units of the values."""
        result = np.array(coordinates, dtype=float)
        result[..., self.columns] = self.origin + self.unit * np.sinh(result[..., self.columns])
        return result

    def log_units(self, coordinates: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Log of dx/du of rows of `coordinates` (n, c), over the observed ones among some `columns`: (n,)."""
        asked = np.isin(self.columns, columns)
        size = np.abs(coordinates[:, self.columns[asked]])
        slopes: np.ndarray = np.nansum(np.log(self.unit[asked]) + size + np.log1p(np.exp(-2 * size)) - LOG_2, axis=1)
        return slopes


def limits_of_decades(values: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """Limits (2, c) that hold 98 % of the `values` (n, c) of this `weight` (n,) in columns that span decades; None without any.

    Other columns have infinite ones. Beyond them a straight line fitted to few rows says nothing.
    """
    limits = np.tile([[-np.inf], [np.inf]], values.shape[1])
    for j, column in enumerate(values.T):
        known, counts = _known(column, weight)
        if _reach(known, counts) > MIN_REACH:
            limits[:, j] = weighted_quantiles(known, counts, CENTRAL[[0, -1]])
    return limits if np.isfinite(limits).any() else None


def _origin_and_unit(column: np.ndarray, weight: np.ndarray) -> tuple[float, float] | None:
    """Origin and unit of a column (n,) of this `weight` (n,) that spans decades; None for any other."""
    column, weight = _known(column, weight)
    reach = _reach(column, weight)
    if reach <= MIN_REACH:
        return None
    if column.min() < 0:
        lower, median, upper = weighted_quantiles(column, weight, CENTRAL[1:4])
        return (float(median), float(upper - lower)) if reach > MIN_REACH_BOTH_SIGNS else None
    positive = column > 0
    return 0.0, float(weighted_quantiles(column[positive], weight[positive], CENTRAL[:1])[0])


def _known(column: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A sample of the values of a column (n,) that are not missing, and their weights."""
    known = np.flatnonzero(~np.isnan(column))
    known = known[:: max(1, -(-len(known) // QUANTILE_ROWS))]
    return column[known].astype(float), weight[known].astype(float)


def _reach(column: np.ndarray, weight: np.ndarray) -> float:
    """Room of 98 % of the values (n,), of this `weight` (n,), over that of their middle half; 0 for few distinct ones."""
    if len(column) < MIN_DISTINCT:
        return 0.0
    low, lower, _, upper, high = weighted_quantiles(column / 4.0, weight, CENTRAL)  # differences stay within float64
    if upper == lower or len(np.unique(column)) < MIN_DISTINCT:
        return 0.0
    with np.errstate(over="ignore"):
        return float((high - low) / (upper - lower))
