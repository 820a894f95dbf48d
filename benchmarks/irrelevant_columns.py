"""Test NLL of a joint mixture with a column added that says nothing about y, less that of the table without it.

Each of the tables gets a random binary column, a constant, a copy of its first column, and a column of normal noise. The goal
is at most .02 nats a table, as a mean over the seeds.

    python benchmarks/irrelevant_columns.py [--tables yacht,two-branch] [--rows 1500] [--seeds 3]
"""

from pathlib import Path

import numpy as np

from condensity import JointGMMRegressor
from condensity.datasets import synthetic
from harness import SHARED_DATA, Benchmark

UCI = ("yacht", "concrete", "energy", "kin8nm", "power-plant")
REAL = ("quakes", "geyser", "parkinsons")
SYNTHETIC = {
    "two-branch": synthetic.make_two_branch,
    "inverse-wave": synthetic.make_inverse_wave,
    "noisy-wave": synthetic.make_noisy_wave,
}
TEST_ROWS = 3000


def added_columns(X, rng):
    """By name, columns (n, 1) that say nothing about y beside X."""
    n = len(X)
    return {
        "binary": rng.integers(0, 2, (n, 1)).astype(float),
        "constant": np.ones((n, 1)),
        "copy": X[:, :1].copy(),
        "noise": rng.normal(size=(n, 1)),
    }


def load(folder, name, n_rows, seed):
    """X, y and a mask of the training rows, at most n_rows of them."""
    rng = np.random.default_rng(seed)
    if name in SYNTHETIC:
        parts = [SYNTHETIC[name](n, random_state=2 * seed + i) for i, n in enumerate((min(n_rows, 1000), TEST_ROWS))]
        X, y = np.concatenate([part.X for part in parts]), np.concatenate([part.y for part in parts])
        return X.reshape(len(y), -1), y, np.arange(len(y)) < len(parts[0].y)
    data = np.load(folder / ("uci" if name in UCI else "real") / f"{name}.npz", allow_pickle=True)
    X, y = np.asarray(data["X"], float), np.asarray(data["y"], float)
    test = np.zeros(len(y), bool)
    test[np.asarray(data["test_idx"][seed], int)] = True
    train = rng.permutation(np.flatnonzero(~test))
    test[train[n_rows:]] = True
    return X, y, ~test


def main():
    """Print one line a table."""
    run = Benchmark(__doc__)
    run.option("--data", type=Path, default=SHARED_DATA, help="folder with the folders uci and real")
    run.option("--tables", default=",".join([*UCI, *REAL, *SYNTHETIC]))
    run.option("--rows", type=int, default=1500, help="training rows of a table, at most")
    run.option("--seeds", type=int, default=3)
    with run as options:
        run.line("table          rows   test NLL  |  binary  constant    copy   noise   (nats more than without)")
        for name in options.tables.split(","):
            losses = []
            for seed in range(options.seeds):
                X, y, train = load(options.data, name, options.rows, seed)
                tables = {"": X} | {
                    kind: np.column_stack([X, column])
                    for kind, column in added_columns(X, np.random.default_rng(1000 + seed)).items()
                }
                fits = [JointGMMRegressor(random_state=seed).fit(T[train], y[train]) for T in tables.values()]
                losses.append([-fit.score(T[~train], y[~train]) for fit, T in zip(fits, tables.values(), strict=True)])
            mean = np.mean(losses, axis=0)
            more = dict(zip(list(tables)[1:], mean[1:] - mean[0], strict=True))
            run.line(
                f"{name:13s} {train.sum():5d}  {mean[0]:9.3f}  |  "
                + "  ".join(f"{value:+.3f}" for value in more.values()),
                table=name,
                nll=mean[0],
                more=more,
                all=losses,
            )


if __name__ == "__main__":
    main()
