"""NLL − H* of the default models on problems whose conditional density is known, mean of fixed seeds.

python benchmarks/known_problems.py [--n-samples 2000] [--seeds 5] [--test-rows 100000] [--problems odd|all]

Seeds 0, 1, … draw the training rows and drive the fit; the test rows are drawn with
seed 10⁶. NLL − H* is given twice: literally, with the exact H*, and as the mean of log p − log p̂ on the same test rows, whose
Monte-Carlo noise is far smaller.
"""

import numpy as np

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets import synthetic
from harness import Benchmark, timed

ALL = {
    **synthetic.ODD_SETS,
    "Bishop inverse": synthetic.make_bishop_inverse,
    "two-branch": synthetic.make_two_branch,
}
MODELS = {"MDN (default)": MDNRegressor, "joint GMM (auto)": JointGMMRegressor}


def fit_and_score(make, make_model, seed, n_samples, test):
    """Score, seconds and convergence of one fit."""
    train = make(n_samples, random_state=seed)
    seconds, model = timed(lambda: make_model(random_state=seed).fit(train.X, train.y))
    return model.score(test.X, test.y), seconds, model.converged_


def main():
    """Fit, score and print one line a problem and model."""
    run = Benchmark(__doc__)
    run.option("--n-samples", type=int, default=2000)
    run.option("--seeds", type=int, default=5)
    run.option("--test-rows", type=int, default=100_000)
    run.option("--problems", choices=["odd", "all"], default="all")
    with run as options:
        run.line(f"{'problem':16}{'model':18}{'NLL − H*':>10}{'paired':>10}{'sd':>8}{'fit s':>8}{'converged':>11}")
        for name, make in (synthetic.ODD_SETS if options.problems == "odd" else ALL).items():
            test = make(options.test_rows, random_state=1_000_000)
            truth = float(test.log_density(test.X, test.y).mean())
            for label, make_model in MODELS.items():
                fits = [fit_and_score(make, make_model, seed, options.n_samples, test) for seed in range(options.seeds)]
                scores, seconds, converged = (np.array(column) for column in zip(*fits, strict=True))
                excess, paired = -scores.mean() - test.conditional_entropy, truth - scores
                deviation = paired.std(ddof=1) if len(fits) > 1 else np.nan
                run.line(
                    f"{name:16}{label:18}{excess:10.4f}{paired.mean():10.4f}{deviation:8.4f}{np.median(seconds):8.2f}"
                    f"{converged.sum():8d}/{len(fits)}",
                    problem=name,
                    model=label,
                    excess=excess,
                    paired=paired,
                    seconds=seconds,
                    converged=converged,
                )


if __name__ == "__main__":
    main()
