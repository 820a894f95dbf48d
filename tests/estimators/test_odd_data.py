"""Legal but odd data, and refusals, beyond `test_bad_inputs.py`; numbers are rows of the traps' tables."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets.synthetic import ODD_SETS, make_inverse_wave, make_noisy_wave

# Thirty epochs are enough to see what happens to odd rows and too few to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PROBLEM = make_noisy_wave(350, random_state=0)
X2 = np.column_stack([PROBLEM.X[:, 0], np.random.default_rng(1).standard_normal(350)])
Y = PROBLEM.y
OUTLIER = r"1 of \d+ values of y lie more than 1000 times its usual spread"


def bulk_loss(model, make, n, seed):
    """Nats a fresh clean row that one target at 10⁶ σ costs; it takes the place of an ordinary row, so nothing else moves."""
    train, fresh = make(n + 1, random_state=seed), make(5000, random_state=1_000_000)
    clean = clone(model).fit(train.X, train.y).score(fresh.X, fresh.y)
    wild = np.append(train.y[:-1], 1e6 * train.y.std())
    with pytest.warns(UserWarning, match=OUTLIER):
        hurt = clone(model).fit(train.X, wild)
    assert np.isfinite(hurt.score_samples(train.X, wild)).all()
    return clean - hurt.score(fresh.X, fresh.y)


# ----------------------------------------------------------------------------------------------------------- outliers
@pytest.mark.trap(20)
@pytest.mark.parametrize("estimator", [MDNRegressor, JointGMMRegressor])
@pytest.mark.parametrize("name", ["noisy wave", "cross"])
def test_one_target_at_a_million_sigma_costs_the_bulk_a_tenth_of_a_nat_at_most(estimator, name):
    # Measured at n = 2000: -.007 to .034.
    assert bulk_loss(estimator(random_state=0), ODD_SETS[name], 2000, 0) <= 0.1


@pytest.mark.trap(20)
def test_an_outlier_in_a_tiny_table_leaves_the_line_alone():
    losses = [bulk_loss(MDNRegressor(random_state=0), make_noisy_wave, 15, seed) for seed in range(5)]
    # An ordinary row of 16 fewer costs some hundredths; kept in, the outlier cost 12 nats.
    assert np.mean(losses) <= 0.1


@pytest.mark.trap(20)
def test_an_outlier_does_not_change_the_unit_of_the_bulk():
    losses = [bulk_loss(MDNRegressor(random_state=seed), make_inverse_wave, 350, seed) for seed in (0, 4)]
    assert np.mean(losses) <= 0.1


@pytest.mark.filterwarnings("ignore:.* values of y lie more than 1000 times:UserWarning")
def test_a_narrow_majority_does_not_hide_a_wide_minority():
    def draw(n, seed):
        rng = np.random.default_rng(seed)
        x, wide = rng.uniform(-1, 1, (n, 1)), rng.random(n) < 0.2
        return x, np.where(wide, 5 + rng.standard_normal(n), 1e-3 * rng.standard_normal(n))

    def log_normal(y, mean, scale):
        return -0.5 * ((y - mean) / scale) ** 2 - np.log(scale * np.sqrt(2 * np.pi))

    fresh = draw(5000, 1)
    truth = np.logaddexp(np.log(0.8) + log_normal(fresh[1], 0, 1e-3), np.log(0.2) + log_normal(fresh[1], 5, 1)).mean()
    assert truth - MDNRegressor(random_state=0).fit(*draw(2000, 0)).score(*fresh) < 0.3


def test_an_outlier_in_x_leaves_the_fit_finite_and_the_bulk_good(model):
    X = X2.copy()
    X[3, 1] = 1e6
    if isinstance(model, JointGMMRegressor):
        model = clone(model).set_params(
            n_components="auto"
        )  # one component goes to the outlier, so there must be one to spare
    fitted, plain = clone(model).fit(X, Y), clone(model).fit(X2, Y)
    assert np.isfinite(fitted.score_samples(X, Y)).all()
    # Column 1 says nothing, so nothing is lost but its row and another start.
    assert fitted.score(X2, Y) > plain.score(X2, Y) - 0.3


# -------------------------------------------------------------------------------------------------------- equivariance
@pytest.mark.trap("T5", "T14")
@pytest.mark.parametrize(("factor", "shift"), [(1e-6, -2e-6), (-1.0, 0.0), (-1e6, 3e6), (37.0, -5.0)])
def test_the_joint_mixture_follows_every_affine_map_of_y(factor, shift):
    model, mapped = JointGMMRegressor(4, random_state=0), factor * Y + shift
    plain = model.fit(X2, Y).score_samples(X2, Y)
    # Rounding of the data (1e-16 of the shift) is all that differs; EM amplifies it over some dozen iterations.
    got = clone(model).fit(X2, mapped).score_samples(X2, mapped)
    np.testing.assert_allclose(got, plain - np.log(abs(factor)), rtol=0, atol=1e-6)


@pytest.mark.trap("T5")
@pytest.mark.parametrize("factor", [-1e-6, -1.0, -1e6])
def test_the_network_is_as_good_on_the_mirror_image(factor):
    model, fresh = MDNRegressor(max_iter=150, random_state=0), make_noisy_wave(5000, random_state=9)
    plain = clone(model).fit(PROBLEM.X, Y).score(fresh.X, fresh.y)
    mirrored = clone(model).fit(PROBLEM.X, factor * Y + 3 * factor).score(fresh.X, factor * fresh.y + 3 * factor)
    # The mirror image is another start for the same problem: seeds differ by .03 here.
    assert mirrored == pytest.approx(plain - np.log(abs(factor)), abs=0.1)


# ------------------------------------------------------------------------------------------------ the range of float64
@pytest.mark.trap(15, 16, 18, 19)
@pytest.mark.parametrize("factor", [1e39, 1e299, 1e-299, 1e-308, 1e-315])
def test_targets_of_any_size_keep_their_density(model, factor):
    y = Y * factor
    # The same digits in a common unit. At 1e-315 center and scale have eight digits as well, which is another start for a
    # network: seeds differ by .03 here.
    exponent = np.frexp(factor)[1]
    usual = np.ldexp(y, -exponent)
    plain = clone(model).fit(X2, usual).score(X2, usual)
    got = clone(model).fit(X2, y).score(X2, y)
    assert got == pytest.approx(plain - exponent * np.log(2.0), abs=0.1 if factor == 1e-315 else 1e-9)


@pytest.mark.trap(19)
def test_targets_without_room_for_their_tails_are_refused(model):
    y = Y.copy()
    y[3] = np.finfo(float).max
    with pytest.raises(ValueError, match=r"y holds values of magnitude 1.8e\+308; beyond 1e\+300 .* Divide y"):
        model.fit(X2, y)


# ------------------------------------------------------------------------------------------------------ singular tables
@pytest.mark.trap("T13")
def test_one_row_for_each_component_is_survived():
    dist = JointGMMRegressor(60, random_state=0).fit(X2[:60], Y[:60]).predict_dist(X2)
    assert np.isfinite(dist.logpdf(Y)).all()


@pytest.mark.trap("T13")
def test_a_singular_covariance_without_regularisation_is_an_error_in_the_users_words():
    bare = JointGMMRegressor(4, covariance_prior=0.0, reg_covar=0.0, random_state=0)
    with pytest.warns(UserWarning, match="distinct"), pytest.raises(ValueError, match=r"Raise either .* n_components"):
        bare.fit(np.repeat(X2[:8], 40, axis=0), np.repeat(Y[:8], 40))


@pytest.mark.trap(4, 6)
@pytest.mark.parametrize("n", [2, 5, 19, 20, 60])
def test_constants_in_tables_of_every_size_are_survived(n):
    for model in (MDNRegressor(max_iter=30, random_state=0), JointGMMRegressor(random_state=0)):
        with pytest.warns(UserWarning, match="y is constant"):
            fitted = model.fit(X2[:n], np.full(n, 3.0))
        assert np.isfinite(fitted.score_samples(X2, np.full(350, 3.0))).all()
        with pytest.warns(UserWarning, match="constant in column 0, 1"):
            fitted = model.fit(np.ones((n, 2)), Y[:n])
        assert np.isfinite(fitted.score_samples(X2, Y)).all()


@pytest.mark.trap(9)
def test_a_noise_free_target_is_warned_of(model):
    with pytest.warns(UserWarning, match="y seems to be a function of X without noise"):
        model.set_params(n_components="auto").fit(X2, np.sin(X2[:, 0]))


@pytest.mark.trap(9)
@pytest.mark.parametrize("cls", [MDNRegressor, JointGMMRegressor])
def test_a_noise_free_target_is_learned_narrowly(cls):
    y = np.sin(X2[:, 0])
    with pytest.warns(UserWarning, match="without noise"):
        fitted = cls(random_state=0).fit(X2, y)
    dist = fitted.predict_dist(X2)
    # Measured: .014 (network) and .028 (mixture) against a spread of .7.
    assert np.median(dist.std()) < 0.1 * y.std()
    assert np.isfinite(dist.logpdf(y)).all()


# -------------------------------------------------------------------------------------------------------------- refused
STAMPS = np.arange(700).reshape(350, 2)


@pytest.mark.trap(27, 29, 33)
@pytest.mark.parametrize(
    ("X", "words"),
    [
        (STAMPS.astype("M8[s]"), r"Input X holds dates or durations \(datetime64\[s\]\).*Convert it"),
        (STAMPS.astype("m8[s]"), r"Input X holds dates or durations"),
        (np.array([["a", "b"]] * 350), r"Input X holds .* not numbers; encode"),
        ([["a", 1.0]] * 350, r"Input X holds .* not numbers; encode"),
        (np.full((350, 2), "b", dtype=object), "Input X holds object values"),
        ([[1.0, 2.0], [3.0]] + [[1.0, 2.0]] * 348, r"Input X is not rectangular"),
    ],
    ids=["dates", "durations", "text", "text in lists", "text in objects", "ragged"],
)
def test_arrays_without_numbers_are_named(model, X, words):
    with pytest.raises(ValueError, match=words):
        model.fit(X, Y)


@pytest.mark.trap(27, 29, 31, 33)
@pytest.mark.parametrize(
    ("y", "words"),
    [
        (pd.Series(pd.date_range("2020-01-01", periods=350)), r"Input y holds dates or durations"),
        (np.arange(350).astype("m8[s]"), r"Input y holds dates or durations"),
        (["a"] * 350, r"Input y holds .* not numbers"),
        ([[1.0, 2.0], [3.0], *Y[2:]], r"Input y is not rectangular"),
        (Y[:, None, None], r"y must have shape .*\(350, 1, 1\)"),
        (Y + 1j, "[Cc]omplex"),
    ],
    ids=["dates", "durations", "text", "ragged", "cube", "complex"],
)
def test_targets_that_are_no_numbers_are_named(model, y, words):
    with pytest.raises(ValueError, match=words):
        model.fit(X2, y)


@pytest.mark.trap(26, 30)
def test_targets_of_objects_are_numbers_and_their_gaps_nan(model):
    expected = clone(model).fit(X2, Y).predict(X2)
    np.testing.assert_array_equal(clone(model).fit(X2, [Decimal(float(v)) for v in Y]).predict(X2), expected)
    gappy = pd.Series([None, *range(349)], dtype="Int64")
    if isinstance(model, JointGMMRegressor):
        as_nan = clone(model).fit(X2, gappy.to_numpy(float, na_value=np.nan)).predict(X2)
        np.testing.assert_array_equal(clone(model).fit(X2, gappy).predict(X2), as_nan)
        return
    with pytest.raises(ValueError, match=r"y contains NaN .1 of 350 rows, the first at row 0"):
        model.fit(X2, gappy)


@pytest.mark.trap(28)
def test_text_at_predict_names_its_column(model):
    model.fit(pd.DataFrame(X2, columns=["wind", "fog"]), Y)
    with pytest.raises(ValueError, match=r"'fog' of X was numbers in fit and holds text"):
        model.predict(pd.DataFrame({"wind": [1.0], "fog": ["thick"]}))


@pytest.mark.trap(39)
def test_a_million_columns_are_refused_before_memory_runs_out():
    X = np.zeros((3, 1_000_000))
    with pytest.raises(ValueError, match=r"1000000 columns.*7,450.6 GiB.*PCA"):
        JointGMMRegressor(1).fit(X, Y[:3])
    with pytest.raises(ValueError, match="1000000 columns"):
        JointGMMRegressor().fit(X, Y[:3])


def test_own_validation_rows_are_checked_as_strictly_and_named(model):
    for X_val, y_val, words in [
        (X2[:, :1], Y, "X_val: X has 1 features"),
        (X2[:, 0], Y, "X_val: Expected 2D"),
        (np.full((350, 2), np.inf), Y, "X_val contains inf"),
        (X2, np.column_stack([Y, Y]), r"y_val must have .*(columns.*2|\(350, 2\))"),
        (X2, np.full(350, np.nan), "y_val contains NaN"),
        (X2, ["a"] * 350, "y_val holds .* not numbers"),
        (X2, Y[:-1], "X_val and y_val .*350 and 349"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.fit(X2, Y, X_val=X_val, y_val=y_val)


@pytest.mark.trap(37, "T12")
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (-np.ones(350), "[Nn]egative"),
        (np.full(350, np.nan), "NaN"),
        (np.zeros(350), "non-zero|positive"),
        (np.ones(3), "shape"),
    ],
    ids=["negative", "nan", "zero", "short"],
)
def test_bad_weights_of_a_score_are_refused(model, weight, words):
    with pytest.raises(ValueError, match=words):
        model.fit(X2, Y).score(X2, Y, weight)


@pytest.mark.trap("T25")
@pytest.mark.parametrize("size", [1e-320, 1e308])
def test_only_ratios_of_weights_count_even_at_the_ends_of_float64(model, size):
    expected = clone(model).fit(X2, Y).score(X2, Y)
    assert model.fit(X2, Y, np.full(350, size)).score(X2, Y, np.full(350, size)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.trap("T25")
def test_integer_weights_are_copies():
    weight = np.arange(350) % 3
    bare = JointGMMRegressor(1, covariance_prior=0.0, tol=0.0, max_iter=3, fallback=None)
    weighted = clone(bare).fit(X2, Y, weight)
    copied = clone(bare).fit(np.repeat(X2, weight, axis=0), np.repeat(Y, weight))
    # One component without a prior or fallback is a weighted mean and covariance: no start, no split.
    np.testing.assert_allclose(weighted.score_samples(X2, Y), copied.score_samples(X2, Y), rtol=1e-9)


@pytest.mark.trap(38)
@pytest.mark.parametrize(
    ("parameter", "value"), [("scale_bounds", ("a", "b")), ("scale_bounds", (np.nan, 1.0)), ("scale_bounds", (1, 2, 3))]
)
def test_bad_bounds_are_named(parameter, value):
    with pytest.raises(ValueError, match=r"scale_bounds must be \(low, high\) with 0 < low < high; got"):
        MDNRegressor(**{parameter: value}).fit(X2, Y)


@pytest.mark.trap("T8")
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(("solver", "n"), [("adam", 100), ("rmsprop", 350), ("schedule_free_adamw", 350)])
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_diverged_fit_says_so_and_still_predicts_numbers(solver, n, early_stopping):
    model = MDNRegressor(
        solver=solver, learning_rate_init=1e300, scale_bounds=None, early_stopping=early_stopping, random_state=0
    ).fit(X2[:n], Y[:n])
    assert not model.converged_
    assert "iverged" in model.outcome_
    assert not np.isnan(model.predict_dist(X2).means).any()
