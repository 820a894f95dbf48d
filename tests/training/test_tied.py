"""Tied covariances: a network of decorrelated outputs is a coupled one, and its regressions are those of the data."""

import numpy as np
import pytest

from condensity import MDNRegressor
from condensity.engines.reference.network import log_density
from condensity.engines.types import Network, TrainingRows
from condensity.training.tied import decorrelate, regressions_between_outputs, tie, untie

NETWORK = Network(2, (8,), 3, "silu", (-6.9, 2.0), 4, coupled=False)


def make_rows(n, covariance, seed=0):
    """Rows of outputs that are linear in x with this covariance given it."""
    rng = np.random.default_rng(seed)
    x, q = rng.standard_normal((n, 2)), len(covariance)
    noise = rng.multivariate_normal(np.zeros(q), covariance, n)
    return TrainingRows(x, x @ rng.standard_normal((2, q)) + noise, np.ones(n))


def test_a_tied_network_is_the_coupled_one_of_the_same_density():
    rng, rows = np.random.default_rng(0), make_rows(50, np.eye(4))
    theta, regressions = 0.3 * rng.standard_normal(NETWORK.n_parameters), np.tril(rng.standard_normal((4, 4)), -1)
    decorrelated = decorrelate(rows, regressions)
    coupled, tied = NETWORK._replace(coupled=True), tie(theta, NETWORK, regressions)
    expected = log_density(theta, NETWORK, decorrelated.x, decorrelated.y)
    np.testing.assert_allclose(log_density(tied, coupled, rows.x, rows.y), expected, rtol=1e-10)
    again, same = untie(tied, coupled)
    np.testing.assert_allclose(again, theta, atol=1e-12)
    np.testing.assert_array_equal(same, regressions)
    tied[-1] += 0.1  # one component's coefficient: no longer the same in all
    assert untie(tied, coupled) is None


def test_regressions_are_those_of_the_covariance_given_x():
    correlation = 0.8 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    regressions = regressions_between_outputs(make_rows(20_000, correlation))
    # A first-order autoregression: each output on the one before, by .8, within four standard errors (.6 / √n).
    np.testing.assert_allclose(regressions, -0.8 * np.eye(4, k=-1), atol=0.02)


def test_correlations_that_chance_explains_are_shrunk_away():
    rows = make_rows(500, np.eye(20))
    # Coefficients by least squares would be .045 = 1 / √n on average, times √(2/π).
    assert np.abs(regressions_between_outputs(rows)[np.tril_indices(20, -1)]).mean() < 0.2 * 0.036


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", [{}, {"n_members": 2}, {"early_stopping": False}])
def test_a_warm_start_and_partial_fit_keep_the_regressions(options):
    rows = make_rows(200, np.eye(4) + 1.0)
    model = MDNRegressor(
        2, covariance_type="tied", hidden_layer_sizes=8, max_iter=3, random_state=0, support_model=None,
        warm_start=True, **options,
    )  # fmt: skip
    model.fit(rows.x, rows.y)
    before = [untie(theta, model.model_.network)[1] for theta in model.model_.parameters]
    model.fit(rows.x, rows.y).partial_fit(rows.x, rows.y)
    after = [untie(theta, model.model_.network)[1] for theta in model.model_.parameters]
    assert all(any(np.array_equal(one, other) for other in before) for one in after)
    covariances = model.predict_dist(rows.x).covariances
    assert np.linalg.eigvalsh(covariances).min() > 0


def test_tied_covariances_do_not_start_from_a_joint_mixture():
    rows = make_rows(60, np.eye(2))
    with pytest.raises(ValueError, match="covariance_type='tied' cannot start from init='gmm'"):
        MDNRegressor(covariance_type="tied", init="gmm").fit(rows.x, rows.y)
