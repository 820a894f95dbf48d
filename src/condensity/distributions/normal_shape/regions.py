"""Highest-density regions and values of row-wise normal mixtures, by exact level crossings.

Between neighbouring stationary points (`stationary`) the density is monotone, so {p > t} is found by one root of
log p − log t in each piece that passes t. Its probability is the sum of ΔF over its intervals, and that of its complement the
sum over what lies between them and the tails; both are summed without cancellation, each component in its own nearer tail.

Levels are relative inside this file: log p less the row's unit, so that the units of y never matter.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from condensity.distributions.normal_shape.rootfinding import (
    UNCHECKED,
    Terms,
    newton_in_brackets,
    row_blocks,
    stack_rows,
    standard_terms,
    standardised,
)
from condensity.distributions.normal_shape.stationary import stationary_points

EPSILON = np.finfo(float).eps

#: The threshold of a region is solved for until the probability is right to this, relative to the smaller of level and
#: 1 − level. The last shift of the ends squares the rest.
MASS_ACCURACY = 1e-11


#: Probability by which a region may miss its level, and by which rounded ends may make it miss more; halvings for log t.
MAX_MISS, MAX_ROUNDING, N_BISECTIONS = 1e-7, 1e-2, 80


class StationaryProfile(NamedTuple):
    """Mixtures with their stationary points: terms and weights (K, n), points and relative log heights (n, S).

    Beyond a row's last point the points are inf and the heights −inf. `units` (n,) is log(largest w_k σ_min / σ_k).
    """

    terms: Terms
    weights: np.ndarray
    units: np.ndarray
    points: np.ndarray
    heights: np.ndarray


def find_profile(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray) -> StationaryProfile:
    """Stationary points and their heights of mixtures with log_weights, means and scales (n, K)."""
    points, _, kinds = stationary_points(log_weights, means, scales)
    terms = standard_terms(log_weights, means, scales)
    units = (log_weights - np.log(scales / terms.scales.min(axis=0)[:, None])).max(axis=1)
    rows, places = np.nonzero(kinds)
    heights = np.full(points.shape, -np.inf)
    heights[rows, places] = level_and_score(terms.take(rows), points[rows, places])[0]
    return StationaryProfile(terms, np.exp(log_weights).T, units, np.where(kinds == 0, np.inf, points), heights)


def level_and_score(terms: Terms, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Relative log density (r,) and its derivative times the row's smallest σ, at one x (r,) for each of r mixtures (terms).

    In nats; x in data units.
    """
    z = standardised(terms, x)
    size = terms.log_heights - 0.5 * z * z
    largest = size.max(axis=0)
    size -= largest
    np.exp(size, out=size)
    total = size.sum(axis=0)
    z *= terms.ratios
    z *= size
    return largest + np.log(total), -z.sum(axis=0) / total


