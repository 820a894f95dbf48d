"""Text files of every writing: read as what they are, or refused by file, column, row and cell."""

import bz2
import gzip
import json
import lzma
import zipfile

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from condensity.io import text
from condensity.io.cells import NumberStyle, read_number
from condensity.io.errors import TableError
from condensity.io.options import NO_OPTIONS, ReadingOptions
from condensity.io.stream import TableReader, read_table

ROWS = [(1234.5, "Bern", 0.125), (-2.25, "Genf", 7.0), (300.0, "Zürich", 0.5)]
EXPECTED = {"km": [1234.5, -2.25, 300.0], "town": ["Bern", "Genf", "Zürich"], "y": [0.125, 7.0, 0.5]}


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file and return its path."""

    def write(content, name="t.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def lines(separator=",", decimal=".", thousands="", end="\n", quote=""):
    def cell(value):
        shown = value if isinstance(value, str) else f"{value:,}".translate({44: thousands or None, 46: decimal})
        return f"{quote}{shown}{quote}"

    rows = [("km", "town", "y"), *ROWS]
    return "".join(separator.join(map(cell, row)) + end for row in rows)


def read(path, *columns, options=NO_OPTIONS, **roles):
    reader = TableReader(path, options, "t")
    return reader.read(columns or reader.names, **roles).to_pydict(), reader.decisions


# ------------------------------------------------------------------------------------------------------- layout
@pytest.mark.trap("T30", 78)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lines(), "commas"),
        (lines(";", ","), "semicolons, decimal commas"),
        (lines(";"), "semicolons"),
        (lines("\t"), "tabs"),
        (lines("|"), "pipes"),
        (lines(quote='"', decimal=","), "commas, decimal commas"),
        (lines(";", ",", "."), "semicolons, decimal commas"),
        (lines(";", ",", "\u202f"), "semicolons, decimal commas"),
        (lines(";", ".", "'"), "semicolons"),
        (lines(quote='"', thousands=","), "commas"),
        ("sep=;\n" + lines(";", ","), "semicolons, decimal commas"),
        ("\n# exported, 2024-05-01\n# by hand\n" + lines(), "commas, 2 comment lines left out"),
        (
            lines().replace("Genf", "Genf,7.0\n# a comment\n-2.25,Genf").replace("-2.25,Genf,7.0\n#", "#", 1),
            "1 comment",
        ),
        (lines(end="\r\n"), "commas"),
        (lines(end="\r"), "commas"),
        (lines().rstrip(), "commas"),
    ],
    ids=range(16),
)
def test_a_table_is_the_same_however_its_text_is_written(write, content, said):
    found, decisions = read(write(content))
    assert found == EXPECTED
    assert said in decisions


def test_the_separator_can_be_said(write):
    found, _ = read(write("km town\n1 Bern\n2 Genf\n"), options=ReadingOptions(separator=" "))
    assert found == {"km": [1.0, 2.0], "town": ["Bern", "Genf"]}
    with pytest.raises(TableError, match="--sep"):
        read(write("km town\n1 Bern\n2 Genf\n"), "km")


@pytest.mark.trap(87)
def test_names_that_begin_with_a_hash_and_row_labels_without_a_name(write):
    assert read(write("#,name,hp\n1,Bulba,45\n2,Ivy,60\n"))[0]["#"] == [1.0, 2.0]
    assert read(write("# a, y\n# x, z\na,y\n1,2\n"))[0] == {"a": [1.0], "y": [2.0]}
    found, decisions = read(write(pd.DataFrame({"a": [5, 6]}, index=["r1", "r2"]).to_csv()))
    assert found == {"a": [5.0, 6.0]}
    assert "1 column without a name left out" in decisions
    assert read(write("a,y,\n1,2,\n3,4,\n"))[0] == {"a": [1.0, 3.0], "y": [2.0, 4.0]}


# ----------------------------------------------------------------------------------------------------- encodings
@pytest.mark.trap(79)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_certain_encodings_are_found(write, encoding):
    assert read(write(lines(), encoding=encoding))[0] == EXPECTED


@pytest.mark.trap(79)
def test_other_encodings_are_asked_for_and_never_guessed(write):
    path = write(lines(), encoding="cp1252")
    with pytest.raises(TableError, match=r"line 4 has the byte 0xFC. Say --encoding: cp1252 reads '300.0,Zürich"):
        read(path)
    assert read(path, options=ReadingOptions(encoding="cp1252"))[0] == EXPECTED
    with pytest.raises(TableError, match="is not ASCII"):
        read(write(lines()), options=ReadingOptions(encoding="ascii"))


@pytest.mark.trap(79, 80)
def test_a_wrong_byte_late_in_a_file_is_named_by_its_line(write):
    content = b"a,town\n" + b"1,Bern\n" * 200_000 + b"2,Z\xfcrich\n" + b"3,Bern\n" * 9
    with pytest.raises(TableError, match=r"line 200002 has the byte 0xFC"):
        read(write(content))


# --------------------------------------------------------------------------------------------------------- cells
@pytest.mark.trap(75)
@pytest.mark.parametrize(
    "mark",
    ["?", "NA", "n/a", "-", "", "null", "#N/A", "#DIV/0!", "#WERT!", "None", "NaN", " ", "—", ".", "N/A", "<NA>"],
)
def test_marks_for_missing_values_among_numbers_are_missing(write, mark):
    found, decisions = read(write(f"km,y\n1.5,1\n{mark},2\n3,3\n"))
    np.testing.assert_array_equal(np.array(found["km"], dtype=float), [1.5, np.nan, 3])
    assert mark in (" ", "", "NaN") or f"km: numbers, 1 cell {mark!r} read as missing" in decisions


@pytest.mark.trap(75)
def test_other_marks_can_be_said(write):
    path = write("km,town,y\n1.5,Bern,1\nunknown,unknown,2\n-999,Genf,3\n")
    found, _ = read(path, options=ReadingOptions(missing=("unknown", "-999")))
    assert found == {"km": [1.5, None, None], "town": ["Bern", None, "Genf"], "y": [1.0, 2.0, 3.0]}


@pytest.mark.trap(76)
@pytest.mark.parametrize(
    ("cells", "expected", "said"),
    [
        (["1,234", "12", "1,234,567"], [1234, 12, 1234567], ""),
        (["1,234.5", "2.25"], [1234.5, 2.25], ""),
        (["1 234,5", "2,25"], [1234.5, 2.25], ""),
        (["12%", "3.5 %", "?"], [0.12, 0.035, None], "'%' read as hundredths, 1 cell '?'"),
        (["$5", "-$7.5", "8"], [5, -7.5, 8], "in $"),
        (["5 €", "7,5 €"], [5, 7.5], "in €"),
        (["EUR 1.234,50", "EUR 2"], [1234.5, 2], "in EUR"),
        (["−5", "+6", " 7 "], [-5, 6, 7], ""),
        (["1e3", "1E-2", "1e+2"], [1000, 0.01, 100], ""),
        (["true", "False", "TRUE"], [1, 0, 1], "true is 1"),
        (["true", "0", ""], [1, 0, None], "true is 1"),
        (["0,123", "1,234"], [0.123, 1.234], ""),
    ],
)
def test_spelled_numbers_are_numbers(write, cells, expected, said):
    found, decisions = read(write("km;y\n" + "".join(f"{cell};1\n" for cell in cells)))
    assert found["km"] == expected
    assert said in decisions


@pytest.mark.trap(78)
@pytest.mark.parametrize(
    ("cells", "match"),
    [
        (["1,234", "5,678"], "'1,234' in column 'km' may be in thousands or have three decimals"),
        (["1.234", "5.678"], "'1.234' in column 'km' may be in thousands"),
        (["1,5", "2.5"], "decimal commas .* and decimal points .* do not go together"),
    ],
)
def test_doubtful_marks_are_asked_for(write, cells, match):
    path = write("km;y\n" + "".join(f"{cell};1\n" for cell in cells))
    with pytest.raises(TableError, match=match):
        read(path)
    if match.startswith("'"):
        with_comma = read(path, options=ReadingOptions(decimal=","))[0]["km"]
        with_point = read(path, options=ReadingOptions(decimal="."))[0]["km"]
        assert sorted([with_comma, with_point]) == [[1.234, 5.678], [1234.0, 5678.0]]


@pytest.mark.trap(77, 88)
@pytest.mark.parametrize(
    ("cells", "match"),
    [
        (["1", "two", "3"], "mixes numbers and words: row 0 .* holds '1', a number, row 1 .* 'two', no number"),
        (["S", "M", "38"], "mixes numbers and words"),
        (["12%", "13"], "row 1 .*'13' is not a number with '%'"),
        (["$5", "5 €"], "row 1 .*'5 €' is not a number with '[$]'"),
        (["12 km", "15 km"], "numbers with the unit 'km', such as '12 km'"),
        (["2024-01-02", "2024-02-03"], "holds dates or durations, such as '2024-01-02'"),
        (["31.12.2024", "1.2.24"], "holds dates"),
        (["10:30", "11:45"], "holds dates"),
        (["1,23,456", "1"], "mixes numbers and words"),
        (["0x1F", "7"], "mixes numbers and words"),
    ],
)
def test_columns_that_are_neither_numbers_nor_words_are_named(write, cells, match):
    path = write("km;y\n" + "".join(f"{cell};1\n" for cell in cells * 3))
    with pytest.raises(TableError, match=f"^t: column 'km'.*{match}") as error:
        read(path)
    assert "\n" not in str(error.value)
    assert read(path, "y")[0]["y"] == [1.0] * len(cells) * 3
    assert read(path, texts=["km"])[0]["km"] == cells * 3


@pytest.mark.trap(77)
def test_words_that_repeat_are_a_category(write):
    cells = ["S", "M", "", "-", "NA", "18-25", ">50K", "3rd"]
    found, decisions = read(write("size,y\n" + "".join(f"{cell},1\n" for cell in cells)))
    assert found["size"] == ["S", "M", None, "-", None, "18-25", ">50K", "3rd"]
    assert decisions.endswith("numbers: y; categories: size")


# ------------------------------------------------------------------------------------------------- late surprises
@pytest.mark.trap(80)
@pytest.mark.parametrize(
    ("early", "late", "match"),
    [
        ("7", "seven", "'seven' is not a number"),
        ("7", "1,5", "'1,5' is not a number"),
        ("Bern", "7", "'7', a number among words"),
        ("12%", "13", "'13' is not a number with '%'"),
        ("true", "2", "'2' is neither true nor false"),
    ],
)
def test_a_late_cell_of_another_kind_is_named_by_its_row(write, monkeypatch, early, late, match):
    monkeypatch.setattr(text, "CSV_BLOCK", 2**12)
    path = write("km;y\n" + f"{early};1\n" * 5000 + f"{late};1\n")
    with pytest.raises(TableError, match=rf"^t: column 'km'.*row 5000 .*{match}"):
        read(path)


@pytest.mark.trap(80)
def test_late_fractions_marks_and_levels_are_no_surprise(write, monkeypatch):
    monkeypatch.setattr(text, "CSV_BLOCK", 2**12)
    path = write("km;town\n" + "7;Bern\n" * 5000 + "7.5;Genf\n?;Biel\n")
    found, decisions = read(path)
    assert found["km"][-2:] == [7.5, None]
    assert found["town"][-2:] == ["Genf", "Biel"]
    assert "1 cell '?'" in decisions


# -------------------------------------------------------------------------------------------------------- formats
@pytest.mark.trap(81)
@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst", "zip"])
def test_compressed_text_is_read_and_damage_is_named(tmp_path, ending):
    path, content = tmp_path / f"t.csv.{ending}", (lines() * 1).encode()
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t.csv", content)
    elif ending == "zst":
        with pyarrow.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(content)
    else:
        path.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[ending].compress(content))
    assert read(path)[0] == EXPECTED
    path.write_bytes(path.read_bytes()[:-15])
    with pytest.raises(TableError) as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.trap(81)
def test_archives_of_several_files_and_packed_parquet_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", lines())
        archive.writestr("b.csv", lines())
    with pytest.raises(TableError, match="holds 2 files"):
        read(tmp_path / "two.zip")
    parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "t.parquet")
    (tmp_path / "t.parquet.gz").write_bytes(gzip.compress((tmp_path / "t.parquet").read_bytes()))
    with pytest.raises(TableError, match="Parquet within gzip; unpack it"):
        read(tmp_path / "t.parquet.gz")


@pytest.mark.trap(82)
def test_json_lines(write, monkeypatch):
    rows = [dict(zip(("km", "town", "y"), row, strict=True)) for row in ROWS]
    assert read(write("".join(json.dumps(row) + "\n" for row in rows), "t.jsonl"))[0] == EXPECTED
    path = write('{"id": 10000000000000000000001, "a": null, "b": true}\n\n{"id": 7, "a": "?", "b": false}\n')
    found, _ = read(path, "a", "b", "id", texts=["id"])
    assert found == {"a": [None, None], "b": [1.0, 0.0], "id": ["10000000000000000000001", "7"]}
    monkeypatch.setattr(text, "BLOCK_ROWS", 2)
    for line, match in (('{"a": [1]}', "nested in row 2"), ("[1]", "line 3 is not a JSON object"), ("{", "line 3 is not JSON"),
                        ('{"z": 1}', "row 2 has 'z'")):  # fmt: skip
        with pytest.raises(TableError, match=match):
            read(write(f'{{"a": 1}}\n{{"a": 2}}\n{line}\n'))


@pytest.mark.trap(83)
def test_excel_workbooks(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="Excel workbooks need openpyxl")
    book = openpyxl.Workbook()
    for row in ([None], ["km", "town", "y", None], *ROWS[:2], [], ROWS[2]):
        book.active.append(list(row))
    book.save(tmp_path / "t.xlsx")
    found, decisions = read(tmp_path / "t.xlsx")
    assert found == EXPECTED
    assert "sheet 'Sheet'" in decisions
    book.active.append(["#DIV/0!", "Bern", True])
    book.active["D2"] = "sum"
    book.active["D3"] = "=A3+C3"
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(TableError, match="cell D3 holds a formula whose value is not in the file"):
        read(tmp_path / "t.xlsx")
    book.active["D3"] = None
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(TableError, match=r"column 'y', row 3 .*'true' is not a number"):
        read(tmp_path / "t.xlsx", numbers=["y"])
    assert read(tmp_path / "t.xlsx", "km")[0]["km"][-1] is None


@pytest.mark.trap(84)
def test_folders_and_patterns_of_parquet(tmp_path):
    for year, values in (("2023", [1, 2]), ("2024", [3.5])):
        (tmp_path / "d" / f"year={year}").mkdir(parents=True)
        parquet.write_table(pyarrow.table({"a": values, "y": values}), tmp_path / "d" / f"year={year}" / "p-0.parquet")
    (tmp_path / "d" / "_SUCCESS").touch()
    reader = TableReader(tmp_path / "d")
    assert (reader.names, reader.n_rows) == (["a", "y", "year"], 3)
    assert reader.read(["year", "a"]).to_pydict() == {"year": ["2023", "2023", "2024"], "a": [1.0, 2.0, 3.5]}
    assert read_table(tmp_path / "d" / "*" / "p-*.parquet").to_pydict()["a"] == [1.0, 2.0, 3.5]
    parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "d" / "year=2024" / "p-1.parquet")
    with pytest.raises(TableError, match="have different columns: only one has 'y'"):
        TableReader(tmp_path / "d")
    with pytest.raises(TableError, match="matches no file"):
        TableReader(tmp_path / "*.pq")
    with pytest.raises(TableError, match="directory without Parquet files"):
        TableReader(tmp_path / "d" / ".." / "e" if (tmp_path / "e").mkdir() is None else tmp_path)


@pytest.mark.trap(89)
@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old kind"),
        (b'[{"a": 1}]', "JSON array"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"SQLite format 3\0", "SQLite"),
        (b"\x93NUMPY\x01\0", "NumPy"),
        (b"%PDF-1.7", "PDF"),
        (b"a,b\n\0\1\2\3", "neither Parquet"),
    ],
)
def test_files_of_other_kinds_are_named(write, content, match):
    with pytest.raises(TableError, match=match):
        read(write(content))


@pytest.mark.parametrize(("cell", "style"), [("1.2.3", "."), ("1,2", "."), ("", "."), ("--5", "."), ("5%%", "."), ("1_000", "."),
                                             ("NaN5", "."), ("1.234,56,7", ","), ("٣", "."), ("12,345,67", ".")])  # fmt: skip
def test_what_is_no_number(cell, style):
    assert read_number(cell, NumberStyle(style, ",." if style == "." else ".")) is None
