"""Draws from p(x | y) ∝ p̂(x) p(y | x): quantiles on an adaptive grid for one input, importance sampling for several.

References
----------
Vehtari, Simpson, Gelman, Yao & Gabry (2024), "Pareto smoothed importance sampling", JMLR 25.
Zhang & Stephens (2009), "A new and efficient estimation method for the generalized Pareto distribution", Technometrics 51.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from condensity.distributions import Mixture

#: Panels of the grid at first, the most times that one is halved, and the share of the total above which its error is halved.
FIRST_PANELS, MAX_HALVINGS, PANEL_ERROR = 128, 24, 1e-6

#: The most panels, at which refinement ends.
MAX_PANELS = 2**14


def on_grid(
    log_joint: Callable[[np.ndarray], np.ndarray], nodes: np.ndarray, n_draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of p(x | y) for one input.

    Parameters
    ----------
    log_joint : callable (x (g,)) -> (n, g)
        Log p(x, y) of every row of y at the same points.
    nodes : ndarray (g,)
        Ascending; together they span all that matters, and none of the peaks is narrower than their distance there.
    n_draws : int

    Returns
    -------
    draws (n, n_draws), log_evidence (n,)
    """
    ends = np.unique(np.concatenate([nodes, np.linspace(nodes[0], nodes[-1], FIRST_PANELS + 1)]))
    x, values = _refined(log_joint, ends)
    largest = values.max(axis=1, keepdims=True)
    density = np.exp(values - largest)
    mass = 0.5 * (density[:, :-1] + density[:, 1:]) * np.diff(x)
    total = mass.sum(axis=1, keepdims=True)
    draws = _quantiles(x, density / total, mass / total, (np.arange(n_draws) + 0.5) / n_draws)
    return draws, largest[:, 0] + np.log(total[:, 0])


