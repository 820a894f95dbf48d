"""A category's levels mean the same through every door: CSV, JSON lines, Excel, Parquet, pandas, polars, Arrow, NumPy."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner

from condensity import JointGMMRegressor, cli, load
from condensity.data import Schema, read_table
from condensity.data.levels import LevelIndex

N = 60
CODES = np.arange(N) % 3
NOISE = np.random.default_rng(0).normal(size=N)
Y = 5.0 * CODES + 0.1 * NOISE

#: Spellings of three levels; what pandas makes of them is in the test.
SPELLINGS = {
    "plain": ["1", "2", "3"],
    "leading zero": ["007", "008", "009"],
    "fraction": ["1.0", "2.0", "3.0"],
    "trailing zero": ["1.10", "1.20", "1.30"],
    "true": ["true", "false", "true"],
    "True": ["True", "False", "True"],
    "exponent": ["1e3", "2e3", "3e3"],
    "plus": ["+1", "+2", "+3"],
    "leading blank": [" 1", " 2", " 3"],
    "negative": ["-1", "0", "1"],
    "words": ["a", "b b", "ç"],
    "23 digits": ["12345678901234567890123", "12345678901234567890124", "12345678901234567890125"],
    "above 2^53": ["9007199254740992", "9007199254740993", "9007199254740994"],
}  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.stderr
        return result

    return run


@pytest.mark.trap(86)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_levels_mean_the_same_through_every_door(run, spelling):
    texts = np.array(SPELLINGS[spelling])[CODES]
    frame = pd.DataFrame({"k": texts, "x": NOISE, "y": Y})
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")
    frame.to_json("t.jsonl", orient="records", lines=True)
    run("fit", "t.csv", "--target", "y", "--categories", "k", "--model", "gmm", "-o", "m")
    lines = {run("score", "m", f"t.{kind}").stdout for kind in ("csv", "parquet", "jsonl")}
    if spelling != "23 digits":  # for which pandas has no column of numbers
        pd.read_csv("t.csv").to_parquet("parsed.parquet")
        lines.add(run("score", "m", "parsed.parquet").stdout)
    assert len(lines) == 1
    model, X = load("m"), frame[["k", "x"]]
    expected = model.predict(X)
    for table in (pl.from_pandas(X), pa.Table.from_pandas(X), pd.read_csv("t.csv", dtype={"k": str})[["k", "x"]]):
        np.testing.assert_array_equal(model.predict(table), expected)
    assert len(model.encoder_.schema.categories[0].levels) == len(set(texts))


@pytest.mark.trap(86)
def test_a_fit_on_numbers_takes_their_spellings(run):
    X = pd.DataFrame({"k": CODES, "x": NOISE})
    y = Y + NOISE[::-1]
    JointGMMRegressor(2, categorical_features=["k"]).fit(X, y).save("m")
    model, lines = load("m"), set()
    for spelled in ("{:d}", "{:03d}", "{:.1f}", "+{:d}", " {:d}", "{:e}"):
        X.assign(k=[spelled.format(k) for k in CODES], y=y).to_csv("t.csv", index=False)
        lines.add(run("score", "m", "t.csv").stdout)
    assert len(lines) == 1
    assert lines.pop().startswith(f"log density: {model.score(X, y):.6g} ")


@pytest.mark.trap(86)
def test_whole_numbers_above_2_to_the_53_stay_apart():
    values = [2**53, 2**53 + 1, 2**53 + 2] * 2
    texts = tuple(map(str, values[:3]))
    for table in (pd.DataFrame({"k": values}), pl.DataFrame({"k": values}), pa.table({"k": values})):
        assert read_table("X", table, ["k"]).categories[0].texts == texts


@pytest.mark.trap(86)
def test_many_levels_are_hashed_alike_however_they_are_spelled():
    tables = [pa.table({"k": [spelled.format(k) for k in range(300)]}) for spelled in ("{:d}", "{:05d}", "{:.2f}")]
    raws = [read_table("X", table, ["k"]) for table in tables]
    codes = [Schema.fit(raw, handles_missing=False).encode(raw) for raw in raws]
    assert np.array_equal(codes[0], codes[1])
    assert np.array_equal(codes[0], codes[2])


@pytest.mark.trap(86)
def test_a_spelling_of_two_levels_is_neither():
    index = LevelIndex(["1.1", "1.10", "x"])
    assert [index.find(text) for text in ("1.1", "1.10", "1.100", " x ", "X")] == [0, 1, -1, 2, -1]
