"""NLL − H* of the default models on problems whose conditional density is known, mean of fixed seeds.

python benchmarks/known_problems.py [--n-samples 2000] [--seeds 5] [--test-rows 100000] [--problems odd|all]

Run with one thread (OMP_NUM_THREADS=1). Seeds 0, 1, … draw the training rows and drive the fit; the test rows are drawn with
seed 10⁶. NLL − H* is given twice: literally, with the exact H*, and as the mean of log p − log p̂ on the same test rows, whose
Monte-Carlo noise is far smaller.
"""

import argparse
import os
import platform
import time
import warnings

import numpy as np
import scipy
import sklearn
from sklearn.exceptions import ConvergenceWarning

import condensity
from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets import synthetic

ALL = {
    **synthetic.ODD_SETS,
    "Bishop inverse": synthetic.make_bishop_inverse,
    "two-branch": synthetic.make_two_branch,
}
MODELS = {"MDN (default)": MDNRegressor, "joint GMM (auto)": JointGMMRegressor}


def main():
    """Fit, score and print one line a problem and model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--n-samples", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--test-rows", type=int, default=100_000)
    parser.add_argument("--problems", choices=["odd", "all"], default="all")
    arguments = parser.parse_args()
    print_environment()
    print(f"n = {arguments.n_samples}, seeds 0..{arguments.seeds - 1}, {arguments.test_rows} test rows")
    print(f"{'problem':16}{'model':18}{'NLL − H*':>10}{'paired':>10}{'sd':>8}{'fit s':>8}{'converged':>11}")
    for name, make in (synthetic.ODD_SETS if arguments.problems == "odd" else ALL).items():
        test = make(arguments.test_rows, random_state=1_000_000)
        truth = float(test.log_density(test.X, test.y).mean())
        for label, model in MODELS.items():
            runs = [run(make, model, seed, arguments.n_samples, test) for seed in range(arguments.seeds)]
            scores, seconds, converged = (np.array(column) for column in zip(*runs, strict=True))
            paired = truth - scores
            print(
                f"{name:16}{label:18}{-scores.mean() - test.conditional_entropy:10.4f}{paired.mean():10.4f}"
                f"{paired.std(ddof=1) if len(runs) > 1 else np.nan:8.4f}{np.median(seconds):8.2f}"
                f"{converged.sum():8d}/{len(runs)}",
                flush=True,
            )


def run(make, model, seed, n_samples, test):
    """Score, seconds and convergence of one fit."""
    train = make(n_samples, random_state=seed)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # reported in the last column
        fitted = model(random_state=seed).fit(train.X, train.y)
    seconds = time.perf_counter() - start
    return fitted.score(test.X, test.y), seconds, fitted.converged_


def print_environment():
    """What the figures were measured with."""
    versions = f"condensity {condensity.__version__}, numpy {np.__version__}, scipy {scipy.__version__}"
    print(f"{versions}, scikit-learn {sklearn.__version__}, Python {platform.python_version()}")
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    print(f"{platform.machine()}, {os.cpu_count()} cores, OMP_NUM_THREADS {threads}")


if __name__ == "__main__":
    main()
