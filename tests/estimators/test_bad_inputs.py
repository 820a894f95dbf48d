"""Bad inputs and what the user gets: the rows of the traps' second table, by number, and T5, T8, T12–T14 of the first."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets.synthetic import make_noisy_wave

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PROBLEM = make_noisy_wave(350, random_state=0)
X2 = np.column_stack([PROBLEM.X[:, 0], np.random.default_rng(1).standard_normal(350)])
Y = PROBLEM.y
FRAME = pd.DataFrame(X2, columns=["wind", "fog"])


def with_value(value, row=3, column=1):
    X = X2.copy()
    X[row, column] = value
    return X


def assert_finite(model, X, y):
    dist = model.predict_dist(X)
    assert np.isfinite(dist.logpdf(y)).all()
    assert np.isfinite(dist.ppf([0.01, 0.5, 0.99])).all()


# ------------------------------------------------------------------------------------------------ not a number
@pytest.mark.trap(1, 2)
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "inf")])
def test_what_is_not_finite_in_x_is_refused_with_its_column_and_row(model, value, word):
    if np.isnan(value):  # a gap: integrated out, or filled and marked, but only where fit saw gaps
        assert_finite(clone(model).fit(with_value(value), Y), with_value(value), Y)
        if isinstance(model, MDNRegressor):
            with pytest.raises(ValueError, match=r"X contains NaN \(column 'fog': 1 of 350 rows, the first at row 3\)"):
                model.fit(FRAME, Y).predict(FRAME.assign(fog=with_value(value)[:, 1]))
        return
    with pytest.raises(
        ValueError, match=rf"X contains {word} \(column 1: 1 of 350 rows, the first at row 3\).*Drop or"
    ):
        model.fit(with_value(value), Y)
    broken = FRAME.copy()
    broken.loc[3, "fog"] = value
    with pytest.raises(ValueError, match="'fog'"):
        model.fit(broken, Y)
    with pytest.raises(ValueError, match=word):
        model.fit(X2, Y).predict(with_value(value))


@pytest.mark.trap(3, "T12")
def test_what_is_not_finite_in_y_is_refused_with_the_number_of_rows(model):
    y = Y.copy()
    y[[5, 9]] = np.nan
    if isinstance(model, JointGMMRegressor):  # gaps when fitting; what is scored must be known
        assert_finite(model.fit(X2, y), X2, Y)
        with pytest.raises(ValueError, match=r"y contains NaN .2 of 350 rows"):
            model.score_samples(X2, y)
        y[[5, 9]] = np.inf
        with pytest.raises(ValueError, match=r"y contains inf .2 of 350 rows, the first at row 5"):
            model.fit(X2, y)
        return
    with pytest.raises(ValueError, match=r"y contains NaN .2 of 350 rows, the first at row 5"):
        model.fit(X2, y)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X2, Y).score_samples(X2, y)


# ----------------------------------------------------------------------------------------------- strange but legal
@pytest.mark.trap(4)
@pytest.mark.parametrize("value", [0.0, 7.25, -1e12, 1e-300])
def test_constant_y_gives_a_narrow_finite_density_and_a_warning(model, value):
    y = np.full(350, value)
    with pytest.warns(UserWarning, match="y is constant"):
        model.fit(X2, y)
    assert_finite(model, X2, y)
    np.testing.assert_allclose(model.predict(X2), value, rtol=1e-2, atol=1e-2 if value == 0 else 0)


@pytest.mark.trap(5)
def test_a_constant_column_is_ignored_with_a_warning(model):
    X = np.column_stack([X2, np.full(350, 0.1)])
    with pytest.warns(UserWarning, match=r"constant in column 2; it is ignored"):
        model.fit(X, Y)
    elsewhere = X.copy()
    elsewhere[:, 2] = 1e9
    np.testing.assert_array_equal(model.predict(X), model.predict(elsewhere))


@pytest.mark.trap(6)
def test_all_constant_x_gives_the_same_density_in_every_row(model):
    with pytest.warns(UserWarning, match="constant in column 0, 1"):
        model.fit(np.ones((350, 2)), Y)
    spread = model.predict_dist(np.random.default_rng(0).standard_normal((5, 2))).mean()
    np.testing.assert_allclose(spread, spread[0], rtol=1e-12)
    assert spread[0] == pytest.approx(Y.mean(), abs=0.2)


@pytest.mark.trap(7)
def test_the_same_x_may_have_different_y(model):
    x = np.repeat(np.arange(35.0), 10)[:, None]
    model.fit(x, Y)
    assert_finite(model, x, Y)


@pytest.mark.trap(8, "T13")
def test_copies_of_a_few_rows_are_survived_and_named(model):
    X, y = np.repeat(X2[:8], 40, axis=0), np.repeat(Y[:8], 40)
    with pytest.warns(UserWarning, match="Only 8 of 320 rows are distinct"):
        model.fit(X, y)
    assert_finite(model, X, y)


def test_duplicated_columns_are_survived_and_named(model):
    frame = FRAME.assign(again=FRAME["wind"])
    with pytest.warns(UserWarning, match="Columns 'wind' and 'again' of X are equal"):
        model.fit(frame, Y)
    assert_finite(model, frame, Y)


@pytest.mark.trap(9)
def test_a_noise_free_target_is_bounded_by_the_floor_on_sigma(model):
    y = np.sin(X2[:, 0])
    with pytest.warns(UserWarning, match="without noise"):
        model.fit(X2, y)
    assert_finite(model, X2, y)
    assert model.predict_dist(X2).scales.min() > 1e-4 * y.std()


@pytest.mark.trap("T13")
def test_one_hot_columns_and_fewer_rows_than_columns_are_survived(model):
    one_hot = np.eye(3)[np.arange(350) % 3]
    model.fit(one_hot, Y)
    assert_finite(model, one_hot, Y)
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((40, 60))
    clone(model).fit(wide, Y[:40]).predict(wide)


@pytest.mark.trap(15, 16, 18, "T5", "T14")
@pytest.mark.parametrize("scale", [1e30, 1e-30, 1e-6, 1e6])
def test_any_scale_of_x_and_y_gives_the_same_answer(model, scale):
    plain, scaled = clone(model).fit(X2, Y), clone(model).fit(X2 * scale, Y * -scale)
    expected = plain.score_samples(X2, Y) - np.log(scale)
    # A decimal factor rounds the data itself by 1e-16; three hundred steps of training amplify that. The mirror image of y
    # is another start for the network, so for it only the mixture fitted by EM is compared so closely.
    if isinstance(model, JointGMMRegressor):
        scaled_up = clone(model).fit(X2 * scale, Y * scale)
        np.testing.assert_allclose(scaled_up.score_samples(X2 * scale, Y * scale), expected, rtol=0, atol=1e-6)
    else:
        scaled_up = clone(model).fit(X2 * scale, Y * scale)
        np.testing.assert_allclose(scaled_up.score(X2 * scale, Y * scale), expected.mean(), rtol=0, atol=1e-3)
    assert np.isfinite(scaled.score_samples(X2 * scale, Y * -scale)).all()


@pytest.mark.trap("T5")
@pytest.mark.parametrize("exponent", [-40, -1, 3, 60])
def test_a_power_of_two_changes_the_density_exactly(model, exponent):
    factor = 2.0**exponent
    plain = clone(model).fit(X2, Y).predict_dist(X2)
    scaled = clone(model).fit(X2 * factor, Y * factor).predict_dist(X2 * factor)
    np.testing.assert_array_equal(scaled.log_weights, plain.log_weights)
    np.testing.assert_array_equal(scaled.means, plain.means * factor)
    np.testing.assert_array_equal(scaled.scales, plain.scales * factor)


@pytest.mark.trap(17)
def test_a_small_signal_on_a_huge_offset_is_kept(model):
    offset = X2 + 1e9  # leaves seven digits of the signal
    kept = clone(model).fit(offset, Y).score(offset, Y)
    assert kept == pytest.approx(clone(model).fit(X2, Y).score(X2, Y), abs=0.05)


@pytest.mark.trap(20)
def test_one_outlier_at_a_million_sigma_leaves_the_bulk_alone(model):
    model.set_params(**({} if isinstance(model, JointGMMRegressor) else {"max_iter": 200}))
    fresh = make_noisy_wave(2000, random_state=7)
    clean = clone(model).fit(PROBLEM.X, Y).score(fresh.X, fresh.y)
    wild = np.append(Y, 1e6 * Y.std())
    with pytest.warns(UserWarning, match="1 of 351 values of y lie more than 1000 times .* first in row 350"):
        hurt = clone(model).fit(np.vstack([PROBLEM.X, [[0.5]]]), wild)
    assert np.isfinite(hurt.score_samples([[0.5]], wild[-1:])).all()
    # Another split and another start move the score by .05 by themselves.
    assert hurt.score(fresh.X, fresh.y) > clean - 0.15


@pytest.mark.trap(21, 22, "T8")
def test_far_away_everything_stays_finite(model):
    model.fit(X2, Y)
    for far in (1e3, 1e6, 1e100, 1e308):
        dist = model.predict_dist([[far, -far]])
        assert np.isfinite(dist.logpdf([0.0])).all()
        assert np.isfinite(dist.ppf([0.05, 0.95])).all()
    assert np.isfinite(model.score_samples(X2[:2], [1e4 * Y.std(), -1e4 * Y.std()])).all()


@pytest.mark.trap(24, 25, 26)
@pytest.mark.parametrize(
    "X", [X2 > 0, (10 * X2).astype(int), X2.astype(np.float32), X2.astype(object)], ids=["bool", "int", "f4", "object"]
)
def test_numbers_of_any_type_are_numbers(model, X):
    model.fit(X, (1000 * Y).astype(int))
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.trap(26)
def test_decimals_and_fractions_are_numbers(model):
    X = [[Decimal(float(a)), Fraction(float(b))] for a, b in X2]
    expected = clone(model).fit(X2, Y).predict(X2)
    np.testing.assert_allclose(model.fit(np.array(X, dtype=object), Y).predict(X2), expected)


# ---------------------------------------------------------------------------------------------------- refused
@pytest.mark.trap(27, 29)
@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.Series([f"id {i}" for i in range(350)]), "'fog' of X holds text with 350 different values in 350 rows"),
        (pd.Series(["a", 1.0] * 175), "'fog' of X mixes text and numbers .175 and 175 of 350"),
        (pd.Series([[1, 2]] * 350), "'fog' of X is nested: it holds lists"),
        (pd.Series(pd.date_range("2020-01-01", periods=350)), "'fog' of X holds dates"),
        (pd.Series(pd.to_timedelta(np.arange(350), unit="D")), "'fog' of X holds dates or durations"),
    ],
    ids=["identifiers", "mixture", "nested", "dates", "durations"],
)
def test_a_column_without_numbers_is_named(model, column, words):
    with pytest.raises(ValueError, match=words):
        model.fit(FRAME.assign(fog=column), Y)


@pytest.mark.trap(30)
def test_a_missing_value_of_a_nullable_column_is_a_nan(model):
    column = pd.array([1, None, *range(348)], dtype="Int64")
    as_nan = FRAME.assign(fog=column.to_numpy(float, na_value=np.nan))
    np.testing.assert_array_equal(
        clone(model).fit(FRAME.assign(fog=column), Y).predict(FRAME), model.fit(as_nan, Y).predict(FRAME)
    )


@pytest.mark.trap(10, 12, 13, 14)
def test_too_few_rows_or_columns(model):
    with pytest.raises(ValueError, match=r"1 sample.*minimum of 2"):
        model.fit(X2[:1], Y[:1])
    with pytest.raises(ValueError, match=r"0 sample"):
        model.fit(X2[:0], Y[:0])
    with pytest.raises(ValueError, match=r"0 feature"):
        model.fit(X2[:, :0], Y)
    with pytest.raises(ValueError, match=r"0 sample"):
        model.fit(X2, Y).predict(X2[:0])
    assert np.isfinite(clone(model).set_params(n_components=1).fit(X2[:2], Y[:2]).predict(X2)).all()


@pytest.mark.trap(11)
def test_more_components_than_rows():
    with pytest.raises(ValueError, match=r"n_components=30 must not exceed .*n_samples=25"):
        JointGMMRegressor(30).fit(X2[:25], Y[:25])
    with pytest.warns(UserWarning, match=r"n_components=30 exceeds the number of rows, 25"):
        MDNRegressor(30, max_iter=5, random_state=0).fit(X2[:25], Y[:25])
    assert JointGMMRegressor(random_state=0).fit(X2[:5], Y[:5]).model_.n_components == 1


@pytest.mark.trap(31, 33, 34)
def test_shapes_and_types_of_y(model):
    with pytest.raises(ValueError, match=r"[Cc]omplex"):
        model.fit(X2 + 1j, Y)
    with pytest.raises(ValueError, match=r"y must have shape .*got \(350, 101\)"):
        model.fit(X2, np.column_stack([Y] * 101))
    with pytest.raises(ValueError, match="y"):
        model.fit(X2, Y[:, None][:, :0])
    with pytest.raises(ValueError, match=r"350.*349|349.*350"):
        model.fit(X2, Y[:-1])
    with pytest.raises(ValueError, match=r"y is None|requires y"):
        model.fit(X2, None)


@pytest.mark.trap(35, 36)
def test_the_wrong_columns_at_predict_and_no_fit_at_all(model):
    with pytest.raises(NotFittedError):
        model.predict(X2)
    with pytest.raises(ValueError, match=r"1 features, but .* expecting 2"):
        clone(model).fit(X2, Y).predict(X2[:, :1])
    model.fit(FRAME, Y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(FRAME[["fog", "wind"]])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(FRAME.rename(columns={"fog": "rain"}))


@pytest.mark.trap(37)
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (-np.ones(350), "[Nn]egative"),
        (np.full(350, np.nan), "NaN"),
        (np.zeros(350), "zero"),
        (np.ones(349), "shape"),
        (np.ones((350, 2)), "1D|shape"),
    ],
    ids=["negative", "nan", "zero", "short", "wide"],
)
def test_bad_weights(model, weight, words):
    with pytest.raises(ValueError, match=words):
        model.fit(X2, Y, sample_weight=weight)


@pytest.mark.trap(38)
@pytest.mark.parametrize(
    ("cls", "parameter", "value", "words"),
    [
        (MDNRegressor, "n_components", 0, r"n_components.*\[1, inf\).*Got 0"),
        (JointGMMRegressor, "n_components", "many", "n_components.*'auto'.*Got 'many'"),
        (MDNRegressor, "activation", "sine", "activation.*'silu'.*Got 'sine'"),
        (MDNRegressor, "solver", "sgd", "solver.*Got 'sgd'"),
        (MDNRegressor, "learning_rate_init", -1.0, "learning_rate_init.*Got -1"),
        (MDNRegressor, "hidden_layer_sizes", (8, 0), r"hidden_layer_sizes must be integers >= 1.*\(8, 0\)"),
        (MDNRegressor, "hidden_layer_sizes", ("wide",), "hidden_layer_sizes"),
        (MDNRegressor, "scale_bounds", (2.0, 1.0), r"scale_bounds must be \(low, high\).*\(2.0, 1.0\)"),
        (MDNRegressor, "validation_fraction", 1.5, "validation_fraction.*Got 1.5"),
        (MDNRegressor, "random_state", "seed", "random_state"),
        (MDNRegressor, "random_state", -3, "random_state"),
        (MDNRegressor, "engine", "gpu", "engine.*got 'gpu'"),
        (JointGMMRegressor, "covariance_type", "banded", "covariance_type.*Got 'banded'"),
        (JointGMMRegressor, "criterion", "aic", "criterion.*Got 'aic'"),
        (JointGMMRegressor, "covariance_prior", -0.1, "covariance_prior.*Got -0.1"),
        (JointGMMRegressor, "engine", "gpu", "engine.*got 'gpu'"),
    ],
)
def test_bad_hyper_parameters_are_named_at_fit(cls, parameter, value, words):
    with pytest.raises(ValueError, match=words):
        cls(**{parameter: value}).fit(X2, Y)


@pytest.mark.trap(40)
def test_sparse_x_is_refused_in_words(model):
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        model.fit(scipy.sparse.csr_array(X2), Y)


# --------------------------------------------------------------------------------------------------- memory and threads
@pytest.mark.trap(41)
@pytest.mark.parametrize(
    "X",
    [np.asfortranarray(X2), np.repeat(X2, 2, axis=0)[::2], X2[::-1][::-1], X2.astype(">f8")],
    ids=["fortran", "strided", "reversed", "byte-swapped"],
)
def test_the_layout_of_memory_does_not_matter(model, X):
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict(X), model.fit(X2, Y).predict(X2))


@pytest.mark.trap(42)
def test_inputs_are_never_written_to(model, tmp_path):
    np.save(tmp_path / "x.npy", X2)
    X, y = np.load(tmp_path / "x.npy", mmap_mode="r"), Y.copy()
    y.setflags(write=False)
    np.testing.assert_array_equal(model.fit(X, y).predict(X), clone(model).fit(X2, Y).predict(X2))


@pytest.mark.trap(54)
def test_two_threads_get_what_one_gets(model):
    model.fit(X2, Y)
    expected = model.predict(X2)
    with ThreadPoolExecutor(2) as pool:
        for got in pool.map(lambda _: model.predict(X2), range(8)):
            np.testing.assert_array_equal(got, expected)
        for fitted in pool.map(lambda _: clone(model).fit(X2, Y), range(2)):
            np.testing.assert_array_equal(fitted.predict(X2), expected)


@pytest.mark.trap(59)
def test_names_may_be_anything(model):
    frame = FRAME.rename(columns={"wind": "</script>", "fog": "Größe, 大"})
    model.fit(frame, Y)
    assert list(model.feature_names_in_) == ["</script>", "Größe, 大"]
    with pytest.raises(ValueError, match="Größe, 大"):
        model.fit(frame.assign(**{"Größe, 大": np.inf}), Y)
