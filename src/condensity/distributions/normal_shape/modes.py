"""Modes of row-wise normal mixtures over several outputs, by ascent from many starts.

With γ_k the share of component k in the density at x, P_k its precision and u_k = P_k (μ_k − x), log p has

    gradient g = Σ γ_k u_k,   Hessian H = −(A − Σ γ_k u_k u_kᵀ + g gᵀ),   A = Σ γ_k P_k

The mean shift x ← x + A⁻¹ g (Carreira-Perpiñán 2000) is an EM step and so never descends, but crawls near flat modes. In the
metric A it is g̃, and −H is I − C with a covariance C, so that every eigenvalue λ of it is at most one. Along eigenvectors with
λ > 0 the step taken here is Newton's, g̃/λ, else the mean shift's; a step that would descend is replaced by the mean shift.

In two dimensions and more a mixture can have more modes than components. All stationary points lie on the surface of the
points (Σ α_k P_k)⁻¹ Σ α_k P_k μ_k with α ≥ 0 (Ray & Lindsay 2005), so ascent starts from every component's mean, from three
such points of every two components, from one of all together, and from the mixture's mean. Of 9291 modes of
random mixtures with 2 to 5 outputs, found with 1000 more starts per row, these find all but 18; means alone miss 1004.
"""

import numpy as np
from scipy.special import logsumexp

from condensity.distributions.gaussian import deviations, full

#: Where on the way from one component to another ascent starts.
BETWEEN = (0.2, 0.5, 0.8)

#: Numbers in one temporary array.
BLOCK = 2**18

#: Steps of one start. Newton needs about ten; the mean shift alone would need hundreds.
MAX_STEPS = 500

#: Steps below this, in standard deviations, are the last: Newton's error is squared by a step.
LAST_STEP = 1e-8

#: Smallest eigenvalue to divide by.
FLAT = 1e-12

#: Points nearer than this, in standard deviations, are one: a flat mode (λ = 0) is not found more sharply.
SAME = 1e-4

#: Eigenvalues of −H in the metric A below this are those of saddles; flat modes have 0 to rounding.
SADDLE = -1e-8


