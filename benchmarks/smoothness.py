"""Jitter and symmetry: how far predicted densities are from the true ones, and from their own mirror images.

    OMP_NUM_THREADS=1 python benchmarks/smoothness.py [--rows 2000] [--seeds 3]

On the four odd sets, each of which has p(y | x) = p(−y | −x): the total variation between predicted and true p(y | x), and
between predicted p(y | x) and p(−y | −x), means over 200 x between the 1 % and 99 % quantiles of the data. For
`MDNRegressor.from_blog()`, scikit-learn's GaussianMixture(40), conditioned, the default, and ten networks. The goal: the
default's figures are at most half of the better of the first two.
"""

import argparse
import sys
import warnings

import numpy as np
from sklearn.mixture import GaussianMixture

from condensity import MDNRegressor, Mixture
from condensity.datasets import synthetic

SETS = (synthetic.make_noisy_wave, synthetic.make_inverse_wave, synthetic.make_ring, synthetic.make_cross)
X_POINTS, Y_POINTS = 200, 4001


def joint_mixture(train, seed):
    """From x to the conditional mixture of scikit-learn's joint mixture of 40 components."""
    model = GaussianMixture(40, random_state=seed).fit(np.column_stack([train.X, train.y]))
    joint = Mixture(weights=model.weights_[None], means=model.means_[None], covariances=model.covariances_[None])
    return lambda x: joint[np.zeros(len(x), dtype=int)].condition({0: x[:, 0]})


def models(train, seed):
    """Name → x → mixture."""
    fitted = {
        "from_blog": MDNRegressor.from_blog(random_state=seed),
        "default": MDNRegressor(random_state=seed),
        "ten networks": MDNRegressor(n_members=10, random_state=seed),
    }
    predict = {name: model.fit(train.X, train.y).predict_dist for name, model in fitted.items()}
    return {"from_blog": predict.pop("from_blog"), "GMM(40)": joint_mixture(train, seed), **predict}


def total_variation(one, other, step):
    """Mean over rows of ½ ∫ |p − q| dy, for densities (n, g) on a grid."""
    return float(np.mean(0.5 * np.abs(one - other).sum(axis=1) * step))


def main():
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the post's network is not expected to settle
    for make in SETS:
        truth_error: dict = {}
        mirror_error: dict = {}
        for seed in range(options.seeds):
            train = make(options.rows, random_state=seed)
            run_until = float(np.quantile(np.abs(train.X), 0.98))
            x = np.linspace(-run_until, run_until, X_POINTS)[:, None]
            edge = 1.5 * float(np.abs(train.y).max())
            y = np.linspace(-edge, edge, Y_POINTS)
            step = y[1] - y[0]
            true = np.exp(train.log_density(np.repeat(x, Y_POINTS, axis=0), np.tile(y, X_POINTS))).reshape(X_POINTS, -1)
            for name, predict in models(train, seed).items():
                density = predict(x).pdf(y[None])
                mirrored = predict(-x).pdf(-y[None])
                truth_error.setdefault(name, []).append(total_variation(density, true, step))
                mirror_error.setdefault(name, []).append(total_variation(density, mirrored, step))
        for what, errors in (("truth", truth_error), ("mirror", mirror_error)):
            means = {name: float(np.mean(values)) for name, values in errors.items()}
            better = min(means["from_blog"], means["GMM(40)"])
            shown = "   ".join(f"{name} {value:.4f}" for name, value in means.items())
            sys.stdout.write(
                f"{make.__name__[5:]:14s} to its {what:6s}  {shown}   default / better {means['default'] / better:.2f}\n"
            )


if __name__ == "__main__":
    main()
