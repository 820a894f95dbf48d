"""Offsets of the head: what is added to the linear layer's output of a row, in both engines, in losses and in whole runs."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from scipy.stats import norm

from condensity import engines
from condensity.compute import Compute
from condensity.engines import operation
from condensity.engines.driver import run_to_end
from condensity.engines.reference.network import ACTIVATIONS, forward, log_density, loss_and_gradient, soft_clamp
from condensity.engines.types import Network, Penalty, Split, TrainingPlan, TrainingRows, all_rows, unpack_layers
from condensity.training.initialization import initialize

ENGINES = ["reference"]
if engines.native_available():
    from condensity.engines import native

    ENGINES.append("native")
needs_native = pytest.mark.skipif(not engines.native_available(), reason="the compiled extension is not built")

SHAPES = [  # d, hidden, K, q, n: all different; tiles of the native engine have 128 rows
    (3, (), 2, 1, 7), (2, (6,), 5, 1, 131), (1, (7, 9), 3, 1, 261), (4, (), 3, 2, 19), (1, (5,), 4, 3, 130),
    (2, (8, 6), 3, 4, 37),
]  # fmt: skip
PENALTY = Penalty(0.3, 0.2, 8.0)  # a ceiling that some rows reach


def rounded(array):
    """What float32 can hold, so that both engines start from the same numbers."""
    return np.float32(array).astype(float)


def problem(d, hidden, k, q, n, *, coupled=True, activation="tanh", seed=0):
    """A network, θ, x, y, weights, and offsets as large as what the network itself gives."""
    rng = np.random.default_rng(seed)
    network = Network(d, hidden, k, activation, (-5.0, 2.0), q, coupled)
    theta = initialize(network, np.linspace(-1, 1, k)[:, None] * np.ones(q), rng)
    theta += 0.3 * rng.normal(size=theta.size)
    x, y, offset = rng.normal(size=(n, d)), rng.normal(size=(n, q)), 0.5 * rng.normal(size=(n, network.head_width))
    return network, *(rounded(part) for part in (theta, x, y, rng.uniform(0.2, 2.0, n), offset))


# ----------------------------------------------------------------------------------------------------- loss and gradient
@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize(("d", "hidden", "k", "q", "n"), SHAPES)
def test_the_same_offset_in_all_rows_is_a_shift_of_the_heads_bias(d, hidden, k, q, n, coupled):
    network, theta, x, y, weight, offset = problem(d, hidden, k, q, n, coupled=coupled)
    offset[:] = offset[0]
    shifted = theta.copy()
    unpack_layers(shifted, network)[-1][1][:] += offset[0]
    loss, gradient = loss_and_gradient(theta, network, x, y, weight, PENALTY, offset)
    expected_loss, expected_gradient = loss_and_gradient(shifted, network, x, y, weight, PENALTY)
    # Sums of float64 in another order.
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-9, atol=1e-12)
    for part, expected in zip(forward(theta, network, x, offset), forward(shifted, network, x), strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize(("d", "hidden", "k", "q", "n"), SHAPES)
def test_gradients_with_offsets_equal_finite_differences(d, hidden, k, q, n, coupled, activation):
    network, theta, x, y, weight, offset = problem(d, hidden, k, q, n, coupled=coupled, activation=activation)
    _, gradient = loss_and_gradient(theta, network, x, y, weight, PENALTY, offset)
    units = np.eye(theta.size) * 1e-6
    losses = [
        [loss_and_gradient(theta + sign * unit, network, x, y, weight, PENALTY, offset)[0] for unit in units]
        for sign in (1, -1)
    ]
    numeric = (np.array(losses[0]) - losses[1]) / 2e-6
    # Rounding of the loss, 1e-16 / 1e-6, times the root of the parameters' number.
    assert np.linalg.norm(gradient - numeric) <= 1e-6 * np.linalg.norm(numeric)


@pytest.mark.parametrize("hidden", [(), (5,), (6, 4)])
def test_a_network_of_zeros_gives_the_offsets_mixture(hidden):
    network = Network(2, hidden, 3, "silu", (-5.0, 2.0))
    rng = np.random.default_rng(0)
    x, y, offset = rng.normal(size=(11, 2)), rng.normal(size=(11, 1)), rng.normal(size=(11, 9))
    head = forward(np.zeros(network.n_parameters), network, x, offset)
    log_scales = soft_clamp(offset[:, 6:], (-5.0, 2.0))[0]
    np.testing.assert_array_equal(head.means[:, :, 0], offset[:, 3:6])
    np.testing.assert_array_equal(head.log_scales[:, :, 0], log_scales)
    np.testing.assert_allclose(head.log_weights, log_softmax(offset[:, :3], axis=1), rtol=1e-13)
    terms = log_softmax(offset[:, :3], axis=1) + norm.logpdf(y, offset[:, 3:6], np.exp(log_scales))
    got = log_density(np.zeros(network.n_parameters), network, x, y, offset)
    np.testing.assert_allclose(got, logsumexp(terms, axis=1), rtol=1e-12)


@needs_native
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize(("d", "hidden", "k", "q", "n"), SHAPES)
def test_native_loss_and_gradient_equal_the_reference(d, hidden, k, q, n, coupled, activation):
    network, theta, x, y, weight, offset = problem(d, hidden, k, q, n, coupled=coupled, activation=activation)
    loss, gradient = loss_and_gradient(theta, network, x, y, weight, PENALTY, offset)
    without, _ = loss_and_gradient(theta, network, x, y, weight, PENALTY)
    assert abs(loss - without) > 1e-2  # the offsets are no trifle
    truth = log_density(theta, network, x, y, offset)
    before = native.isa()
    for isa in native.available_isas():
        native.use_isa(isa)
        got_loss, got_gradient = native.loss_and_gradient(theta, network, x, y, weight, PENALTY, offset)
        assert got_loss == pytest.approx(loss, rel=1e-5, abs=1e-5)
        # Rounding of float32, 6e-8, times the depth and the 1/σ of narrow components.
        assert np.linalg.norm(got_gradient - gradient) <= 2e-5 * np.linalg.norm(gradient)
        got = native.log_density(theta, network, x, y, offset)
        np.testing.assert_allclose(got, truth, rtol=1e-4, atol=1e-4)
        # Nothing but zeros to add: not one bit moves.
        plain = native.loss_and_gradient(theta, network, x, y, weight, PENALTY)
        zeros = native.loss_and_gradient(theta, network, x, y, weight, PENALTY, np.zeros_like(offset))
        assert plain[0] == zeros[0]
        np.testing.assert_array_equal(plain[1], zeros[1])
    native.use_isa(before)


# ----------------------------------------------------------------------------------------------------------- whole runs
N_ROWS = 240
NETWORK = Network(1, (8,), 3, "silu", (-6.9, 2.0))
PLAN = TrainingPlan(
    solver="adamw", learning_rate=0.02, warm_up=10, batch_size=32, max_steps=300, check_every=20, patience=100, tolerance=1e-4,
    weight_decay=0.01, penalty=Penalty(0.05, 0.05, 20.0), max_gradient_norm=100.0, horizon=300,
)  # fmt: skip
SPREAD = 0.3  # of y about its mean


def hidden_cause_rows(seed=0):
    """Rows whose y is mostly what their x does not tell and their offset does: with another row's offset nothing fits."""
    rng = np.random.default_rng(seed)
    x, cause = rng.uniform(-1.5, 1.5, (N_ROWS, 1)), 2.0 * rng.standard_normal((N_ROWS, 1))
    y = np.sin(2 * x) + cause + SPREAD * rng.standard_normal((N_ROWS, 1))
    offset = np.zeros((N_ROWS, NETWORK.head_width))
    offset[:, 3:6] = cause
    weight = rng.uniform(0.5, 1.5, N_ROWS)
    return TrainingRows(*(rounded(part) for part in (x, y, weight / weight.mean(), offset)))


