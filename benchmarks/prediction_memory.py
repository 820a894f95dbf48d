"""Peak memory of the verbs of fitted models on a long table, beyond that of inputs and result; Linux only.

The goal: at most 64 MiB, whatever the number of rows. One process for all; the peak is the resident memory's.

    python benchmarks/prediction_memory.py [--rows 1000000] [--models "MDN,joint of 5"]
"""

import numpy as np

from condensity import JointGMMRegressor, MDNRegressor
from harness import Benchmark, forget_peak, resident_bytes, timed

MIB, FIT_ROWS, D = 2**20, 1500, 3

MODELS = {
    "MDN": (MDNRegressor(max_iter=20), 1),
    "MDN, log y": (MDNRegressor(max_iter=20, y_transform="log"), 1),
    "MDN from GMM": (MDNRegressor(max_iter=20, init="gmm"), 1),
    "10 MDNs": (MDNRegressor(max_iter=5, n_members=10), 1),
    "MDN of 5": (MDNRegressor(max_iter=20), 5),
    "MDN of 20": (MDNRegressor(max_iter=5, covariance_type="full"), 20),
    "joint": (JointGMMRegressor(), 1),
    "joint of 5": (JointGMMRegressor(), 5),
    "joint, gaps": (JointGMMRegressor(), 1),
}


def make_table(n, q, *, gaps, seed):
    """X (n, D) and positive y (n,) or (n, q)."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, D))
    y = np.exp(0.3 * (np.sin(2 * X[:, :1] + np.arange(q)) + 0.3 * rng.standard_normal((n, q))))
    if gaps:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X, y[:, 0] if q == 1 else y


def verbs_of(model, X, y):
    """Verbs of a fitted model with results of a few numbers per row, by name."""
    verbs = {
        "predict": lambda: model.predict(X),
        "score": lambda: model.score(X, y),
        "support": lambda: model.support(X),
    }
    if y.ndim == 1:
        verbs["quantiles"] = lambda: model.predict_quantiles(X)
        verbs["interval"] = lambda: model.predict_interval(X)
    return verbs


def main():
    """Print one line a model."""
    run = Benchmark(__doc__)
    run.option("--rows", type=int, default=1_000_000)
    run.option("--models", default=";".join(MODELS), help="names, with semicolons between")
    with run as options:
        run.line(f"{options.rows:,} rows; MiB beyond inputs and result, and microseconds per row")
        for name in options.models.split(";"):
            model, q = MODELS[name]
            model.set_params(random_state=0).fit(*make_table(FIT_ROWS, q, gaps="gaps" in name, seed=0))
            X, y = make_table(options.rows, q, gaps="gaps" in name, seed=1)
            cells = {}
            for verb, call in verbs_of(model, X, y).items():
                before = resident_bytes()
                forget_peak()
                seconds, result = timed(call)
                beyond = (resident_bytes("VmHWM") - before - np.asarray(result).nbytes) / MIB
                cells[verb] = (beyond, seconds / options.rows * 1e6)
            del X, y
            text = "  ".join(f"{verb} {mib:6.1f} ({micro:.2f})" for verb, (mib, micro) in cells.items())
            run.line(f"{name:13s}  {text}", model=name, cells=cells)


if __name__ == "__main__":
    main()
