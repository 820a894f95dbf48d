"""The native training engine against the reference: loss, gradients, whole runs, and what it promises by itself."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condensity import MDNRegressor, engines
from condensity.engines import driver
from condensity.engines.driver import run_to_end
from condensity.engines.reference import network as reference
from condensity.engines.reference import trainer
from condensity.engines.reference.optimizer import SOLVERS
from condensity.engines.types import ROW_LOSS_CAP, Network, Penalty, Split, TrainingPlan, TrainingRows, all_rows
from condensity.training.initialization import initialize

if not engines.native_available():
    pytest.skip("the compiled extension is not built", allow_module_level=True)

from condensity.engines import native

PLAN = TrainingPlan(
    solver="schedule_free_adamw", learning_rate=0.02, warm_up=10, batch_size=64, max_steps=200, check_every=20, patience=3,
    tolerance=1e-4, weight_decay=0.01, penalty=Penalty(0.05, 0.05, 20.0), max_gradient_norm=100.0,
)  # fmt: skip


def rounded(array):
    """What float32 can hold, so that both engines start from the same numbers."""
    return np.asarray(array, dtype=np.float32).astype(float)


def make_rows(n, d, seed=0, q=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    sides = np.where(rng.random((n, q)) < 0.5, 1.0, -1.0)
    y = sides * np.sin(x[:, :1]) + 0.1 * rng.normal(size=(n, q))
    weight = rng.uniform(0.2, 2.0, n)
    return TrainingRows(rounded(x), rounded(y), rounded(weight / weight.mean()))


def start(network, seed=0, spread=1.0):
    means = np.tile(np.linspace(-1, 1, network.n_components)[:, None], network.n_outputs)
    theta = initialize(network, means, np.random.default_rng(seed))
    return rounded(theta + 0.1 * spread * np.random.default_rng(seed + 1).normal(size=theta.size))


def train(engine, theta, network, plan, rng, rows, held_out=None):
    """A run of one member to its end, judged by the held-out rows, if any."""
    table, split = rows, all_rows(len(rows.y))
    if held_out is not None:
        table = rows.followed_by(held_out)
        split = Split(np.arange(len(rows.y)), np.arange(len(rows.y), len(table.y)))
    return run_to_end(engine.Run(np.atleast_2d(theta), network, plan, rng, table, [split]))


# --------------------------------------------------------------------------------------------------- loss and gradients
SHAPES = [
    (1, (), 1, 1), (1, (), 3, 130), (2, (5,), 4, 3), (3, (25, 10), 10, 128), (7, (6, 13, 4), 5, 257), (4, (3, 2, 9, 8), 2, 61),
    (17, (33, 31), 7, 300),
]  # fmt: skip


@pytest.mark.parametrize("activation", ["tanh", "silu", "relu"])
@pytest.mark.parametrize("bounds", [None, (-6.9, 2.0), (-1.5, -0.5)])
@pytest.mark.parametrize(("d", "hidden", "k", "n"), SHAPES)
def test_loss_and_gradient_equal_the_reference(isa, d, hidden, k, n, bounds, activation):
    network, rows = Network(d, hidden, k, activation, bounds), make_rows(n, d)
    theta, penalty = start(network), Penalty(0.3, 0.2, 2.0)  # a ceiling that many rows reach
    loss, gradient = reference.loss_and_gradient(theta, network, *rows[:3], penalty)
    got_loss, got_gradient = native.loss_and_gradient(theta, network, *rows[:3], penalty)
    assert got_loss == pytest.approx(loss, rel=1e-5, abs=1e-5)
    # Rounding of float32, 6e-8, times the depth and the 1/σ ≤ 10³ that narrow components have.
    assert np.linalg.norm(got_gradient - gradient) <= 2e-5 * np.linalg.norm(gradient)
    truth = reference.log_density(theta, network, rows.x, rows.y)
    np.testing.assert_allclose(native.log_density(theta, network, rows.x, rows.y), truth, rtol=1e-4, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    d=st.integers(1, 20), hidden=st.lists(st.integers(1, 40), max_size=4), k=st.integers(1, 12), n=st.integers(1, 400),
    activation=st.sampled_from(["tanh", "silu", "relu"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_gradients_of_any_shape(d, hidden, k, n, activation, seed):
    network, rows = Network(d, tuple(hidden), k, activation, (-6.9, 2.0)), make_rows(n, d, seed)
    theta = start(network, seed)
    _, gradient = reference.loss_and_gradient(theta, network, *rows[:3], Penalty(0.05, 0.05, 20.0))
    _, got = native.loss_and_gradient(theta, network, *rows[:3], Penalty(0.05, 0.05, 20.0))
    assert np.linalg.norm(got - gradient) <= 5e-5 * np.linalg.norm(gradient)


def test_wild_rows_have_finite_gradients(isa):
    network, rows = Network(2, (8,), 3, "silu", (-6.9, 2.0)), make_rows(40, 2)
    theta = start(network)
    for wild in (1e6, -1e12, 1e30):
        rows.y[7] = wild
        _, gradient = reference.loss_and_gradient(theta, network, *rows[:3], Penalty(0.05, 0.05, 20.0))
        loss, got = native.loss_and_gradient(theta, network, *rows[:3], Penalty(0.05, 0.05, 20.0))
        assert np.isfinite(loss)
        assert np.isfinite(got).all()
        if abs(wild) <= 1e12:  # z is held at 10¹⁵, so that z² stays within float32
            assert np.linalg.norm(got - gradient) <= 1e-4 * np.linalg.norm(gradient)
    rows.y[7] = np.nan
    assert np.isnan(native.loss_and_gradient(theta, network, *rows[:3], Penalty(0.05, 0.05, 20.0))[0])


# ----------------------------------------------------------------------------------------------------------- whole runs
def test_both_engines_have_the_same_solvers():
    assert set(native.solvers()) == set(SOLVERS)


@pytest.mark.parametrize("solver", native.solvers())
def test_full_batch_runs_follow_the_reference(isa, solver):
    network, rows = Network(2, (9, 5), 4, "tanh", (-6.9, 2.0)), make_rows(150, 2)
    plan = PLAN._replace(solver=solver, learning_rate=0.01, batch_size=150, max_steps=40, check_every=10)
    runs = [
        train(engine, start(network), network, plan, np.random.default_rng(0), rows) for engine in (trainer, native)
    ]
    for name in ("status", "n_steps", "best_step", "n_clipped"):
        assert getattr(runs[0], name) == getattr(runs[1], name)
    assert runs[1].history["step"] == [10, 20, 30, 40]
    np.testing.assert_allclose(runs[1].history["train_loss"], runs[0].history["train_loss"], rtol=1e-3, atol=1e-4)
    # Where a gradient is about 0, Adam's step has the sign of its rounding: single parameters may differ by a few rates.
    np.testing.assert_allclose(runs[1].parameters, runs[0].parameters, atol=0.02)


def test_held_out_rows_stop_the_run_and_the_best_parameters_are_kept(isa):
    network, rows, held_out = Network(1, (16,), 5, "silu", (-6.9, 2.0)), make_rows(60, 1), make_rows(40, 1, seed=5)
    run = train(
        native, start(network), network, PLAN._replace(max_steps=5000), np.random.default_rng(0), rows, held_out
    )
    curve = run.history["validation_nll"]
    assert run.status == "patience"
    assert run.n_steps == run.history["step"][-1] < 5000
    assert run.best_step == run.history["step"][int(np.argmin(curve))]
    best = np.minimum(-reference.log_density(run.parameters[0], network, held_out.x, held_out.y), ROW_LOSS_CAP)
    assert np.average(best, weights=held_out.weight) == pytest.approx(min(curve), abs=1e-4)
    without = train(native, start(network), network, PLAN, np.random.default_rng(0), rows)
    assert (without.status, without.best_step, without.n_steps) == ("max_steps", 200, 200)
    assert np.isnan(without.history["validation_nll"]).all()


def test_same_seed_same_bits_and_batches_hold_every_row():
    network, rows = Network(2, (8,), 3, "silu", (-6.9, 2.0)), make_rows(101, 2)
    runs = [train(native, start(network), network, PLAN, np.random.default_rng(seed), rows) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0].parameters, runs[1].parameters)
    assert (runs[0].parameters != runs[2].parameters).any()
    # One epoch without momentum or averaging at a tiny rate moves by the mean gradient of all rows, in whatever order.
    plan = PLAN._replace(solver="rmsprop", learning_rate=1e-4, warm_up=0, batch_size=30, max_steps=4, weight_decay=0.0)
    moved = train(native, start(network), network, plan, np.random.default_rng(0), rows).parameters[0] - start(network)
    other = train(native, start(network), network, plan, np.random.default_rng(1), rows).parameters[0] - start(network)
    np.testing.assert_allclose(moved, other, atol=1e-5)  # steps are up to 1e-4 long


@pytest.mark.parametrize("rate", [1e9, 1e300])
def test_divergence_is_told_and_the_last_usable_parameters_are_kept(isa, rate):
    network, rows = Network(2, (8,), 3, "silu", None), make_rows(101, 2)
    run = train(native, start(network), network, PLAN._replace(learning_rate=rate), np.random.default_rng(0), rows)
    assert run.status == "diverged"
    assert np.isfinite(run.parameters).all()


def test_long_gradients_are_cut_and_counted():
    network, rows = Network(1, (4,), 2, "tanh", (-6.9, 2.0)), make_rows(64, 1)
    rows.y[0] = 1e4
    plan = PLAN._replace(max_gradient_norm=1e-3, batch_size=64, max_steps=30)
    runs = [
        train(engine, start(network), network, plan, np.random.default_rng(0), rows) for engine in (trainer, native)
    ]
    assert runs[0].n_clipped == runs[1].n_clipped == 30
    np.testing.assert_allclose(runs[1].parameters, runs[0].parameters, atol=0.02)


def test_both_engines_fit_equally_well():
    """The same recipe on eight problems of 1000 rows: the mean test NLL differs by less than its own standard error."""
    difference = []
    for seed in range(8):
        train, test = make_rows(1000, 1, seed), make_rows(4000, 1, 100 + seed)
        score = [
            MDNRegressor(engine=engine, random_state=seed).fit(train.x, train.y[:, 0]).score(test.x, test.y)
            for engine in ("native", "reference")
        ]
        difference.append(score[0] - score[1])
    assert abs(np.mean(difference)) < 0.01
    assert np.std(difference) < 0.05


@pytest.mark.parametrize("exponent", [-20, 20])
def test_units_of_powers_of_two_change_no_bit(exponent):
    """Any column of X, or y, in a unit 2^±20 times as large: the same parameters, and a density shifted by the unit."""
    unit = 2.0**exponent
    rows, test = make_rows(400, 3), make_rows(50, 3, seed=9)
    model = MDNRegressor(random_state=0).fit(rows.x, rows.y)
    for column in range(3):
        units = np.where(np.arange(3) == column, unit, 1.0)
        moved = MDNRegressor(random_state=0).fit(rows.x * units, rows.y)
        np.testing.assert_array_equal(moved.model_.parameters, model.model_.parameters)
        np.testing.assert_array_equal(moved.score_samples(test.x * units, test.y), model.score_samples(test.x, test.y))
    moved = MDNRegressor(random_state=0).fit(rows.x, rows.y * unit)
    np.testing.assert_array_equal(moved.model_.parameters, model.model_.parameters)
    shift = exponent * np.log(2.0)
    shifted = model.score_samples(test.x, test.y) - shift
    np.testing.assert_allclose(moved.score_samples(test.x, test.y * unit), shifted, rtol=0, atol=1e-14 * abs(shift))
    # Any other unit: to rounding, which training may amplify.
    moved = MDNRegressor(random_state=0).fit(rows.x * 3.7 + 11.0, rows.y * 0.3 - 5.0)
    shifted = model.score_samples(test.x, test.y) - np.log(0.3)
    assert abs(np.mean(moved.score_samples(test.x * 3.7 + 11.0, test.y * 0.3 - 5.0) - shifted)) < 0.05


# ------------------------------------------------------------------------------------------------------------ the border
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"theta": np.zeros(3)}, "parameters must have .* numbers; got 3"),
        ({"rows": TrainingRows(np.zeros((5, 3)), np.zeros((5, 1)), np.ones(5))}, r"x must have shape \(n, 2\)"),
        ({"rows": TrainingRows(np.zeros((5, 2)), np.zeros((4, 1)), np.ones(5))}, r"y \(n, 1\) and weight \(n,\)"),
        ({"rows": TrainingRows(np.zeros((5, 2)), np.zeros((5, 2)), np.ones(5))}, r"y \(n, 1\) and weight \(n,\)"),
        ({"rows": TrainingRows(np.zeros((0, 2)), np.zeros((0, 1)), np.ones(0))}, "between 1 and 2"),
        ({"network": Network(2, (8, 0), 3, "silu", None), "theta": np.zeros(40)}, "must be > 0 wide"),
        (
            {"network": Network(2, (8,), 3, "silu", None, edges=([1.0, 1.0], [])), "theta": np.zeros(40)},
            "must increase",
        ),
        ({"plan": PLAN._replace(solver="sgd")}, "solver 'sgd' is unknown"),
        ({"plan": PLAN._replace(check_every=0)}, "must be > 0"),
    ],
)
def test_what_cannot_be_trained_is_refused(change, words):
    network = Network(2, (8,), 3, "silu", None)
    arguments = {
        "theta": start(network),
        "network": network,
        "plan": PLAN,
        "rng": np.random.default_rng(0),
        "rows": make_rows(9, 2),
    }
    with pytest.raises(ValueError, match=words):
        train(native, **{**arguments, **change})


@pytest.mark.trap(51)
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_ctrl_c_keeps_the_best_model_so_far_and_says_so(engine):
    script = textwrap.dedent(f"""
        import _thread, threading, time, warnings
        import numpy as np
        from condensity import MDNRegressor
        from sklearn.exceptions import ConvergenceWarning
        x = np.random.default_rng(0).normal(size=(20_000, 4))
        threading.Timer(2.0, _thread.interrupt_main).start()
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = MDNRegressor(hidden_layer_sizes=(64, 64), solver='schedule_free_adamw', max_iter=10_000, tol=0.0,
                                 n_iter_no_change=10**6, engine={engine!r})
            model.fit(x, x[:, 0] + np.abs(x[:, 1]))
        print(time.perf_counter() - start < 30, model.converged_, model.outcome_[:11], np.isfinite(model.predict(x[:5])).all(),
              [w.category.__name__ for w in caught], sep="|")
    """)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert done.stdout.strip() == "True|False|Interrupted|True|['ConvergenceWarning']", done.stderr


@pytest.mark.trap(51)
@pytest.mark.parametrize("engine", [trainer, native])
def test_ctrl_c_before_the_first_look_at_the_model_is_raised(monkeypatch, engine):
    network, rows = Network(1, (4,), 2, "tanh", (-6.9, 2.0)), make_rows(64, 1)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "loss_and_gradient", interrupt)
    monkeypatch.setattr(native, "_native", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(engine, start(network), network, PLAN, np.random.default_rng(0), rows)


class Interrupted:
    """In the place of the extension: a run that Ctrl-C ends at once."""

    best_step = 0
    save = restore = load_optimizer_state = None

    @staticmethod
    def Network(*_):  # noqa: N802
        return None

    @staticmethod
    def Penalty(**_):  # noqa: N802
        return None

    @staticmethod
    def TrainingPlan(**_):  # noqa: N802
        return None

    @staticmethod
    def TrainingRun(*_):  # noqa: N802
        return Interrupted()

    def advance(self, seconds):
        raise KeyboardInterrupt


def test_a_run_in_slices_is_a_run_in_one_go(monkeypatch):
    network, rows, held_out = Network(2, (8,), 3, "silu", (-6.9, 2.0)), make_rows(101, 2), make_rows(40, 2, seed=5)
    all_rows = train(native, start(network), network, PLAN, np.random.default_rng(0), rows, held_out)
    monkeypatch.setattr(driver, "SLICE_SECONDS", 0.0)  # one step a slice
    sliced = train(native, start(network), network, PLAN, np.random.default_rng(0), rows, held_out)
    np.testing.assert_array_equal(sliced.parameters, all_rows.parameters)
    assert sliced.history == all_rows.history


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_a_held_out_row_counts_for_at_most_the_cap_an_output(n_outputs):
    network, rows = Network(1, (), 1, "silu", (-6.9, 2.0), n_outputs), make_rows(60, 1, q=n_outputs)
    far = rows._replace(y=np.full_like(rows.y, 1e6))
    curve = train(native, start(network), network, PLAN, np.random.default_rng(0), rows, far).history["validation_nll"]
    assert curve == pytest.approx([ROW_LOSS_CAP * n_outputs] * len(curve))
