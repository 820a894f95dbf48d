"""Rows per second and peak memory of `condensity score` and `predict` on a Parquet file that does not fit into it.

    python benchmarks/long_table.py [--rows 50000000] [--folder DIR]

Two features, one category, one target; the model is the default network fitted to 5000 rows. One process a command; its peak
resident memory is what the kernel says when it ends.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from harness import Benchmark

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


def run_command(*arguments):
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
    run = Benchmark(__doc__)
    run.option("--rows", type=int, default=50_000_000)
    run.option("--predict-rows", type=int, default=5_000_000)
    run.option("--folder", default=None)
    with run as options, tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        sizes = {"small": 5000, "medium": options.predict_rows, "long": options.rows}
        small, medium, long = (folder / f"{size}.parquet" for size in sizes)
        for path, rows in zip((small, medium, long), sizes.values(), strict=True):
            write_table(path, rows)
        model = folder / "model.condensity"
        run.line(f"long table: {long.stat().st_size / 2**20:,.0f} MiB on disk")
        run.line(run_command("fit", small, "--target", "y", "-o", model)[2])
        answers = ["-o", folder / "out.parquet", "--quantiles", ".05,.5,.95"]
        for command, rows in (
            (["score", model, long], options.rows),
            (["predict", model, medium, *answers], options.predict_rows),
        ):
            seconds, peak, output = run_command(*command)
            run.line(
                f"{command[0]:8s} {rows:12,} rows  {seconds:7.1f} s  {rows / seconds:10,.0f} rows/s  "
                f"peak {peak:5.0f} MiB   {output}",
                command=command[0],
                rows=rows,
                seconds=seconds,
                peak_mib=peak,
            )


if __name__ == "__main__":
    main()
