"""Update rules and the training loop."""

import numpy as np
import pytest

from condensity.engines.driver import run_to_end
from condensity.engines.reference.network import log_density
from condensity.engines.reference.optimizer import SOLVERS, Adam, RMSProp, ScheduleFreeAdamW
from condensity.engines.reference.trainer import Run, batches
from condensity.engines.types import (
    Network,
    Penalty,
    Split,
    TrainingPlan,
    TrainingRows,
    all_rows,
    held_out_loss,
    steps_per_epoch,
)
from condensity.training.initialization import initialize

PLAN = TrainingPlan(
    solver="schedule_free_adamw",
    learning_rate=0.02,
    warm_up=20,
    batch_size=64,
    max_steps=400,
    check_every=10,
    patience=6,
    tolerance=1e-4,
    weight_decay=0.01,
    penalty=Penalty(hinge=0.05, lognormal=0.05),
    max_gradient_norm=100.0,
)
NETWORK = Network(1, (8,), 3, "silu", (-6.9, 2.0))


def rows(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.5, 1.5, (n, 1))
    return TrainingRows(x, np.sin(2 * x) + 0.3 * rng.standard_normal((n, 1)), np.ones(n))


def start(seed=0):
    return initialize(NETWORK, np.array([[-1.0], [0.0], [1.0]]), np.random.default_rng(seed))


def train(theta, network, plan, rng, rows, held_out=None):
    """A run of one member to its end, judged by the held-out rows, if any."""
    table, split = rows, all_rows(len(rows.y))
    if held_out is not None:
        table = rows.followed_by(held_out)
        split = Split(np.arange(len(rows.y)), np.arange(len(rows.y), len(table.y)))
    return run_to_end(Run([theta], network, plan, rng, table, [split]))


def run(plan=PLAN, seed=0, validation=True):
    return train(
        start(), NETWORK, plan, np.random.default_rng(seed), rows(300, 1), rows(150, 2) if validation else None
    )


def loss_of(theta, network, rows):
    return held_out_loss(log_density(theta, network, rows.x, rows.y), rows.weight, network.n_outputs)


# ---------------------------------------------------------------------------------------------------- update rules
@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_finds_the_bottom_of_a_bowl(name):
    bottom = np.array([1.0, -2.0, 0.5])
    solver = SOLVERS[name](np.zeros(3), weight_decay=0.0, decay_mask=np.ones(3))
    for _ in range(3000):
        solver.step(solver.query() - bottom, 0.01)
    # The methods that follow the gradient's sign hover within a step or two of the bottom.
    np.testing.assert_allclose(solver.model(), bottom, atol=0.05)


def test_schedule_free_keeps_the_average_of_its_iterates_weighted_by_squared_rates():
    solver = ScheduleFreeAdamW(np.array([3.0, -1.0]), weight_decay=0.1, decay_mask=np.array([1.0, 0.0]))
    rng, rates, iterates = np.random.default_rng(0), [0.01, 0.02, 0.03, 0.03, 0.02], []
    for rate in rates:
        point = solver.query()
        np.testing.assert_allclose(point, 0.1 * solver.z + 0.9 * solver.x, rtol=1e-14)
        solver.step(rng.standard_normal(2), rate)
        iterates.append(solver.z)
    expected = np.average(iterates, axis=0, weights=np.square(rates))
    np.testing.assert_allclose(solver.model(), expected, rtol=1e-12)


def test_first_steps_are_those_of_the_formulas():
    theta, gradient = np.array([1.0, 2.0]), np.array([0.5, -4.0])
    adam = Adam(theta, weight_decay=0.0, decay_mask=np.ones(2))
    adam.step(gradient, 0.1)  # bias-corrected m/√v is the sign on the first step
    np.testing.assert_allclose(adam.model(), theta - 0.1 * np.sign(gradient), rtol=1e-6)
    rmsprop = RMSProp(theta, weight_decay=0.0, decay_mask=np.ones(2))
    rmsprop.step(gradient, 0.1)
    np.testing.assert_allclose(rmsprop.model(), theta - 0.1 * gradient / np.sqrt(0.9 + 0.1 * gradient**2), rtol=1e-6)


def test_second_steps_carry_the_moments_on():
    theta, first, second = np.array([1.0]), np.array([0.5]), np.array([-2.0])
    adam = Adam(theta, weight_decay=0.0, decay_mask=np.ones(1))
    adam.step(first, 0.1)
    once = adam.model().copy()
    adam.step(second, 0.1)
    m, v = 0.9 * 0.1 * first + 0.1 * second, 0.999 * 0.001 * first**2 + 0.001 * second**2
    expected = once - 0.1 * (m / (1 - 0.9**2)) / np.sqrt(v / (1 - 0.999**2))
    # ε = 1e-8 beside √v of order one is what the formula here leaves out.
    np.testing.assert_allclose(adam.model(), expected, rtol=1e-7)


