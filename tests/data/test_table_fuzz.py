"""Random tables through every door: the same bits from all of them, or an error, but never a silent difference."""

import datetime
import io
import string
import tempfile
import warnings
from collections import Counter

import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from condensity.data import Schema, read_numbers, read_table
from condensity.data.names import require_same_columns
from condensity.io.stream import read_table as read_file

#: Errors that a table may be refused with; any other is a fault of ours.
REFUSALS = (ValueError, TypeError)

FLOATS = st.floats(allow_nan=False, width=64)
WORDS = st.text(max_size=4)  # any letters but surrogates, the empty text too
#: polars names a column without a name by itself, and its capsules end the process at a name with a NUL.
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=4)
PLAIN_WORDS = st.text(string.ascii_lowercase + "éß ", min_size=3, max_size=5).map(lambda word: f"w{word.strip()}")
KINDS = {
    "float": FLOATS,
    "float32": st.floats(allow_nan=False, width=32),
    "int": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(0, 3),
    "bool": st.booleans(),
    "text": WORDS,
    "words": PLAIN_WORDS,
    "digits": st.sampled_from(["1", "2", "10", "1.0", "01", "1e3"]),
    "category": WORDS,
    "ordered": PLAIN_WORDS,
    "codes": st.integers(-2, 40),
    "bytes": st.one_of(WORDS.map(str.encode), st.binary(max_size=3)),
    "decimal": st.decimals(-1000, 1000, places=2),
    "date": st.dates(datetime.date(1990, 1, 1)),
}


@st.composite
def tables(draw, n=None):
    """Columns by name: (kind, values, levels), a missing value as None."""
    n = n or draw(st.integers(1, 8))
    names = draw(st.lists(st.one_of(NAMES, PLAIN_WORDS), min_size=1, max_size=3, unique=True))
    table = {}
    for name in names:
        kind = draw(st.sampled_from([*KINDS]))
        few = draw(st.lists(KINDS[kind], min_size=1, max_size=4, unique=True))
        values = draw(st.lists(st.sampled_from(few), min_size=n, max_size=n))
        if draw(st.booleans()):
            gone = draw(st.lists(st.booleans(), min_size=n, max_size=n))
            values = [None if missing else value for value, missing in zip(values, gone, strict=True)]
        table[name] = (kind, values, few)
    return table


# -------------------------------------------------------------------------------------------------------------- doors
ARROW_TYPES = {
    "float": pa.float64(), "float32": pa.float32(), "int": pa.int64(), "small": pa.int8(), "bool": pa.bool_(),
    "text": pa.string(), "words": pa.large_string(), "digits": pa.string(), "bytes": pa.binary(),
    "decimal": pa.decimal128(12, 2), "date": pa.date32(),
}  # fmt: skip


def arrow_column(kind, values, levels):
    if kind in ("category", "ordered", "codes"):
        codes = pa.array([None if value is None else levels.index(value) for value in values], pa.int32())
        return pa.DictionaryArray.from_arrays(codes, pa.array(levels), ordered=kind == "ordered")
    return pa.array(values, ARROW_TYPES[kind])


def to_arrow(table):
    return pa.table([arrow_column(*column) for column in table.values()], names=list(table))


def to_chunks(table):
    whole = to_arrow(table)
    half = len(whole) // 2
    return pa.concat_tables([whole.slice(0, half), whole.slice(half)])


def pandas_column(kind, values, levels):
    if kind in ("category", "ordered", "codes"):
        return pd.Categorical(values, categories=levels, ordered=kind == "ordered")
    if kind in ("float", "float32"):
        return np.array(
            [np.nan if value is None else value for value in values], dtype=kind if kind == "float32" else float
        )
    if kind in ("int", "small", "bool") and None not in values:
        return np.array(values)
    return pd.Series(values, dtype=object)


def to_pandas(table):
    return pd.DataFrame({name: pandas_column(*column) for name, column in table.items()})


