"""Marginal mixture of the outputs, the distribution of y without X, and heavy tails for it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from condensity import em
from condensity.compute import Compute
from condensity.data.scaling import resolution
from condensity.distributions import Mixture
from condensity.em.sweep import ROWS_PER_COMPONENT
from condensity.engines.types import HALF_LOG_2PI, TrainingRows

#: Components at most, numbers of them that are compared, iterations of EM (it is a fallback, not an estimate), and rows that it
#: is fitted to.
MAX_COMPONENTS, ITERATIONS, MAX_ROWS = 4, 5, 5000
SIZES = (1, 2, MAX_COMPONENTS)

#: With fewer rows per output, outputs are independent within a component.
ROWS_PER_OUTPUT = 5

#: Tail exponents α, factor from one wide normal to the next, and multiple of the farthest value that the widest one reaches:
#: the farthest of twenty times as many rows is twenty times as far for α = 1. The light one begins with a normal of σ = 1, so
#: that it hardly changes means and variances.
EXPONENTS, LIGHT, WIDENING, REACH = (1.0, 2.0, 3.0), 3.0, 4.0, 100.0

#: Interquartile ranges from the median of its distribution beyond which a value is far: of 5000 rows from an exponential, the
#: farthest has 8; of 1000 from Student's t with 1.5 degrees of freedom, 30 to 200.
FAR = 12.0


class Form(NamedTuple):
    """Number of components, at most, and kind of covariances of a marginal."""

    size: int
    covariance: str

    @classmethod
    def usual(cls, n: int, q: int) -> "Form":
        """That of n rows of q outputs, where nothing is compared."""
        return cls(MAX_COMPONENTS, "full" if n >= ROWS_PER_OUTPUT * q else "diag")

    @classmethod
    def compared(cls, q: int) -> list["Form"]:
        """Those of which q outputs may have any."""
        return [cls(size, covariance) for size in SIZES for covariance in (("full", "diag") if q > 1 else ("full",))]


def fit_marginal(
    rows: TrainingRows, rng: np.random.Generator, compute: Compute, form: Form | None = None
) -> em.GaussianMixtureParameters:
    """A small mixture fitted to the standardised outputs of the training rows alone, seeded by `rng`, on `compute`.

    It has the `form` that is given, or the usual one. Where values are tied, half of their resolution is added to σ: peaks on a
    grid are no gain.
    """
    some = slice(None, None, -(-len(rows.y) // MAX_ROWS))
    y, weight = np.asarray(rows.y[some], dtype=float), rows.weight[some]
    form = form or Form.usual(*y.shape)
    size, spec = max(1, min(form.size, len(y) // ROWS_PER_COMPONENT)), em.CovarianceSpec(form.covariance)
    try:
        fit = em.fit_gmm(y, size, rng, sample_weight=weight, max_iter=ITERATIONS, spec=spec, compute=compute).parameters
    except np.linalg.LinAlgError:  # a row so far away that outputs seem to be copies of each other
        return fit_marginal(rows, rng, compute, Form(form.size, "diag"))
    floor = np.diag([0.25 * resolution(column[np.isfinite(column)]) ** 2 for column in y.T])
    return fit._replace(covariances=fit.covariances + floor)


class Tails(NamedTuple):
    """Mixtures of ever wider normals around one center: one for each of `EXPONENTS`, and a light one.

    Attributes
    ----------
    center : ndarray (q,)
    factors : ndarray (w,)
        Their standard deviations, in units of standardised y.
    shares : ndarray (α's, w)
        Their weights.
    """

    center: np.ndarray
    factors: np.ndarray
    shares: np.ndarray

    @classmethod
    def around(cls, y: np.ndarray, decode: Callable[[np.ndarray], np.ndarray] | None = None) -> "Tails":
        """Tails around the median of standardised y (n, q), NaN left out, the light one last.

        Where `decode` takes standardised values (m, q) to data units by a transform, they end where they would move the mean of
        y by more than its range: e.g. a wide normal on the scale of a logarithm has a mean beyond all numbers.
        """
        farthest, center = float(np.nanmax(np.abs(y), initial=1.0)), np.nanmedian(y, axis=0)
        steps = np.arange(1.0 + np.ceil(np.log(REACH * farthest) / np.log(WIDENING)))
        if decode is not None:
            steps = steps[: _n_with_mean(y, center, steps, decode)]
        shares = WIDENING ** -np.outer((*(EXPONENTS if len(steps) > 1 else ()), LIGHT), steps)
        shares[:-1, 0] = 0.0
        return cls(center, WIDENING**steps, shares / shares.sum(axis=1, keepdims=True))

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        """Log densities (n, α's) of y (n, q)."""
        square, q = ((y - self.center) ** 2).sum(axis=1)[:, None], y.shape[1]
        normals = -0.5 * square / self.factors**2 - q * (np.log(self.factors) + HALF_LOG_2PI)
        return np.asarray(logsumexp(normals[:, None], axis=2, b=self.shares))


def _n_with_mean(
    y: np.ndarray, center: np.ndarray, steps: np.ndarray, decode: Callable[[np.ndarray], np.ndarray]
) -> int:
    """Number of `steps`, one at least, at which normals around the `center` (q,) have means near standardised y in data units."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(32)
    decoded = decode(y[np.isfinite(y).all(axis=1)])
    extent, middle = np.ptp(decoded, axis=0), decode(center[None])[0]
    for number, step in enumerate(steps):
        with np.errstate(over="ignore", invalid="ignore"):
            mean = weights @ decode(center + WIDENING**step * nodes[:, None]) / weights.sum()
            near = np.abs(mean - middle) * WIDENING ** (-LIGHT * step) <= extent
        if not near.all():
            return max(1, number)
    return len(steps)


def are_far(dist: Mixture, y: np.ndarray) -> np.ndarray:
    """Rows (n,) of y (n, q) so far from their own distribution `dist` that rows much farther still must be expected.

    Far is what lies `FAR` interquartile ranges from the median: those of the row, so that a region of wide noise is not far, and
    those of all residuals, so that another branch beside a narrow one is not.
    """
    far = np.zeros(len(y), dtype=bool)
    for j, column in enumerate(y.T):
        low, center, high = dist.marginal(j).ppf([0.25, 0.5, 0.75]).T
        residual = column - center
        of_all = np.subtract(*np.quantile(residual, [0.75, 0.25]))
        far |= np.abs(residual) > FAR * np.maximum(high - low, of_all)
    return far


def with_tails(
    marginal: em.GaussianMixtureParameters, tails: Tails, weights: np.ndarray
) -> em.GaussianMixtureParameters:
    """A `marginal` and `tails` as one mixture by `weights` (1 + a,) of the marginal and each α."""
    if not weights.sum() > 0:
        return marginal
    q, n_wide = marginal.means.shape[1], len(tails.factors)
    every = em.GaussianMixtureParameters(
        np.concatenate([weights[0] * marginal.weights, weights[1:] @ tails.shares]) / weights.sum(),
        np.concatenate([marginal.means, np.tile(tails.center, (n_wide, 1))]),
        np.concatenate([marginal.covariances, tails.factors[:, None, None] ** 2 * np.eye(q)]),
    )
    used = every.weights > 0
    return em.GaussianMixtureParameters(*(part[used] for part in every))
