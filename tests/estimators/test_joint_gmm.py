"""`JointGMMRegressor`: any columns given any others, gaps, several outputs, the choice of K; against plain algebra."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from condensity import JointGMMRegressor
from condensity.datasets.synthetic import make_inverse_wave, make_noisy_wave, make_ring

#: SufficientStatistics of some dozen terms of order 1 to 10 in float64.
ROUNDING = 1e-10


def geyser(n=400, seed=0):
    """Three inputs of unlike scales and two outputs, correlated, in two clumps; with names."""
    rng = np.random.default_rng(seed)
    clump = rng.random(n) < 0.35
    waiting = np.where(clump, 55.0, 80.0) + 6.0 * rng.normal(size=n)
    duration = 60.0 * np.where(clump, 2.0, 4.3) + 0.6 * (waiting - 70.0) + 15.0 * rng.normal(size=n)
    wind = 1e-3 * rng.normal(size=n)
    height = 40.0 + 0.1 * duration + 2e3 * wind + rng.normal(size=n)
    noise = height - 0.3 * waiting + rng.normal(size=n)
    frame = pd.DataFrame({"waiting": waiting, "wind": wind, "duration": duration})
    return frame, pd.DataFrame({"height": height, "noise": noise})


@pytest.fixture(scope="module")
def model():
    """A joint mixture alone: with simple distributions mixed into p(y | x), `joint_` would not be the whole of the prediction."""
    return JointGMMRegressor(4, fallback=None, random_state=0).fit(*geyser())


# ------------------------------------------------------------------------------------------------ any given any
def test_joint_knows_all_columns_by_name(model):
    assert model.joint_.output_names == ["waiting", "wind", "duration", "height", "noise"]
    assert len(model.joint_) == 1
    assert model.marginal(["noise", "wind"]).output_names == ["noise", "wind"]
    np.testing.assert_array_equal(model.marginal([4, 1]).cov(), model.marginal(["noise", "wind"]).cov())


@pytest.mark.parametrize(
    "given", [["waiting"], ["noise", "wind"], ["waiting", "wind", "duration"], ["height"], [0, 4, 2, 1]]
)
def test_conditional_is_joint_over_marginal(model, given):
    """p(rest | given) = p(all) / p(given) at random points, in data units, for any columns: T22."""
    X, Y = geyser(50, seed=1)
    table = pd.concat([X, Y], axis=1)
    names = list(table.columns)
    keys = [names[key] if isinstance(key, int) else key for key in given]
    rest = [name for name in names if name not in keys]
    dist = model.condition({key: table[name].to_numpy() for key, name in zip(given, keys, strict=True)})
    assert dist.output_names == (rest if len(rest) > 1 else dist.output_names)
    at = table[rest].to_numpy()
    got = dist.logpdf(at if len(rest) > 1 else at[:, 0])
    points = table.to_numpy()
    known = table[keys].to_numpy()
    one_row = model.marginal(keys)
    below = one_row.logpdf(known[None] if len(keys) > 1 else known.T)[0]
    np.testing.assert_allclose(got, model.joint_.logpdf(points[None])[0] - below, rtol=ROUNDING, atol=ROUNDING)


def test_conditional_agrees_with_the_mixture_row_by_row(model):
    X, _ = geyser(5, seed=2)
    dist = model.condition(X)
    for i in range(5):
        one = model.joint_.condition({name: X[name][i] for name in X})
        np.testing.assert_allclose(dist[i].mean(), one.mean(), rtol=ROUNDING)
        np.testing.assert_allclose(dist[i].cov(), one.cov(), rtol=1e-9)
        np.testing.assert_allclose(model.predict_dist(X)[i].cov(), one.cov(), rtol=1e-9)


@pytest.mark.parametrize("kind", ["pandas", "polars", "dict"])
def test_frames_with_gaps_are_conditioned_on_what_they_know(model, kind):
    X, _ = geyser(6, seed=3)
    X = X[["duration", "waiting"]]
    X.loc[1, "duration"] = X.loc[4, "waiting"] = np.nan
    X.loc[5] = np.nan
    given = {"pandas": X, "polars": pl.from_pandas(X), "dict": {name: X[name].to_numpy() for name in X}}[kind]
    dist = model.condition(given)
    assert dist.output_names == ["wind", "height", "noise"]
    np.testing.assert_allclose(
        dist[[1]].mean(), model.condition({"waiting": X["waiting"][1]}).marginal(["wind", "height", "noise"]).mean()
    )
    np.testing.assert_allclose(dist[[5]].mean(), model.marginal(["wind", "height", "noise"]).mean(), rtol=ROUNDING)


def test_what_cannot_be_conditioned_on_is_named(model):
    with pytest.raises(ValueError, match=r"no output 'wating'; known: waiting"):
        model.condition({"wating": 3.0})
    with pytest.raises(ValueError, match="must leave an output"):
        model.condition(dict.fromkeys(model.joint_.output_names, 1.0))
    with pytest.raises(ValueError, match="infinite"):
        model.condition({"waiting": np.inf})
    with pytest.raises(ValueError, match="mapping"):
        model.condition([1.0, 2.0])
    with pytest.raises(NotFittedError):
        JointGMMRegressor().condition({0: 1.0})


def test_predict_inputs_is_bayes_on_a_grid():
    """p(x | y) ∝ p(x) p(y | x), normalised by quadrature, on the ring."""
    data = make_ring(1000, random_state=0)
    model = JointGMMRegressor(12, random_state=0).fit(data.X, data.y)
    grid, target = np.linspace(-12, 12, 4001), np.array([-3.0, 0.0, 4.5])
    log_p = model.score_inputs(grid[:, None])
    by_bayes = np.array([log_p + model.score_samples(grid[:, None], np.full(4001, y)) for y in target])
    by_bayes -= logsumexp(by_bayes, axis=1, keepdims=True) + np.log(grid[1] - grid[0])
    got = model.predict_inputs(target).logpdf(np.broadcast_to(grid, (3, 4001)))
    near = by_bayes > -30
    np.testing.assert_allclose(got[near], by_bayes[near], atol=1e-8)
    assert model.predict_inputs(2.0).means.shape == (1, 12)
    with pytest.raises(ValueError, match=r"y must have shape"):
        model.predict_inputs(np.zeros((3, 2)))


def test_inputs_times_conditional_is_joint(model):
    X, Y = geyser(60, seed=4)
    np.testing.assert_allclose(
        model.score_joint(X, Y), model.score_inputs(X) + model.score_samples(X, Y), rtol=ROUNDING, atol=ROUNDING
    )
    np.testing.assert_allclose(
        model.score_joint(X, Y), model.joint_.logpdf(np.column_stack([X, Y])[None])[0], rtol=1e-9
    )


def test_joint_draws_have_the_joint_moments(model):
    X, Y = model.sample_joint(200_000, random_state=0)
    assert X.shape == (200_000, 3)
    assert Y.shape == (200_000, 2)
    center, spread = model.joint_.mean()[0], model.joint_.std()[0]
    np.testing.assert_allclose((np.column_stack([X, Y]).mean(axis=0) - center) / spread, 0, atol=5 / np.sqrt(200_000))
    units = np.outer(spread, spread)
    np.testing.assert_allclose(np.cov(np.column_stack([X, Y]).T) / units, model.joint_.cov()[0] / units, atol=0.02)
    flat = JointGMMRegressor(2, random_state=0).fit(X[:100], Y[:100, 0])
    assert flat.sample_joint(3, random_state=0)[1].shape == (3,)


# ------------------------------------------------------------------------------------------------ gaps
def with_gaps(frame, share, seed):
    gaps = np.random.default_rng(seed).random(frame.shape) < share
    return frame.mask(gaps)


@pytest.mark.filterwarnings("ignore:1 of 3000 rows hold nothing but NaN:UserWarning")
def test_gaps_in_training_cost_little_and_say_the_same():
    X, Y = geyser(3000)
    fresh = geyser(2000, seed=9)
    whole = JointGMMRegressor(4, random_state=0).fit(X, Y)
    gappy = JointGMMRegressor(4, random_state=0).fit(with_gaps(X, 0.2, 1), with_gaps(Y, 0.2, 2))
    # A fifth of the cells: about as much as a third of the rows, of which 3000 are plenty.
    assert whole.score(*fresh) - gappy.score(*fresh) < 0.05


def test_gaps_at_prediction_are_integrated_out(model):
    X, Y = geyser(40, seed=5)
    gappy = with_gaps(X, 0.4, 3)
    dist = model.predict_dist(gappy)
    for i in (0, 3, 7, 20):
        known = {name: gappy[name][i] for name in gappy if not np.isnan(gappy[name][i])}
        one = model.joint_.condition(known) if known else model.joint_
        np.testing.assert_allclose(dist[i].mean(), one.marginal(["height", "noise"]).mean(), rtol=1e-9)
    assert np.isfinite(model.score_joint(gappy, with_gaps(Y, 0.4, 4))).all()


def test_a_row_of_gaps_a_column_of_gaps_and_a_target_of_gaps():
    X, Y = geyser(200)
    X.loc[7] = np.nan
    Y.loc[7] = np.nan
    with pytest.warns(UserWarning, match="1 of 200 rows hold nothing but NaN"):
        model = JointGMMRegressor(3, random_state=0).fit(X, Y)
    same = JointGMMRegressor(3, random_state=0).fit(X.drop(7), Y.drop(7))
    np.testing.assert_array_equal(model.joint_.means, same.joint_.means)
    with pytest.warns(UserWarning, match="X knows no value of column 'wind'; it is ignored"):
        model = JointGMMRegressor(3, random_state=0).fit(X.assign(wind=np.nan).drop(7), Y.drop(7))
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ValueError, match="Column 1 of y has no known value"):
        JointGMMRegressor(3).fit(X.drop(7), Y.assign(noise=np.nan).drop(7))
    with pytest.raises(ValueError, match="y has no known value: all 200 are NaN"):
        JointGMMRegressor(3).fit(X.fillna(0.0), np.full(200, np.nan))


@pytest.mark.parametrize("how", ["mean", "mode", "draw"])
def test_imputed_values_follow_the_conditional(model, how):
    X, _ = geyser(300, seed=6)
    gappy = with_gaps(X, 0.3, 5)
    filled = model.impute(gappy, how=how, random_state=0)
    known = ~np.isnan(gappy.to_numpy())
    np.testing.assert_array_equal(filled[known], gappy.to_numpy()[known])
    assert np.isfinite(filled).all()
    row = next(i for i in range(300) if np.isnan(gappy["duration"][i]) and known[i, :2].all())
    dist = model.condition(gappy[["waiting", "wind"]].iloc[[row]]).marginal("duration")
    if how == "mean":
        assert filled[row, 2] == pytest.approx(dist.mean()[0], rel=1e-9)
    elif how == "mode":
        assert filled[row, 2] == pytest.approx(dist.mode()[0], rel=1e-6)
    else:
        assert 1e-4 < dist.cdf(filled[row, 2])[0] < 1 - 1e-4
        assert np.std(filled[~known[:, 2], 2]) == pytest.approx(np.std(X["duration"]), rel=0.15)
    with pytest.raises(ValueError, match="how"):
        model.impute(gappy, how="median")


# ------------------------------------------------------------------------------------------------ the choice of K
@pytest.mark.parametrize("criterion", ["conditional", "joint", "bic"])
def test_each_criterion_finds_the_three_clumps(criterion):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 900)
    x = np.array([0.0, 6.0, 12.0])[label] + rng.normal(size=900)
    y = np.array([0.0, 8.0, -8.0])[label] + 0.5 * rng.normal(size=900)
    model = JointGMMRegressor(criterion=criterion, random_state=0).fit(x[:, None], y)
    assert len(model.joint_.weights[0]) in {3, 4, 8}
    scores = dict(zip(model.selection_["n_components"], model.selection_["score"], strict=True))
    assert scores[len(model.joint_.weights[0])] == max(scores.values())
    assert scores[4] > scores[2] + 0.1 > scores[1]


@pytest.mark.trap("T26")
def test_bic_is_that_of_scikit_learn():
    from sklearn.mixture import GaussianMixture

    X, Y = geyser(500)
    model = JointGMMRegressor(criterion="bic", covariance_prior=0.0, tol=1e-9, max_iter=2000, random_state=0).fit(X, Y)
    z = np.column_stack([X, Y])
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    for kind in ("full", "diag"):
        table = clone(model).set_params(covariance_type=kind).fit(X, Y).selection_
        theirs = GaussianMixture(1, covariance_type=kind).fit(z).bic(z)
        assert table["score"][0] == pytest.approx(-theirs / (2 * 500), abs=1e-5)


def test_the_final_fit_keeps_held_out_densities_for_the_health_report():
    data = make_noisy_wave(600, random_state=0)
    model = JointGMMRegressor(random_state=0).fit(data.X, data.y)
    baseline = next(finding for finding in model.health_ if finding.name == "baseline")
    assert "better than one normal that ignores X" in baseline.sentence
    assert "held-out rows" in baseline.sentence


@pytest.mark.trap("T26")
def test_starts_that_disagree_are_told():
    data = make_inverse_wave(1000, random_state=1)
    model = JointGMMRegressor(5, n_init=6, covariance_prior=0.0, random_state=0).fit(data.X, data.y)
    assert "6 starts ended up to" in model.outcome_


# ------------------------------------------------------------------------------------------------ running and going on
def test_threads_change_no_bit():
    X, Y = geyser(700)
    one, two = (JointGMMRegressor(n_init=2, random_state=0, n_jobs=n_jobs).fit(X, Y) for n_jobs in (1, 2))
    assert one.selection_ == two.selection_
    np.testing.assert_array_equal(one.joint_.means, two.joint_.means)
    long = pd.concat([X] * 80), pd.concat([Y] * 80)
    one, two = (JointGMMRegressor(3, random_state=0, max_iter=5, n_jobs=n_jobs).fit(*long) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.joint_.means, two.joint_.means)


test_threads_change_no_bit = pytest.mark.filterwarnings(
    "ignore:Only .* rows are distinct:UserWarning", "ignore::sklearn.exceptions.ConvergenceWarning"
)(test_threads_change_no_bit)


def test_warm_start_goes_on():
    X, Y = geyser(500)
    with pytest.warns(ConvergenceWarning, match="reached max_iter"):
        model = JointGMMRegressor(4, max_iter=3, tol=0.0, warm_start=True, random_state=0).fit(X, Y)
    with pytest.warns(ConvergenceWarning):
        model.set_params(max_iter=4).fit(X, Y)
    with pytest.warns(ConvergenceWarning):
        whole = JointGMMRegressor(4, max_iter=7, tol=0.0, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(model.joint_.means, whole.joint_.means)
    with pytest.raises(ValueError, match="warm_start goes on with 4 components"):
        model.set_params(n_components=5).fit(X, Y)


def test_a_callback_ends_the_fit_and_sees_progress(monkeypatch):
    monkeypatch.setattr("condensity.monitor.SECONDS_PER_REPORT", 0.0)
    seen = []

    def look(progress):
        seen.append(progress)
        return len(seen) == 5

    X, Y = geyser(500)
    with pytest.warns(ConvergenceWarning, match="ended by the callback"):
        model = JointGMMRegressor(4, tol=0.0, callback=look, random_state=0).fit(X, Y)
    assert model.n_iter_ == 5
    assert seen[0].stage == "4 components"
    assert np.isfinite(model.predict(X)).all()
    seen.clear()
    with pytest.warns(ConvergenceWarning, match="ended by the callback"):
        model = JointGMMRegressor(callback=look, random_state=0).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()

    def fail(progress):
        raise RuntimeError("the user's own")

    for n_jobs in (1, 2):
        with pytest.raises(RuntimeError, match="the user's own"):
            JointGMMRegressor(callback=fail, n_jobs=n_jobs).fit(X, Y)


@pytest.mark.trap(51)
def test_ctrl_c_keeps_what_there_is(monkeypatch):
    """A signal in the seventh iteration of a fit: six are kept."""
    from condensity.em import fit as fitting

    calls, real = [], fitting.em_step

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(fitting, "em_step", interrupted)
    X, Y = geyser(400)
    with pytest.warns(ConvergenceWarning, match="interrupted after 6 iterations; what it had is kept"):
        model = JointGMMRegressor(4, tol=0.0, random_state=0).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


def test_verbose_prints_lines(monkeypatch, capsys):
    monkeypatch.setattr("condensity.monitor.SECONDS_PER_REPORT", 0.0)
    monkeypatch.setattr("condensity.monitor.SECONDS_PER_LINE", 0.0)
    X, Y = geyser(300)
    JointGMMRegressor(3, verbose=1, random_state=0).fit(X, Y)
    assert "[3 components] step 1 of 200: train loss" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------ equivariance
@pytest.mark.trap("T14")
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(("factor", "shift"), [(1e9, 3e9), (1e-9, 0.0), (-3.7e9, 0.0), (-1e-9, 2e-8)])
def test_the_fit_follows_every_affine_map(kind, factor, shift):
    """Over 1e±9, every column by itself and all at once. 1e-6: EM magnifies rounding over some dozen iterations."""
    X, Y = geyser(300)
    plain = JointGMMRegressor(3, covariance_type=kind, random_state=0).fit(X, Y)
    expected = plain.score_joint(X, Y)
    spread = np.abs(X).max() * abs(factor)
    mapped = JointGMMRegressor(3, covariance_type=kind, random_state=0).fit(factor * X + shift, factor * Y + shift)
    got = mapped.score_joint(factor * X + shift, factor * Y + shift)
    assert np.isfinite(spread).all()
    np.testing.assert_allclose(got, expected - 5 * np.log(abs(factor)), rtol=0, atol=1e-6)


def test_powers_of_two_shift_the_log_density_exactly():
    X, Y = geyser(300)
    plain = JointGMMRegressor(3, random_state=0).fit(X, Y).predict_dist(X)
    mapped = (
        JointGMMRegressor(3, random_state=0)
        .fit(X * [2.0**20, 2.0**-20, 8.0], Y * [2.0**-3, 2.0**11])
        .predict_dist(X * [2.0**20, 2.0**-20, 8.0])
    )
    np.testing.assert_array_equal(mapped.means, plain.means * [2.0**-3, 2.0**11])
    np.testing.assert_array_equal(mapped.log_weights, plain.log_weights)


# ------------------------------------------------------------------------------------------------ hard tables
@pytest.mark.trap("T6", "T13", "T14")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(
    "table",
    ["duplicate rows", "constant column", "duplicate column", "one-hot", "n < d", "few distinct rows", "wild cell"],
)
def test_hard_tables_have_finite_densities(kind, table):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    if table == "duplicate rows":
        X, y = np.repeat(X[:12], 5, axis=0), np.repeat(y[:12], 5)
    elif table == "constant column":
        X[:, 1] = 7.0
    elif table == "duplicate column":
        X[:, 2] = X[:, 0]
    elif table == "one-hot":
        X = np.eye(4)[rng.integers(0, 4, 60)]
    elif table == "n < d":
        X, y = rng.normal(size=(6, 30)), y[:6]
    elif table == "few distinct rows":
        X, y = np.repeat(X[:3], 20, axis=0), np.repeat(y[:3], 20)
    else:
        X[3, 2] = 1e200
    for n_components in ("auto", 5):
        model = JointGMMRegressor(n_components, covariance_type=kind, random_state=0).fit(X, y)
        bulk = slice(4, None)
        assert np.isfinite(model.score_joint(X[bulk], y[bulk])).all()
        assert np.isfinite(model.score_samples(X, y)[bulk]).all()
        assert np.isfinite(model.predict_dist(X).std()).all()
        gappy = X.copy()
        gappy[1::3, 0] = np.nan
        assert np.isfinite(clone(model).fit(gappy, y).predict(gappy)).all()
