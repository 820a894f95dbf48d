"""The joint Gaussian mixture against scikit-learn's (fits), its 40 components (the sweep) and gmr (conditioning), one thread.

    python3 -m venv peer && peer/bin/pip install gmr==2.0.3
    OMP_NUM_THREADS=1 python benchmarks/joint_gmm.py [--part fits sweep conditioning] [--gmr peer/bin/python] [--repeats 7]

fits: K = 40 full on blobs. Both climb the same likelihood, without a prior, and stop when it changes by less than 1e-3 a row,
scikit-learn's rule; each repeat draws other rows, fits both one after the other, and scores both on 2·10⁴ fresh rows. 'default'
is ours with its prior and tol=1e-4.
sweep: the whole of JointGMMRegressor().fit() at n = 1000 on nine problems of one input, 10 seeds, beside one scikit-learn fit of
K = 40 and its NLL, conditioned, on 2·10⁴ test rows.
conditioning: y given x for 10⁵ rows, K = 10 and 40 over d = 5 inputs. gmr runs in its own environment: `condition`, a mixture for
one row at a time, on 300 of the rows (its time is in proportion), and `predict`, the means alone, on all; means are compared.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.mixture import GaussianMixture

from condensity import JointGMMRegressor, Mixture
from condensity.datasets import synthetic
from condensity.em import CovarianceSpec, fit_gmm, log_density
from condensity.engines import native

SIZES = [(1000, 2), (5000, 2), (100_000, 2), (10_000, 10), (100_000, 10)]


def blobs(n, d, seed):
    """Standardised rows of ten correlated blobs, and 2·10⁴ fresh ones."""
    rng = np.random.default_rng(seed)
    shapes = [(0.3 * rng.normal(size=(d, d)), 2.0 * rng.normal(size=d)) for _ in range(10)]
    train, test = (
        np.concatenate([rng.normal(size=(m // 10, d)) @ factor + center for factor, center in shapes])
        for m in (n, 20_000)
    )
    center, scale = train.mean(axis=0), train.std(axis=0)
    return (train - center) / scale, (test - center) / scale


def timed(function):
    """Seconds, and what came of it."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def compare_fits(repeats):
    """Whole fits of 40 components."""
    for n, d in SIZES:
        seconds, scores, steps = {}, {}, {}
        for seed in range(repeats):
            train, test = blobs(n, d, seed)
            runs = {
                "scikit-learn": lambda x=train, s=seed: GaussianMixture(40, random_state=s).fit(x),
                "condensity": lambda x=train, s=seed: fit_gmm(
                    x, 40, np.random.default_rng(s), spec=CovarianceSpec(prior=0.0), tol=1e-3
                ),
                "default": lambda x=train, s=seed: fit_gmm(x, 40, np.random.default_rng(s), spec=CovarianceSpec()),
            }
            for name, run in runs.items():
                took, fit = timed(run)
                theirs = name == "scikit-learn"
                seconds.setdefault(name, []).append(took)
                scores.setdefault(name, []).append(
                    fit.score(test) if theirs else log_density(fit.parameters, test).mean()
                )
                steps.setdefault(name, []).append(fit.n_iter_ if theirs else fit.n_iter)
        for name in seconds:
            ratio = statistics.median(a / b for a, b in zip(seconds["scikit-learn"], seconds[name], strict=True))
            print(
                f"n = {n:6d}, d = {d:2d}  {name:13s} {ratio:6.1f}×  {statistics.median(seconds[name]) * 1e3:9.1f} ms "
                f"({min(seconds[name]) * 1e3:.1f} to {max(seconds[name]) * 1e3:.1f})  {statistics.mean(steps[name]):5.1f} steps  "
                f"test log likelihood {statistics.mean(scores[name]):8.4f}",
                flush=True,
            )


def econ(n, random_state):
    """EconDensity."""
    rng = np.random.default_rng(random_state)
    x = np.abs(rng.normal(size=n))
    return x[:, None], x**2 + (1.0 + x) * rng.normal(size=n)


def skew_normal(n, random_state):
    """SkewNormal: location, scale and skewness move with x."""
    rng = np.random.default_rng(random_state)
    x = 0.5 * rng.normal(size=n)
    alpha = -4.0 + 4.0 / (1.0 + np.exp(-x))
    return x[:, None], stats.skewnorm.rvs(alpha, 0.1 * x, 0.05 + 0.1 * x**2, random_state=rng)


def branching(n, random_state):
    """Branches that split off at 0, .33 and .66."""
    rng = np.random.default_rng(random_state)
    x = rng.random(n)
    starts = np.array([0.0, 0.33, 0.66])
    n_branches = 1 + (starts <= x[:, None]).sum(axis=1)
    branch = rng.integers(0, n_branches)
    center = np.where(branch == 0, x, 2.0 * starts[np.maximum(branch - 1, 0)] - x)
    return x[:, None], center + 0.1 * rng.normal(size=n)


def _known(make):
    def draw(n, random_state):
        problem = make(n, random_state=random_state)
        return problem.X, problem.y

    return draw


PROBLEMS = {
    **{name: _known(make) for name, make in synthetic.ODD_SETS.items()},
    "Bishop inverse": _known(synthetic.make_bishop_inverse),
    "two-branch": _known(synthetic.make_two_branch),
    "EconDensity": econ,
    "SkewNormal": skew_normal,
    "branching": branching,
}


