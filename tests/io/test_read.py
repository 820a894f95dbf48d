"""Reading a user's file: every fault is one line that names what is wrong."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from condensity.io.read import TableError, feature_names, numeric_column
from condensity.io.stream import read_table


def numeric_columns(table, target, features=None):
    """X (n, d), y (n,) and the names of X's columns."""
    names = feature_names(table.column_names, [target], features)
    return np.column_stack([numeric_column(table, name) for name in names]), numeric_column(table, target), names


@pytest.fixture
def csv(tmp_path):
    """Write bytes or text to a CSV file and return its path."""

    def write(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_csv_columns_come_as_floats_in_the_order_asked(csv):
    table = read_table(csv('"größe, cm",b,y\n1,true,3\n4,false,6.5\n'))
    X, y, names = numeric_columns(table, "y")
    assert names == ["größe, cm", "b"]
    assert X.dtype == y.dtype == np.float64
    np.testing.assert_array_equal(X, [[1, 1], [4, 0]])
    np.testing.assert_array_equal(y, [3, 6.5])
    X, _, names = numeric_columns(table, "y", ["b", "größe, cm"])
    np.testing.assert_array_equal(X, [[1, 1], [0, 4]])


def test_byte_order_mark_and_windows_line_ends(csv):
    X, y, names = numeric_columns(read_table(csv(b"\xef\xbb\xbfa,y\r\n1,2\r\n")), "y")
    assert (X.tolist(), y.tolist(), names) == ([[1.0]], [2.0], ["a"])


def test_the_type_of_a_column_is_judged_from_all_rows(csv):
    """The first megabytes hold integers only, the last row a fraction."""
    X, _, _ = numeric_columns(read_table(csv("a,y\n" + "1,2\n" * 600_000 + "1.5,2\n")), "y")
    assert X[-1, 0] == 1.5


def test_parquet_is_known_by_its_content_and_loses_the_pandas_index(tmp_path):
    path = tmp_path / "no_extension"
    frame = pd.DataFrame({"a": [1, 2, 3], "y": [0.5, 1.5, 2.5]}).iloc[[0, 2]]
    parquet.write_table(pyarrow.Table.from_pandas(frame), path)
    X, y, names = numeric_columns(read_table(path), "y")
    assert (X.tolist(), y.tolist(), names) == ([[1.0], [3.0]], [0.5, 2.5], ["a"])


def test_decimals_and_narrow_types(tmp_path):
    path = tmp_path / "t.parquet"
    columns = {
        "a": pyarrow.array([1, 2], pyarrow.decimal128(9, 2)),
        "b": pyarrow.array([1, 2], pyarrow.uint8()),
        "y": pyarrow.array([1, 2], pyarrow.float32()),
    }
    parquet.write_table(pyarrow.table(columns), path)
    X, _, _ = numeric_columns(read_table(path), "y")
    np.testing.assert_array_equal(X, [[1, 1], [2, 2]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"a,a,b,y\n1,2,3,4\n", "several columns of the same name: 'a'"),
        (b"a,y\n1,2,3\n", "Expected 2 columns, got 3"),
        (b"gr\xf6\xdfe,y\n1,2\n", "not UTF-8: line 1 has the byte 0xF6. Say --encoding: cp1252 reads 'größe"),
        (b"PAR1" + b"\0" * 40, "as Parquet"),
        (b"\x1f\x8b\x08\x00\x00\x00", "damaged archive"),
        (b"a,\x00y\n1,2\n", "neither Parquet, Arrow, Excel"),
    ],
)
def test_unreadable_files(csv, content, message):
    with pytest.raises(TableError, match=message) as error:
        read_table(csv(content))
    assert "\n" not in str(error.value)


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(TableError, match="No such file"):
        read_table(tmp_path / "missing.csv")
    with pytest.raises(TableError, match="directory"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("content", "features", "message"),
    [
        ("y\n1\n", None, "no feature"),
        ("a,x2,z\n1,2,3\n", None, "there is no column 'y'; the columns are 'a', 'x2', 'z'"),
        ("a,yy\n1,2\n", None, "Did you mean 'yy'"),
        ("a y\n1 2\n", None, "say what separates the cells by --sep"),
        ("a,y\n1,2\n", ["b"], "no column 'b'"),
        ("a,y\n1,2\n", ["a", "a"], "named twice"),
        ("a,y\n1,2\n", ["y"], "is the target"),
        ("a,y\n1,low\n2,high\n", None, "column 'y' is not numeric .* 'low'"),
        ("a,y\n1,low\n2,3\n", None, "'y' mixes numbers and words: row 0 .* 'low', no number, row 1 .* '3', a number"),
        ("a,y\n2020-01-01,2\n", None, "column 'a' holds dates"),
        ("a,y\n1,\n2,3\n", None, "column 'y' has missing values in 1 of 2 rows"),
        ("a,y\nNaN,1\n2,3\nNA,3\n", None, "column 'a' has missing values in 2 of 3 rows"),
        ("a,y\n,1\n,3\n", None, "column 'a' is empty: all 2"),
        ("a,y\n1e999,1\n", None, "column 'a' is infinite in 1 of 1"),
    ],
)
def test_columns_that_cannot_be_used(csv, content, features, message):
    with pytest.raises(TableError, match=message) as error:
        numeric_columns(read_table(csv(content)), "y", features)
    assert "\n" not in str(error.value)


def test_hundreds_of_columns_are_not_all_listed(csv):
    with pytest.raises(TableError, match="and 288 more"):
        numeric_columns(read_table(csv(",".join(f"c{i}" for i in range(300)) + "\n")), "y")