def halves():
    """Two members, each judged by the half of the rows that the other trains on, in no order."""
    first, second = np.array_split(np.random.default_rng(9).permutation(N_ROWS), 2)
    return [Split(first, second), Split(second, first)]


def starts(m, network=NETWORK):
    rng = np.random.default_rng(5)
    means = np.linspace(-1, 1, network.n_components)[:, None] * np.ones(network.n_outputs)
    return rounded([initialize(network, means, rng) for _ in range(m)])


def run(engine, plan=PLAN, table=None, splits=None, seed=0):
    splits = halves() if splits is None else splits
    table = hidden_cause_rows() if table is None else table
    return operation("train", Compute(engine))(
        starts(len(splits)), NETWORK, plan, np.random.default_rng(seed), table, splits
    )


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_row_trains_and_is_judged_with_its_own_offset(engine, noise):
    table, plan = hidden_cause_rows(), PLAN._replace(input_noise=noise, target_noise=noise)
    done = run_to_end(run(engine, plan))
    # A normal with y's own spread costs log(.3) + 1.42 = .22 nats; one that does not know the cause, of spread 2, 2.1.
    assert min(done.history["validation_nll"]) < 0.6
    assert done.history["train_loss"][-1] < 0.6
    for theta, (_, held_out) in zip(done.parameters, halves(), strict=True):
        unseen = table.take(held_out)
        expected = log_density(theta, NETWORK, unseen.x, unseen.y, unseen.offset)
        # float32 in the native engine
        np.testing.assert_allclose(done.held_out_log_density[held_out], expected, atol=1e-3)
    without = run_to_end(run(engine, plan, table._replace(offset=None)))
    assert min(without.history["validation_nll"]) > 1.5
    other = table._replace(offset=np.roll(table.offset, 1, axis=0))
    assert min(run_to_end(run(engine, plan, other)).history["validation_nll"]) > 1.5
    alone = run_to_end(run(engine, plan, splits=[all_rows(N_ROWS)]))
    assert alone.status == "max_steps"
    assert alone.history["train_loss"][-1] < 0.6


