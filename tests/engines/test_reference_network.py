"""The network's loss, its hand-written gradient, and where it starts."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from condensity.engines.reference.network import (
    ACTIVATIONS,
    cap_loss,
    forward,
    log_density,
    loss_and_gradient,
    matrix_mask,
    row_log_density,
    soft_clamp,
)
from condensity.engines.types import Network, Penalty, unpack_layers
from condensity.training.initialization import initialize, initialize_xavier

N_ROWS, N_INPUTS = 7, 3
HIDDEN = [(), (5,), (6, 4)]
BOUNDS = [None, (-6.9, 2.0)]


def problem(network, seed=0):
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(network.n_parameters) * 0.7
    x, y = rng.standard_normal((N_ROWS, network.n_inputs)), rng.standard_normal((N_ROWS, network.n_outputs))
    return theta, x, y, rng.uniform(0.2, 2.0, N_ROWS)


def central_difference(function, theta, step=1e-6):
    """Error ~ step² in theory and ~1e-16/step in rounding: both ~1e-10 here, far under the 1e-6 asked for."""
    units = np.eye(len(theta)) * step
    return np.array([(function(theta + unit) - function(theta - unit)) / (2 * step) for unit in units])


@pytest.mark.parametrize(
    ("activation", "hidden", "n_components", "bounds"), list(itertools.product(ACTIVATIONS, HIDDEN, (1, 4), BOUNDS))
)
@pytest.mark.parametrize("penalty", [Penalty(), Penalty(hinge=0.3, lognormal=0.2), Penalty(hinge=0.1, loss_cap=2.0)])
def test_gradient_equals_finite_differences(activation, hidden, n_components, bounds, penalty):
    network = Network(N_INPUTS, hidden, n_components, activation, bounds)
    theta, x, y, weight = problem(network)
    _, gradient = loss_and_gradient(theta, network, x, y, weight, penalty)
    numeric = central_difference(lambda t: loss_and_gradient(t, network, x, y, weight, penalty)[0], theta)
    assert np.linalg.norm(gradient - numeric) <= 1e-6 * np.linalg.norm(numeric)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_loss_is_the_scipy_mixture_density_plus_the_written_penalty(bounds):
    network = Network(N_INPUTS, (5,), 4, "tanh", bounds)
    theta, x, y, weight = problem(network)
    log_weights, means, log_scales, _ = forward(theta, network, x)
    log_scales = log_scales[:, :, 0]
    density = (np.exp(log_weights) * norm.pdf(y, means[:, :, 0], np.exp(log_scales))).sum(axis=1)
    penalty = 0.3 * 0.5 * np.maximum(0, log_scales) ** 2 + 0.2 * 0.5 * (log_scales + 1) ** 2
    expected = np.mean(weight * (-np.log(density) + penalty.sum(axis=1)))
    loss, _ = loss_and_gradient(theta, network, x, y, weight, Penalty(hinge=0.3, lognormal=0.2))
    # Sums of a dozen float64 terms of order one.
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(log_density(theta, network, x, y), np.log(density), rtol=1e-12)


def test_a_wild_row_counts_by_the_logarithm_of_its_loss_and_pulls_like_a_few_rows():
    loss, slope = cap_loss(np.array([-3.0, 19.0, 20.0, 20.0 * np.e, 1e12]), 20.0)
    np.testing.assert_allclose(loss, [-3.0, 19.0, 20.0, 40.0, 20.0 * (1 + np.log(5e10))], rtol=1e-14)
    np.testing.assert_allclose(slope[:, 0], [1, 1, 1, 1 / np.e, 2e-11], rtol=1e-14)
    loss, slope = cap_loss(np.array([-3.0, 1e12]), np.inf)
    np.testing.assert_array_equal(loss, [-3.0, 1e12])
    np.testing.assert_array_equal(slope[:, 0], 1.0)


def test_weights_sum_to_one_and_responsibilities_too():
    network = Network(N_INPUTS, (5,), 4, "silu", None)
    theta, x, y, _ = problem(network)
    head = forward(theta, network, x)
    _, responsibility, u, z = row_log_density(head, y)
    np.testing.assert_allclose(np.exp(head.log_weights).sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(responsibility.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(u, y[:, None] - head.means, rtol=1e-13)
    np.testing.assert_allclose(z, u / np.exp(head.log_scales), rtol=1e-13)


def scale_gradient(log_weight, penalty):
    """|∂loss/∂r| of a wide second component (σ = 30) whose weight is e^log_weight."""
    network = Network(1, (), 2, "tanh", None)
    theta = np.zeros(network.n_parameters)
    _, bias = unpack_layers(theta, network)[0]
    bias[:] = [0.0, log_weight, 0.0, 0.0, 0.0, np.log(30.0)]
    _, gradient = loss_and_gradient(theta, network, np.zeros((1, 1)), np.zeros((1, 1)), np.ones(1), penalty)
    return abs(unpack_layers(gradient, network)[0][1][-1])


def test_the_prior_still_pulls_where_the_likelihood_has_let_go():
    unused = np.log(1e-8)
    assert scale_gradient(unused, Penalty()) < 1e-9
    # lognormal · (log 30 + 1) = 0.22 at every weight, to which the likelihood adds at most .3/30 where π is .3.
    for log_weight in (np.log(0.3), np.log(1e-4), unused):
        assert scale_gradient(log_weight, Penalty(lognormal=0.05)) == pytest.approx(0.22, abs=0.02)


def test_the_soft_clamp_holds_and_is_a_line_in_between():
    low, high = -6.9, 2.0
    far, slope = soft_clamp(np.array([-1e3, -2.5, 1e3]), (low, high))
    # softplus(-4.4) = 0.012 either side of the middle, and the two cancel in the value.
    np.testing.assert_allclose(far, [low, -2.5, high], atol=2e-3)
    np.testing.assert_allclose(slope, [0.0, 1.0, 0.0], atol=0.03)
    r = np.linspace(-12, 8, 81)
    value, slope = soft_clamp(r, (low, high))
    numeric = (soft_clamp(r + 1e-6, (low, high))[0] - soft_clamp(r - 1e-6, (low, high))[0]) / 2e-6
    np.testing.assert_allclose(slope, numeric, atol=1e-8)
    assert (np.diff(value) > 0).all()


def test_the_density_is_finite_ten_thousand_sigma_away():
    network = Network(1, (), 2, "tanh", None)
    theta = np.zeros(network.n_parameters)
    value = log_density(theta, network, np.zeros((1, 1)), np.array([[1e4]]))
    assert value[0] == pytest.approx(-5e7, rel=1e-6)
    loss, gradient = loss_and_gradient(theta, network, np.zeros((1, 1)), np.array([[1e4]]), np.ones(1), Penalty())
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


def test_the_start_spreads_the_means_over_the_target():
    network = Network(N_INPUTS, (8,), 5, "silu", (-6.9, 2.0))
    quantiles = np.array([-2.0, -0.5, 0.1, 0.7, 3.0])
    theta = initialize(network, quantiles[:, None], np.random.default_rng(0))
    log_weights, means, log_scales, _ = forward(theta, network, np.zeros((2, N_INPUTS)))
    np.testing.assert_allclose(means[:, :, 0], np.tile(quantiles, (2, 1)), atol=1e-12)
    np.testing.assert_allclose(np.exp(log_weights), 0.2)
    # log(1.5/√5), moved a little by the clamp's soft upper end.
    np.testing.assert_allclose(log_scales, np.log(1.5 / np.sqrt(5)), atol=0.1)


def test_xavier_has_zero_biases_and_its_limits():
    network = Network(N_INPUTS, (25, 10), 10, "tanh", None)
    layers = unpack_layers(initialize_xavier(network, np.random.default_rng(0)), network)
    for weight, bias in layers:
        assert (bias == 0).all()
        limit = np.sqrt(6.0 / sum(weight.shape))
        assert 0.8 * limit < np.abs(weight).max() <= limit
    assert [weight.shape for weight, _ in layers] == [(3, 25), (25, 10), (10, 30)]


def test_the_flat_vector_and_its_views_are_one_memory():
    network = Network(N_INPUTS, (4,), 2, "relu", None)
    theta = np.zeros(network.n_parameters)
    for weight, bias in unpack_layers(theta, network):
        weight += 1.0
        bias += 2.0
    mask = matrix_mask(network)
    assert set(theta[mask == 1]) == {1.0}
    assert set(theta[mask == 0]) == {2.0}
    assert mask.sum() == 3 * 4 + 4 * 6
