"""The head of several outputs, and the piecewise-linear encoding: reference against scipy, finite differences and an
autodiff library, native against the reference."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from condensity import engines
from condensity.engines.reference.network import (
    ACTIVATIONS,
    forward,
    log_density,
    loss_and_gradient,
    piecewise_linear_encoding,
)
from condensity.engines.types import Network, Penalty, regression_matrix
from condensity.training.initialization import initialize
from condensity.training.predict import covariance_factors

SHAPES = [  # d, hidden, K, q, n: all different
    (1, (), 3, 2, 5), (3, (5, 7), 4, 2, 37), (2, (6,), 5, 3, 130), (4, (9, 8, 3), 2, 5, 61), (3, (2, 3, 4, 5), 4, 6, 19),
]  # fmt: skip
LOWS = {2: (-6.9, -4.0), 3: (-6.9, -5.0, -3.0), 5: (-6.9, -6.0, -5.0, -4.0, -3.0), 6: (-4.0,) * 6}


def problem(d, hidden, k, q, n, *, coupled=True, bounded=True, encoded=False, activation="tanh", seed=0):
    rng = np.random.default_rng(seed)
    edges = tuple(np.sort(rng.normal(size=1 + j % 4)) for j in range(d)) if encoded else None
    network = Network(d, hidden, k, activation, (LOWS[q], 2.0) if bounded else None, q, coupled, edges)
    theta = initialize(network, np.linspace(-1, 1, k)[:, None] * np.ones(q), rng)
    theta += 0.3 * rng.normal(size=theta.size)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(n, q))
    # What float32 can hold, so that both engines see the same numbers.
    return network, *(np.float32(part).astype(float) for part in (theta, x, y, rng.uniform(0.2, 2.0, n)))


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize(("d", "hidden", "k", "q", "n"), SHAPES)
def test_the_density_is_that_of_scipys_multivariate_normals(d, hidden, k, q, n, coupled):
    network, theta, x, y, _ = problem(d, hidden, k, q, n, coupled=coupled)
    head = forward(theta, network, x)
    if coupled:
        factors = covariance_factors(np.exp(head.log_scales), head.regression_coefficients)
        assert (np.triu(factors, 1) == 0).all()
        # They are Cholesky factors of Σ, whose inverse is (I + C)ᵀ D⁻² (I + C).
        lower = (np.eye(q) + regression_matrix(head.regression_coefficients, q)) / np.exp(head.log_scales)[..., None]
        identity = factors @ factors.swapaxes(-1, -2) @ (lower.swapaxes(-1, -2) @ lower)
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(q), identity.shape), atol=1e-8)
    else:
        factors = np.exp(head.log_scales)[..., None] * np.eye(q)
    covariances = factors @ factors.swapaxes(-1, -2)
    for i in range(n):
        terms = [multivariate_normal.logpdf(y[i], head.means[i, j], covariances[i, j]) for j in range(k)]
        expected = logsumexp(head.log_weights[i] + terms)
        assert log_density(theta, network, x, y)[i] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize(("d", "hidden", "k", "q", "n"), SHAPES)
def test_gradients_equal_finite_differences(d, hidden, k, q, n, coupled, encoded):
    network, theta, x, y, weight = problem(d, hidden, k, q, n, coupled=coupled, encoded=encoded)
    for penalty in (Penalty(), Penalty(0.3, 0.2, 2.0)):
        _, gradient = loss_and_gradient(theta, network, x, y, weight, penalty)
        units = np.eye(theta.size) * 1e-6
        losses = [
            [loss_and_gradient(theta + sign * unit, network, x, y, weight, penalty)[0] for unit in units]
            for sign in (1, -1)
        ]
        numeric = (np.array(losses[0]) - losses[1]) / 2e-6
        # The error of central differences: rounding of the loss, 1e-16 / 1e-6, times the root of the parameters' number.
        assert np.linalg.norm(gradient - numeric) <= 1e-6 * np.linalg.norm(numeric)


def test_gradients_of_the_full_covariance_head_equal_autodiff():
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    network, theta, x, y, weight = problem(3, (5, 7), 4, 3, 37)
    k, q = network.n_components, network.n_outputs
    low, high = np.array(network.log_scale_bounds[0]), network.log_scale_bounds[1]

    def loss(flat):
        h, start = x, 0
        for level, (rows, columns) in enumerate(network.layer_shapes):
            middle, end = start + rows * columns, start + (rows + 1) * columns
            h = h @ flat[start:middle].reshape(rows, columns) + flat[middle:end]
            h = jnp.tanh(h) if level + 1 < len(network.layer_shapes) else h
            start = end
        a, means, r, c = jnp.split(h, [k, k + k * q, k + 2 * k * q], axis=1)
        log_scales = high - jax.nn.softplus(high - (low + jax.nn.softplus(r.reshape(-1, k, q) - low)))
        rows, columns = np.tril_indices(q, -1)
        unit = jnp.zeros((len(x), k, q, q)).at[:, :, rows, columns].set(c.reshape(len(x), k, -1)) + jnp.eye(q)
        precision_factor = unit / jnp.exp(log_scales)[..., None]
        covariance = jnp.linalg.inv(precision_factor.swapaxes(-1, -2) @ precision_factor)
        log_normal = jax.scipy.stats.multivariate_normal.logpdf(y[:, None], means.reshape(-1, k, q), covariance)
        log_p = jax.nn.logsumexp(jax.nn.log_softmax(a, axis=1) + log_normal, axis=1)
        penalty = 0.3 * 0.5 * jnp.maximum(log_scales, 0.0) ** 2 + 0.2 * 0.5 * (log_scales + 1) ** 2
        return jnp.mean(weight * (-log_p + penalty.sum((1, 2))))

    with jax.enable_x64(True):
        their_value, their_gradient = jax.value_and_grad(loss)(jnp.asarray(theta))
        value, gradient = loss_and_gradient(theta, network, x, y, weight, Penalty(0.3, 0.2))
        # Two float64 evaluations; theirs inverts a precision matrix on the way.
        assert value == pytest.approx(float(their_value), rel=1e-9)
        np.testing.assert_allclose(gradient, np.asarray(their_gradient), rtol=1e-7, atol=1e-10)


def test_bins_are_minus_one_below_one_above_and_a_line_inside():
    x = np.array([[-3.0, 0.0], [0.0, 0.0], [0.5, 1.0], [1.5, 2.0], [9.0, 3.0]])
    got = piecewise_linear_encoding(x, (np.array([0.0, 1.0, 2.0]), np.array([5.0])))
    np.testing.assert_array_equal(got[:, :2], x)
    np.testing.assert_allclose(got[:, 2:], [[-1, -1], [-1, -1], [0, -1], [1, 0], [1, 1]])


# ------------------------------------------------------------------------------------------------------------- native
if engines.native_available():
    from condensity.engines import native
needs_native = pytest.mark.skipif(not engines.native_available(), reason="the compiled extension is not built")


@needs_native
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize(("d", "hidden", "k", "q", "n"), SHAPES)
def test_native_loss_and_gradient_equal_the_reference(d, hidden, k, q, n, coupled, bounded, encoded, activation):
    network, theta, x, y, weight = problem(
        d, hidden, k, q, n, coupled=coupled, bounded=bounded, encoded=encoded, activation=activation
    )
    penalty = Penalty(0.3, 0.2, 8.0)  # a ceiling that some rows reach
    before = native.isa()
    for isa in native.available_isas():
        native.use_isa(isa)
        loss, gradient = loss_and_gradient(theta, network, x, y, weight, penalty)
        got_loss, got_gradient = native.loss_and_gradient(theta, network, x, y, weight, penalty)
        assert got_loss == pytest.approx(loss, rel=1e-5, abs=1e-5)
        # Rounding of float32, 6e-8, times the depth and the 1/σ of narrow components.
        assert np.linalg.norm(got_gradient - gradient) <= 2e-5 * np.linalg.norm(gradient)
        truth = log_density(theta, network, x, y)
        np.testing.assert_allclose(native.log_density(theta, network, x, y), truth, rtol=1e-4, atol=1e-4)
    native.use_isa(before)