def test_schedule_free_steps_are_those_of_the_paper():
    theta, gradients, rate, decay = np.array([3.0, -1.0]), np.array([[0.5, -4.0], [1.0, 2.0]]), 0.1, 0.2
    solver = ScheduleFreeAdamW(theta, weight_decay=decay, decay_mask=np.array([1.0, 0.0]))
    z, x, v = theta, theta, np.zeros(2)
    for t, gradient in enumerate(gradients, start=1):  # algorithm 1 of Defazio et al., constant rate: c = 1/t
        y = 0.1 * z + 0.9 * x
        v = 0.999 * v + 0.001 * gradient**2
        z = z - rate * (gradient / np.sqrt(v / (1 - 0.999**t)) + decay * np.array([1.0, 0.0]) * y)
        x = (1 - 1 / t) * x + z / t
        solver.step(gradient, rate)
    np.testing.assert_allclose(solver.model(), x, rtol=1e-7)


@pytest.mark.parametrize("solver", [Adam, RMSProp])
def test_weight_decay_is_l2_in_the_gradient_and_spares_biases(solver):
    theta, mask = np.array([2.0, 2.0]), np.array([1.0, 0.0])
    decayed = solver(theta, weight_decay=0.5, decay_mask=mask)
    by_hand = solver(theta, weight_decay=0.0, decay_mask=mask)
    decayed.step(np.zeros(2), 0.1)
    by_hand.step(0.5 * mask * theta, 0.1)
    np.testing.assert_array_equal(decayed.model(), by_hand.model())
    assert decayed.model()[1] == 2.0


# --------------------------------------------------------------------------------------------------------- the loop
def test_every_row_comes_once_an_epoch_in_batches_of_nearly_equal_size():
    stream = batches(np.arange(103), 25, np.random.default_rng(0))
    for _ in range(3):
        epoch = [next(stream) for _ in range(steps_per_epoch(103, 25))]
        assert sorted(np.concatenate(epoch)) == list(range(103))
        assert {len(batch) for batch in epoch} <= {20, 21}


def test_the_parameters_kept_are_the_best_on_the_held_out_rows():
    result = run()
    curve = result.history["validation_nll"]
    assert loss_of(result.parameters[0], NETWORK, rows(150, 2)) == min(curve)
    assert result.best_step == result.history["step"][int(np.argmin(curve))]


def test_patience_ends_the_run_after_that_many_stale_checks():
    result = run(PLAN._replace(max_steps=5000, patience=4))
    assert result.status == "patience"
    curve = np.array(result.history["validation_nll"])
    assert result.n_steps == result.history["step"][-1] < 5000
    assert curve[-4:].min() >= curve[:-4].min() - PLAN.tolerance


def test_without_held_out_rows_the_last_parameters_are_kept_after_all_steps():
    result = run(PLAN._replace(max_steps=57), validation=False)
    assert (result.status, result.n_steps, result.best_step) == ("max_steps", 57, 57)
    assert result.history["step"] == [10, 20, 30, 40, 50, 57]
    assert result.history["train_loss"][-1] < result.history["train_loss"][0]


def test_divergence_is_noticed_and_the_best_parameters_survive():
    network = NETWORK._replace(log_scale_bounds=None)
    plan = PLAN._replace(solver="rmsprop", learning_rate=1e6, warm_up=0, check_every=1, max_gradient_norm=np.inf)
    result = train(start(), network, plan, np.random.default_rng(0), rows(100, 1), rows(50, 2))
    assert result.status == "diverged"
    assert np.isfinite(result.parameters).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("validation", [True, False])
def test_parameters_that_give_nan_are_never_kept(solver, validation):
    # One step of 1e300 leaves parameters that are finite and whose network is not: the next product overflows.
    plan = PLAN._replace(solver=solver, learning_rate=1e300, warm_up=0, check_every=1, max_gradient_norm=np.inf)
    result = train(start(), NETWORK, plan, np.random.default_rng(0), rows(100, 1), rows(50, 2) if validation else None)
    assert result.status == "diverged"
    assert np.isfinite(loss_of(result.parameters[0], NETWORK, rows(50, 2)))


def test_a_batch_with_a_nan_ends_the_run():
    broken = rows(100, 1)
    broken.y[7] = np.nan
    result = train(start(), NETWORK, PLAN, np.random.default_rng(0), broken, rows(50, 2))
    assert result.status == "diverged"
    assert np.isfinite(result.parameters).all()


def test_long_gradients_are_cut_and_counted():
    assert run().n_clipped == 0
    result = run(PLAN._replace(max_gradient_norm=1e-3))
    assert result.n_clipped == result.n_steps


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    first, again, other = run(seed=3), run(seed=3), run(seed=4)
    np.testing.assert_array_equal(first.parameters, again.parameters)
    assert first.history == again.history
    assert not np.array_equal(first.parameters, other.parameters)


def test_one_wild_held_out_row_cannot_choose_the_stopping_point():
    calm, wild = rows(50, 2), rows(50, 2)
    wild.y[0] = 1e8
    difference = loss_of(start(), NETWORK, wild) - loss_of(start(), NETWORK, calm)
    assert 0 < difference < 20 / 50
