"""T7: every interval and region holds its nominal share of draws: 10⁵ draws a cell, fixed seeds, Bonferroni over all cells.

The draws are NumPy's own, from the parameters, so that no method of `Mixture` is judged by another. In every row the
coverage is nominal by definition, so the count over all rows is binomial. A peer's 90 % regions covered 75 % here.
"""

import numpy as np
import pytest
from scipy.stats import binomtest

from condensity import Mixture

ROWS, DRAWS_PER_ROW = 100, 1000
LEVELS = (0.5, 0.9, 0.99)
SHAPES = ("one normal", "two modes", "heavy tail", "many scales")
METHODS = ("ppf", "isf", "interval", "region", "hpd_value")
OUTPUTS = 3
COVARIANCES = ("diagonal", "full")

#: Chance of a false alarm in any cell at all, were the seeds not fixed; and the number of cells it is shared by.
FALSE_ALARM = 1e-3
CELLS = len(LEVELS) * (len(SHAPES) * len(METHODS) + len(COVARIANCES) * 2 * OUTPUTS)


def mixture_of(shape):
    """Parameters (ROWS, K) of row-wise different mixtures, and draws (ROWS, DRAWS_PER_ROW) from them."""
    rng = np.random.default_rng([20261123, SHAPES.index(shape)])
    centre, size = rng.normal(0, 5, (ROWS, 1)), np.exp(rng.uniform(-3, 3, (ROWS, 1)))
    if shape == "one normal":
        weights, means, scales = np.ones((ROWS, 1)), centre, size
    elif shape == "two modes":
        weights = rng.dirichlet([4, 4], ROWS)
        means, scales = centre + size * rng.uniform(2, 6, (ROWS, 2)) * [-1, 1], size * rng.uniform(0.5, 2, (ROWS, 2))
    elif shape == "heavy tail":
        weights, means, scales = np.tile([0.9, 0.1], (ROWS, 1)), np.tile(centre, 2), size * [[1.0, 20.0]]
    else:
        weights = rng.dirichlet(np.ones(6), ROWS)
        means, scales = centre + size * rng.normal(0, 3, (ROWS, 6)), size * np.exp(rng.uniform(-3, 1, (ROWS, 6)))
    component = (rng.random((ROWS, DRAWS_PER_ROW, 1)) > np.cumsum(weights, axis=1)[:, None, :-1]).sum(axis=2)
    noise = rng.normal(size=(ROWS, DRAWS_PER_ROW))
    draws = np.take_along_axis(means, component, 1) + np.take_along_axis(scales, component, 1) * noise
    return Mixture(weights=weights, means=means, scales=scales), draws


def inside(method, dist, draws, level):
    """Which draws (ROWS, DRAWS_PER_ROW) the method's set of that level holds."""
    if method == "ppf":
        return draws <= dist.ppf(level)[:, None]
    if method == "isf":
        return draws > dist.isf(level)[:, None]
    if method == "interval":
        low, high = dist.interval(level).T[:, :, None]
        return (low <= draws) & (draws <= high)
    return np.stack([
        ((parts[:, 0] <= row[:, None]) & (row[:, None] <= parts[:, 1])).any(axis=1)
        for parts, row in zip(dist.region(level), draws, strict=True)
    ])  # fmt: skip


def assert_nominal(held, level):
    test = binomtest(int(held.sum()), held.size, level)
    assert test.pvalue > FALSE_ALARM / CELLS, f"{held.mean():.4f} of {held.size} draws instead of {level}"


@pytest.mark.trap("T7")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_sets_of_one_output_hold_their_share(shape, method):
    dist, draws = mixture_of(shape)
    values = dist.hpd_value(draws) if method == "hpd_value" else None
    for level in LEVELS:
        assert_nominal(inside(method, dist, draws, level) if values is None else values <= level, level)


@pytest.fixture(scope="module", params=COVARIANCES)
def several_outputs(request):
    """A mixture (10⁵, 4 components, 3 outputs) of equal rows, and a draw from each row."""
    n, k = ROWS * DRAWS_PER_ROW, 4
    rng = np.random.default_rng([20261123, 100 + COVARIANCES.index(request.param)])
    weights, means = rng.dirichlet(np.ones(k)), rng.normal(0, 2, (k, OUTPUTS))
    factors = rng.uniform(0.3, 2, (k, 1, OUTPUTS)) * np.eye(OUTPUTS)
    if request.param == "full":
        factors += np.tril(rng.normal(size=(k, OUTPUTS, OUTPUTS)), -1)
        spread = {"covariances": factors @ np.swapaxes(factors, 1, 2)}
    else:
        spread = {"scales": np.einsum("kii->ki", factors)}
    component = rng.choice(k, n, p=weights)
    draws = means[component] + np.einsum("nij,nj->ni", factors[component], rng.normal(size=(n, OUTPUTS)))
    parameters = {"weights": weights, "means": means, **spread}
    return Mixture(**{name: np.tile(part, (n,) + (1,) * part.ndim) for name, part in parameters.items()}), draws


@pytest.mark.trap("T7")
@pytest.mark.parametrize("output", range(OUTPUTS))
def test_intervals_of_one_of_several_outputs_hold_their_share(several_outputs, output):
    dist, draws = several_outputs
    others = {j: draws[:, j] for j in range(OUTPUTS) if j != output}
    for one in (dist[0].marginal([output]), dist.condition(others)):  # the rows' marginals are the same
        for level in LEVELS:
            low, high = one.interval(level).T
            assert_nominal((low <= draws[:, output]) & (draws[:, output] <= high), level)
