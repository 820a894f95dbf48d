"""Tables of every kind: read alike from pandas, polars, Arrow and NumPy, turned into the same columns at fit and predict."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from condensity import JointGMMRegressor, load
from condensity.data import RawTable, Schema, read_table
from condensity.data.columns import Levels
from condensity.data.schema import HASH_BITS, MAX_ONE_HOT, MISSING
from registry import QUICK

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 240
RNG = np.random.default_rng(0)
KIND = RNG.choice(["cat", "dog", "eel"], N).astype(object)
KIND[::17] = None
SIZE = RNG.choice(["small", "medium", "large"], N)
AGE = RNG.normal(5, 2, N)
GAPS = np.where(RNG.random(N) < 0.15, np.nan, RNG.normal(size=N))
TALL = AGE > 5
Y = AGE + 2.0 * (KIND == "dog") + (SIZE == "large") - np.where(np.isnan(GAPS), 3.0, 0.0) + 0.3 * RNG.normal(size=N)
SIZES = ["small", "medium", "large"]

PANDAS = pd.DataFrame({
    "age": AGE,
    "kind": pd.Series(KIND, dtype="category"),
    "size": pd.Categorical(SIZE, categories=SIZES, ordered=True),
    "gaps": GAPS,
    "tall": TALL,
})  # fmt: skip
POLARS = pl.DataFrame(
    {"age": AGE, "kind": list(KIND), "size": list(SIZE), "gaps": GAPS, "tall": TALL},
    schema_overrides={"kind": pl.Categorical, "size": pl.Enum(SIZES)},
).with_columns(pl.col("gaps").fill_nan(None))
ARROW = pa.table({
    "age": AGE,
    "kind": pa.array(list(KIND)),
    "size": pa.DictionaryArray.from_arrays(pa.array([SIZES.index(s) for s in SIZE]), SIZES, ordered=True),
    "gaps": pa.array(GAPS, from_pandas=True),
    "tall": TALL,
})  # fmt: skip
FRAMES = {"pandas": PANDAS, "polars": POLARS, "arrow": ARROW}


# ----------------------------------------------------------------------------------------------------- reading
@pytest.mark.parametrize("library", FRAMES)
def test_every_library_gives_the_same_numbers_codes_and_levels(library):
    table = read_table("X", FRAMES[library])
    assert table.names == ["age", "kind", "size", "gaps", "tall"]
    assert table.categories == {
        1: Levels(("cat", "dog", "eel"), False),
        2: Levels(("small", "medium", "large"), True),
    }
    np.testing.assert_array_equal(table.values, read_table("X", PANDAS).values)
    np.testing.assert_array_equal(table.values[:, 3], GAPS)
    assert np.isnan(table.values[::17, 1]).all()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["b", "a", None, "b"]),
        pd.Series(["b", "a", None, "b"], dtype="string"),
        pd.Series(["b", "a", np.nan, "b"], dtype=object),
        pd.Series(["b", "a", None, "b"], dtype="category"),
        pd.Series(["b", "a", None, "b"], dtype=pd.ArrowDtype(pa.string())),
        pd.Series(pd.Categorical(["b", "a", None, "b"], categories=["c", "b", "a"])),
        pl.Series(["b", "a", None, "b"]),
        pl.Series(["b", "a", None, "b"], dtype=pl.Categorical),
        pa.array(["b", "a", None, "b"]),
        pa.array(["b", "a", None, "b"], type=pa.large_string()),
        pa.chunked_array([pa.array(["b"]).dictionary_encode(), pa.array(["a", None, "b"]).dictionary_encode()]),
        pa.array([b"b", b"a", None, b"b"]),
    ],
    ids=lambda column: f"{type(column).__name__}-{getattr(column, 'dtype', getattr(column, 'type', ''))}"[:60],
)
def test_text_and_categories_of_any_type_are_categories(column):
    if isinstance(column, pd.Series):
        table = read_table("X", pd.DataFrame({"c": column}))
    elif isinstance(column, pl.Series):
        table = read_table("X", pl.DataFrame({"c": column}))
    else:
        table = read_table("X", pa.table({"c": column}))
    assert table.categories == {0: Levels(("a", "b"), False)}
    np.testing.assert_array_equal(table.values[:, 0], [1, 0, np.nan, 1])


@pytest.mark.trap(30)
@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 3], dtype="Float32"),
        pd.Series([1, None, 3], dtype=object),
        pd.Series([1, None, 3], dtype=pd.ArrowDtype(pa.int64())),
        pl.Series([1, None, 3]),
        pl.Series([1, None, 3], dtype=pl.Decimal(10, 2)),
        pa.array([1, None, 3]),
        pa.array([1, None, 3]).cast(pa.decimal128(25, 2)),
    ],
    ids=lambda column: f"{type(column).__name__}-{getattr(column, 'dtype', getattr(column, 'type', ''))}",
)
def test_a_missing_number_of_any_type_is_nan(column):
    frames = {pd.Series: pd.DataFrame, pl.Series: pl.DataFrame}
    table = read_table("X", frames.get(type(column), pa.table)({"c": column}))
    assert table.categories == {}
    np.testing.assert_array_equal(table.values[:, 0], [1, np.nan, 3])


@pytest.mark.trap(25)
@pytest.mark.parametrize("missing", [pd.Series([True, None, False], dtype="boolean"), pl.Series([True, None, False])])
def test_missing_truth_values_are_nan(missing):
    frame = pd.DataFrame({"c": missing}) if isinstance(missing, pd.Series) else pl.DataFrame({"c": missing})
    np.testing.assert_array_equal(read_table("X", frame).values[:, 0], [1, np.nan, 0])


@pytest.mark.trap(29)
@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pl.Series(["2020-01-01"] * 3).str.to_date(), "'c' of X holds dates or durations"),
        (pl.Series([[1.0], [2.0], [3.0]]), "'c' of X is nested"),
        (pl.Series([{"a": 1}] * 3), "'c' of X is nested"),
    ],
)
def test_columns_of_other_kinds_are_named_in_polars_and_arrow(column, words):
    for frame in (pl.DataFrame({"c": column}), pl.DataFrame({"c": column}).to_arrow()):
        with pytest.raises(ValueError, match=words):
            read_table("X", frame)


def test_levels_are_known_by_their_text_whatever_their_type():
    numbers = read_table("X", np.array([[1.0], [2.0], [np.nan], [10.0]]), [0])
    assert numbers.categories == {0: Levels(("1", "2", "10"), False)}
    as_text = read_table("X", pd.DataFrame({"c": ["1", "2", None, "10"]}))
    assert as_text.categories == numbers.categories
    np.testing.assert_array_equal(as_text.values, numbers.values)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (["colour"], "names 'colour', which is not a column of X; the columns are 'age'"),
        ([7], "names 7, which is not a column"),
        ([True, False], "2 flags for the 5 columns"),
        ("kind", r"must be 'from_dtype' or a list of columns; got 'kind'.*write \['kind'\]"),
    ],
)
def test_columns_that_are_named_as_categories_must_be_there(named, words):
    with pytest.raises(ValueError, match=words):
        read_table("X", PANDAS, named)


@pytest.mark.parametrize("named", [["age"], [0], [True, False, False, False, False], [-5]])
def test_numbers_may_be_named_as_categories_by_name_position_or_flag(named):
    frame = PANDAS.assign(age=np.arange(N) % 4)
    assert read_table("X", frame, named).categories[0] == Levels(("0", "1", "2", "3"), False)


# ------------------------------------------------------------------------------------------------------ schema
def encoded(frame, *, handles_missing=False, fresh=None):
    schema = Schema.fit(read_table("X", frame), handles_missing=handles_missing)
    return schema, schema.encode(read_table("X", frame if fresh is None else fresh))


def test_few_levels_become_columns_and_gaps_get_one_that_says_so():
    schema, x = encoded(PANDAS)
    assert schema.encoded_names == [
        "age", "kind=cat", "kind=dog", "kind=eel", f"kind={MISSING}",
        "size", "gaps", "gaps is missing", "tall",
    ]  # fmt: skip
    np.testing.assert_array_equal(x[:, 1:5].sum(axis=1), 1)
    np.testing.assert_array_equal(x[:, 2], KIND == "dog")
    np.testing.assert_array_equal(x[:, 5], [SIZES.index(size) for size in SIZE])
    np.testing.assert_array_equal(x[:, 7], np.isnan(GAPS))
    assert schema.encoded_categories == {1: slice(1, 5), 2: slice(5, 6)}


def test_a_joint_mixture_sees_ranks_and_gaps_as_they_are():
    schema, x = encoded(PANDAS, handles_missing=True)
    assert schema.encoded_names == ["age", "kind", "kind is missing", "size", "gaps", "tall"]
    np.testing.assert_array_equal(x[:, 1], [{"cat": 0, "dog": 1, "eel": 2, None: 1}[kind] for kind in KIND])
    np.testing.assert_array_equal(x[:, 4], GAPS)


def test_columns_with_the_same_gaps_share_what_marks_them():
    frame = pd.DataFrame({"a": GAPS, "b": 2 * GAPS, "c": np.where(np.arange(N) < 3, np.nan, 1.0)})
    assert encoded(frame)[0].encoded_names == ["a", "a is missing", "b", "c", "c is missing"]


def test_two_levels_are_one_column_and_one_level_is_a_constant():
    frame = pd.DataFrame({"a": pd.Categorical(["x", "y"] * 5), "b": pd.Categorical(["z"] * 10)})
    schema, x = encoded(frame)
    assert schema.encoded_names == ["a=y", "b"]
    np.testing.assert_array_equal(x, np.column_stack([np.arange(10) % 2, np.zeros(10)]))


def test_many_levels_become_signs_and_ordered_ones_ranks():
    levels = [f"level {k:03d}" for k in range(MAX_ONE_HOT + 6)]
    many = pd.Categorical(levels * 3, categories=levels)
    schema, x = encoded(pd.DataFrame({"c": many}))
    assert x.shape == (3 * len(levels), HASH_BITS)
    assert set(np.unique(x)) == {-1.0, 1.0}
    assert len(np.unique(x, axis=0)) == len(levels)
    schema, x = encoded(pd.DataFrame({"c": many.as_ordered()}))
    np.testing.assert_array_equal(x[:, 0], np.tile(np.arange(len(levels)), 3))
    assert schema.encoded_names == ["c"]
    gappy = pd.DataFrame({"c": many.as_ordered()})
    gappy.loc[0, "c"] = np.nan
    schema, x = encoded(gappy)
    assert schema.encoded_names == ["c", "c is missing"]
    assert x[0].tolist() == [pytest.approx(np.arange(len(levels)).mean()), 1.0]


@pytest.mark.trap(28)
def test_levels_that_fit_never_saw_are_unknown_after_a_warning():
    fresh = PANDAS.head(4).assign(kind=pd.Categorical(["cat", "fox", "gnu", "fox"]))
    with pytest.warns(
        UserWarning, match=r"Column 'kind' of X holds levels that were not there in fit: 'fox', 'gnu', in 3 of 4"
    ):
        _, x = encoded(PANDAS, fresh=fresh)
    assert np.isnan(x[1:, 1:5]).all()
    assert x[0, 1:5].tolist() == [1, 0, 0, 0]


def test_a_missing_category_is_a_level_only_if_fit_saw_one():
    complete = PANDAS.assign(kind=pd.Categorical(np.where(KIND == None, "cat", KIND)))  # noqa: E711
    with pytest.warns(UserWarning, match=r"not there in fit: '\(missing\)'"):
        _, x = encoded(complete, fresh=PANDAS)
    assert np.isnan(x[0, 1:4]).all()


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=2, max_size=30))
def test_one_hot_columns_can_be_read_back(texts):
    table = read_table("X", pd.DataFrame({"c": pd.Series(texts, dtype=object)}))
    if not table.categories:  # nothing but None
        assert all(text is None for text in texts)
        return
    schema = Schema.fit(table, handles_missing=False)
    codes, (category,) = schema.encode(table), schema.categories
    place = [np.flatnonzero((category.codes == row).all(axis=1)) for row in codes]
    assert all(len(found) == 1 for found in place)
    back = [category.levels[int(found[0])] for found in place]
    assert back == [MISSING if text is None else text for text in texts]


def test_plain_numbers_pass_as_they_are():
    values = np.random.default_rng(0).normal(size=(5, 3))
    table = RawTable(values, None, {})
    schema = Schema.fit(table, handles_missing=False)
    assert schema.is_identity
    assert schema.encode(table) is values


# -------------------------------------------------------------------------------------------------- estimators
def test_the_same_table_in_any_library_gives_the_same_bits(model):
    scores = [clone(model).fit(frame, Y).score_samples(frame, Y) for frame in FRAMES.values()]
    for other in scores[1:]:
        np.testing.assert_array_equal(other, scores[0])


def test_any_library_may_ask_a_model_that_was_fitted_from_another(model):
    expected = model.fit(PANDAS, Y).predict(PANDAS)
    for frame in FRAMES.values():
        np.testing.assert_array_equal(model.predict(frame), expected)


@pytest.mark.filterwarnings("ignore:b seems to be a function of X without noise:UserWarning")
def test_y_may_come_from_any_library(model):
    expected = clone(model).fit(PANDAS, Y).predict(PANDAS)
    for y in (pd.Series(Y, name="weight"), pl.Series("weight", Y), pa.array(Y), pa.chunked_array([Y[:9], Y[9:]])):
        np.testing.assert_array_equal(clone(model).fit(PANDAS, y).predict(PANDAS), expected)
    both = {"a": Y, "b": AGE}
    for y in (pd.DataFrame(both), pl.DataFrame(both), pa.table(both)):
        dist = clone(model).fit(PANDAS, y).predict_dist(PANDAS)
        assert dist.output_names == ["a", "b"]


def test_categories_and_gaps_are_learned(model):
    """The table's y depends on both; a model that sees the numbers alone cannot do as well.

    The joint mixture integrates gaps out, so it cannot know that they mean something by themselves.
    """
    model.set_params(n_components=3)
    blind = clone(model).fit(PANDAS[["age"]], Y).score(PANDAS[["age"]], Y)
    assert model.fit(PANDAS, Y).score(PANDAS, Y) > blind + (0.1 if isinstance(model, JointGMMRegressor) else 0.2)


def test_an_unseen_level_is_answered_as_one_of_those_that_were_seen(model):
    model.fit(PANDAS, Y)
    row = PANDAS.iloc[[1]]
    with pytest.warns(UserWarning, match="'unicorn'"):
        dist = model.predict_dist(row.assign(kind="unicorn"))
    known = [model.predict(row.assign(kind=kind))[0] for kind in ("cat", "dog", "eel")]
    assert min(known) - 0.5 < dist.mean()[0] < max(known) + 0.5


def test_support_knows_categories_but_there_is_no_density_over_them(model):
    model.fit(PANDAS, Y)
    p_values = model.support(PANDAS)
    assert p_values.shape == (N,)
    assert np.mean(p_values <= 0.1) < 0.15
    asks = [lambda: model.score_inputs(PANDAS), lambda: model.score_joint(PANDAS, Y), model.sample_joint]
    asks.append(
        (lambda: model.impute(PANDAS)) if isinstance(model, JointGMMRegressor) else (lambda: model.predict_inputs(3.0))
    )
    for ask in asks:
        with pytest.raises(ValueError, match="'kind' is a category"):
            ask()


def test_gaps_of_a_network_have_no_density_either():
    frame = PANDAS[["age", "gaps"]]
    model = clone(QUICK["MDN"]).fit(frame, Y)
    with pytest.raises(ValueError, match="'gaps' has some; JointGMMRegressor"):
        model.score_inputs(frame)
    assert np.isfinite(clone(QUICK["GMM"]).fit(frame, Y).score_inputs(frame)).all()


def test_categories_of_arrays_are_named_by_position(model):
    X = np.column_stack([AGE, RNG.integers(0, 3, N)])
    as_object = np.array([[a, f"{int(b)}"] for a, b in X], dtype=object)
    model.set_params(categorical_features=[1])
    expected = clone(model).fit(X, Y).predict(X)
    np.testing.assert_array_equal(clone(model).fit(as_object, Y).predict(as_object), expected)
    with pytest.raises(ValueError, match=r"Input X holds .* not numbers"):
        model.set_params(categorical_features="from_dtype").fit(as_object, Y)


@pytest.mark.trap(35)
def test_schema_of_fit_is_that_of_predict(model):
    model.fit(PANDAS, Y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(PANDAS[["kind", "age", "size", "gaps", "tall"]])
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing"):
        model.predict(PANDAS[["age", "kind"]])
    with pytest.raises(ValueError, match="'age' of X was numbers in fit and holds text"):
        model.predict(PANDAS.assign(age="old"))
    numbers = PANDAS.assign(kind=0)  # a number is the level of that name, here one that was not seen
    with pytest.warns(UserWarning, match="'kind' of X holds levels that were not there in fit: '0'"):
        model.predict(numbers)


def test_tables_are_never_written_to(model):
    before = PANDAS.copy(deep=True)
    model.fit(PANDAS, Y).predict(PANDAS)
    pd.testing.assert_frame_equal(PANDAS, before)
    values = np.where(np.isnan(GAPS), 0, GAPS)[:, None].copy()
    values[3] = np.nan
    given_values = values.copy()
    model.fit(values, Y)
    model.predict(values)
    np.testing.assert_array_equal(values, given_values)


def test_own_validation_rows_may_have_categories(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(PANDAS[:200], Y[:200], X_val=PANDAS[200:], y_val=Y[200:])
    with pytest.raises(ValueError, match=r"X_val: .*'age' of X was numbers"):
        model.fit(PANDAS[:200], Y[:200], X_val=PANDAS[200:].assign(age="old"), y_val=Y[200:])


def test_joint_mixture_is_asked_by_category():
    model = clone(QUICK["GMM"]).set_params(n_components=3).fit(PANDAS, pd.Series(Y, name="weight"))
    dogs = model.condition({"kind": "dog"}).marginal("weight").mean()[0]
    cats = model.condition({"kind": "cat"}).marginal("weight").mean()[0]
    assert dogs - cats == pytest.approx(Y[KIND == "dog"].mean() - Y[KIND == "cat"].mean(), abs=0.5)
    assert len(model.condition({"kind": ["dog", "cat"], "age": 3.0})) == 2
    with pytest.raises(ValueError, match=r"'fox'.*'kind'.*'cat'"):
        model.condition({"kind": "fox"})


def test_names_keep_their_letters_in_messages():
    y = pd.DataFrame({"Größe A": pd.Categorical(["x", "y"] * 120)})
    with pytest.raises(ValueError, match=r"Column 'Größe A' of y holds text or categories"):
        clone(QUICK["GMM"]).fit(PANDAS, y)


def test_how_categories_are_shown_is_saved_with_the_model(tmp_path, monkeypatch):
    """Another version may choose another limit; a model keeps the one that it was fitted with."""
    levels = [f"level {k}" for k in range(40)]
    X = pd.DataFrame({"c": pd.Categorical(levels * 6), "x": AGE})
    scores = {}
    for limit in (20, 128):
        monkeypatch.setattr("condensity.data.schema.MAX_ONE_HOT", limit)
        model = clone(QUICK["MDN"]).fit(X, Y)
        scores[limit] = model.score_samples(X, Y)
        model.save(tmp_path / f"{limit}")
    for limit in (20, 128):
        np.testing.assert_array_equal(load(tmp_path / f"{limit}").score_samples(X, Y), scores[limit])
