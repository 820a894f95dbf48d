"""Doors for tables: masked arrays, subclasses, protocols, and what is refused with the call that helps."""

import datetime
from decimal import Decimal
from fractions import Fraction

import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from condensity import JointGMMRegressor, MDNRegressor, Mixture, scores
from condensity.data import Schema, read_table, read_target
from condensity.data.columns import Levels
from condensity.data.doors import as_table, open_table
from condensity.data.names import are_positions, chosen_columns, name_text
from condensity.missing import unmasked
from condensity.plots.answers import pick_target
from condensity.report.write import read_targets
from registry import QUICK

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:(y|a) seems to be a function of X:UserWarning"),
]

RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 2))
Y = X[:, 0] + 0.3 * RNG.normal(size=N)
GONE = np.arange(N) < 9
HOLE = np.column_stack([GONE, np.zeros(N, dtype=bool)])
FILL = (-9999.0, 1e20)


def masked(values, mask, fill=-9999.0):
    return np.ma.masked_array(np.where(mask, fill, values), mask)


def tiny(kind):
    if kind == "GMM":
        return JointGMMRegressor(1, fallback=None, support_model=None, random_state=0)
    return MDNRegressor(2, max_iter=3, fallback=None, support_model=None, random_state=0)


@pytest.fixture(params=["GMM", "MDN"])
def make(request):
    return lambda: tiny(request.param)


# ------------------------------------------------------------------------------------------------------- masked arrays
@pytest.mark.trap("T27", 61)
def test_what_lies_under_a_mask_of_x_is_missing(make):
    filled = np.where(HOLE, np.nan, X)
    expected = make().fit(filled, Y).predict(filled)
    for fill in FILL:
        model = make().fit(masked(X, HOLE, fill), Y)
        assert_array_equal(model.predict(masked(X, HOLE, fill)), expected)
        assert_array_equal(model.predict(list(masked(X, HOLE, fill))), expected)  # rows of a masked array
    assert_array_equal(make().fit(X, Y, X_val=masked(X, HOLE & False), y_val=Y).predict(X)[:1].shape, (1,))
    with pytest.raises(ValueError, match=r"masked array .* column 0, which had none in fit; .*X.filled\(numpy.nan\)"):
        make().fit(X, Y).predict(masked(X, HOLE))


@pytest.mark.trap("T27", 61)
@pytest.mark.parametrize("dtype", [np.int16, np.float32, bool, object])
def test_masked_values_of_any_type_are_missing(dtype):
    values = np.ma.masked_array(
        np.array([[1, 0], [0, 1], [1, 1]]).astype(dtype), [[False, True], [False] * 2, [True, False]]
    )
    assert_array_equal(unmasked(values).astype(float), [[1, np.nan], [0, 1], [np.nan, 1]])
    words = np.ma.masked_array([["a", "-"], ["b", "c"], ["-", "c"]], values.mask)
    assert read_table("X", words, [0, 1]).categories == {0: Levels(("a", "b"), False), 1: Levels(("c",), False)}
    assert read_table("X", pd.DataFrame({"a": np.ma.masked_array([1, 2], [0, 1])})).values[:, 0].tolist()[0] == 1
    assert np.isnan(read_table("X", pd.DataFrame({"a": pd.Series([1, np.ma.masked], dtype=object)})).values[1, 0])


