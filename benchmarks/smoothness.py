"""Jitter and symmetry: how far predicted densities are from the true ones, and from their own mirror images.

    python benchmarks/smoothness.py [--rows 2000] [--seeds 3]

On the four odd sets, each of which has p(y | x) = p(−y | −x): the total variation between predicted and true p(y | x), and
between predicted p(y | x) and p(−y | −x), means over 200 x between the 1 % and 99 % quantiles of the data. For
`MDNRegressor.from_blog()`, scikit-learn's GaussianMixture(40), conditioned, the default, and ten networks. The goal: the
default's figures are at most half of the better of the first two.
"""

import numpy as np

from condensity import MDNRegressor
from condensity.datasets.synthetic import ODD_SETS
from harness import Benchmark
from peers import ConditionedGMM, condition_mixture

X_POINTS, Y_POINTS = 200, 4001


def models(train, seed):
    """Name → function of x that predicts a mixture."""
    fitted = {
        "from_blog": MDNRegressor.from_blog(random_state=seed),
        "default": MDNRegressor(random_state=seed),
        "ten networks": MDNRegressor(n_members=10, random_state=seed),
    }
    joint = ConditionedGMM(40, seed).fit(train.X, train.y).model
    predict = {name: model.fit(train.X, train.y).predict_dist for name, model in fitted.items()}
    return {"GMM(40)": lambda x: condition_mixture(joint, x), **predict}


def total_variation(one, other, step):
    """Mean over rows of ½ ∫ |p − q| dy, for densities (n, g) on a grid."""
    return float(np.mean(0.5 * np.abs(one - other).sum(axis=1) * step))


def distances(make, rows, seed):
    """Name → total variation to the truth, and to the mirror image."""
    train = make(rows, random_state=seed)
    end = float(np.quantile(np.abs(train.X), 0.98))
    x = np.linspace(-end, end, X_POINTS)[:, None]
    edge = 1.5 * float(np.abs(train.y).max())
    y, step = np.linspace(-edge, edge, Y_POINTS, retstep=True)
    true = np.exp(train.log_density(np.repeat(x, Y_POINTS, axis=0), np.tile(y, X_POINTS))).reshape(X_POINTS, -1)
    result = {}
    for name, predict in models(train, seed).items():
        density, mirrored = predict(x).pdf(y[None]), predict(-x).pdf(-y[None])
        result[name] = total_variation(density, true, step), total_variation(density, mirrored, step)
    return result


def main():
    """Fit and print."""
    run = Benchmark(__doc__)
    run.option("--rows", type=int, default=2000)
    run.option("--seeds", type=int, default=3)
    with run as options:
        for problem, make in ODD_SETS.items():
            by_seed = [distances(make, options.rows, seed) for seed in range(options.seeds)]
            for which, target in enumerate(("truth", "mirror")):
                means = {name: float(np.mean([each[name][which] for each in by_seed])) for name in by_seed[0]}
                ratio = means["default"] / min(means["from_blog"], means["GMM(40)"])
                shown = "   ".join(f"{name} {value:.4f}" for name, value in means.items())
                run.line(
                    f"{problem:14s} to its {target:6s}  {shown}   default / better {ratio:.2f}",
                    problem=problem,
                    target=target,
                    means=means,
                    ratio=ratio,
                )


if __name__ == "__main__":
    main()
