"""Mean test NLL on real tables with categories, gaps and several outputs, from pandas, polars and Arrow, beside a boosted mean.

One constructor call for all tables; the reference column is a HistGradientBoosting mean with one residual covariance (its figures
are in the README of the data). Needs `../shared/data/real`.

    python benchmarks/mixed_tables.py [--tables penguins,quakes] [--splits 1] [--models MDN,GMM] [--libraries pandas,polars,arrow]
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from condensity import JointGMMRegressor, MDNRegressor

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "real"
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


def load(name):
    """Frames of X by library, y (n, q), and test rows of every split."""
    data = np.load(DATA / f"{name}.npz", allow_pickle=True)
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
    """Categories as Categorical or, where ordered, as Enum; gaps as null."""
    columns = {}
    for name, column in frame.items():
        if hasattr(column, "cat"):
            kind = pl.Enum(list(column.cat.categories)) if column.cat.ordered else pl.Categorical
            columns[name] = pl.Series([None if pd.isna(v) else v for v in column], dtype=kind)
        else:
            columns[name] = pl.Series(column.to_numpy()).fill_nan(None)
    return pl.DataFrame(columns)


def as_arrow(frame):
    """Categories as dictionaries; gaps as null."""
    return pa.Table.from_pandas(frame, preserve_index=False)


def main():
    """Print one line a table and model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", default=",".join(REFERENCE))
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--models", default="MDN,GMM")
    parser.add_argument("--libraries", default="pandas,polars,arrow")
    options = parser.parse_args()
    print("table               model  splits  test NLL ± se      boosted mean  libraries    fit s")
    for name in options.tables.split(","):
        frames, y, test_rows = load(name)
        if name == "bike-hour":
            y = y[:, 0]
        for model_name in options.models.split(","):
            scores, seconds, same = [], [], True
            for split in range(min(options.splits, len(test_rows))):
                test = test_rows[split].astype(int)
                train = np.setdiff1d(np.arange(len(y)), test)
                rows = []
                for library in options.libraries.split(",") if split == 0 else ["pandas"]:
                    X = frames[library]
                    take = (
                        X.iloc.__getitem__ if library == "pandas" else X.take if library == "arrow" else X.__getitem__
                    )
                    start = time.perf_counter()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # repeated rows, levels that one split lacks
                        model = MODELS[model_name](random_state=split).fit(take(train), y[train])
                        seconds.append(time.perf_counter() - start)
                        rows.append(model.score_samples(take(test), y[test]))
                same &= all(np.array_equal(row, rows[0]) for row in rows)
                scores.append(-rows[0].mean())
            error = np.std(scores, ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else np.nan
            print(
                f"{name:18s}  {model_name:5s}  {len(scores):6d}  {np.mean(scores):8.3f} ± {error:.3f}  {REFERENCE[name]:12.3f}  "
                f"{'same bits' if same else 'DIFFER':11s}  {np.median(seconds):5.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
