"""Standardise columns robustly, and carry densities back to data units. The only place where the Jacobian lives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from condensity.distributions import Mixture
from condensity.persistence import require_numbers, saveable

#: Above this ratio of standard deviation to IQR/1.349 (both are the sd for a normal) outliers own the standard deviation,
#: and the IQR takes over: one value at 10⁶ σ must not squeeze the bulk.
OUTLIER_RATIO = 10.0
NORMAL_IQR = 1.349

#: Above this ratio some rows are far from the bulk or much noisier than it; targets of real tables have 2.3 at most.
WILD_RATIO = 3.0
#: The furthest rows, this share or so many, may be lone outliers and say nothing about the noise.
OUTLIER_SHARE, MAX_OUTLIERS = 0.005, 2
#: Distance from the median, in standard deviations, that few of a normal's values exceed.
NORMAL_REACH = 3.0

#: Standardised values saturate here, where their squares are still far inside float64's range.
MAX_STANDARDISED = 1e100

#: Rows that are standardised at a time.
BLOCK_ROWS = 2**15

#: Rows whose quantiles stand for those of longer columns.
QUANTILE_ROWS = 2**17

#: A constant target has no scale of its own; this share of its value (or of 1) stands in for it.
CONSTANT_SHARE = 2.0**-10

#: A value departs from a constant column if it differs by more than this share of it: more than rounding to float32 does.
DEPARTURE = 2.0**-20

#: Below this share of tied values, ties are accidents and say nothing about the resolution of a column.
TIED_SHARE = 0.1


@saveable("Standardizer")
@dataclass(frozen=True)
class Standardizer:
    """z = (value − center) / scale, column by column.

    Attributes
    ----------
    center, scale : ndarray (c,)
        scale > 0. Multiplying a column by a power of two multiplies both, to the bit.
    constant : bool ndarray (c,)
        Columns with a single value; they become 0 whatever comes at prediction.
    unknown : bool ndarray (c,)
        Constant columns without a known value.
    """

    center: np.ndarray
    scale: np.ndarray
    constant: np.ndarray
    unknown: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, sample_weight: np.ndarray | None = None) -> "Standardizer":
        """Learn the units of columns of `values` (n, c), NaN left out; rows count by `sample_weight` (n,), all > 0."""
        weight = np.ones(len(values)) if sample_weight is None else sample_weight
        columns = [_center_and_scale(*_known(values[:, j], weight)) for j in range(values.shape[1])]
        center, scale, constant = (np.array(part) for part in zip(*columns, strict=True))
        unknown = np.array([flag and bool(np.isnan(values[:, j]).all()) for j, flag in enumerate(constant)], dtype=bool)
        return cls(center, scale, constant, unknown)

    def check_loaded(self) -> None:
        """Refuse what `fit` cannot have learned."""
        shape = (self.scale.size,)
        for name, part in (("centers", self.center), ("scales", self.scale)):
            require_numbers(name, part, shape)
        for name, part in (("constant columns", self.constant), ("unknown columns", self.unknown)):
            require_numbers(name, part, shape, dtype=bool)
        if not (self.scale > 0).all():
            raise ValueError("scales must be positive, one for each column")

    def transform(self, values: np.ndarray, dtype: npt.DTypeLike = np.float64) -> np.ndarray:
        """Standardised copy of `values` (n, c) in `dtype`, made block by block; NaN stays NaN, but not in constant columns."""
        result = np.empty(values.shape, dtype=dtype)
        with np.errstate(over="ignore"):
            for start in range(0, len(values), BLOCK_ROWS):
                rows = slice(start, start + BLOCK_ROWS)
                z = (values[rows] - self.center) / self.scale
                result[rows] = np.where(self.constant, 0.0, np.clip(z, -MAX_STANDARDISED, MAX_STANDARDISED))
        return result

    def departs(self, values: np.ndarray) -> np.ndarray:
        """Whether a row of `values` (n, c) has another value in a constant column than that column had, (n,)."""
        fixed = self.constant & ~self.unknown
        difference = np.abs(values[:, fixed] - self.center[fixed])
        return (difference > DEPARTURE * np.abs(self.center[fixed])).any(axis=1)

    def restore(self, dist: Mixture, output_names: Sequence[str] | None = None) -> Mixture:
        """The mixture `dist` in standardised units carried to data units, with `output_names`."""
        if self.scale.size == 1:
            return dist.affine(self.scale[0], self.center[0])
        return dist.affine(self.scale, self.center).named(output_names)


def resolution(z: np.ndarray) -> float:
    """Typical distance of neighbouring distinct values of a standardised column z (n,); 0 where ties are too few to matter.

    A rounded target lets a component's σ shrink onto a grid value without bound; half of this distance is its floor.
    """
    z = z[:: -(-len(z) // QUANTILE_ROWS)]  # finer steps than a sample shows need no floor
    distinct = np.unique(z)
    if len(distinct) < 2 or len(distinct) > (1.0 - TIED_SHARE) * len(z):
        return 0.0
    return float(np.median(np.diff(distinct)))


def log_reach(z: np.ndarray, weight: np.ndarray) -> float:
    """Log of the σ that the far rows of a standardised target z (n,) of this `weight` (n,) ask for; 0 where few are far.

    A third of the distance of the furthest rows but the outliers, where these are far enough to own the standard deviation.
    """
    step = -(-len(z) // QUANTILE_ROWS)
    z, weight = z[::step], weight[::step]
    lower, median, upper = weighted_quantiles(z, weight, (0.25, 0.5, 0.75))
    spread = np.sqrt(np.average((z - np.average(z, weights=weight)) ** 2, weights=weight))
    if upper == lower or spread * NORMAL_IQR <= WILD_RATIO * (upper - lower):
        return 0.0
    level = 1.0 - max(OUTLIER_SHARE, (MAX_OUTLIERS + 0.5) / len(z))
    reach = float(weighted_quantiles(np.abs(z - median), weight, level)) / NORMAL_REACH
    return float(np.log(max(reach, 1.0)))


def _known(column: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of a column that are not missing, and their weights; a single 0 where there are none."""
    missing = np.isnan(column)
    if not missing.any():
        return column, weight
    return (np.zeros(1), np.ones(1)) if missing.all() else (column[~missing], weight[~missing])


