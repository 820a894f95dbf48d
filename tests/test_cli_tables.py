"""Every estimator, every transform of y and every kind of table, through the commands `fit`, `predict`, `score` and `doctor`."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import ipc, parquet

from condensity import JointGMMRegressor, cli, load
from condensity.io import stream

N = 120
FEATURES = ["size", "rooms", "garden", "town", "zone", "gaps", "code", "fee"]
CATEGORIES = ("--categories", "code")
MODELS, TRANSFORMS, TARGETS = ("mdn", "gmm"), (None, "log", "logit", "auto"), (["price"], ["price", "rent"])
FORMATS = ("csv", "parquet", "arrow", "stream", "polars.parquet", "large.arrow")
READ = {"csv": pd.read_csv, "parquet": pd.read_parquet, "arrow": pd.read_feather}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table():
    """Floats, whole numbers, truth values, text, a dictionary, missing values, codes and decimals; y in (0, 1)."""
    rng = np.random.default_rng(0)
    size, rooms = rng.normal(size=N), rng.integers(1, 6, N)
    price = 1 / (1 + np.exp(-(size + 0.3 * rng.normal(size=N))))
    town = rng.choice(["Aa", "Bé", "C, D"], N).astype(object)
    town[::11] = None
    return pa.table({
        "id": pa.array(2**53 + 1 + np.arange(N)),
        "size": pa.array(size),
        "rooms": pa.array(rooms.astype(np.int16)),
        "garden": pa.array(rng.random(N) < 0.5),
        "town": pa.array(town),
        "zone": pa.array([f"zone {j}" for j in rng.integers(0, 8, N)]).dictionary_encode(),
        "gaps": pa.array(np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N)), from_pandas=True),
        "code": pa.array(rng.choice([1, 2, 10], N)),
        "fee": pa.array([Decimal(int(value)) / 4 for value in rng.integers(1, 20, N)]),
        "price": pa.array(price),
        "rent": pa.array(0.5 * price + 0.2 * rng.random(N)),
        "w": pa.array(rng.random(N)),
    })  # fmt: skip


def write(table, path):
    """A table in the format that the name of a file says."""
    kind = path.name.partition(".")[2]
    if kind == "csv":
        table.to_pandas().to_csv(path, index=False)
    elif kind == "polars.parquet":
        pl.from_arrow(table).write_parquet(path)
    elif kind == "parquet":
        parquet.write_table(table, path, row_group_size=50)
    else:
        opened = ipc.new_stream if kind == "stream" else ipc.new_file
        if kind == "large.arrow":
            texts = [pa.field(f.name, pa.large_string()) if pa.types.is_string(f.type) else f for f in table.schema]
            table = table.cast(pa.schema(texts))
        with opened(path, table.schema) as writer:
            writer.write_table(table)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for kind in FORMATS:
        write(table(), folder / f"t.{kind}")
    return folder


@pytest.fixture
def run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(stream, "BATCH_ROWS", 50)

    def run(*arguments, exit_code=0):
        result = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
        assert result.exit_code == exit_code, result.stderr
        return result

    return run


def fit(run, name, data, kind, *options, targets=("price",)):
    """Fit once in this folder."""
    features = ",".join(FEATURES)
    run("fit", data, "--target", ",".join(targets), "--features", features, "--model", kind, "-o", name, *options)
    return load(name)


@pytest.mark.parametrize("targets", TARGETS, ids=len)
@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
@pytest.mark.parametrize("kind", MODELS)
def test_commands_answer_as_the_model_from_every_kind_of_table(run, kind, transform, targets):
    options = (*CATEGORIES, *(() if transform is None else ("--y-transform", transform)))
    model = fit(run, "m", "t.parquet", kind, *options, targets=targets)
    X, y = table().select(FEATURES), table().select(targets).to_pandas().to_numpy()
    dist, y = model.predict_dist(X), y if len(targets) > 1 else y[:, 0]
    expected, score = np.reshape(model.predict(X), (N, -1)), model.score(X, y)
    asked = ("--quantiles", ".1,.9", "--interval", ".5", "--samples", "2", "--support", "--keep", "id,zone,town")
    for data, output in zip(FORMATS, ("csv", "parquet", "arrow", "arrow", "csv", "parquet"), strict=True):
        run("predict", "m", f"t.{data}", "-o", f"p.{output}", *asked)
        found = READ[output](f"p.{output}")
        assert list(found["id"]) == table()["id"].to_pylist()
        assert list(found["zone"]) == table()["zone"].to_pylist()
        np.testing.assert_allclose(found[[f"{name}_mean" for name in targets]], expected, rtol=1e-9)
        np.testing.assert_allclose(found["support"], model.support(X), rtol=1e-9)
        one = dist if len(targets) == 1 else dist.marginal(0)
        np.testing.assert_allclose(found[["price_q0.1", "price_q0.9"]], one.ppf([0.1, 0.9]), rtol=1e-9)
        assert np.isfinite(found[["price_sample1", "price_lower0.5", "price_std"]]).all(axis=None)
        assert run("score", "m", f"t.{data}").stdout.startswith(f"log density: {score:.6g} ± ")
    if transform in ("log", "logit") and len(targets) > 1:
        assert "exact form" in run("score", "m", "t.csv", "--crps", exit_code=1).stderr
    else:
        line = run("score", "m", "t.csv", "--crps").stdout.splitlines()[1]
        assert line.startswith("CRPS: " if len(targets) == 1 else "energy score: ")
    assert run("doctor", "m").stdout.splitlines() == [str(finding) for finding in model.health_]


def test_a_category_of_numbers_is_known_however_csv_spells_it(run):
    codes = table().select(["size", "code", "price"]).to_pandas()
    codes.to_csv("codes.csv", index=False)
    run("fit", "codes.csv", "--target", "price", "--categories", "code", "--model", "gmm", "-o", "codes")
    lines = set()
    for spell in ("{:d}", "{:.1f}", "{:03d}"):
        codes.assign(code=codes["code"].map(spell.format)).to_csv("spelled.csv", index=False)
        result = run("score", "codes", "spelled.csv")
        assert not result.stderr
        lines.add(result.stdout)
    assert len(lines) == 1


@pytest.mark.parametrize("column", ["code", "town"])
def test_models_fitted_on_arrays_take_tables(run, column):
    X = table().select([column, "size"]).to_pandas().to_numpy(dtype=object)
    y = table()["price"].to_numpy()
    JointGMMRegressor(2, categorical_features=[0]).fit(X, y).save("arrays")
    model = load("arrays")
    table().select([column, "size", "price"]).rename_columns([column, "size", "y"]).to_pandas().to_csv(
        "arrays.csv", index=False
    )
    assert run("score", "arrays", "arrays.csv").stdout.startswith(f"log density: {model.score(X, y):.6g} ± ")


def test_unknown_levels_are_notes_and_missing_targets_are_named_by_their_row(run):
    run("fit", "t.csv", "--target", "price", "--features", "size,zone", "--model", "gmm", "-o", "zones")
    rows = table().select(["size", "zone", "price"]).to_pandas().assign(zone="new")
    rows.to_csv("new.csv", index=False)
    result = run("predict", "zones", "new.csv", "-o", "new.parquet")
    assert "levels that were not there in fit: 'new'" in result.stderr
    assert all(line.startswith("condensity: note: UserWarning: Column 'zone'") for line in result.stderr.splitlines())
    rows.loc[70, "price"] = np.nan
    rows.to_csv("new.csv", index=False)
    result = run("score", "zones", "new.csv", exit_code=1)
    assert "rows 50 to 99: Input y contains NaN (1 of 50 rows, the first at row 20)" in result.stderr


def test_weights_must_be_numbers(run):
    result = run("fit", "t.csv", "--target", "price", "--weights", "town", "-o", "no", exit_code=1)
    assert "column 'town', row 1 (from 0, after the header): 'Bé' is not a number" in result.stderr
    run("fit", "t.csv", "--target", "price", "--weights", "w", "--model", "gmm", "-o", "weighted")
    assert "w" not in load("weighted").feature_names_in_
    assert "column 'town' is not numeric" in run("score", "weighted", "t.csv", "--weights", "town", exit_code=1).stderr


@pytest.mark.parametrize("kind", ["csv", "stream"])
def test_doctor_takes_every_table_and_stdin(folder, kind):
    content = (folder / f"t.{kind}").read_bytes()
    options = ["--features", ",".join(FEATURES), "--categories", "code", "--target", "price"]
    result = CliRunner().invoke(cli.main, ["doctor", "-", *options], input=content)
    assert result.exit_code == 0, result.stderr
    assert "joint mixture: " in result.stdout.splitlines()[-1]


def test_groups_are_no_input(run):
    run("fit", "t.csv", "--target", "price", "--groups", "w", "--model", "gmm", "-o", "grouped")
    assert "w" not in load("grouped").feature_names_in_
    result = run("fit", "t.csv", "--target", "price", "--groups", "twn", "-o", "no", exit_code=1)
    assert "no column 'twn'" in result.stderr