def find_modes(log_weights: np.ndarray, means: np.ndarray, factors: np.ndarray) -> list[np.ndarray]:
    """Modes of every row, a list of n arrays (j, q), densest first.

    Parameters
    ----------
    log_weights : ndarray (n, K)
        Weights of a row sum to one; −inf is an empty component.
    means : ndarray (n, K, q)
    factors : ndarray (n, K, q) or (n, K, q, q)
        Standard deviations, or lower Cholesky factors of the covariances.

    Notes
    -----
    Every point is a mode; that none is missing is not certified, as it is for one output.
    """
    n, n_components, q = means.shape
    n_starts = n_components + len(BETWEEN) * n_components * (n_components - 1) // 2 + 2
    n_rows = max(1, BLOCK // (n_starts * n_components * q * q))
    modes: list[np.ndarray] = []
    for start in range(0, n, n_rows):
        rows = slice(start, start + n_rows)
        modes += _modes_of_block(log_weights[rows], means[rows], factors[rows])
    return modes


def _modes_of_block(log_weights: np.ndarray, means: np.ndarray, factors: np.ndarray) -> list[np.ndarray]:
    """Modes of the rows of one block."""
    heaviest = np.argmax(log_weights, axis=1)[:, None, None]
    means = np.where(np.isneginf(log_weights)[:, :, None], np.take_along_axis(means, heaviest, 1), means)
    exponents = np.frexp(deviations(factors).min(axis=1, keepdims=True))[1]  # units near the smallest σ of every output
    means, factors = np.ldexp(means, -exponents), np.ldexp(full(factors), -exponents[..., None])
    inverse = np.linalg.inv(factors)
    log_heights = log_weights - np.log(np.einsum("nkii->nki", factors)).sum(axis=2)
    starts = _starts(np.exp(log_weights), means, inverse)
    n, n_starts, q = starts.shape
    rows = np.repeat(np.arange(n), n_starts)
    ascent = _Ascent(log_heights, means, inverse)
    x = ascent.climb(rows, starts.reshape(-1, q))
    height, _, metric, curvature = ascent.evaluate(rows, x)
    is_mode = curvature[:, 0] > SADDLE
    height, is_mode = height.reshape(n, n_starts), is_mode.reshape(n, n_starts)
    is_mode |= height == height.max(axis=1, keepdims=True)  # the highest point is a mode, whatever the rounding
    points, metric = x.reshape(n, n_starts, q), metric.reshape(n, n_starts, q, q)
    kept = _distinct(points, metric, height, is_mode)
    points = np.ldexp(points, exponents)
    return [row[order[keep[order]]] for row, keep, order in zip(points, kept, np.argsort(-height, axis=1), strict=True)]


def _starts(weights: np.ndarray, means: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Where ascent begins, (n, S, q)."""
    n_components = means.shape[1]
    precision = np.swapaxes(inverse, 2, 3) @ inverse
    pull = (precision @ means[..., None])[..., 0]
    i, j = np.triu_indices(n_components, 1)
    between = [
        _solve(a * precision[:, i] + (1 - a) * precision[:, j], a * pull[:, i] + (1 - a) * pull[:, j]) for a in BETWEEN
    ]
    centre = _solve(precision.sum(axis=1, keepdims=True), pull.sum(axis=1, keepdims=True))
    mean = np.einsum("nk,nkq->nq", weights, means)[:, None]
    return np.concatenate([means, *between, centre, mean], axis=1)


def _solve(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.linalg.solve(matrices, vectors[..., None])[..., 0]


class _Ascent:
    """Climbs the log density of many rows at once; `rows` (a,) are the mixtures of the points (a, q)."""

    def __init__(self, log_heights: np.ndarray, means: np.ndarray, inverse: np.ndarray):
        self.log_heights, self.means, self.inverse = log_heights, means, inverse

    def evaluate(self, rows: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Log density, the step to take (in x), A and the eigenvalues of −H in the metric A, ascending."""
        inverse = self.inverse[rows]
        z = (inverse @ (self.means[rows] - x[:, None])[..., None])[..., 0]
        pull = (z[..., None, :] @ inverse)[..., 0, :]
        terms = self.log_heights[rows] - 0.5 * np.einsum("akq,akq->ak", z, z)
        height = logsumexp(terms, axis=1)
        share = np.exp(terms - height[:, None])
        gradient = np.einsum("ak,akq->aq", share, pull)
        metric = np.einsum("ak,akij,akil->ajl", share, inverse, inverse, optimize=True)
        away = pull - gradient[:, None]
        spread = np.einsum("ak,aki,akj->aij", share, away, away, optimize=True)
        to_metric = np.linalg.inv(np.linalg.cholesky(metric))  # C⁻¹ with A = C Cᵀ
        shift = (to_metric @ gradient[..., None])[..., 0]
        curvature, axes = np.linalg.eigh(to_metric @ (metric - spread) @ np.swapaxes(to_metric, 1, 2))
        along = (shift[:, None] @ axes)[:, 0]
        newton = along / np.where(curvature > 0, np.maximum(curvature, FLAT), 1.0)
        size = np.linalg.norm(newton, axis=1)
        longest = np.maximum(1.0, np.linalg.norm(along, axis=1))  # one σ, or as far as the mean shift dares
        newton *= np.minimum(1.0, longest / np.maximum(size, 1e-300))[:, None]
        steps = np.stack([(axes @ newton[..., None])[..., 0], shift])
        return height, (steps[:, :, None] @ to_metric)[:, :, 0], metric, curvature

    def climb(self, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The stationary points reached from x."""
        result = x.copy()
        active = np.arange(len(x))
        height, steps, metric, _ = self.evaluate(rows, x)
        careful = np.zeros(len(x), dtype=np.intp)  # 0: Newton's step; 1: the mean shift, after a step that descended
        for _ in range(MAX_STEPS):
            step = steps[careful, np.arange(len(x))]
            target = x + step
            size = np.sqrt(np.einsum("ai,aij,aj->a", step, metric, step))
            last = (size < LAST_STEP) | (np.abs(step) <= 2 * np.spacing(np.abs(x))).all(axis=1)
            result[active[last]] = target[last]
            going = ~last
            if not going.any():
                break
            active, rows, x, target = active[going], rows[going], x[going], target[going]
            height, steps, metric, careful = height[going], steps[:, going], metric[going], careful[going]
            new_height, new_steps, new_metric, _ = self.evaluate(rows, target)
            # The mean shift ascends by theory, so where it seems not to, rounding is all that is left.
            better = (new_height >= height - 1e-13 * np.maximum(1.0, np.abs(height))) | (careful == 1)
            x = np.where(better[:, None], target, x)
            height = np.where(better, new_height, height)
            steps = np.where(better[:, None], new_steps, steps)
            metric = np.where(better[:, None, None], new_metric, metric)
            careful = np.where(better, 0, 1)
            result[active] = x
        return result


def _distinct(points: np.ndarray, metric: np.ndarray, height: np.ndarray, is_mode: np.ndarray) -> np.ndarray:
    """Which points (n, S) to keep: of those that are one point, the first."""
    n, n_starts, _ = points.shape
    kept = np.zeros((n, n_starts), dtype=bool)
    for j in range(n_starts):
        away = points[:, :j] - points[:, [j]]
        distance = np.einsum("nsi,nij,nsj->ns", away, metric[:, j], away)
        kept[:, j] = is_mode[:, j] & ~((distance < SAME**2) & kept[:, :j]).any(axis=1)
    return kept
