"""Inputs set aside from a joint mixture, so that no component is spent on them: they follow the others by a linear regression.

With r the other inputs and s those set aside, the mixture is fitted to (r, y), and

    s = a + B r + e,   e ~ N(0, S),     p(x, y) = p(r, y) N(s | a + B r, S),

the same regression in every component. That is a Gaussian mixture over all columns again, and p(y | x) = p(y | r) exactly; where
a value of r is missing, s still informs about it. EM would rather split components along an input of few values, a constant
or a copy, where that raises the likelihood of (x, y) most, although y has nothing of it.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from condensity.em.fit import GMMFit, fit_gmm
from condensity.em.steps import CovarianceSpec, GaussianMixtureParameters

#: Standardised columns that differ by less than this in every row are copies.
COPY_TOLERANCE = 1e-7


class InputsAside(NamedTuple):
    """Inputs set aside, and their regression on the others.

    Attributes
    ----------
    columns : ndarray (s,) of int
        Ascending positions among the inputs.
    others : ndarray (r + q,) of int
        All other columns, the outputs last.
    intercept : ndarray (s,)
    slopes : ndarray (s, r)
        B.
    covariance : ndarray (s, s)
        S.
    """

    columns: np.ndarray
    others: np.ndarray
    intercept: np.ndarray
    slopes: np.ndarray
    covariance: np.ndarray

    @classmethod
    def fit(
        cls, columns: np.ndarray, z: np.ndarray, weight: np.ndarray, n_inputs: int, spec: CovarianceSpec
    ) -> "InputsAside":
        """Regression of inputs at positions `columns` (s,) on the others in rows z (n, d + q) of `weight` (n,), d = `n_inputs`.

        Under a `spec` of independent columns, slopes and correlations are 0.
        """
        others = np.setdiff1d(np.arange(z.shape[1]), columns)
        s, r = np.arange(len(columns)), np.arange(len(columns), n_inputs)
        x = z[:, [*columns, *others[: len(r)]]]
        form = CovarianceSpec("diag" if spec.independent else "full", spec.prior, spec.ridge)
        (_, means, covariances) = fit_gmm(x, 1, np.random.default_rng(0), sample_weight=weight, spec=form).parameters
        mean, covariance = means[0], covariances[0]
        slopes = np.linalg.solve(covariance[np.ix_(r, r)], covariance[np.ix_(r, s)]).T
        rest = covariance[np.ix_(s, s)] - slopes @ covariance[np.ix_(r, s)]
        return cls(columns, others, mean[s] - slopes @ mean[r], slopes, 0.5 * (rest + rest.T))

    def fit_others(
        self, z: np.ndarray, *args: Any, start: GaussianMixtureParameters | None = None, **options: Any
    ) -> GMMFit:
        """`fit_gmm` of the other columns of rows z (n, d + q), with its `args` and `options`, its `start` and result over all."""
        start = None if start is None else start.over(self.others)
        fit = fit_gmm(z[:, self.others], *args, start=start, **options)
        return fit._replace(parameters=self.over_all(fit.parameters))

    def over_all(self, parameters: GaussianMixtureParameters) -> GaussianMixtureParameters:
        """The mixture over all columns, from `parameters` over the others."""
        (k, m), r, s = parameters.means.shape, self.slopes.shape[1], self.columns
        means, covariances = np.empty((k, m + len(s))), np.empty((k, m + len(s), m + len(s)))
        means[:, self.others], covariances[:, self.others[:, None], self.others] = parameters[1:]
        across = self.slopes @ parameters.covariances[:, :r]  # Cov(s, (r, y))
        means[:, s] = self.intercept + parameters.means[:, :r] @ self.slopes.T
        covariances[:, s[:, None], self.others] = across
        covariances[:, self.others[:, None], s] = across.transpose(0, 2, 1)
        covariances[:, s[:, None], s] = across[:, :, :r] @ self.slopes.T + self.covariance
        return GaussianMixtureParameters(parameters.weights, means, covariances)


def redundant_inputs(z: np.ndarray, n_inputs: int) -> np.ndarray:
    """Positions of the first `n_inputs` columns of standardised z (n, d + q) that are constant, or copies of an earlier one.

    A copy may have another unit and the opposite sign. At least one input is left.

    >>> import numpy as np
    >>> redundant_inputs(np.array([[0.0, 1.0, -1.0, 2.0], [0.0, -1.0, 1.0, 3.0]]), 3)
    array([0, 2])
    """
    x = z[:, :n_inputs]
    with np.errstate(invalid="ignore"):
        first = x[np.argmin(np.isnan(x), axis=0), np.arange(n_inputs)]
        varies = (np.abs(x - first) > COPY_TOLERANCE).any(axis=0)
    redundant = ~varies
    for j, earlier in _pairs_alike(x, np.flatnonzero(varies)):
        redundant[j] |= not redundant[earlier]
    if redundant.all():
        redundant[0] = False
    return np.flatnonzero(redundant)


def _pairs_alike(x: np.ndarray, columns: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (later, earlier) of equal `columns` of x (n, d) up to their signs: neighbours in the order of a random projection."""
    projections = np.abs(np.random.default_rng(0).standard_normal(len(x)) @ np.nan_to_num(x[:, columns]))
    order = np.argsort(projections, kind="stable")
    room = COPY_TOLERANCE * np.sqrt(len(x)) * 10.0
    pairs = []
    for a, b in pairwise(order.tolist()):
        if projections[b] - projections[a] <= room and _are_alike(x[:, columns[a]], x[:, columns[b]]):
            pairs.append((max(columns[a], columns[b]), min(columns[a], columns[b])))
    return sorted(pairs)


def _are_alike(a: np.ndarray, b: np.ndarray) -> bool:
    missing = np.isnan(a)
    if not np.array_equal(missing, np.isnan(b)):
        return False
    a, b = a[~missing], b[~missing]
    return bool((np.abs(a - b) <= COPY_TOLERANCE).all() or (np.abs(a + b) <= COPY_TOLERANCE).all())
