"""Tables of four libraries: rows, columns, and a typical row."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from condensity.data import read_numbers
from condensity.data.doors import as_table
from condensity.data.frame import column_labels, is_frame, replace_columns, take_column, take_rows
from condensity.data.typical import column_of_levels, median, mode, occurring_levels, typical_rows

COLUMNS = {"size": [50.0, None, 80.0, 95.0], "rooms": [2, 3, 3, 4], "town": ["Bé", "Aa", None, "Bé"]}
KINDS = {
    "pandas": lambda: pd.DataFrame(COLUMNS, index=[3, 1, 2, 0]),
    "pandas category": lambda: pd.DataFrame(COLUMNS).astype({"town": "category", "size": "Float64"}),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars enum": lambda: pl.DataFrame(COLUMNS, schema_overrides={"town": pl.Enum(["Aa", "Bé", "Cy"])}),
    "arrow": lambda: pa.table(COLUMNS),
    "arrow dictionary": lambda: pa.table(COLUMNS).set_column(2, "town", pa.array(COLUMNS["town"]).dictionary_encode()),
    "objects": lambda: np.array(list(zip(*COLUMNS.values(), strict=True)), dtype=object),
}
CATEGORIES = {"objects": [2]}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def table(kind):
    return KINDS[kind]()


@pytest.fixture
def raw(kind, table):
    return read_numbers("X", table, CATEGORIES.get(kind, "from_dtype"))


def test_a_typical_row_has_medians_and_modes_in_the_type_of_the_table(kind, table, raw):
    rows = typical_rows(table, raw, 3)
    assert type(rows) is type(table)
    read = read_numbers("X", rows, CATEGORIES.get(kind, "from_dtype"))
    assert read.values[:, :2].tolist() == [[80.0, 3.0]] * 3
    assert [read.categories[2].texts[int(code)] for code in read.values[:, 2]] == ["Bé"] * 3
    assert column_labels(rows) == (["x0", "x1", "x2"] if kind == "objects" else list(COLUMNS))


def test_columns_are_replaced_by_numbers_and_by_levels(kind, table, raw):
    rows = typical_rows(table, raw, 2)
    towns = column_of_levels(table, raw, 2, np.array([0.0, np.nan]))
    changed = replace_columns(rows, {0: np.array([1.5, 2.5]), 2: towns})
    read = read_numbers("X", changed, CATEGORIES.get(kind, "from_dtype"))
    assert read.values[:, 0].tolist() == [1.5, 2.5]
    assert (read.categories[2].texts, np.isnan(read.values[:, 2]).tolist()) == (("Aa",), [False, True])
    assert occurring_levels(raw, 2).texts == ("Aa", "Bé", "(missing)")


def test_rows_may_repeat(table):
    assert len(take_rows(table, np.array([2, 2, 0]))) == 3
    assert len(take_rows(take_column(table, 1), np.array([2, 2, 0]))) == 3


def test_arrays_are_tables_without_names():
    table = as_table("X", [[1, 2], [3, 5]])
    assert not is_frame(table)
    assert typical_rows(table, read_numbers("X", table), 1).tolist() == [[2.0, 3.5]]
    assert table.tolist() == [[1, 2], [3, 5]]
    with pytest.raises(ValueError, match=r"X must have shape \(n, d\).*got \(3,\)"):
        as_table("X", [1.0, 2.0, 3.0])


def test_columns_without_any_value_stay_missing():
    assert np.isnan(median(np.full(3, np.nan)))
    assert np.isnan(mode(np.full(3, np.nan)))
    table = pd.DataFrame({"a": [np.nan, np.nan], "b": pd.Categorical([None, None], ["u"])})
    row = typical_rows(table, read_numbers("X", table), 1)
    assert row.isna().all(axis=None)
