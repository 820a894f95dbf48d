"""Networks trained side by side: the common stop, held-out densities, threads, saved states, schedules, noise."""

import numpy as np
import pytest

from condensity import engines
from condensity.compute import Compute
from condensity.engines import driver, operation
from condensity.engines.driver import run_to_end
from condensity.engines.reference.network import log_density
from condensity.engines.reference.optimizer import AdamW
from condensity.engines.reference.trainer import rate_at
from condensity.engines.types import Network, Penalty, Split, TrainingPlan, TrainingRows, all_rows
from condensity.training.initialization import initialize

ENGINES = ["reference"]
if engines.native_available():
    ENGINES.append("native")
needs_native = pytest.mark.skipif(not engines.native_available(), reason="the compiled extension is not built")

NETWORK = Network(1, (8,), 3, "silu", (-6.9, 2.0))
PLAN = TrainingPlan(
    solver="adamw", learning_rate=0.02, warm_up=10, batch_size=32, max_steps=300, check_every=20, patience=3, tolerance=1e-4,
    weight_decay=0.01, penalty=Penalty(0.05, 0.05, 20.0), max_gradient_norm=100.0, horizon=300,
)  # fmt: skip


def rows(n=120, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.5, 1.5, (n, 1))
    y = np.sin(2 * x) + 0.3 * rng.standard_normal((n, 1))
    weight = rng.uniform(0.5, 1.5, n)
    return TrainingRows(*(np.float32(part).astype(float) for part in (x, y, weight / weight.mean())))


def starts(m):
    rng = np.random.default_rng(5)
    return np.array([initialize(NETWORK, np.array([[-1.0], [0.0], [1.0]]), rng) for _ in range(m)])


def folds(n=120, partitions=2, parts=3):
    """Every row is held out by as many members as there are partitions."""
    rng, splits = np.random.default_rng(9), []
    for _ in range(partitions):
        pieces = np.array_split(rng.permutation(n), parts)
        splits += [Split(np.setdiff1d(np.arange(n), piece), piece) for piece in pieces]
    return splits