def to_nullable(table):
    types = {
        "int": "Int64",
        "small": "Int8",
        "bool": "boolean",
        "float": "Float64",
        "text": "string",
        "words": "string",
    }
    frame = {}
    for name, (kind, values, levels) in table.items():
        frame[name] = pd.array(values, dtype=types[kind]) if kind in types else pandas_column(kind, values, levels)
    return pd.DataFrame(frame)


def to_arrow_backed(table):
    return to_arrow(table).to_pandas(types_mapper=pd.ArrowDtype)


def to_objects(table):
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, (_, values, _) in table.items()})


POLARS_TYPES = {
    "float": pl.Float64, "float32": pl.Float32, "int": pl.Int64, "small": pl.Int8, "bool": pl.Boolean, "text": pl.String,
    "words": pl.String, "digits": pl.String, "category": pl.Categorical, "bytes": pl.Binary, "decimal": pl.Decimal(12, 2),
    "date": pl.Date,
}  # fmt: skip


def polars_column(name, kind, values, levels):
    if kind == "codes":  # polars has categories of text only
        texts = [None if value is None else str(value) for value in values]
        return pl.Series(name, texts, dtype=pl.Categorical)
    return pl.Series(name, values, dtype=pl.Enum(levels) if kind == "ordered" else POLARS_TYPES[kind])


def to_polars(table):
    return pl.DataFrame([polars_column(name, *column) for name, column in table.items()])


