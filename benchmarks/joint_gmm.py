"""The joint Gaussian mixture against scikit-learn's (fits), its 40 components (the sweep) and gmr (conditioning), one thread.

    python3 -m venv peer && peer/bin/pip install gmr==2.0.3
    python benchmarks/joint_gmm.py [--part fits sweep conditioning] [--gmr peer/bin/python] [--repeats 7]

fits: K = 40 full on blobs. Both climb the same likelihood, without a prior, and stop when it changes by less than 1e-3 a row,
scikit-learn's rule; each repeat draws other rows, fits both one after the other, and scores both on 2·10⁴ fresh rows. 'default'
is ours with its prior and tol=1e-4.
sweep: the whole of JointGMMRegressor().fit() at n = 1000 on nine problems of one input, 10 seeds, beside one scikit-learn fit of
K = 40 and its NLL, conditioned, on 2·10⁴ test rows.
conditioning: y given x for 10⁵ rows, K = 10 and 40 over d = 5 inputs. gmr runs in its own environment: `condition`, a mixture for
one row at a time, on 300 of the rows (its time is in proportion), and `predict`, the means alone, on all; means are compared.
"""

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.mixture import GaussianMixture

from condensity import JointGMMRegressor
from condensity.datasets import synthetic
from condensity.em import CovarianceSpec, fit_gmm, log_density
from harness import Benchmark, Times, timed
from peers import ConditionedGMM

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


def joint_fits(x, seed):
    """Name → a whole fit of 40 components to rows x, as (function that scores rows, number of steps)."""

    def peer():
        model = GaussianMixture(40, random_state=seed).fit(x)
        return model.score, model.n_iter_

    def ours(spec, **options):
        fit = fit_gmm(x, 40, np.random.default_rng(seed), spec=spec, **options)
        return lambda rows: log_density(fit.parameters, rows).mean(), fit.n_iter

    return {
        "scikit-learn": peer,
        "condensity": lambda: ours(CovarianceSpec(prior=0.0), tol=1e-3),
        "default": lambda: ours(CovarianceSpec()),
    }


def compare_fits(run, repeats, max_rows):
    """Whole fits of 40 components."""
    for n, d in SIZES:
        if n > max_rows:
            continue
        seconds, scores, steps = {}, {}, {}
        for seed in range(repeats):
            train, test = blobs(n, d, seed)
            for name, fit in joint_fits(train, seed).items():
                took, (score, n_iter) = timed(fit)
                for figures, value in ((seconds, took), (scores, score(test)), (steps, n_iter)):
                    figures.setdefault(name, []).append(value)
        times = {name: Times(tuple(values)) for name, values in seconds.items()}
        for name, each in times.items():
            speedup = each.speedup(times["scikit-learn"])
            run.line(
                f"n = {n:6d}, d = {d:2d}  {name:13s} {speedup:6.1f}×  {each}  {statistics.mean(steps[name]):5.1f} steps  "
                f"test log likelihood {statistics.mean(scores[name]):8.4f}",
                rows=n,
                columns=d,
                model=name,
                speedup=speedup,
                times=each,
                steps=steps[name],
                scores=scores[name],
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


def known_problem(make):
    """(n, random_state) → X, y of a synthetic problem."""

    def draw(n, random_state):
        problem = make(n, random_state=random_state)
        return problem.X, problem.y

    return draw


PROBLEMS = {
    **{name: known_problem(make) for name, make in synthetic.ODD_SETS.items()},
    "Bishop inverse": known_problem(synthetic.make_bishop_inverse),
    "two-branch": known_problem(synthetic.make_two_branch),
    "EconDensity": econ,
    "SkewNormal": skew_normal,
    "branching": branching,
}


def compare_sweep(run, seeds, n=1000, n_test=20_000):
    """The choice of K, whole, against one fit of K = 40."""
    better, ratios = 0, []
    for name, draw in PROBLEMS.items():
        seconds, losses, chosen = {"sweep": [], "GMM(40)": []}, {"sweep": [], "GMM(40)": []}, []
        X_test, y_test = draw(n_test, 10**6)
        for seed in range(seeds):
            X, y = draw(n, seed)
            models = {"sweep": JointGMMRegressor(random_state=seed), "GMM(40)": ConditionedGMM(40, seed)}
            for key, model in models.items():
                seconds[key].append(timed(lambda m=model, X=X, y=y: m.fit(X, y))[0])
                losses[key].append(-model.score(X_test, y_test))
            chosen.append(models["sweep"].joint_.n_components)
        sweep, peer = (Times(tuple(values)) for values in seconds.values())
        ours, theirs = (float(np.mean(values)) for values in losses.values())
        ratios.append(sweep.speedup(peer))
        better += ours < theirs
        run.line(
            f"{name:15s} sweep {sweep}, NLL {ours:8.4f} (K {min(chosen)} to {max(chosen)})   GMM(40) {peer}, "
            f"NLL {theirs:8.4f}   {ratios[-1]:5.2f}×",
            problem=name,
            sweep=sweep,
            peer=peer,
            nll=ours,
            peer_nll=theirs,
            chosen=chosen,
            speedup=ratios[-1],
        )
    median = statistics.median(ratios)
    run.line(
        f"lower NLL on {better} of {len(PROBLEMS)} problems; median time ratio {median:.2f}×",
        better=better,
        speedup=median,
    )


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


def compare_conditioning(run, gmr, repeats, d=5, n=100_000):
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
        times, by_row, means = (Times(tuple(values)) for values in (ours, *zip(*theirs, strict=True)))
        run.line(
            f"K = {n_components}, d = {d}, {n} rows: {times.speedup(by_row):.0f}× condition, "
            f"{times.speedup(means):.1f}× predict;  "
            f"condensity {times}, gmr {by_row.median:.1f} s and {means.median:.2f} s; means differ by at most {apart:.1e}",
            n_components=n_components,
            times=times,
            gmr_condition=by_row,
            gmr_predict=means,
            apart=apart,
        )


def main():
    """Run the parts asked for."""
    parts = ("fits", "sweep", "conditioning")
    run = Benchmark(__doc__)
    run.option("--part", nargs="+", default=parts, choices=parts)
    run.option("--gmr", help="a Python with gmr installed; without it, that part is left out")
    run.option("--repeats", type=int, default=7)
    run.option("--seeds", type=int, default=10, help="of the sweep")
    run.option("--max-rows", type=int, default=100_000, help="of the fits")
    with run as options:
        if "fits" in options.part:
            compare_fits(run, options.repeats, options.max_rows)
        if "sweep" in options.part:
            compare_sweep(run, options.seeds)
        if "conditioning" in options.part and options.gmr:
            compare_conditioning(run, options.gmr, options.repeats)


if __name__ == "__main__":
    main()