@pytest.mark.parametrize("noise", [0.0, 1e-9])
@pytest.mark.parametrize("solver", ["adamw", "schedule_free_adamw", "adam"])
@pytest.mark.parametrize("engine", ENGINES)
def test_an_offset_that_is_linear_in_x_is_another_start_of_a_linear_network(engine, solver, noise):
    """The same batches, the same steps; noise of 1e-9 changes no row, but takes the way of rows that it would change."""
    network, table = Network(2, (), 3, "tanh", (-6.9, 2.0)), hidden_cause_rows()
    rng = np.random.default_rng(1)
    x = rounded(rng.normal(size=(N_ROWS, 2)))
    matrix, bias = (rounded(0.5 * rng.normal(size=shape)) for shape in ((2, 9), 9))
    table = TrainingRows(x, table.y, table.weight, rounded(x @ matrix + bias))
    plan = PLAN._replace(solver=solver, weight_decay=0.0, max_steps=60, input_noise=noise, target_noise=noise)
    moved = starts(2, network)
    for theta in moved:
        weight_there, bias_there = unpack_layers(theta, network)[-1]
        weight_there += matrix
        bias_there += bias
    beginnings = ((starts(2, network), table), (moved, table._replace(offset=None)))
    ours, theirs = (
        run_to_end(
            operation("train", Compute(engine))(parameters, network, plan, np.random.default_rng(3), rows, halves())
        )
        for parameters, rows in beginnings
    )
    # float32's rounding of parameters of order one, which 60 steps of Adam amplify; both engines round the offsets.
    curves = (each.history["validation_nll"] for each in (ours, theirs))
    np.testing.assert_allclose(*curves, rtol=1e-3)
    both = (each.parameters - begin for each, (begin, _) in zip((ours, theirs), beginnings, strict=True))
    np.testing.assert_allclose(*both, atol=2e-3)


@needs_native
@pytest.mark.parametrize("noise", [0.0, 1e-9])
@pytest.mark.parametrize("solver", ["adamw", "schedule_free_adamw"])
def test_members_in_full_batches_follow_the_reference(solver, noise):
    """Noise of 1e-9 is none for either engine, but takes the way of rows that it would change."""
    plan = PLAN._replace(solver=solver, batch_size=N_ROWS, max_steps=60, input_noise=noise, target_noise=noise)
    ours, theirs = run_to_end(run("native", plan)), run_to_end(run("reference", plan))
    assert (ours.status, ours.n_steps, ours.best_step) == (theirs.status, theirs.n_steps, theirs.best_step)
    for name in ("train_loss", "validation_nll"):
        np.testing.assert_allclose(ours.history[name], theirs.history[name], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(ours.held_out_log_density, theirs.held_out_log_density, atol=0.02)


@needs_native
@pytest.mark.parametrize("splits", [halves(), [all_rows(N_ROWS)]], ids=["halves", "whole"])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_saved_run_goes_on_to_the_same_bits(splits, noise):
    plan = PLAN._replace(input_noise=noise, target_noise=noise)
    straight = run_to_end(run("native", plan, splits=splits))
    current = run("native", plan, splits=splits)
    for _ in range(1000):  # every slice in a new object, which knows only the bytes
        ended = current.advance(0.0)
        state = current.save()
        current = run("native", plan, splits=splits)
        current.restore(state)
        if ended:
            break
    done = current.result()
    np.testing.assert_array_equal(done.parameters, straight.parameters)
    np.testing.assert_array_equal(done.held_out_log_density, straight.held_out_log_density)
    assert repr(done.history) == repr(straight.history)
    assert (done.status, done.n_steps, done.best_step) == (straight.status, straight.n_steps, straight.best_step)


# ------------------------------------------------------------------------------------------------------------------ rows
def test_rows_take_their_offsets_along():
    table = hidden_cause_rows()
    taken = table.take(np.array([3, 1])).followed_by(table.take(slice(7, 8)))
    for part, every_row in zip(taken[:4], table[:4], strict=True):
        np.testing.assert_array_equal(part, every_row[[3, 1, 7]])
    bare = table._replace(offset=None)
    assert bare.take(slice(3)).offset is None
    assert bare.followed_by(bare).offset is None
    for first, second in ((table, bare), (bare, table)):
        with pytest.raises(ValueError, match="Either all rows must have an offset, or none"):
            first.followed_by(second)


@needs_native
@pytest.mark.parametrize("shape", [(N_ROWS, 8), (N_ROWS, 1), (N_ROWS - 1, 9), (9, N_ROWS)])
def test_offsets_of_another_shape_are_refused(shape):
    table = hidden_cause_rows()._replace(offset=np.zeros(shape))
    words = rf"offset must have shape \(n, 9\) for n = {N_ROWS} rows; got \({shape[0]}, {shape[1]}\)"
    with pytest.raises(ValueError, match=words):
        run("native", table=table)
    theta, (x, y, weight, offset) = starts(1)[0], table[:4]
    with pytest.raises(ValueError, match=words):
        native.loss_and_gradient(theta, NETWORK, x, y, weight, PENALTY, offset)
    with pytest.raises(ValueError, match=words):
        native.log_density(theta, NETWORK, x, y, offset)
