"""Conditionals against gmr, on the problems of its own examples: a noisy line, a sine, and trajectories in the plane."""

import warnings

import numpy as np
import pytest

from condensity import em
from condensity.em import GaussianMixtureParameters

gmr = pytest.importorskip("gmr")


def fitted_by_gmr(n_components, table, seed=0):
    """gmr's mixture of a table, and the same parameters as ours."""
    mixture = gmr.GMM(n_components=n_components, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.from_samples(table)
    return mixture, GaussianMixtureParameters(mixture.priors, mixture.means, mixture.covariances)


def examples():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 2 * np.pi, 100)
    yield "line", 2, np.column_stack([x, 1.0 - 3.0 * x + rng.normal(size=100)]), [0], [1]
    yield "sine", 3, np.column_stack([x, np.sin(x) + 0.1 * rng.normal(size=100)]), [0], [1]
    time = np.tile(np.linspace(0, 1, 60), 5)
    paths = np.column_stack([time, np.cos(3 * time), np.sin(2 * time)])
    paths[:, 1:] += 0.1 * rng.normal(size=(300, 2))
    yield "trajectories", 4, paths, [0], [1, 2]
    yield "trajectories, back", 4, paths, [2, 1], [0]


CASES = [pytest.param(*case[1:], id=case[0]) for case in examples()]


@pytest.mark.parametrize(("n_components", "table", "given", "target"), CASES)
def test_conditionals_are_those_of_gmr(n_components, table, given, target):
    """Weights, means and covariances row by row, and its vectorised mean. Its weights are not in log space: 1e-9."""
    theirs, parameters = fitted_by_gmr(n_components, table)
    rows = table[::7]
    ours = em.conditional(parameters, given, target, rows[:, given])
    for i, row in enumerate(rows):
        one = theirs.condition(np.array(given), row[given])
        np.testing.assert_allclose(ours.weights[i], one.priors, atol=1e-9)
        np.testing.assert_allclose(ours.means[i].reshape(n_components, -1), one.means, rtol=1e-9, atol=1e-9)
        covariances = ours.covariances[i] if len(target) > 1 else ours.scales[i, :, None, None] ** 2
        np.testing.assert_allclose(covariances, one.covariances, rtol=1e-8, atol=1e-12)
    mean = theirs.predict(np.array(given), rows[:, given])
    np.testing.assert_allclose(ours.mean().reshape(mean.shape), mean, rtol=1e-9, atol=1e-9)