def run(engine, plan=PLAN, table=None, splits=None, n_threads=1, seed=0):
    splits = folds() if splits is None else splits
    table = rows() if table is None else table
    return operation("train", Compute(engine, n_threads))(
        starts(len(splits)), NETWORK, plan, np.random.default_rng(seed), table, splits
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_the_held_out_density_is_the_mean_of_the_members_that_did_not_see_the_row(engine):
    table, splits = rows(), folds()
    done = run_to_end(run(engine))
    each = np.array([np.exp(log_density(theta, NETWORK, table.x, table.y)) for theta in done.parameters])
    unseen = np.array([np.isin(np.arange(120), split.held_out) for split in splits])
    assert (unseen.sum(axis=0) == 2).all()
    expected = np.log((each * unseen).sum(axis=0) / 2)
    # float32 in the native engine
    np.testing.assert_allclose(done.held_out_log_density, expected, atol=2e-4)
    curve = done.history["validation_nll"]
    assert min(curve) == pytest.approx(np.average(-expected, weights=table.weight), abs=2e-4)
    assert done.best_step == done.history["step"][int(np.argmin(curve))]
    assert done.best_loss == min(curve)


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_every_member_sees_have_no_held_out_density(engine):
    splits = folds()[:2]
    done = run_to_end(run(engine, splits=splits))
    seen = np.isin(np.arange(120), np.concatenate([split.held_out for split in splits]))
    assert np.isfinite(done.held_out_log_density[seen]).all()
    assert np.isnan(done.held_out_log_density[~seen]).all()
    assert np.isnan(run_to_end(run(engine, splits=[all_rows(120)])).held_out_log_density).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_patience_does_not_end_a_run_before_its_least_number_of_steps(engine):
    hurried = PLAN._replace(patience=1, tolerance=10.0)  # nothing is ever an improvement but the first
    assert run_to_end(run(engine, hurried)).n_steps == 40
    assert run_to_end(run(engine, hurried._replace(min_steps=150))).n_steps == 160


@pytest.mark.parametrize("engine", ENGINES)
def test_a_callback_can_end_a_run_once_there_is_something_to_keep(engine, monkeypatch):
    monkeypatch.setattr(driver, "SLICE_SECONDS", 0.0)
    calls = []
    done = run_to_end(run(engine), lambda run: calls.append(run.n_steps) or True)
    assert done.status == "stopped"
    assert done.best_step == 20
    assert len(calls) == 20 if engine == "reference" else len(calls) >= 20


@pytest.mark.trap("T17")
@pytest.mark.parametrize("engine", ENGINES)
def test_noise_moves_the_rows_at_first_and_not_at_last(engine):
    plan = PLAN._replace(horizon=0, max_steps=600)
    quiet, noisy, again = (
        run_to_end(run(engine, plan._replace(input_noise=noise, target_noise=noise), splits=[all_rows(120)]))
        for noise in (0.0, 0.5, 0.5)
    )
    np.testing.assert_array_equal(noisy.parameters, again.parameters)
    first, last = (np.array([each.history["train_loss"][part] for each in (quiet, noisy)]) for part in (10, -1))
    # Noise of .5 on x and y, of which a half is left at step 220; it has gone at 70 % of the steps, and with it what it cost.
    assert first[1] > first[0] + 0.1
    assert abs(last[1] - last[0]) < 0.05


def test_the_rate_rises_along_a_line_and_falls_along_a_cosine():
    plan = PLAN._replace(learning_rate=2.0, warm_up=10, horizon=110)
    got = [rate_at(step, plan) for step in (1, 5, 10, 35, 60, 85, 110, 500)]
    np.testing.assert_allclose(got, [0.2, 1.0, 2.0, 1 + np.sqrt(0.5), 1.0, 1 - np.sqrt(0.5), 0.0, 0.0], atol=1e-12)
    assert rate_at(10**6, plan._replace(horizon=0)) == 2.0


def test_adamw_steps_are_those_of_the_paper_and_the_model_their_average():
    theta, mask = np.array([3.0, -1.0]), np.array([1.0, 0.0])
    solver = AdamW(theta, weight_decay=0.2, decay_mask=mask)
    m, v, average = np.zeros(2), np.zeros(2), theta.copy()
    for t, gradient in enumerate(([0.5, -4.0], [1.0, 2.0], [-3.0, 0.1]), start=1):
        gradient = np.array(gradient)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        # Loshchilov & Hutter, algorithm 2: decay beside the adaptive step, not in the gradient.
        theta = theta - 0.1 * ((m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + 0.2 * mask * theta)
        average = (t + 1) / (t + 10) * average + 9 / (t + 10) * theta
        solver.step(gradient, 0.1)
    np.testing.assert_allclose(solver.query(), theta, rtol=1e-12)
    np.testing.assert_allclose(solver.model(), average, rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------- native
@needs_native
@pytest.mark.parametrize("solver", ["adamw", "schedule_free_adamw"])
def test_members_in_full_batches_follow_the_reference(solver):
    plan = PLAN._replace(solver=solver, batch_size=120, max_steps=60)
    ours, theirs = run_to_end(run("native", plan)), run_to_end(run("reference", plan))
    assert (ours.status, ours.n_steps, ours.best_step) == (theirs.status, theirs.n_steps, theirs.best_step)
    np.testing.assert_allclose(ours.history["validation_nll"], theirs.history["validation_nll"], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(ours.held_out_log_density, theirs.held_out_log_density, atol=0.02)


@needs_native
@pytest.mark.parametrize("n_threads", [2, 3, 16])
def test_threads_change_no_bit(n_threads):
    one, many = run_to_end(run("native")), run_to_end(run("native", n_threads=n_threads))
    np.testing.assert_array_equal(one.parameters, many.parameters)
    np.testing.assert_array_equal(one.held_out_log_density, many.held_out_log_density)
    assert one.history == many.history


@needs_native
@pytest.mark.parametrize("splits", [folds(), [all_rows(120)]], ids=["folds", "whole"])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_saved_run_goes_on_to_the_same_bits(splits, noise):
    plan = PLAN._replace(input_noise=noise)
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


@needs_native
def test_states_of_other_runs_are_refused():
    state = run("native").save()
    with pytest.raises(ValueError, match="another run"):
        run("native", splits=folds(parts=4)).restore(state)
    for damaged in (state[:-3], state[:100], b""):
        with pytest.raises(ValueError, match="damaged"):
            run("native").restore(damaged)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_carries_on_with_the_solver_of_another(engine):
    """Two passes over all rows in one batch are one run of two steps, whoever holds the rows."""
    plan = PLAN._replace(batch_size=120, check_every=2, max_steps=2, horizon=0)
    together = run_to_end(run(engine, plan, splits=[all_rows(120)]))
    first = run(engine, plan._replace(max_steps=1, check_every=1), splits=[all_rows(120)])
    run_to_end(first)
    second = run(engine, plan, splits=[all_rows(120)], seed=3)
    second.load_optimizer_state(first.save())
    np.testing.assert_allclose(run_to_end(second).parameters, together.parameters, rtol=1e-6, atol=1e-7)
