"""The inputs that an output speaks for, p(x | y) ∝ p̂(x) p(y | x), where it has no closed form.

One input: quadrature on a grid that is refined until it is exact, and draws that are quantiles of it, all of one weight. Several:
draws from a proposal with weights p̂(x) p(y | x) / q(x | y), their largest smoothed by a Pareto tail whose shape k̂ says whether
the weights have a mean that they settle at.

References
----------
Vehtari, Simpson, Gelman, Yao & Gabry (2024), "Pareto smoothed importance sampling", JMLR 25.
Zhang & Stephens (2009), "A new and efficient estimation method for the generalized Pareto distribution", Technometrics 51.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from condensity.distributions import Mixture, arguments
from condensity.random import as_generator

#: Above this shape of their tail, weighted means settle so slowly that they should not be trusted (Vehtari et al.).
TRUSTED_K = 0.7

#: Fewer effective draws than this are called too few.
FEWEST_EFFECTIVE = 100.0

#: Panels of the grid at first, how finely one may be halved, and its error, as a share of the whole, that it is halved for.
FIRST_PANELS, MOST_HALVINGS, PANEL_ERROR = 128, 24, 1e-6

#: The most panels, at which refinement ends.
MOST_PANELS = 2**14


@dataclass(frozen=True, eq=False)
class WeightedDraws:
    """p(x | y) for n rows of y: s weighted draws each, and its density.

    Attributes
    ----------
    draws : ndarray (n, s, d)
        In data units.
    log_weights : ndarray (n, s)
        Normalised: their exponentials sum to one in every row.
    effective_size : ndarray (n,)
        1 / Σ w²: so many draws of equal weight say as much.
    pareto_k : ndarray (n,)
        Shape k̂ of the tail of the weights: above .7 the row should not be trusted. −inf where the draws are exact quantiles.
    log_evidence : ndarray (n,)
        Log p(y), in nats per unit of y.
    """

    draws: np.ndarray
    log_weights: np.ndarray
    effective_size: np.ndarray
    pareto_k: np.ndarray
    log_evidence: np.ndarray
    _log_joint: Callable = field(repr=False)  # points (n, g, d) → log p(x, y) (n, g)

    @property
    def trusted(self) -> np.ndarray:
        """Rows whose weights can be relied on, bool (n,)."""
        return (self.pareto_k <= TRUSTED_K) & (self.effective_size >= FEWEST_EFFECTIVE)

    def mean(self) -> np.ndarray:
        """Mean of every row, (n, d)."""
        return np.einsum("ns,nsd->nd", np.exp(self.log_weights), self.draws)

    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, d, d)."""
        deviation = self.draws - self.mean()[:, None]
        return np.einsum("ns,nsi,nsj->nij", np.exp(self.log_weights), deviation, deviation, optimize=True)

    def sample(self, n_samples=1, *, random_state=None) -> np.ndarray:
        """Draw with replacement from the weighted draws of every row: (n, n_samples, d)."""
        rng = as_generator(random_state, "sample")
        cumulated = np.cumsum(np.exp(self.log_weights), axis=1)
        uniforms = rng.random((len(self), n_samples)) * cumulated[:, -1:]
        chosen = [np.searchsorted(row, u, side="right") for row, u in zip(cumulated, uniforms, strict=True)]
        return np.take_along_axis(self.draws, np.array(chosen, dtype=int).reshape(len(self), n_samples, 1), axis=1)

    def logpdf(self, x) -> np.ndarray:
        """Log p(x | y) in nats per unit of x.

        Parameters
        ----------
        x : array-like
            One input: a scalar, (n,) for a point a row, or a grid (1, g) or (n, g). Several: (d,), (n, d), (1, g, d) or
            (n, g, d).

        Returns
        -------
        ndarray (n,), or (n, g) for a grid
        """
        d = self.draws.shape[2]
        grid, flat = arguments.points(x, len(self), d)
        result = self._log_joint(grid.reshape(len(self), -1, d)) - self.log_evidence[:, None]
        return result[:, 0] if flat else result

    def pdf(self, x) -> np.ndarray:
        """Density, as `logpdf`."""
        return np.exp(self.logpdf(x))

    def __len__(self) -> int:
        return len(self.draws)

    def __repr__(self):
        n, s, d = self.draws.shape
        return (
            f"<WeightedDraws: {n} rows, {s} draws of {d} input{'s' if d > 1 else ''}, effective size "
            f"{self.effective_size.min():.0f} or more, {int(self.trusted.sum())} rows trusted>"
        )


def on_grid(log_joint, nodes, n_draws):
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


def _refined(log_joint, ends):
    """Nodes (g,) and log values (n, g): panels are halved where Simpson's rule and the trapezoid's disagree in any row."""
    x, values = ends, log_joint(ends)
    left = np.arange(len(x) - 1)  # panels that are not yet fine enough, by their left node
    for _ in range(MOST_HALVINGS):
        if not len(left) or len(x) > MOST_PANELS:
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


def _quantiles(x, density, mass, levels):
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


def propose(proposal: Mixture, n_draws, seed) -> np.ndarray:
    """Quasi-random draws from every row of a mixture over c inputs, (n, n_draws, c).

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


def smoothed(log_ratios):
    """Pareto-smoothed log weights (n, s), normalised, and the shapes k̂ (n,) of their tails."""
    log_ratios = log_ratios - log_ratios.max(axis=1, keepdims=True)
    pairs = [_smooth_tail(row) for row in log_ratios]
    log_weights, shapes = np.array([row for row, _ in pairs]), np.array([k for _, k in pairs])
    return log_weights - logsumexp(log_weights, axis=1, keepdims=True), shapes


def _smooth_tail(log_ratios):
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


def fit_generalized_pareto(excess):
    """Shape k and scale of a generalised Pareto distribution of ascending positive numbers (m,), by Zhang & Stephens.

    The shape is drawn towards ½ with the weight of ten numbers, as Vehtari et al. do.
    """
    m = len(excess)
    n_points = 30 + int(np.sqrt(m))
    grid = 1.0 - np.sqrt(n_points / (np.arange(n_points) + 0.5))
    quarter = excess[max(int(m / 4 + 0.5) - 1, 0)]
    theta = 1.0 / excess[-1] + grid / (3.0 * max(quarter, np.finfo(float).tiny * excess[-1]))
    shapes = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = m * (np.log(-theta / shapes) - shapes - 1.0)
    weights = np.exp(profile - logsumexp(profile))
    best = float(weights @ theta)
    shape = float(np.log1p(-best * excess).mean())
    scale = -shape / best
    return (m * shape + 10.0 * 0.5) / (m + 10.0), scale
