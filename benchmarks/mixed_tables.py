"""Mean test NLL on real tables with categories, missing values and several outputs, beside that of a boosted mean.

Each table is read from pandas, polars and Arrow, and fitted by one constructor call for all tables. The reference column is a
HistGradientBoosting mean with one residual covariance; its figures are in the README of the data.

    python benchmarks/mixed_tables.py [--tables penguins,quakes] [--splits 1] [--models MDN,GMM] [--libraries pandas,polars,arrow]
"""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from condensity import JointGMMRegressor, MDNRegressor
from harness import SHARED_DATA, Benchmark, standard_error, timed

#: NLL of the boosted mean with a constant covariance, the figure to beat.
REFERENCE = {
    "penguins": 13.942,
    "quakes": 6.151,
    "california-housing": 12.185,
    "diamonds": 7.710,
    "photoz-dc2": -0.408,
    "bike-hour": 5.196,
}
#: Columns whose levels have an order.
ORDERED = {"diamonds": ("cut", "color", "clarity")}
MODELS = {"MDN": MDNRegressor, "GMM": JointGMMRegressor}


def load(folder, name):
    """Frames of X by library, y (n, q), and test rows of every split."""
    data = np.load(folder / f"{name}.npz", allow_pickle=True)
    names = [str(column) for column in data["feature_names"]]
    columns, ordered = {}, ORDERED.get(name, ())
    for j, column in enumerate(names):
        values = data["X"][:, j].astype(float)
        if not data["categorical"][j]:
            columns[column] = values
            continue
        key = f"categories_{column}"
        levels = (
            [str(level) for level in data[key]]
            if key in data
            else [str(int(v)) for v in np.unique(values[~np.isnan(values)])]
        )
        codes = values if key in data else np.searchsorted(np.unique(values[~np.isnan(values)]), values)
        codes = np.where(np.isnan(values), -1, codes).astype(int)
        columns[column] = pd.Categorical.from_codes(codes, levels, ordered=column in ordered)
    frame = pd.DataFrame(columns)
    return (
        {"pandas": frame, "polars": as_polars(frame), "arrow": as_arrow(frame)},
        np.asarray(data["y"], float),
        data["test_idx"],
    )


def as_polars(frame):
    """Categories as Categorical or, where ordered, as Enum; missing values as null."""
    columns = {}
    for name, column in frame.items():
        if hasattr(column, "cat"):
            kind = pl.Enum(list(column.cat.categories)) if column.cat.ordered else pl.Categorical
            columns[name] = pl.Series([None if pd.isna(v) else v for v in column], dtype=kind)
        else:
            columns[name] = pl.Series(column.to_numpy()).fill_nan(None)
    return pl.DataFrame(columns)


def as_arrow(frame):
    """Categories as dictionaries; missing values as null."""
    return pa.Table.from_pandas(frame, preserve_index=False)


def take_rows(table, rows):
    """Rows of a table of any of the libraries."""
    if isinstance(table, pd.DataFrame):
        return table.iloc[rows]
    return table.take(rows) if isinstance(table, pa.Table) else table[rows]


def score_split(make_model, tables, y, test, seed):
    """Scores of the test rows by table, and seconds, of one fit to each table."""
    train = np.setdiff1d(np.arange(len(y)), test)
    rows, seconds = [], []
    for X in tables:
        took, model = timed(lambda X=X: make_model(random_state=seed).fit(take_rows(X, train), y[train]))
        seconds.append(took)
        rows.append(model.score_samples(take_rows(X, test), y[test]))
    return rows, seconds


def main():
    """Print one line a table and model."""
    run = Benchmark(__doc__)
    run.option("--data", type=Path, default=SHARED_DATA / "real", help="folder of the tables, as .npz files")
    run.option("--tables", default=",".join(REFERENCE))
    run.option("--splits", type=int, default=1)
    run.option("--models", default="MDN,GMM")
    run.option("--libraries", default="pandas,polars,arrow")
    with run as options:
        run.line("table               model  splits  test NLL ± se      boosted mean  libraries    fit s")
        for name in options.tables.split(","):
            tables, y, test_rows = load(options.data, name)
            y = y[:, 0] if name == "bike-hour" else y
            for model in options.models.split(","):
                losses, seconds, same = [], [], True
                for split in range(min(options.splits, len(test_rows))):
                    asked = [
                        tables[library] for library in (options.libraries.split(",") if split == 0 else ["pandas"])
                    ]
                    rows, took = score_split(MODELS[model], asked, y, test_rows[split].astype(int), split)
                    same &= all(np.array_equal(row, rows[0]) for row in rows)
                    seconds += took
                    losses.append(-rows[0].mean())
                run.line(
                    f"{name:18s}  {model:5s}  {len(losses):6d}  {np.mean(losses):8.3f} ± {standard_error(losses):.3f}"
                    f"  {REFERENCE[name]:12.3f}  {'same bits' if same else 'DIFFER':11s}  {np.median(seconds):5.1f}",
                    table=name,
                    model=model,
                    nll=losses,
                    boosted=REFERENCE[name],
                    same_bits=same,
                    seconds=seconds,
                )


if __name__ == "__main__":
    main()