def _center_and_scale(column: np.ndarray, weight: np.ndarray) -> tuple[float, float, bool]:
    """(center, scale, is constant) of one column, exactly equivariant under powers of two."""
    low, high = column.min(), column.max()
    if low == high:
        return (
            low,
            CONSTANT_SHARE * (abs(low) if abs(low) >= np.finfo(float).tiny / CONSTANT_SHARE else 1.0),
            True,
        )
    unit = 2.0 ** _exponent(
        max(abs(low), abs(high))
    )  # an exact change of unit: squares can neither overflow nor underflow
    scaled = column / unit
    step = -(-len(scaled) // QUANTILE_ROWS)
    lower, median, upper = weighted_quantiles(scaled[::step], weight[::step], (0.25, 0.5, 0.75))
    center = weight @ scaled / weight.sum()
    scaled -= center
    scale = np.sqrt(np.einsum("i,i,i", weight, scaled, scaled) / weight.sum())
    bulk = (upper - lower) / NORMAL_IQR
    if bulk > 0 and scale > OUTLIER_RATIO * bulk:
        center, scale = median, bulk
    return center * unit, max(scale * unit, np.finfo(float).smallest_subnormal), False


def _exponent(value: float) -> int:
    """Power of two of a value, kept where 2**exponent and its inverse are both normal numbers."""
    return int(np.clip(np.frexp(value)[1], -1021, 1021))


def weighted_quantiles(values: np.ndarray, weight: np.ndarray, levels: npt.ArrayLike) -> np.ndarray:
    """Quantiles (m,) at `levels` (m,) of values (n,) with weight (n,): linear between the middles of their weights."""
    levels = np.asarray(levels)
    if (weight == weight[0]).all():  # sorting is several times faster than finding out the order
        return np.interp(levels * len(values), np.arange(len(values)) + 0.5, np.sort(values))
    order = np.argsort(values, kind="stable")
    middle = np.cumsum(weight[order]) - 0.5 * weight[order]
    return np.interp(levels * weight.sum(), middle, values[order])