def _refined(log_joint: Callable[[np.ndarray], np.ndarray], ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (g,) and log values (n, g): panels are halved where Simpson's rule and the trapezoid's disagree in any row."""
    x, values = ends, log_joint(ends)
    left = np.arange(len(x) - 1)  # panels that are not yet fine enough, by their left node
    for _ in range(MAX_HALVINGS):
        if not len(left) or len(x) > MAX_PANELS:
            break
        middle = 0.5 * (x[left] + x[left + 1])
        between = log_joint(middle)
        largest = np.maximum(values.max(axis=1), between.max(axis=1))[:, None]
        density, inner = np.exp(values - largest), np.exp(between - largest)
        whole = (0.5 * (density[:, :-1] + density[:, 1:]) * np.diff(x)).sum(axis=1, keepdims=True)
        width = x[left + 1] - x[left]
        error = np.abs(inner - 0.5 * (density[:, left] + density[:, left + 1])) * width / np.maximum(whole, 1e-300)
        coarse = (error > PANEL_ERROR).any(axis=0)
        x, values = np.insert(x, left + 1, middle), np.insert(values, left + 1, between, axis=1)
        moved = left + np.arange(len(left))  # where the left nodes are now
        left = np.sort(np.concatenate([moved[coarse], moved[coarse] + 1]))
    return x, values


def _quantiles(x: np.ndarray, density: np.ndarray, mass: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles (n, m) of densities (n, g) that are linear between nodes x (g,), with masses (n, g − 1) between them."""
    n = len(density)
    above = np.cumsum(mass, axis=1)
    above /= above[:, -1:]
    # One search for all rows: those of row i lie between i and i + 1.
    rows = np.arange(n)[:, None]
    panel = np.searchsorted((above + rows).ravel(), (levels + rows).ravel()).reshape(n, -1) - rows * mass.shape[1]
    panel = np.clip(panel, 0, mass.shape[1] - 1)
    below = np.take_along_axis(np.pad(above, ((0, 0), (1, 0))), panel, axis=1)
    first, last = (np.take_along_axis(density, panel + side, axis=1) for side in (0, 1))
    width = np.diff(x)[panel]
    rest = np.maximum(levels - below, 0.0) / width
    root = np.sqrt(np.maximum(first**2 + 2.0 * (last - first) * rest, 0.0))
    with np.errstate(invalid="ignore"):
        part = 2.0 * rest / (first + root)
    return x[panel] + width * np.clip(np.nan_to_num(part), 0.0, 1.0)


def propose(proposal: Mixture, n_draws: int, seed: int) -> np.ndarray:
    """Quasi-random draws (n, n_draws, c), scrambled by `seed`, from every row of a mixture `proposal` over c inputs.

    One scrambled Sobol sequence serves all rows: its first coordinate chooses components, so that each has its share, the
    others are turned to normals.
    """
    c = proposal.n_outputs
    sequence = qmc.Sobol(c + 1, seed=seed)
    points = np.clip(sequence.random_base2(int(np.ceil(np.log2(n_draws))))[:n_draws], 1e-12, 1.0 - 1e-12)
    normals = ndtri(points[:, 1:])
    edges = np.cumsum(proposal.weights, axis=1)
    factors = np.linalg.cholesky(proposal.covariances)
    draws = np.empty((len(proposal), n_draws, c))
    for i, row in enumerate(edges):
        chosen = np.minimum(np.searchsorted(row / row[-1], points[:, 0], side="right"), len(row) - 1)
        means = proposal.means[i].reshape(-1, c)
        draws[i] = means[chosen] + np.einsum("sij,sj->si", factors[i, chosen], normals)
    return draws


def smoothed(log_ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pareto-smoothed log weights (n, s) from `log_ratios` (n, s), normalised, and the shapes k̂ (n,) of their tails."""
    log_ratios = log_ratios - log_ratios.max(axis=1, keepdims=True)
    pairs = [_smooth_tail(row) for row in log_ratios]
    log_weights, shapes = np.array([row for row, _ in pairs]), np.array([k for _, k in pairs])
    return log_weights - logsumexp(log_weights, axis=1, keepdims=True), shapes


def _smooth_tail(log_ratios: np.ndarray) -> tuple[np.ndarray, float]:
    """One row: the largest weights become the quantiles of the Pareto tail that is fitted to them."""
    s = len(log_ratios)
    n_tail = int(min(0.2 * s, 3.0 * np.sqrt(s)))
    order = np.argsort(log_ratios, kind="stable")
    tail = order[s - n_tail :]
    cut = np.exp(log_ratios[order[s - n_tail - 1]])
    excess = np.exp(log_ratios[tail]) - cut
    if n_tail < 5 or excess[-1] <= 0:
        return log_ratios, -np.inf
    shape, scale = fit_generalized_pareto(excess)
    levels = (np.arange(n_tail) + 0.5) / n_tail
    quantiles = (
        -scale * np.log1p(-levels) if abs(shape) < 1e-12 else scale * np.expm1(-shape * np.log1p(-levels)) / shape
    )
    smooth = log_ratios.copy()
    smooth[tail] = np.minimum(np.log(cut + quantiles), 0.0)  # no weight above the largest that was seen
    return smooth, shape


def fit_generalized_pareto(excess: np.ndarray) -> tuple[float, float]:
    """Shape k and scale of a generalised Pareto distribution of ascending positive `excess` (m,), by Zhang & Stephens.

    The shape is drawn towards ½ with the weight of ten numbers, as Vehtari et al. do.
    """
    m = len(excess)
    n_points = 30 + int(np.sqrt(m))
    grid = 1.0 - np.sqrt(n_points / (np.arange(n_points) + 0.5))
    quarter = excess[max(int(m / 4 + 0.5) - 1, 0)]
    theta = 1.0 / excess[-1] + grid / (3.0 * max(quarter, np.finfo(float).eps * excess[-1]))
    shapes = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = m * (np.log(-theta / shapes) - shapes - 1.0)
    weights = np.exp(profile - logsumexp(profile))
    best = float(weights @ theta)
    shape = float(np.log1p(-best * excess).mean())
    scale = -shape / best
    return (m * shape + 10.0 * 0.5) / (m + 10.0), scale