def crossings(
    profile: StationaryProfile, rows: np.ndarray, levels: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray:
    """Points at which densities pass their thresholds, one column for each monotone piece.

    Parameters
    ----------
    profile : StationaryProfile of n rows
    rows : ndarray of int (q,)
    levels : ndarray (q,)
        Relative log densities, finite.
    start : ndarray (q, S + 1), optional
        First guesses, NaN where there is none.

    Returns
    -------
    ndarray (q, S + 1)
        NaN where a piece does not pass the level. The others ascend and alternate: an interval of {p > t} begins, ends, begins, …
    """
    points, heights, edge = profile.points[rows], profile.heights[rows], np.full((len(rows), 1), np.inf)
    left, right = np.hstack([-edge, points]), np.hstack([points, edge])
    height_left, height_right = np.hstack([-edge, heights]), np.hstack([heights, -edge])
    bottom, top, level = np.minimum(height_left, height_right), np.maximum(height_left, height_right), levels[:, None]
    query, piece = np.nonzero((bottom < level) & (level < top))
    left, right, bottom, top = (v[query, piece] for v in (left, right, bottom, top))
    rising = height_right[query, piece] > height_left[query, piece]
    terms, level = profile.terms.take(rows[query]), levels[query]
    left, right, guess = _finite_brackets(terms, left, right, level, top, bottom, rising)
    if start is not None:
        given = start[query, piece]
        guess = np.where((given > left) & (given < right), given, guess)
    result = np.full((len(rows), points.shape[1] + 1), np.nan)
    result[query, piece] = _cross(terms, left, right, guess, level, top, bottom, rising)
    return result


def _finite_brackets(
    terms: Terms,
    left: np.ndarray,
    right: np.ndarray,
    level: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    rising: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring the outer pieces to an end, and guess where the level is passed.

    Where every term is below t / K, their sum is below t: so far out the outer pieces reach, and there the guess is good, since
    √(top − log p) is nearly straight in the tails. Inside, the guess is that of half a cosine wave.
    """
    excess = terms.log_heights + np.log(len(terms.means)) - level
    reach = np.sqrt(2 * np.maximum(excess, 0.0)) * terms.scales
    low, high = (terms.means - reach).min(axis=0), (terms.means + reach).max(axis=0)
    open_left, open_right = np.isneginf(left), np.isposinf(right)
    left, right = np.where(open_left, np.minimum(low, right), left), np.where(open_right, np.maximum(high, left), right)
    with np.errstate(invalid="ignore"):
        share = np.arcsin(np.sqrt((top - level) / (top - bottom))) * (2 / np.pi)
    share = np.where(rising, 1 - share, share)
    guess = np.clip(left + np.where(open_left, 0.0, np.where(open_right, 1.0, share)) * (right - left), left, right)
    return left, right, guess


def _cross(
    terms: Terms,
    left: np.ndarray,
    right: np.ndarray,
    guess: np.ndarray,
    level: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    rising: np.ndarray,
) -> np.ndarray:
    """Roots of log p − level in brackets where log p is monotone: (r,).

    Newton steps are taken on the distance to the nearer of top and bottom, √(top − log p) or √(log p − bottom), which is straight
    at that end, where log p itself is flat.
    """
    from_top = ~(level - bottom < top - level)
    anchor = np.where(from_top, top, bottom)
    depth = np.sqrt(np.abs(anchor - level))
    tolerance = 2 * EPSILON * np.maximum(1.0, np.abs(level))

    def step(x: np.ndarray, active: np.ndarray, terms: Terms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height, score = level_and_score(terms, x)
        away = np.where(from_top[active], anchor[active] - height, height - anchor[active])
        with np.errstate(divide="ignore", invalid="ignore"):
            move = 2 * (away - depth[active] * np.sqrt(away)) / score * terms.scales.min(axis=0)
        move = np.where(away > 0, np.where(from_top[active], move, -move), np.nan)
        miss = height - level[active]
        return (miss < 0) == rising[active], move, np.abs(miss) <= tolerance[active]

    return newton_in_brackets(step, terms, left, right, guess, unchecked=UNCHECKED)


def inside_and_outside(
    profile: StationaryProfile, rows: np.ndarray, crossed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """P(p(Y) > t) and P(p(Y) < t), two arrays (q,), each to its own relative accuracy.

    Parameters
    ----------
    profile : StationaryProfile of n rows
    rows : ndarray of int (q,)
    crossed : ndarray (q, S + 1)
        The crossings of t.
    """
    edge = np.full((len(rows), 1), np.inf)
    edges = np.hstack([-edge, np.sort(np.where(np.isnan(crossed), np.inf, crossed), axis=1), edge])
    z = standardised(profile.terms.take(rows), edges)
    tails = ndtr(-np.abs(z))
    low, high, below, above = tails[:, :, :-1], tails[:, :, 1:], z[:, :, 1:] < 0, z[:, :, :-1] > 0
    steps = np.where(below, high - low, np.where(above, low - high, 1 - low - high))
    steps = (profile.weights[:, rows, None] * steps).sum(axis=0)
    return steps[:, 1::2].sum(axis=1), steps[:, ::2].sum(axis=1)


# ------------------------------------------------------------------------------------------------ the value of a point


def hpd_value(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Highest-density value of points: the probability of the smallest highest-density region that holds the point.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
        Weights of a row sum to one; −inf is an empty component.
    y : ndarray (n, g)

    Returns
    -------
    ndarray (n, g)
        0 at the highest mode, 1 at ±inf, NaN where y is. Uniform on (0, 1) if y is drawn from the mixture.

    Notes
    -----
    The smaller of the value and its complement is summed without cancellation, so that a value near one is the float
    nearest to one minus a complement of full relative accuracy. Near a mode log p is flat, so that rounding of log p (1e-16)
    means an error of the crossings of up to 1e-8 σ.
    """
    value = np.where(np.isnan(y), np.nan, 1.0)
    n, k = means.shape
    for block in row_blocks(n, 32 * k * k):
        profile = find_profile(log_weights[block], means[block], scales[block])
        rows, columns = np.nonzero(np.isfinite(y[block]))
        for part in row_blocks(rows.size, 16 * (profile.points.shape[1] + 1) * k):
            row, column = rows[part], columns[part]
            value[block.start + row, column] = _values(profile, row, y[block.start + row, column])
    return value


def _values(profile: StationaryProfile, rows: np.ndarray, point: np.ndarray) -> np.ndarray:
    """P(p(Y) ≥ p(point)) of flat queries (q,); the point is one of the crossings of its level, and the first guess of it."""
    levels = level_and_score(profile.terms.take(rows), point)[0]
    own = (profile.points[rows] < point[:, None]).sum(axis=1)
    start = np.full((len(rows), profile.points.shape[1] + 1), np.nan)
    start[np.arange(len(rows)), own] = point
    inside, outside = inside_and_outside(profile, rows, crossings(profile, rows, levels, start))
    return np.where(inside < 0.5, inside, 1 - outside)


# ------------------------------------------------------------------------------------------------ the region of a level


def highest_density_region(
    log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """The smallest set of given probability, {p > t}, as disjoint ordered intervals.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
        Weights of a row sum to one; −inf is an empty component.
    level : float
        The probability, in (0, 1).

    Returns
    -------
    lower, upper : ndarray (n, J)
        Ends of the intervals, ascending; NaN beyond a row's last.

    Notes
    -----
    The level is bracketed between heights of stationary points, where the number of intervals is fixed, then solved for with
    Newton steps on the probability: d P / d log t = −Σ t / |p′ / p| over the crossings.
    The probability is met to 1e-11 of the smaller of level and 1 − level, or 1e-15, if floats allow, as they do up to σ's that
    span 10⁴⁰ in a row and down to a σ of 10⁵ distances between floats. It is checked: where it is missed by more than `MAX_MISS`
    and the rounding of the ends, log t is bisected; what still misses is refused.

    Raises
    ------
    ValueError
        For a component narrower than the distance between floats at its mean, and σ's in a row that are too unlike.
    """
    n, k = means.shape
    # A row has at most 2K crossings, each with about 16 arrays of K numbers.
    blocks = row_blocks(n, 32 * k * k)
    ends = stack_rows([_region_ends(find_profile(log_weights[b], means[b], scales[b]), level) for b in blocks], n)
    ends.sort(axis=1)  # NaN goes last
    used = int((~np.isnan(ends)).sum(axis=1).max(initial=0))
    return ends[:, 0:used:2], ends[:, 1:used:2]


def _region_ends(profile: StationaryProfile, level: float) -> np.ndarray:
    """Ends of the regions, one column for each monotone piece: (n, S + 1)."""
    rows = np.arange(len(profile.points))
    ends = _ends_at(profile, rows, _threshold(profile, level), level)
    again = rows[_misses(profile, rows, ends, level)]
    if len(again):
        ends[again] = _ends_at(profile, again, _bisected(profile, again, level), level)
        refused = again[_misses(profile, again, ends[again], level)]
        if len(refused):
            scales = profile.terms.scales[:, refused[0]]
            raise ValueError(
                f"region: no floats are the ends of the regions of {len(refused)} of {len(rows)} rows; the first has standard "
                f"deviations from {scales.min():.3g} to {scales.max():.3g}. Subtract a constant from y, or use interval."
            )
    return ends


def _misses(profile: StationaryProfile, rows: np.ndarray, ends: np.ndarray, level: float) -> np.ndarray:
    """Whether the probability between the ends (q, S + 1) is another than `level` by more than rounded ends explain: (q,)."""
    spacing = np.spacing(np.abs(np.where(np.isnan(ends), 0.0, ends)).max(axis=1, initial=0.0))
    allowed = MAX_MISS + np.minimum(spacing / profile.terms.scales[:, rows].min(axis=0), MAX_ROUNDING)
    return ~(np.abs(_excess(profile, rows, ends, level)) <= allowed)


def _bisected(profile: StationaryProfile, rows: np.ndarray, level: float) -> np.ndarray:
    """Relative log t (q,) with P(p(Y) > t) = level in some rows, slowly and surely."""
    low, high = _lowest_threshold(profile, level)[rows], profile.heights[rows].max(axis=1)
    for _ in range(N_BISECTIONS):
        middle = 0.5 * (low + high)
        too_much = _excess(profile, rows, crossings(profile, rows, middle), level) >= 0
        low, high = np.where(too_much, middle, low), np.where(too_much, high, middle)
    return low


def _ends_at(profile: StationaryProfile, rows: np.ndarray, threshold: np.ndarray, level: float) -> np.ndarray:
    """Ends of the regions above thresholds (q,) of some rows, (q, S + 1).

    Near the height of a mode or antimode log p is flat, and one ulp of log t moves an end by up to 1e-8 σ. What the
    probability then misses is made good by a last shift of all ends that keeps their densities equal.
    """
    threshold = np.minimum(threshold, np.nextafter(profile.heights[rows].max(axis=1), -np.inf))
    ends = crossings(profile, rows, threshold)
    query, piece = np.nonzero(~np.isnan(ends))
    at = ends[query, piece]
    slope, total = _thinning(profile, rows, threshold, query, at)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shift = _excess(profile, rows, ends, level)[query] / slope / total[query]
    shift = np.where(np.isfinite(shift), shift * profile.terms.scales.min(axis=0)[rows[query]], 0.0)
    edge = np.full((len(rows), 1), np.inf)
    points = np.hstack([-edge, profile.points[rows], edge])
    # An even piece rises: its crossing is a lower end and moves up to lose probability.
    moved = at + np.where(piece % 2 == 0, shift, -shift)
    ends[query, piece] = np.clip(moved, points[query, piece], points[query, piece + 1])
    return ends


def _excess(profile: StationaryProfile, rows: np.ndarray, crossed: np.ndarray, level: float) -> np.ndarray:
    """P(p(Y) > t) − level, from the smaller side."""
    inside, outside = inside_and_outside(profile, rows, crossed)
    return inside - level if level <= 0.5 else (1 - level) - outside


def _thinning(
    profile: StationaryProfile, rows: np.ndarray, threshold: np.ndarray, query: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """|p′ / p| times the smallest σ at the crossings, and −d P(p(Y) > t) / d log t, summed over the crossings of each row."""
    slope = np.abs(level_and_score(profile.terms.take(rows[query]), at)[1])
    density = np.exp(threshold + profile.units[rows]) / np.sqrt(2 * np.pi)  # times the smallest σ
    with np.errstate(divide="ignore", invalid="ignore"):  # σ ratios of 1e100 and more underflow the slope
        return slope, density * np.bincount(query, 1 / slope, minlength=len(rows))


def _threshold(profile: StationaryProfile, level: float) -> np.ndarray:
    """Relative log t with P(p(Y) > t) = level: (n,)."""
    low, high = _band(profile, _lowest_threshold(profile, level), level)
    tolerance = MASS_ACCURACY * min(level, 1 - level) + (4 * EPSILON if level <= 0.5 else 0.0)
    latest = np.full((len(profile.points), profile.points.shape[1] + 1), np.nan)

    def step(x: np.ndarray, active: np.ndarray, terms: Terms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        latest[active] = crossed = crossings(profile, active, x, latest[active])
        query, piece = np.nonzero(~np.isnan(crossed))
        _, total = _thinning(profile, active, x, query, crossed[query, piece])
        excess = _excess(profile, active, crossed, level)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            move = excess / total
        # Just below the height of a mode the slope is infinite, so that a step of nothing does not mean the end.
        move = np.where(np.abs(move) > np.spacing(np.abs(x)), move, np.nan)
        return excess > 0, move, np.abs(excess) <= tolerance

    return newton_in_brackets(step, profile.terms, low, high, 0.5 * (low + high))


def _lowest_threshold(profile: StationaryProfile, level: float) -> np.ndarray:
    """A relative log t, below every stationary height, with P(p(Y) > t) ≥ level: (n,).

    Let [a, b] reach from the smallest (1 − level)/2 quantile of a component to the largest (1 + level)/2 quantile. If log t
    is the smallest of the heights and of log p at a and b, then {p < t} lies beyond [a, b].
    """
    terms = profile.terms
    reach = -ndtri((1 - level) / 2) * terms.scales
    ends = (terms.means - reach).min(axis=0), (terms.means + reach).max(axis=0)
    at_ends = np.minimum(*(level_and_score(terms, end)[0] for end in ends))
    heights = np.where(np.isneginf(profile.heights), np.inf, profile.heights).min(axis=1)
    lowest = np.minimum(heights, at_ends)
    return lowest - 1e-9 * np.maximum(1.0, np.abs(lowest))


def _band(profile: StationaryProfile, lowest: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring stationary heights (or the lowest threshold) between which log t lies: two arrays (n,)."""
    n, width = profile.heights.shape
    ladder = -np.sort(-np.maximum(np.hstack([profile.heights, lowest[:, None]]), lowest[:, None]), axis=1)
    rows = np.arange(n)
    above, below = np.zeros(n, dtype=int), np.full(n, width)  # P < level at rung `above`, P ≥ level at rung `below`
    while True:
        open_rows = rows[below - above > 1]
        if open_rows.size == 0:
            return ladder[rows, below], ladder[rows, above]
        middle = (above[open_rows] + below[open_rows]) // 2
        crossed = crossings(profile, open_rows, ladder[open_rows, middle])
        too_much = _excess(profile, open_rows, crossed, level) >= 0
        below[open_rows] = np.where(too_much, middle, below[open_rows])
        above[open_rows] = np.where(too_much, above[open_rows], middle)
