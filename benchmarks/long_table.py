"""Rows per second and peak memory of `condensity score` and `predict` on a Parquet file that does not fit into it.

    python benchmarks/long_table.py [--rows 50000000] [--folder DIR]

Two features, one category, one target; the model is the default network fitted to 5000 rows. One process a command; its peak
resident memory is what the kernel says when it ends.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

ROWS_A_GROUP = 2**20


def write_table(path, n_rows):
    """Rows y = sin 2x + [kind = b] + noise that grows with z, in row groups."""
    rng, writer = np.random.default_rng(0), None
    for start in range(0, n_rows, ROWS_A_GROUP):
        n = min(ROWS_A_GROUP, n_rows - start)
        x, z, kind = rng.normal(size=n), rng.uniform(size=n), rng.integers(0, 3, n)
        y = np.sin(2 * x) + (kind == 1) + (0.1 + 0.5 * z) * rng.normal(size=n)
        kinds = pa.DictionaryArray.from_arrays(pa.array(kind, pa.int8()), ["a", "b", "c"])
        table = pa.table({"x": x, "z": z, "kind": kinds, "y": y})
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def run(*arguments):
    """Seconds, peak resident MiB and output of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "condensity.cli", *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {arguments}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output.strip()


def main():
    """Print one line a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--predict-rows", type=int, default=5_000_000)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        folder = Path(folder)
        for name, rows in (("small", 5000), ("medium", options.predict_rows), ("long", options.rows)):
            write_table(folder / f"{name}.parquet", rows)
        print(f"long table: {(folder / 'long.parquet').stat().st_size / 2**20:,.0f} MiB on disk", flush=True)
        model = folder / "model.condensity"
        print(run("fit", folder / "small.parquet", "--target", "y", "-o", model)[2], flush=True)
        jobs = {
            "score": (options.rows, ("score", model, folder / "long.parquet")),
            "predict": (
                options.predict_rows,
                (
                    "predict",
                    model,
                    folder / "medium.parquet",
                    "-o",
                    folder / "out.parquet",
                    "--quantiles",
                    ".05,.5,.95",
                ),
            ),
        }
        for name, (rows, arguments) in jobs.items():
            seconds, peak, output = run(*arguments)
            print(
                f"{name:8s} {rows:12,} rows  {seconds:7.1f} s  {rows / seconds:10,.0f} rows/s  peak {peak:5.0f} MiB   {output}",
                flush=True,
            )


if __name__ == "__main__":
    main()