class Capsule:
    """A table that speaks Arrow's PyCapsule interface alone."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def through_parquet(table):
    file = io.BytesIO()
    pyarrow.parquet.write_table(to_arrow(table), file)
    return file_of(file.getvalue())


def through_feather(table):
    file = io.BytesIO()
    with pa.ipc.new_file(file, to_arrow(table).schema) as writer:
        writer.write_table(to_arrow(table))
    return file_of(file.getvalue())


def through_csv(table):
    """CSV has no types, so only where text is words, and a column has a value, can it be asked for the same."""
    for name, (kind, values, _) in table.items():
        if kind not in ("float", "small", "words") or set(values) == {None} or not name.isascii() or len(name) < 3:
            raise NotImplementedError
    if len(table) == 1 and None in next(iter(table.values()))[1]:
        raise NotImplementedError  # a missing value of a lone column is a blank line
    file = io.BytesIO()
    pyarrow.csv.write_csv(to_arrow(table), file)
    return file_of(file.getvalue())


def file_of(content):
    with tempfile.NamedTemporaryFile(suffix=".data") as file:
        file.write(content)
        file.flush()
        return read_file(file.name)


def is_array(table):
    return all(kind in ("float", "float32", "small", "bool", "int") for kind, _, _ in table.values())


def to_masked(table):
    """Only numbers, of float64 as an array has one type; what lies under the mask is 7."""
    if not is_array(table):
        raise NotImplementedError
    columns = [values for _, values, _ in table.values()]
    mask = np.array([[value is None for value in column] for column in columns]).T
    filled = np.array([[7.0 if value is None else float(value) for value in column] for column in columns]).T
    return np.ma.masked_array(filled, mask)


DOORS = {
    "pandas": to_pandas,
    "pandas, nullable": to_nullable,
    "pandas, Arrow": to_arrow_backed,
    "pandas, objects": to_objects,
    "polars": to_polars,
    "Arrow": to_arrow,
    "Arrow, chunks": to_chunks,
    "narwhals": lambda table: narwhals.from_native(to_polars(table)),
    "capsule": lambda table: Capsule(to_arrow(table)),
    "capsule of polars": lambda table: Capsule(to_polars(table)),
    "masked": to_masked,
    "Parquet": through_parquet,
    "Arrow file": through_feather,
    "CSV": through_csv,
}

#: Doors that give other rows to a schema.
FRESH_DOORS = ("pandas", "polars", "Arrow")

#: Doors whose table has lost something by its making, so that it is another table: order of levels, or that they are levels.
LOSSES = {
    "pandas, objects": {"ordered", "codes"},
    "Parquet": {"codes"},  # Arrow restores dictionaries of text alone
}


# ------------------------------------------------------------------------------------------------------------ the rule
def reading(make, table):
    """The table as a door makes and reads it; None where the library, or we, refuse it."""
    try:
        given_table = make(table)
    except (NotImplementedError, ValueError, TypeError, OverflowError, pa.ArrowException, pl.exceptions.PolarsError):
        return None
    try:
        return read_numbers("X", given_table)
    except REFUSALS:
        return None


def assert_same(raw, other, door):
    assert other.names in (raw.names, None), door
    assert other.categories == raw.categories, (door, raw.categories, other.categories)
    assert raw.values.shape == other.values.shape, door
    same = (raw.values == other.values) | (np.isnan(raw.values) & np.isnan(other.values))
    assert same.all(), (door, raw.values, other.values)


def check(table, fresh, order, counts):
    readings = {}
    for door, make in DOORS.items():
        if LOSSES.get(door, set()) & {kind for kind, _, _ in table.values()}:
            continue
        raw = reading(make, table)
        counts[door, "read" if raw is not None else "refused"] += 1
        if raw is not None:
            readings[door] = raw
    if not readings:
        return
    first = next(iter(readings.values()))
    for door, raw in readings.items():
        assert_same(first, raw, door)
    if first.names is None:
        return
    other_rows = {
        door: reading(DOORS[door], dict(zip(first.names, fresh.values(), strict=False))) for door in FRESH_DOORS
    }
    for handles_missing in (False, True):
        schema = Schema.fit(first, handles_missing=handles_missing)
        assert len(schema.encode(first)) == len(first.values)
        if len(fresh) >= len(first.names):
            check_fresh(schema, other_rows)
    shuffled = [first.names[j] for j in order if j < len(first.names)]
    if shuffled != first.names:
        with pytest.raises(ValueError, match="feature names should match"):
            require_same_columns(shuffled, len(shuffled), first.names, len(first.names), "Model")


def check_fresh(schema, other_rows):
    """Other rows, of other kinds, as every door reads them: the same encoding, or the same error."""
    outcomes = {}
    for door, raw in other_rows.items():
        if raw is None:
            continue
        try:
            outcomes[door] = schema.encode(raw).tobytes()
        except ValueError as error:
            outcomes[door] = str(error)
    assert len(set(outcomes.values())) <= 1, outcomes


def run(n_cases, chance=0):
    """Counts of tables that each door read or refused, of `n_cases` random tables."""
    counts = Counter()

    @seed(chance)
    @settings(
        max_examples=n_cases, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(tables(), tables(n=4), st.permutations(range(3)))
    def one(table, fresh, order):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            counts["cases", ""] += 1
            check(table, fresh, order, counts)

    one()
    return counts


@pytest.mark.trap("T28")
def test_a_random_table_gives_the_same_bits_through_every_door():
    counts = run(60)
    assert sum(counts[door, "read"] for door in DOORS) > 300


@pytest.mark.slow
@pytest.mark.trap("T28")
def test_20_000_random_tables_give_the_same_bits_through_every_door():
    for chance in range(1, 21):  # hypothesis slows down as it remembers more cases
        assert run(1000, chance)["cases", ""] >= 1000


def test_every_door_reads_a_plain_table():
    table = {
        "aaa": ("float", [0.5, None, -2.0], []),
        "bbb": ("words", ["wx", "wy", None], []),
        "ccc": ("small", [1, 2, 3], []),
    }
    plain = {door: reading(make, table) for door, make in DOORS.items() if door != "masked"}
    for door, raw in plain.items():
        assert_same(read_table("X", to_pandas(table)), raw, door)