@pytest.mark.trap("T27", 62)
def test_a_masked_target_or_weight_is_refused_and_a_mask_without_a_value_is_none(make):
    for ask, words in (
        (lambda: make().fit(X, masked(Y, GONE)), "y is a masked array .* 9 of 60 rows, the first of them row 0; drop"),
        (lambda: make().fit(X, Y, masked(np.ones(N), GONE)), "sample_weight is a masked array .* 9 of 60 rows"),
        (lambda: make().fit(X, Y, X_val=X, y_val=masked(Y, GONE)), "y_val contains NaN .9 of 60"),
        (lambda: make().fit(X, Y).score(X, masked(Y, GONE)), "y contains NaN .9 of 60"),
        (lambda: make().fit(X, Y).score(X, Y, masked(np.ones(N), GONE)), "sample_weight is a masked array"),
        (lambda: make().fit(X, Y, groups=masked(np.arange(N) // 4, GONE)), "groups has no label in 9 of 60"),
    ):
        with pytest.raises(ValueError, match=words):
            ask()
    none = np.zeros(N, dtype=bool)
    whole = make().fit(masked(X, HOLE & False), masked(Y, none), masked(np.ones(N), none))
    assert_array_equal(whole.predict(X), make().fit(X, Y, np.ones(N)).predict(X))


@pytest.mark.trap("T27", 63)
def test_masked_points_scores_and_given_values_are_missing():
    dist = Mixture(weights=np.ones((N, 1)), means=np.zeros((N, 1)), scales=np.ones((N, 1)))
    y = masked(Y, GONE)
    for values in (scores.crps(dist, y), scores.log_score(dist, y), dist.cdf(y), dist.logpdf(y), dist.pdf(y)):
        assert_array_equal(np.isnan(values), GONE)
    assert np.isnan(scores.mean(y))
    assert scores.mean(y, sample_weight=~GONE) == scores.mean(Y[~GONE])
    with pytest.raises(ValueError, match="sample_weight must be finite"):
        scores.mean(Y, sample_weight=masked(np.ones(N), GONE))
    model = tiny("GMM").fit(X, Y)
    expected = model.condition({"x0": np.where(GONE, np.nan, X[:, 0])}).mean()
    assert_array_equal(model.condition({"x0": masked(X[:, 0], GONE)}).mean(), expected)
    assert_array_equal(
        model.condition({0: np.ma.masked, "y": 1.0}).mean(), model.condition({0: np.nan, "y": 1.0}).mean()
    )
    with pytest.raises(ValueError, match="y must be finite"):
        tiny("MDN").set_params(support_model="auto").fit(X, Y).predict_inputs(np.ma.masked_array([1.0], [True]))


# ---------------------------------------------------------------------------------------------- subclasses, protocols
class GeoFrame(pd.DataFrame):
    @property
    def _constructor(self):
        return GeoFrame


class ByCapsule:
    """A table of an unknown library that speaks Arrow's PyCapsule interface alone."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class ByInterchange:
    """A table of an unknown library that speaks the DataFrame interchange protocol alone."""

    def __init__(self, table):
        self.table = table

    def __dataframe__(self, nan_as_null=False, allow_copy=True):
        return self.table.__dataframe__(nan_as_null, allow_copy)


class Polars(pl.DataFrame):
    pass


CODE = RNG.choice([1, 2, 30], N)
PANDAS = pd.DataFrame({
    "a": np.where(GONE, np.nan, X[:, 0]),
    "code": pd.Categorical(CODE),
    "word": pd.Categorical(RNG.choice(["x", "é"], N)),
    "flag": X[:, 1] > 0,
    "n": pd.array(np.where(GONE, None, CODE), dtype="Int64"),
})  # fmt: skip
ARROW = pa.Table.from_pandas(PANDAS)
DOORS = {
    "subclass of pandas": GeoFrame(PANDAS),
    "subclass of polars": Polars(pl.from_arrow(ARROW.set_column(1, "code", pa.array(CODE.astype(str))))),
    "narwhals on pandas": narwhals.from_native(PANDAS),
    "narwhals on Arrow": narwhals.from_native(ARROW),
    "Arrow": ARROW,
    "record batch": ARROW.to_batches()[0],
    "capsule": ByCapsule(ARROW),
    "capsule of pandas": ByCapsule(PANDAS),
    "interchange": ByInterchange(ARROW),
}


@pytest.mark.trap("T28", 65)
@pytest.mark.parametrize("door", DOORS)
def test_every_door_gives_the_bits_of_pandas(door):
    expected, raw = read_table("X", PANDAS), read_table("X", DOORS[door])
    assert raw.categories == expected.categories == {1: Levels(("1", "2", "30"), False), 2: Levels(("x", "é"), False)}
    assert raw.names == expected.names
    assert_array_equal(raw.values, expected.values)


@pytest.mark.trap("T28", 65)
def test_models_plots_and_targets_take_every_door(make):
    model = make().fit(PANDAS, Y)
    expected = model.predict(PANDAS)
    for table in (DOORS["subclass of pandas"], DOORS["narwhals on pandas"], DOORS["capsule"], DOORS["record batch"]):
        assert_array_equal(model.predict(table), expected)
    batch = make().fit(ARROW.to_batches()[0], Y)
    assert list(batch.feature_names_in_) == list(PANDAS.columns)
    y = pd.DataFrame({"price": Y})
    for given in (narwhals.from_native(y), ByCapsule(pa.table({"price": Y})), pa.record_batch({"price": Y})):
        assert read_targets(given)[0] == ("price",)
        assert pick_target(given, None).name == "price"
        assert make().fit(X, given).target_names_ == ["price"]
    for column in (narwhals.from_native(pl.Series("price", Y), series_only=True), ByCapsule(pa.chunked_array([Y]))):
        assert_array_equal(read_target("y", column), Y)


@pytest.mark.trap("T29", 64)
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pl.LazyFrame({"a": [1.0]}), r"X is lazy and has no values yet \(LazyFrame\); call X.collect\(\) first"),
        (narwhals.from_native(pl.LazyFrame({"a": [1.0]})), r"call X.collect\(\) first"),
        ({"a": [1.0], "b": [2.0]}, r"X is a dict and no table .* pandas.DataFrame\(X\)"),
        ([{"a": 1.0}], r"X is a list of dicts and no table .* pandas.DataFrame\(X\)"),
        (pd.DataFrame({"a": [1.0]}).to_records(), r"X is a record array and no table .* pandas.DataFrame\(X\)"),
        (np.ma.masked_array(np.zeros(2, dtype=[("a", float)]), mask=False), "record array"),
        (pd.Series([1.0]), r"a Series of one dimension; write X.to_frame\(\) .* X.to_frame\(\).T if it is one row"),
        (pl.Series([1.0]), r"a Series of one dimension; write X.to_frame\(\) for a table of one column\."),
        (pa.array([1.0]), r"of one dimension; write pyarrow.table\({'x': X}\)"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_call(values, words):
    for read in (read_table, as_table):
        with pytest.raises((TypeError, ValueError), match=words):
            read("X", values)


@pytest.mark.trap("T29", 64)
def test_a_table_of_an_unknown_kind_is_refused_with_its_own_conversion():
    class Unknown:
        columns, dtypes = ("a",), ("float",)

        def compute(self):
            return None

    with pytest.raises(TypeError, match=r"a kind that is not known here \(Unknown\); call y.compute\(\) first"):
        read_target("y", Unknown())


def test_arrays_and_lists_pass_as_they_are():
    for values in (X, [[1.0, 2.0]], Y, 3.0, "word", None):
        assert open_table("X", values) is values


# ------------------------------------------------------------------------------------------------------------- names
NAMES = {
    "tuples": [("mean", 1), ("mean", 2)],
    "numbers": [2020, 2010],
    "dates": [datetime.date(2020, 1, 1), datetime.date(2010, 1, 1)],
    "bytes": [b"b", b"a"],
    "halves": [0.5, 1.5],
}


@pytest.mark.trap(66)
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_names_of_any_type_are_held_to_order_and_name(names, make):
    frame = pd.DataFrame(X, columns=pd.Index(names, tupleize_cols=False))
    model = make().fit(frame, Y)
    assert_array_equal(model.predict(frame), make().fit(X, Y).predict(X))
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="unseen at fit time:\n- other"):
        model.predict(frame.set_axis([names[0], "other"], axis=1))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)


@pytest.mark.trap(66)
def test_numbered_columns_are_an_array_and_names_that_are_positions_stay_apart(make):
    model = make().fit(pd.DataFrame(X), Y)
    assert_array_equal(model.predict(X), model.predict(pd.DataFrame(X)))
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(ValueError, match="same order"):
        model.predict(pd.DataFrame(X)[[1, 0]])
    assert not are_positions(["0", "2"])
    swapped = pd.DataFrame({1: CODE, 0: X[:, 0]})  # a category at position 0, whose name is 1
    named = make().set_params(categorical_features=[1]).fit(swapped, Y)
    assert [category.column for category in named.encoder_.schema.categories] == [0]
    assert np.isfinite(named.predict(swapped)).all()


@pytest.mark.trap(66, 67)
def test_names_are_known_by_their_text():
    assert [name_text(name) for name in (1, 1.0, np.int64(1), b"\xc3\xa9", ("a", np.str_("b")))] == [
        "1", "1", "1", "é", "('a', 'b')",
    ]  # fmt: skip
    assert chosen_columns([("a", 1)], 2, ["b", ("a", 1)]) == {1}
    assert chosen_columns(["1"], 2, [2, 1]) == {1}
    assert chosen_columns([1], 2, ["1", "0"]) == {1}
    for names in (["a", "a"], [1, "1"], [b"a", "a"]):
        with pytest.raises(ValueError, match=r"more than one column named .*; give every column its own name"):
            read_table("X", pd.DataFrame(X, columns=names))


@pytest.mark.trap(68)
def test_reversed_columns_are_refused_whatever_scikit_learn_knows_of_their_library(make, monkeypatch):
    """polars 2.1 has no `__dataframe__`, which scikit-learn 1.6 to 1.8 ask for names."""
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    model = make().fit(frame, Y)
    assert list(model.feature_names_in_) == ["a", "b"]
    for other in (frame[["b", "a"]], frame.to_arrow().select(["b", "a"]), frame.to_pandas()[["b", "a"]]):
        with pytest.raises(ValueError, match="same order"):
            model.predict(other)


# ----------------------------------------------------------------------------------------------------- unseen levels
@pytest.mark.trap(69)
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", QUICK)
def test_a_level_that_fit_never_saw_has_the_smallest_p_value(name, gaps):
    frame = pd.DataFrame({"a": np.where(GONE & gaps, np.nan, X[:, 0]), "kind": RNG.choice(["cat", "dog", "eel"], N)})
    if gaps:
        frame.loc[::7, "kind"] = None
    model = QUICK[name].__class__(1, random_state=0, fallback=None, **({"max_iter": 3} if name == "MDN" else {}))
    model.fit(frame, Y)
    fresh = pd.DataFrame({"a": [0.0, 0.0, np.nan if gaps else 3.0], "kind": ["cat", "fox", "fox"]})
    with pytest.warns(UserWarning, match="levels that were not there in fit: 'fox'"):
        p_values = model.support(fresh)
    assert_array_equal(p_values[1:], model.support_.min_p_value)
    assert p_values[0] > model.support_.min_p_value
    with pytest.warns(UserWarning, match="'fox'"):
        assert_array_equal(model.predict_dist(fresh, outside="deficient").mass[1:] < 1e-6, True)


# -------------------------------------------------------------------------------------------------- bytes, odd values
@pytest.mark.trap(70)
def test_bytes_are_text_in_utf_8_or_refused():
    good, bad = ["é".encode(), b"a", None], ["é".encode("latin-1"), b"a", None]
    frames = [
        lambda c: pd.DataFrame({"c": pd.Series(c, dtype=object)}),
        lambda c: pa.table({"c": pa.array(c, pa.binary())}),
    ]
    frames += [
        lambda c: pl.DataFrame({"c": pl.Series(c, dtype=pl.Binary)}),
        lambda c: pd.DataFrame({"c": pd.Categorical(c)}),
    ]
    for frame in frames:
        assert read_table("X", frame(good)).categories == {0: Levels(("a", "é"), False)}
        with pytest.raises(ValueError, match=r"'c' of X holds bytes that are no UTF-8 text \(b'\\xe9'.*latin-1"):
            read_table("X", frame(bad))
    with pytest.raises(ValueError, match="no UTF-8"):
        read_table("X", np.array([[b"\xff"], [b"a"]]), [0])
    with pytest.raises(ValueError, match="A name of a column holds bytes that are no UTF-8"):
        read_table("X", pd.DataFrame({b"\xe9": [1.0]}))


@pytest.mark.trap(71)
def test_periods_and_intervals_are_named():
    periods = pd.DataFrame({"m": pd.period_range("2020-01", periods=4, freq="M")})
    intervals = pd.DataFrame({"i": pd.arrays.IntervalArray.from_breaks(range(5))})
    with pytest.raises(ValueError, match="'m' of X holds dates"):
        read_table("X", periods)
    with pytest.raises(ValueError, match=r"'i' of X holds intervals .* a category"):
        read_table("X", intervals)
    assert read_table("X", intervals.astype("category")).categories[0].texts[0] == "(0, 1]"


@pytest.mark.trap(72)
@pytest.mark.parametrize("huge", [10**400, Fraction(10**400), -(10**400)])
def test_numbers_beyond_float64_name_their_column_and_row(huge):
    with pytest.raises(ValueError, match=r"Column 'k' of X holds a number beyond the largest float64.*row 1"):
        read_table("X", pd.DataFrame({"k": pd.Series([1, huge, 2], dtype=object)}))
    for values in ([1, huge], np.array([[1], [huge]], dtype=object)):
        with pytest.raises(ValueError, match=r"Input y holds a number beyond the largest float64.*row 1"):
            read_target("y", values)
    assert read_table("X", pd.DataFrame({"k": [Decimal("NaN"), Decimal(1)]})).values[1, 0] == 1


@pytest.mark.trap(73)
def test_given_columns_are_known_by_name_and_told_apart():
    frame = pd.DataFrame({"a": X[:, 0], ("b", 1): X[:, 1]})
    model = tiny("GMM").fit(frame, pd.Series(Y, name="a"))
    with pytest.raises(ValueError, match="X and y have a column of the same name, 'a'"):
        model.condition({"a": 0.0})
    with pytest.raises(ValueError, match="no output 'y', 'nope'; known: a"):
        model.condition({"y": 0.0, "nope": 1.0})
    model = tiny("GMM").fit(frame, Y)
    expected = model.condition({1: X[:3, 1]}).mean()
    for given in ({("b", 1): X[:3, 1]}, frame[[("b", 1)]][:3], pa.table({"('b', 1)": X[:3, 1]})):
        assert_array_equal(model.condition(given).mean(), expected)
    with pytest.raises(ValueError, match="given must be a mapping"):
        model.condition([1.0])


@pytest.mark.trap(73)
def test_a_target_of_text_is_told_what_to_do():
    for y in (pd.Series(["1.5", "2.5"]), pl.Series(["1.5", "2.5"]), pa.array(["1.5", "2.5"])):
        with pytest.raises(
            ValueError, match=r"y holds text .* not numbers; numbers are needed here: .*astype\(float\)"
        ):
            read_target("y", y)


# ---------------------------------------------------------------------------------------------------------- many columns
@pytest.mark.trap(74)
@pytest.mark.parametrize("kind", ["numbers", "missing", "categories"])
def test_the_work_of_reading_grows_linearly_with_the_columns(kind):
    """Counted in calls of Python's own functions, not in seconds: 8 times the columns, at most 9 times the calls."""
    calls = [_calls_of_reading(kind, d) for d in (60, 480)]
    assert calls[1] < 9 * calls[0]


def _calls_of_reading(kind, d):
    import cProfile
    import pstats

    values = np.arange(4.0 * d).reshape(4, d)
    values[0] = np.nan if kind == "missing" else values[0]
    table = pa.table({f"c{j}": column for j, column in enumerate(values.T)})
    profile = cProfile.Profile()
    profile.enable()
    raw = read_table("X", table, [f"c{j}" for j in range(d)] if kind == "categories" else "from_dtype")
    schema = Schema.fit(raw, handles_missing=False)
    schema.encode(raw)
    assert len(schema.encoded_names) >= d
    profile.disable()
    return pstats.Stats(profile).total_calls
