"""Random tables in random writings: read as what was written, or refused; never as something else."""

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condensity.io.errors import TableError
from condensity.io.stream import TableReader

MARKS = ["", "?", "NA", "-", "null", "#DIV/0!"]
WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs", "S"]), min_size=1, max_size=8)
NUMBERS = st.one_of(
    st.integers(-(10**7), 10**7).map(float),
    st.floats(-1e7, 1e7, allow_nan=False).map(lambda value: round(value, 3)),
    st.floats(allow_nan=False, allow_infinity=False),
)

#: Separators, decimal marks, marks of thousands that go together.
WRITINGS = [
    (",", ".", ""), (",", ",", ""), (",", ".", ","), (";", ",", ""), (";", ",", "."), (";", ".", ""), ("\t", ",", ""),
    ("|", ".", ","), (";", ",", " "), (";", ".", "'"),
]  # fmt: skip


@st.composite
def tables(draw):
    """Columns of numbers (None is missing) and of words, and how they are written."""
    n = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(["numbers", "words"]), min_size=1, max_size=4))
    cells = {"numbers": st.one_of(NUMBERS, NUMBERS, NUMBERS, st.none()), "words": WORDS}
    columns = {f"c{j}": draw(st.lists(cells[kind], min_size=n, max_size=n)) for j, kind in enumerate(kinds)}
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    head = draw(st.sampled_from(["", "# made by hand\n", "sep=SEP\n"]))
    mark = draw(st.sampled_from(MARKS))
    return columns, draw(st.sampled_from(WRITINGS)), encoding, head, mark, draw(st.booleans())


def written(columns, writing, head, mark, quote_all):
    separator, decimal, thousands = writing

    def cell(value):
        if value is None:
            return mark
        if isinstance(value, str):
            return value
        plain = repr(value) if "e" in repr(value) else f"{value:,}"
        return plain.translate({ord(","): thousands or None, ord("."): decimal})

    file = io.StringIO()
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([list(map(cell, row)) for row in zip(*columns.values(), strict=True)])
    return head.replace("SEP", separator) + file.getvalue()


def check(path, table):
    columns, writing, encoding, head, mark, quote_all = table
    path.write_bytes(written(columns, writing, head, mark, quote_all).encode(encoding))
    try:
        reader = TableReader(path, file="t")
        found = reader.read(list(columns)).to_pydict()
    except TableError:
        return False
    assert list(found) == list(columns)
    for name, expected in columns.items():
        if any(isinstance(value, str) for value in expected):
            assert all(a is None or isinstance(a, float) or a == b for a, b in zip(found[name], expected, strict=True))
        else:
            for a, b in zip(found[name], expected, strict=True):
                assert a is None if b is None else math.isclose(a, b, rel_tol=1e-15), (name, a, b)
    return True


@pytest.mark.trap("T30", 77, 78)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_a_table_is_read_as_what_was_written_or_refused(tmp_path, table):
    check(Path(tmp_path) / "t.csv", table)


@pytest.mark.slow
@settings(
    max_examples=20_000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tables())
def test_many_tables_are_read_as_what_was_written_or_refused(tmp_path, table):
    check(Path(tmp_path) / "t.csv", table)
