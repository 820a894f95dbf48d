"""`TransformedMixture`: rows of y whose transform u = t(y) is a `Mixture`."""

from collections.abc import Mapping

import numpy as np
from scipy.special import erf, logsumexp, ndtr

from condensity.distributions import arguments
from condensity.distributions.mixture import Mixture
from condensity.distributions.transforms import Log, Transform

#: Means and variances that have no closed form: Gauss–Legendre nodes in panels over ± so many σ of a component.
REACH, PANELS, NODES = 12.0, 24, 16

#: Numbers in a block of rows, components and nodes or pairs.
BLOCK = 2**20


OTHER_TAIL = {"logcdf": "logsf", "logsf": "logcdf", "ppf": "isf", "isf": "ppf"}


class TransformedMixture:
    """n rows, each the distribution of y where u = t(y) is a mixture of normals. Immutable; verbs and shapes as `Mixture`.

    Densities carry the Jacobian: p(y) = p(u) |dt/dy|. Points outside the domain of t have density 0. What has neither a closed
    form nor a quadrature of stated accuracy is refused.

    Parameters
    ----------
    base : Mixture
        Of u.
    transform : Transform
        The same for every output.

    Examples
    --------
    >>> from condensity import Mixture
    >>> from condensity.distributions.transforms import Log
    >>> dist = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]), Log())
    >>> dist.median(), dist.mean().round(4)
    (array([1.]), array([1.6487]))
    """

    __slots__ = ("base", "transform")

    base: Mixture
    transform: Transform

    def __init__(self, base, transform):
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "transform", transform)

    def __setattr__(self, name, value):
        raise AttributeError(f"TransformedMixture is immutable; {name!r} cannot be set.")

    def __reduce__(self):
        return TransformedMixture, (self.base, self.transform)

    def __repr__(self):
        return f"<TransformedMixture: {self.transform.name} of y is {self.base!r}>"

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, rows) -> "TransformedMixture":
        return self._with(self.base[rows])

    @property
    def n_outputs(self) -> int:
        """q, the number of outputs."""
        return self.base.n_outputs

    @property
    def n_components(self) -> int:
        """K, the number of components in every row."""
        return self.base.n_components

    @property
    def mass(self) -> np.ndarray:
        """Sum of the weights, (n,): 1 unless gated."""
        return self.base.mass

    @property
    def output_names(self) -> list[str] | None:
        """Names of the outputs, where they have any."""
        return self.base.output_names

    # ------------------------------------------------------------------------------------------------ densities
    def logpdf(self, y) -> np.ndarray:
        """Log density at the points y, in nats per unit of y; −inf outside the domain."""
        y, inside = self._points(y)
        with np.errstate(all="ignore"):
            slope = np.where(inside, self.transform.log_derivative(y), -np.inf)
        if self.n_outputs > 1:
            slope = slope.sum(axis=-1)
        return self.base.logpdf(self._forward(y, inside)) + slope

    log_prob = logpdf

    def pdf(self, y) -> np.ndarray:
        """Density at the points y; infinite where float64 has no number as large."""
        with np.errstate(over="ignore"):
            return np.exp(self.logpdf(y))

    def logcdf(self, y) -> np.ndarray:
        """Log of P(Y ≤ y). One output."""
        with np.errstate(divide="ignore"):  # where nothing is known, the mass is 0
            log_mass = np.log(self.mass)
        return self._tail("logcdf", y, below=-np.inf, above=log_mass)

    def cdf(self, y) -> np.ndarray:
        """P(Y ≤ y). One output."""
        return np.exp(self.logcdf(y))

    def logsf(self, y) -> np.ndarray:
        """Log of P(Y > y). One output."""
        return self._tail("logsf", y, below=0.0, above=-np.inf)

    def sf(self, y) -> np.ndarray:
        """P(Y > y). One output."""
        return np.exp(self.logsf(y))

    def _tail(self, verb, y, *, below, above):
        """A verb at points y, with its values below and above the domain; NaN stays."""
        y, inside = self._points(y)
        values = self._of_base(verb)(self._forward(y, inside))
        low, high = self.transform.domain
        if values.ndim == 2:
            above = np.reshape(above, (-1, 1))
        return np.where(y <= low, below, np.where(y >= high, above, values))

    def _of_base(self, verb):
        """What answers for u: the other tail where larger y have smaller u."""
        return getattr(self.base, verb if self.transform.increasing else OTHER_TAIL[verb])

    # ------------------------------------------------------------------------------------------------ quantiles
    def ppf(self, p) -> np.ndarray:
        """Quantiles, exact: those of u carried back. One output."""
        return self._quantile("ppf", p)

    quantile = ppf

    def isf(self, p) -> np.ndarray:
        """The y with sf(y) = p. One output."""
        return self._quantile("isf", p)

    def _quantile(self, verb, p):
        u = self._of_base(verb)(p)
        with np.errstate(over="ignore"):
            return self.transform.inverse(u)

    def median(self) -> np.ndarray:
        """Median, (n,). One output."""
        return self.transform.inverse(self.base.median())

    def interval(self, level=0.9) -> np.ndarray:
        """Central interval, (n, 2). One output."""
        ends = self.transform.inverse(self.base.interval(level))
        return ends if self.transform.increasing else ends[:, ::-1]

    # ------------------------------------------------------------------------------------------------ moments
    def mean(self) -> np.ndarray:
        """Mean, (n,) or (n, q): in closed form for 'log', else by quadrature, to about 1e-9 of the standard deviation."""
        return self._moments()[0]

    def var(self) -> np.ndarray:
        """Variance, (n,) or (n, q); as `mean`."""
        return self._moments()[1]

    def std(self) -> np.ndarray:
        """Standard deviation, (n,) or (n, q)."""
        return np.sqrt(self.var())

    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, q, q): closed form; of several outputs for 'log' only."""
        if self.n_outputs == 1:
            return self.var()[:, None, None]
        self._require_log("the covariance of several outputs")
        self.base._require_complete("cov")
        weights, (means, _) = self.base.weights, self._component_moments()
        off = means - np.einsum("nk,nki->ni", weights, means)[:, None]
        within = np.einsum("nk,nki,nkj,nkij->nij", weights, means, means, np.expm1(self.base.covariances))
        return within + np.einsum("nk,nki,nkj->nij", weights, off, off)

    def _moments(self):
        self.base._require_complete("mean")
        means, variances = self._component_moments()
        weights = self.base.weights if means.ndim == 2 else self.base.weights[:, :, None]
        mean = (weights * means).sum(axis=1)
        return mean, (weights * (variances + (means - mean[:, None]) ** 2)).sum(axis=1)

    def _component_moments(self):
        """Mean and variance of y in every component, (n, K[, q])."""
        centers, scales = self.base.means, self.base.scales
        if isinstance(self.transform, Log):
            means = np.exp(centers + 0.5 * scales**2)
            return means, means**2 * np.expm1(scales**2)
        shape = centers.shape
        nodes, weights = _panels()
        means, variances = np.empty(centers.size), np.empty(centers.size)
        flat_centers, flat_scales = centers.ravel(), scales.ravel()
        for start in range(0, centers.size, BLOCK // len(nodes)):
            part = slice(start, start + BLOCK // len(nodes))
            y = self.transform.inverse(flat_centers[part, None] + flat_scales[part, None] * nodes)
            means[part] = y @ weights
            variances[part] = (y - means[part, None]) ** 2 @ weights
        return means.reshape(shape), variances.reshape(shape)

    # ------------------------------------------------------------------------------------------------ shape and scores
    def modes(self) -> list[np.ndarray]:
        """All modes of every row, densest first; for 'log' and one output.

        p(u) e⁻ᵘ is a mixture of normals again, with means μ − σ² and log weights moved by σ²/2 − μ.
        """
        self._require_log("modes")
        self.base._require_one_output("modes")
        self.base._require_complete("modes")
        centers, scales = self.base.means, self.base.scales
        tilted = self.base.log_weights - centers + 0.5 * scales**2
        tilted = tilted - logsumexp(tilted, axis=1, keepdims=True)
        return [np.exp(row) for row in Mixture(log_weights=tilted, means=centers - scales**2, scales=scales).modes()]

    def mode(self) -> np.ndarray:
        """The densest point of every row, (n,); for 'log' and one output."""
        return np.array([row[0] for row in self.modes()])

    def entropy(self) -> np.ndarray:
        """Differential entropy in nats, (n,): for 'log', that of u plus the mean of u."""
        self._require_log("entropy")
        mean = self.base.mean()
        return self.base.entropy() + (mean if mean.ndim == 1 else mean.sum(axis=1))

    def crps(self, y) -> np.ndarray:
        """Continuous ranked probability score at the points y, in units of y; closed form, for 'log'. One output.

        E|Y − y| and E|Y − Y′| of lognormals are differences of means times normal probabilities (Margrabe 1978).
        """
        self._require_log("crps")
        self.base._require_one_output("crps")
        self.base._require_complete("crps")
        grid, single = arguments.points(y, len(self), 1)
        result = np.empty(grid.shape)
        step = max(1, BLOCK // (self.n_components * max(self.n_components, grid.shape[1])))
        for start in range(0, len(self), step):
            rows = slice(start, start + step)
            parts = self.base.weights[rows], self.base.means[rows], self.base.scales[rows]
            result[rows] = _lognormal_distance(*parts, grid[rows]) - 0.5 * _lognormal_spread(*parts)[:, None]
        return result[:, 0] if single else result

    def energy_score(self, y) -> np.ndarray:
        """The CRPS; of one output only."""
        if self.n_outputs > 1:
            raise ValueError(
                "energy_score has no exact form for several transformed outputs; score marginals, or u with `base`."
            )
        return self.crps(y)

    def region(self, level=0.9):
        """Refused: highest-density regions are known on the scale of u alone."""
        raise ValueError("region is known without y_transform only; use interval, or base.region for regions of u.")

    def hpd_value(self, y):
        """Refused, as `region`."""
        raise ValueError("hpd_value is known without y_transform only; base.hpd_value has it for u.")

    # ------------------------------------------------------------------------------------------------ the rest
    def sample(self, n_samples=1, *, random_state=None) -> np.ndarray:
        """Draw from every row, (n, n_samples) or (n, n_samples, q); NaN with probability 1 − mass."""
        return self.transform.inverse(self.base.sample(n_samples, random_state=random_state))

    rvs = sample

    def marginal(self, outputs) -> "TransformedMixture":
        """Distribution of some of the outputs, whatever the others are."""
        return self._with(self.base.marginal(outputs))

    def condition(self, given) -> "TransformedMixture":
        """Distribution of the other outputs given values of some, in units of y; as `Mixture.condition`."""
        if not isinstance(given, Mapping):
            raise ValueError(f"given must be a dict from outputs to values; got {type(given).__name__}.")
        return self._with(
            self.base.condition({key: self.transform.forward(np.asarray(value, float)) for key, value in given.items()})
        )

    def normalized(self) -> "TransformedMixture":
        """The same with mass 1."""
        return self._with(self.base.normalized())

    def named(self, output_names) -> "TransformedMixture":
        """The same with names for its outputs."""
        return self._with(self.base.named(output_names))

    def _with(self, base):
        return TransformedMixture(base, self.transform)

    def _points(self, y):
        """Points as float64 and where they lie inside the domain."""
        y = arguments.real("y", y)
        low, high = self.transform.domain
        return y, (y > low) & (y < high)

    def _forward(self, y, inside):
        """The u of points: 0 for those outside, whose answer does not depend on it, and NaN for NaN."""
        with np.errstate(all="ignore"):
            return np.where(
                np.isnan(y), np.nan, np.where(inside, self.transform.forward(np.where(inside, y, 0.5)), 0.0)
            )

    def _require_log(self, what):
        if not isinstance(self.transform, Log):
            raise ValueError(
                f"{what} has an exact form for y_transform='log' only, and this is {self.transform.name!r}; draw samples."
            )


def _panels():
    """Standard normal quadrature: nodes and weights of Gauss–Legendre panels over ± REACH."""
    inside, weights = np.polynomial.legendre.leggauss(NODES)
    edges = np.linspace(-REACH, REACH, PANELS + 1)
    half = 0.5 * (edges[1] - edges[0])
    nodes = (0.5 * (edges[:-1] + edges[1:])[:, None] + half * inside).ravel()
    density = np.exp(-0.5 * nodes**2) * np.tile(weights, PANELS)
    return nodes, density / density.sum()


def _lognormal_distance(weights, centers, scales, y):
    """E|Y − y| of a mixture of lognormals, (n, g)."""
    means = np.exp(centers + 0.5 * scales**2)[:, :, None]
    with np.errstate(divide="ignore"):
        log_y = np.log(np.maximum(y, 0.0))[:, None]
    z = (log_y - centers[:, :, None]) / scales[:, :, None]
    each = means - y[:, None] + 2.0 * (np.maximum(y, 0.0)[:, None] * ndtr(z) - means * ndtr(z - scales[:, :, None]))
    return (weights[:, :, None] * each).sum(axis=1)


def _lognormal_spread(weights, centers, scales):
    """E|Y − Y′| of a mixture of lognormals, (n,)."""
    means = np.exp(centers + 0.5 * scales**2)
    width = np.hypot(scales[:, :, None], scales[:, None])
    above = (centers[:, :, None] - centers[:, None] + scales[:, :, None] ** 2) / width
    # Σ_kl w_k w_l (M_k erf + M_l erf) counts every ordered pair twice over: both halves are equal.
    return 2.0 * np.einsum("nk,nl,nk,nkl->n", weights, weights, means, erf(above / np.sqrt(2.0)))
