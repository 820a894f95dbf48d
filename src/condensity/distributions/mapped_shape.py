"""Shape of y = t⁻¹(u) for a mixture u of normals and any strictly monotone map t: modes, regions, entropy and scores.

In u the log density of y is h(u) = log p(u) − log |dy/du|. Its peaks and valleys are bracketed on a grid that is fine in the
σ of every component, and found by golden section; between them h is monotone, so that {h > c} ends at one root in each piece that
passes c, and its probability is that of intervals of u. Means are adaptive quadratures (`quadrature`).

A peak is missed if it is narrower than half a σ of every component near it; the tests count how often that happens.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from condensity import engines
from condensity.distributions.mixture import Mixture
from condensity.distributions.monotone import MonotoneMap
from condensity.distributions.normal_shape.regions import StationaryProfile, inside_and_outside
from condensity.distributions.normal_shape.rootfinding import pad_rows, row_blocks, standard_terms
from condensity.distributions.quadrature import integrate

#: z of every component at which the grid for peaks has points: densely where its mass is, sparsely as far as steep maps tilt it.
GRID = np.concatenate([[-40.0, -24.0, -16.0, -11.0, -8.0], np.linspace(-6.0, 6.0, 37), [8.0, 11.0, 16.0, 24.0, 40.0]])

#: z of every component between which cells of quadratures begin.
CELLS = np.array([-12.0, -3.0, 0.0, 3.0, 12.0])

#: Golden sections shrink a bracket by 1.6 each: 44 of them to 1e-9 of its width, below which rounding of h hides the peak.
SECTIONS = 44
GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)

#: Steps of a root in its bracket, and the accuracies of log densities at the ends of a region and of a region's probability.
MAX_STEPS, LEVEL_ACCURACY, MASS_ACCURACY = 200, 1e-13, 1e-11


class Rows(NamedTuple):
    """Rows of one block, with what is asked of them again and again: log weights, means and scales (n, K), and the map."""

    log_weights: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    transform: MonotoneMap

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log weights, means and scales of flat rows (r,)."""
        return self.log_weights[rows], self.means[rows], self.scales[rows]

    def heights(self, rows: np.ndarray, u: np.ndarray) -> np.ndarray:
        """h, (r,) or (r, m), of flat rows (r,) at points u, (r,) or (r, m); −inf where the map has no slope."""
        points = u if u.ndim == 2 else u[:, None]
        slope = self.log_slopes(points)
        with np.errstate(invalid="ignore"):
            logs = engines.mixture_logpdf(*self.of(rows), points) - slope
        result = np.where(np.isfinite(slope), logs, -np.inf)
        return result if u.ndim == 2 else result[:, 0]

    def log_slopes(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of `|dy/du|` at points u, (r,) or of any other shape."""
        with np.errstate(all="ignore"):
            return self.transform.log_inverse_derivative(u)

    def edges(self, more: np.ndarray | None = None) -> np.ndarray:
        """Ascending ends of cells (n, c) at the `CELLS` of every component, the breaks of the map, and more points (n, g)."""
        n = len(self.means)
        ends = (self.means[:, :, None] + self.scales[:, :, None] * CELLS).reshape(n, -1)
        low, high = ends.min(axis=1, keepdims=True), ends.max(axis=1, keepdims=True)
        breaks = np.clip(np.tile(np.array(self.transform.breaks, dtype=float), (n, 1)), low, high)
        return np.sort(np.hstack([ends, breaks, *([] if more is None else [more])]), axis=1)


def blocks(base: Mixture, transform: MonotoneMap, per_row: int = 0) -> list[tuple[slice, Rows]]:
    """Blocks of the rows of `base`, carried by `transform`, so that K² grids and `per_row` more numbers each fit the memory."""
    n, k = base.means.shape
    log_weights, means, scales = (np.array(part) for part in (base.log_weights, base.means, base.scales))
    # An empty component is a copy of the heaviest one, so that it adds no cells.
    heaviest = np.argmax(log_weights, axis=1)[:, None]
    empty = np.isneginf(log_weights)
    means = np.where(empty, np.take_along_axis(means, heaviest, axis=1), means)
    scales = np.where(empty, np.take_along_axis(scales, heaviest, axis=1), scales)
    return [
        (part, Rows(log_weights[part], means[part], scales[part], transform))
        for part in row_blocks(n, GRID.size * k * k + per_row)
    ]


# ------------------------------------------------------------------------------------------------ peaks and valleys
def survey(block: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Grid (n, G) of the rows of a block, ascending, and its heights, NaN beyond a row's last point."""
    n = len(block.means)
    grid = (block.means[:, :, None] + block.scales[:, :, None] * GRID).reshape(n, -1)
    grid = np.sort(np.hstack([grid, np.tile(np.array(block.transform.breaks, dtype=float), (n, 1))]), axis=1)
    heights = block.heights(np.arange(n), grid)
    kept = np.hstack([np.ones((n, 1), dtype=bool), np.diff(grid, axis=1) > 0]) & np.isfinite(heights)
    rows, places = np.nonzero(kept)
    return pad_rows(rows, grid[rows, places], n), pad_rows(rows, heights[rows, places], n)


def stationary_points(block: Rows, grid: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Peaks and valleys of h in turn, a peak first and last: points and heights (n, S), NaN beyond a row's last.

    They are sought, for the rows of a block, between neighbours on a grid (n, G) with its heights (n, G).
    """
    peaks, valleys = (_refined(block, grid, heights, sign) for sign in (1.0, -1.0))
    return _in_turn(block, peaks, valleys)


def _refined(block: Rows, grid: np.ndarray, heights: np.ndarray, sign: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows (r,) and points (r,) of the peaks of sign · h, by golden section between neighbours of a highest point."""
    h = np.where(np.isnan(heights), -np.inf, sign * heights)
    edge = np.full((len(h), 1), -np.inf if sign > 0 else np.inf)
    before, after = np.hstack([edge, h[:, :-1]]), np.hstack([h[:, 1:], edge])
    rows, places = np.nonzero((h > before) & (h >= after) & np.isfinite(h))
    left = grid[rows, np.maximum(places - 1, 0)]
    right = grid[rows, np.minimum(places + 1, grid.shape[1] - 1)]
    right = np.where(np.isnan(right), grid[rows, places], right)
    low, high = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
    of_low, of_high = sign * block.heights(rows, low), sign * block.heights(rows, high)
    for _ in range(SECTIONS):
        lower = of_low >= of_high
        left, right = np.where(lower, left, low), np.where(lower, high, right)
        low, high = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
        fresh = sign * block.heights(rows, np.where(lower, low, high))
        of_low, of_high = np.where(lower, fresh, of_high), np.where(lower, of_low, fresh)
    middle, best = 0.5 * left + 0.5 * right, grid[rows, places]
    return rows, np.where(sign * block.heights(rows, middle) >= h[rows, places], middle, best)


def _in_turn(
    block: Rows, peaks: tuple[np.ndarray, np.ndarray], valleys: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Peaks and valleys of every row sorted, of neighbours of one kind the most extreme kept."""
    n = len(block.means)
    rows, points = np.concatenate([peaks[0], valleys[0]]), np.concatenate([peaks[1], valleys[1]])
    kinds = np.repeat([1, -1], [len(peaks[0]), len(valleys[0])])
    order = np.lexsort([points, rows])
    rows, points, kinds = rows[order], points[order], kinds[order]
    heights = block.heights(rows, points)
    # Plateaus aside they alternate already.
    group = np.cumsum(np.concatenate([[1], (kinds[1:] != kinds[:-1]) | (rows[1:] != rows[:-1])])) - 1
    best = np.full(len(group), -np.inf)
    np.maximum.at(best, group, kinds * heights)
    candidates = np.flatnonzero(kinds * heights == best[group])
    keep = np.zeros(len(group), dtype=bool)
    keep[candidates[np.unique(group[candidates], return_index=True)[1]]] = True
    first, last = np.searchsorted(rows, rows, side="left"), np.searchsorted(rows, rows, side="right") - 1
    keep &= (kinds > 0) | ((group != group[first]) & (group != group[last]))  # a valley first or last bounds nothing
    return pad_rows(rows[keep], points[keep], n), pad_rows(rows[keep], heights[keep], n)


def modes(base: Mixture, transform: MonotoneMap) -> list[np.ndarray]:
    """Modes of y, n arrays (j,), densest first, where t(y), by a `transform` t, has the distribution `base` of n rows."""
    result: list[np.ndarray] = []
    for _, block in blocks(base, transform):
        points, heights = (table[:, ::2] for table in stationary_points(block, *survey(block)))
        order = np.argsort(np.where(np.isnan(heights), np.inf, -heights), axis=1)
        y = transform.inverse(np.take_along_axis(points, order, axis=1))
        result += [row[~np.isnan(row)] for row in y]
    return result


# ------------------------------------------------------------------------------------------------ level sets
class Landscape(NamedTuple):
    """A block with points (n, G), no peak or valley between two neighbours, their heights, and the mixture."""

    block: Rows
    points: np.ndarray
    heights: np.ndarray
    profile: StationaryProfile

    def crossings(self, rows: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Points at which h passes levels (q,) in rows (q,), ascending, NaN beyond a query's last: (q, J)."""
        above = self.heights[rows] > levels[:, None]
        query, place = np.nonzero(above[:, 1:] != above[:, :-1])
        own, level = rows[query], levels[query]
        rounding = LEVEL_ACCURACY * np.maximum(1.0, np.abs(level))

        def miss(active: np.ndarray, u: np.ndarray) -> np.ndarray:
            excess = self.block.heights(own[active], u) - level[active]
            return np.where(np.abs(excess) <= rounding[active], 0.0, excess)

        ends = (self.points[own, place], self.points[own, place + 1])
        tops = (self.heights[own, place] - level, self.heights[own, place + 1] - level)
        return pad_rows(query, _roots(miss, *ends, *tops), len(rows))

    def probabilities(self, rows: np.ndarray, crossed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P(h > level) and P(h < level), two arrays (q,), where levels are crossed (q, J) in rows (q,)."""
        return inside_and_outside(self.profile, rows, crossed)


def landscape(block: Rows) -> Landscape:
    """The grid of a block with its peaks and valleys; at both ends h counts as −∞."""
    n = len(block.means)
    grid, heights = survey(block)
    points, tops = stationary_points(block, grid, heights)
    points, tops = np.hstack([grid, points]), np.hstack([heights, tops])
    order = np.argsort(points, axis=1, kind="stable")  # NaN goes last
    points, tops = np.take_along_axis(points, order, axis=1), np.take_along_axis(tops, order, axis=1)
    last = (~np.isnan(points)).sum(axis=1) - 1
    end = points[np.arange(n), last]
    tops[:, 0], tops[np.arange(n), last] = -np.inf, -np.inf
    points, tops = np.where(np.isnan(points), end[:, None], points), np.where(np.isnan(tops), -np.inf, tops)
    terms = standard_terms(block.log_weights, block.means, block.scales)
    return Landscape(
        block, points, tops, StationaryProfile(terms, np.exp(block.log_weights).T, np.zeros(n), points, tops)
    )


def _roots(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    left: np.ndarray,
    right: np.ndarray,
    of_left: np.ndarray,
    of_right: np.ndarray,
) -> np.ndarray:
    """Roots (r,) of function(active (a,), x (a,)) in brackets with values of unlike sign: inverse quadratic steps, or halving.

    References
    ----------
    Chandrupatla (1997), "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function".
    """
    root = 0.5 * left + 0.5 * right
    active = np.flatnonzero(right > left)
    x1, x2, f1, f2 = (part[active] for part in (right, left, of_right, of_left))
    share = np.full(active.size, 0.5)
    for _ in range(MAX_STEPS):
        if not active.size:
            break
        x = x1 + share * (x2 - x1)
        value = function(active, x)
        root[active] = x
        same = np.sign(value) == np.sign(f1)
        x3, f3 = np.where(same, x1, x2), np.where(same, f1, f2)
        x2, f2 = np.where(same, x2, x1), np.where(same, f2, f1)
        x1, f1 = x, value
        least = 2 * np.spacing(np.maximum(np.abs(x1), np.abs(x2))) / np.abs(x2 - x1)
        with np.errstate(all="ignore"):
            xi, phi = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
            share = f1 / (f2 - f1) * f3 / (f2 - f3) + (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2)
            quadratic = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi) & np.isfinite(share)
        share = np.clip(np.where(quadratic, share, 0.5), least, np.maximum(1.0 - least, least))
        going = (value != 0) & (least < 0.5)
        active, x1, x2, f1, f2, share = (part[going] for part in (active, x1, x2, f1, f2, share))
    return root


def hpd_value(base: Mixture, transform: MonotoneMap, u: np.ndarray) -> np.ndarray:
    """P(density of y ≥ that at t⁻¹(u)) for points u (n, g): (n, g), NaN where u is; base and transform as for `modes`."""
    result = np.full(u.shape, np.nan)
    for part, block in blocks(base, transform, 64 * u.shape[1]):
        shape = landscape(block)
        rows, columns = np.nonzero(~np.isnan(u[part]))
        points = u[part][rows, columns]
        finite = np.isfinite(points)
        value = np.ones(len(rows))
        levels = block.heights(rows[finite], points[finite])
        inside, outside = shape.probabilities(rows[finite], shape.crossings(rows[finite], levels))
        value[finite] = np.where(inside < 0.5, inside, 1.0 - outside)
        result[part.start + rows, columns] = value
    return result


def region(base: Mixture, transform: MonotoneMap, level: float) -> list[np.ndarray]:
    """Smallest sets of y that hold a probability of `level`, n arrays (j, 2), ascending; base and transform as for `modes`."""
    result: list[np.ndarray] = []
    for _, block in blocks(base, transform):
        shape = landscape(block)
        rows = np.arange(len(block.means))
        y = np.sort(transform.inverse(shape.crossings(rows, _threshold(shape, level))), axis=1)
        result += [row[~np.isnan(row)].reshape(-1, 2) for row in y]
    return result


def _threshold(shape: Landscape, level: float) -> np.ndarray:
    """The c with P(h > c) = level of every row, (n,)."""
    rows = np.arange(len(shape.points))
    top = shape.heights.max(axis=1)

    def excess(active: np.ndarray, c: np.ndarray) -> np.ndarray:
        inside, outside = shape.probabilities(active, shape.crossings(active, c))
        miss = inside - level if level <= 0.5 else (1.0 - level) - outside
        return np.where(np.abs(miss) <= MASS_ACCURACY * min(level, 1.0 - level), 0.0, miss)

    depth = np.ones(len(rows))
    value = excess(rows, top - depth)
    while (value < 0).any():
        depth = np.where(value < 0, 2.0 * depth, depth)
        value = np.where(value < 0, excess(rows, top - depth), value)
    return _roots(excess, top - depth, top, value, np.full(len(rows), -level))


# ------------------------------------------------------------------------------------------------ integrals
def entropy_of_slope(base: Mixture, transform: MonotoneMap) -> np.ndarray:
    """Mean of log |dy/du|, (n,), which the entropy of y has more than that of u; base and transform as for `modes`."""
    result = np.empty(len(base))
    for part, block in blocks(base, transform):

        def integrand(rows: np.ndarray, u: np.ndarray, block: Rows = block) -> np.ndarray:
            slope = block.log_slopes(u)
            with np.errstate(invalid="ignore"):
                return np.where(np.isfinite(slope), np.exp(engines.mixture_logpdf(*block.of(rows), u)) * slope, 0.0)

        result[part] = integrate(integrand, block.edges(), per_point=base.n_components).sum(axis=1)
    return result


def crps(base: Mixture, transform: MonotoneMap, u: np.ndarray) -> np.ndarray:
    """CRPS (n, g) of y at t⁻¹(u) for points u (n, g); base and transform as for `modes`.

    It is ∫ F² left of the point and ∫ (1 − F)² right of it, over |dy/du| du.
    """
    result = np.empty(u.shape)
    for part, block in blocks(base, transform, 256 * u.shape[1]):
        points = u[part]
        inside = np.where(np.isfinite(points), points, block.means[:, :1])
        edges = block.edges(inside)
        below, above = (
            integrate(partial(_squared, block, tail), edges, per_point=base.n_components)
            for tail in (engines.mixture_logcdf, engines.mixture_logsf)
        )
        zero = np.zeros((len(edges), 1))
        left = np.hstack([zero, np.cumsum(below, axis=1)])
        right = np.hstack([np.cumsum(above[:, ::-1], axis=1)[:, ::-1], zero])
        place = np.array([np.searchsorted(own, row) for own, row in zip(edges, inside, strict=True)]).reshape(
            points.shape
        )
        place = np.where(np.isneginf(points), 0, np.where(np.isposinf(points), edges.shape[1] - 1, place))
        total = np.take_along_axis(left, place, axis=1) + np.take_along_axis(right, place, axis=1)
        result[part] = np.where(np.isnan(points), np.nan, total)
    return result


def _squared(block: Rows, log_tail: Callable[..., np.ndarray], rows: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The square of a tail's probability times |dy/du|, at points u (r, m) of flat rows (r,)."""
    slope = block.log_slopes(u)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.isfinite(slope), np.exp(2.0 * log_tail(*block.of(rows), u) + slope), 0.0)


def component_moments(base: Mixture, transform: MonotoneMap) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance, (n, K[, q]), of y in every component of `base`, where the map `transform` has breaks."""
    centers, scales = base.means.ravel(), base.scales.ravel()
    edges = np.sort(
        np.hstack([np.tile(CELLS, (len(centers), 1)), _standard_breaks(transform, centers, scales)]), axis=1
    )

    def y_of(rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        return transform.inverse(centers[rows, None] + scales[rows, None] * z)

    middle = transform.inverse(centers)
    shift = integrate(lambda rows, z: (y_of(rows, z) - middle[rows, None]) * _normal(z), edges).sum(axis=1)
    second = integrate(lambda rows, z: (y_of(rows, z) - (middle + shift)[rows, None]) ** 2 * _normal(z), edges).sum(
        axis=1
    )
    return (middle + shift).reshape(base.means.shape), second.reshape(base.means.shape)


def _standard_breaks(transform: MonotoneMap, centers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The breaks of a map in σ from the centers (r,) of components, within ± 12: (r, b)."""
    breaks = np.array(transform.breaks, dtype=float)
    return np.clip((breaks - centers[:, None]) / scales[:, None], CELLS[0], CELLS[-1])


def _normal(z: np.ndarray) -> np.ndarray:
    """Standard normal density."""
    return np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