def conditioned_score(mixture, X, y):
    """Mean log p(y | x) of scikit-learn's joint mixture."""
    joint = Mixture(weights=mixture.weights_[None], means=mixture.means_[None], covariances=mixture.covariances_[None])
    pieces = np.array_split(np.arange(len(y)), 20)
    return np.mean(np.concatenate([
        joint[np.zeros(len(rows), dtype=int)].condition({0: X[rows, 0]}).logpdf(y[rows]) for rows in pieces
    ]))  # fmt: skip


def compare_sweep(seeds=10, n=1000):
    """The choice of K, whole, against one fit of K = 40."""
    better, ratios = 0, []
    for name, draw in PROBLEMS.items():
        seconds, losses, chosen = {"sweep": [], "GMM(40)": []}, {"sweep": [], "GMM(40)": []}, []
        X_test, y_test = draw(20_000, 10**6)
        for seed in range(seeds):
            X, y = draw(n, seed)
            model = JointGMMRegressor(random_state=seed)
            took, _ = timed(lambda m=model, X=X, y=y: m.fit(X, y))
            seconds["sweep"].append(took)
            losses["sweep"].append(-model.score(X_test, y_test))
            chosen.append(model.joint_.n_components)
            theirs, z = GaussianMixture(40, random_state=seed), np.column_stack([X, y])
            took, _ = timed(lambda m=theirs, z=z: m.fit(z))
            seconds["GMM(40)"].append(took)
            losses["GMM(40)"].append(-conditioned_score(theirs, X_test, y_test))
        ours, peer = (np.mean(losses[key]) for key in losses)
        ratio = statistics.median(a / b for a, b in zip(seconds["GMM(40)"], seconds["sweep"], strict=True))
        ratios.append(ratio)
        better += ours < peer
        print(
            f"{name:15s} sweep {statistics.median(seconds['sweep']) * 1e3:6.1f} ms, NLL {ours:8.4f} (K {min(chosen)} to "
            f"{max(chosen)})   GMM(40) {statistics.median(seconds['GMM(40)']) * 1e3:6.1f} ms, NLL {peer:8.4f}   {ratio:5.2f}×",
            flush=True,
        )
    print(f"lower NLL on {better} of {len(PROBLEMS)} problems; median time ratio {statistics.median(ratios):.2f}×")


GMR = """
import json, sys, time
import numpy as np
from gmr import GMM
data = np.load(sys.argv[1])
gmm = GMM(len(data["weights"]), data["weights"], data["means"], data["covariances"])
d = data["x"].shape[1]
start = time.perf_counter()
rows = [gmm.condition(np.arange(d), row) for row in data["x"][:300]]
by_row = (time.perf_counter() - start) / 300 * len(data["x"])
start = time.perf_counter()
mean = gmm.predict(np.arange(d), data["x"])
np.save(sys.argv[1] + ".npy", mean)
print(json.dumps([by_row, time.perf_counter() - start]))
"""


def compare_conditioning(gmr, repeats, d=5, n=100_000):
    """p(y | x) of many rows: weights, means and scales."""
    for n_components in (10, 40):
        rng = np.random.default_rng(n_components)
        X = rng.normal(size=(n, d))
        y = X @ rng.normal(size=d) + np.abs(X[:, 0]) + rng.normal(size=n)
        model = JointGMMRegressor(n_components, random_state=0, max_iter=20).fit(X[:5000], y[:5000])
        joint = model.joint_
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "joint.npz"
            np.savez(path, weights=joint.weights[0], means=joint.means[0], covariances=joint.covariances[0], x=X)
            ours, theirs = [], []
            for _ in range(repeats):
                ours.append(timed(lambda m=model, X=X: m.predict_dist(X))[0])
                out = subprocess.run([gmr, "-c", GMR, str(path)], capture_output=True, text=True, check=True)
                theirs.append(json.loads(out.stdout))
            apart = np.abs(np.load(f"{path}.npy")[:, 0] - model.predict(X)).max()
        one, other = (statistics.median(a[i] / b for a, b in zip(theirs, ours, strict=True)) for i in (0, 1))
        by_row, means = (statistics.median(a[i] for a in theirs) for i in (0, 1))
        print(
            f"K = {n_components}, d = {d}, {n} rows: {one:.0f}× condition, {other:.1f}× predict;  condensity "
            f"{statistics.median(ours) * 1e3:.0f} ms, gmr {by_row:.1f} s and {means:.2f} s; means differ by at most {apart:.1e}",
            flush=True,
        )


def main():
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--part", nargs="+", default=["fits", "sweep", "conditioning"], choices=["fits", "sweep", "conditioning"]
    )
    parser.add_argument("--gmr", help="a Python with gmr installed; without it, that part is left out")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    versions = f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    print(
        f"Python {platform.python_version()}, {versions}, {platform.machine()}, {native.isa()}, OMP_NUM_THREADS={threads}"
    )
    warnings.simplefilter("ignore")
    if "fits" in options.part:
        compare_fits(options.repeats)
    if "sweep" in options.part:
        compare_sweep()
    if "conditioning" in options.part and options.gmr:
        compare_conditioning(options.gmr, options.repeats)


if __name__ == "__main__":
    sys.exit(main())
