"""Fitting by `MDNRegressor` against scikit-learn's `GaussianMixture(full)`, conditioned: the two-branch problem, one thread.

    OMP_NUM_THREADS=1 python benchmarks/training.py [--seeds 7] [--rows 1000 5000]

For every seed all models are fitted once, one after the other, on the same data; times are those of the public `fit()`, the
medians over seeds, ratios to GMM(40) first. Test sets have 10⁵ rows; NLL in nats, mean over seeds and its standard error.
The fixed budget was chosen beforehand, on seeds 100 to 109: batches of 64, rate 0.03, 12 epochs at 1000 rows and 8 at 5000.
"""

import argparse
import os
import platform
import statistics
import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.mixture import GaussianMixture

from condensity import MDNRegressor, Mixture
from condensity.datasets.synthetic import make_two_branch
from condensity.engines import native

N_TEST = 100_000


class ConditionedGMM:
    """scikit-learn's mixture of (x, y), and the conditional log density that follows from it."""

    def __init__(self, n_components, seed):
        self.model = GaussianMixture(n_components, covariance_type="full", random_state=seed)

    def fit(self, X, y):
        """Fit the joint density."""
        self.model.fit(np.column_stack([X, y]))

    def score(self, X, y):
        """Mean conditional log density."""
        joint = Mixture(
            weights=self.model.weights_[None], means=self.model.means_[None], covariances=self.model.covariances_[None]
        )
        pieces = np.array_split(np.arange(len(y)), 100)
        return np.mean(np.concatenate([
            joint[np.zeros(len(rows), dtype=int)].condition({0: X[rows, 0]}).logpdf(y[rows]) for rows in pieces
        ]))  # fmt: skip


def models(n, seed):
    """Name → unfitted model."""
    post = {"hidden_layer_sizes": (25, 10), "activation": "tanh", "n_components": 10, "random_state": seed}
    epochs = 12 if n <= 2000 else 8
    return {
        "GMM(40)": ConditionedGMM(40, seed),
        "GMM(20)": ConditionedGMM(20, seed),
        "GMM(10)": ConditionedGMM(10, seed),
        "MDN, fixed budget": MDNRegressor(
            max_iter=epochs, batch_size=64, learning_rate_init=0.03, early_stopping=False, **post
        ),
        "MDN, default": MDNRegressor(random_state=seed),
    }


def main():
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=7)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 5000])
    options = parser.parse_args()
    sys.stdout.write(
        f"Python {platform.python_version()}, NumPy {np.__version__}, scikit-learn {sklearn.__version__}, {platform.machine()}, "
        f"instruction set {native.isa()}, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}\n"
    )
    warnings.simplefilter("ignore")  # an unsettled run of a fixed budget is what was asked for
    for n in options.rows:
        seconds, loss = {}, {}
        for seed in range(options.seeds):
            train, test = make_two_branch(n, random_state=seed), make_two_branch(N_TEST, random_state=10_000 + seed)
            for name, model in models(n, seed).items():
                start = time.perf_counter()
                model.fit(train.X, train.y)
                seconds.setdefault(name, []).append(time.perf_counter() - start)
                loss.setdefault(name, []).append(-model.score(test.X, test.y))
        base = statistics.median(seconds["GMM(40)"])
        for name, times in seconds.items():
            error = statistics.stdev(loss[name]) / len(times) ** 0.5 if len(times) > 1 else float("nan")
            sys.stdout.write(
                f"n = {n:5d}  {name:18s} {base / statistics.median(times):6.1f}×  {statistics.median(times) * 1e3:8.2f} ms "
                f"({min(times) * 1e3:.1f} to {max(times) * 1e3:.1f})   NLL {statistics.mean(loss[name]):.4f} ± {error:.4f}\n"
            )


if __name__ == "__main__":
    main()
