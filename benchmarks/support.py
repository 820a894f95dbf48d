"""Knowing where there is no data: validity and power of p-values, the cost of the gate, edges, p(x, y), p(x | y), and time.

    python benchmarks/support.py [--part validity power edges joint reverse time] [--seeds 20] [--uci DIR]

validity  share of fresh rows like the training rows with support ≤ α, over seeds, and the bound: α, plus what a beta-binomial
          count can exceed it by (Bonferroni over all cells, 5 %). Also the mean of 1 − g on fresh rows.
power     AUROC of log p̂(x) against that of the true log p(x), for three kinds of outliers; joint mixtures by criterion='joint'.
edges     x even over the range of the data, widened by half of it on both sides; y from the deficient mixture.
joint     ∫∫ p(x, y) by quadrature, and held-out log p(x, y) of both models.
reverse   total variation of p(x | y) from the exact one, ranks of simulated inputs, and both models beside each other.
time      the fit with a support model beside the fit without, interleaved.
"""

from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets.synthetic import ODD_SETS
from harness import Benchmark, interleaved, timed

ALPHAS = (0.01, 0.05, 0.1)
MODELS = {"MDN": MDNRegressor, "GMM": JointGMMRegressor}


# ------------------------------------------------------------------------------------------------ inputs with a known density
class Even:
    """x ~ U(−3, 3)."""

    d = 1

    def draw(self, n, rng):
        """Rows (n, 1)."""
        return rng.uniform(-3.0, 3.0, (n, 1))


class Circle:
    """A ring in two dimensions: radius N(4, 1)."""

    d = 2

    def draw(self, n, rng):
        """Rows (n, 2)."""
        angle, radius = rng.uniform(0.0, 2.0 * np.pi, n), rng.normal(4.0, 1.0, n)
        return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])

    def log_density(self, x):
        """Log p up to a constant."""
        radius = np.hypot(x[:, 0], x[:, 1])
        return np.logaddexp(-0.5 * (radius - 4.0) ** 2, -0.5 * (radius + 4.0) ** 2) - np.log(radius)


class Warped:
    """Four clusters in d dimensions: means N(0, 9 I), covariance factors with singular values in [.3, 1.5], then x₁ += .3 x₂²."""

    def __init__(self, d, seed):
        rng = np.random.default_rng(seed)
        self.d, self.means = d, rng.normal(0.0, 3.0, (4, d))
        turns = [[np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(2)] for _ in range(4)]
        self.factors = np.array([left * rng.uniform(0.3, 1.5, d) @ right for left, right in turns])

    def draw(self, n, rng):
        """Rows (n, d)."""
        cluster = rng.integers(4, size=n)
        x = self.means[cluster] + np.einsum("nij,nj->ni", self.factors[cluster], rng.normal(size=(n, self.d)))
        x[:, 0] += 0.3 * x[:, 1] ** 2
        return x

    def log_density(self, x):
        """Log p up to a constant; the warp keeps volumes."""
        flat = x.copy()
        flat[:, 0] -= 0.3 * flat[:, 1] ** 2
        terms = [
            -0.5 * (np.linalg.solve(factor, (flat - mean).T) ** 2).sum(axis=0) - np.linalg.slogdet(factor)[1]
            for mean, factor in zip(self.means, self.factors, strict=True)
        ]
        return logsumexp(terms, axis=0)


def with_target(x, rng):
    """Any target: p(x) does not look at it, and a network of two steps is fitted faster."""
    return x, x[:, 0] + rng.normal(size=len(x))


def fitted(name, x, y, seed, **options):
    """A model of which only the inputs matter here."""
    cheap = {
        "max_iter": 2,
        "hidden_layer_sizes": (4,),
        "numeric_encoding": None,
        "refit": False,
        "early_stopping": False,
    }
    model = (
        MDNRegressor(random_state=seed, **cheap) if name == "MDN" else JointGMMRegressor(random_state=seed, **options)
    )
    return model.fit(x, y)


# ------------------------------------------------------------------------------------------------ validity
def count_alarms(model, fresh):
    """Alarms at each α, number of calibration rows, and the mean of 1 − g."""
    p_values = model.support(fresh)
    cost = float(np.mean(1.0 - model.predict_dist(fresh, outside="deficient").mass))
    return [int((p_values <= alpha).sum()) for alpha in ALPHAS], n_calibration_rows(model), cost


def n_calibration_rows(model):
    """Number of rows that p-values are ranks among: the smallest p-value is 1 / (rows + 1)."""
    return round(1.0 / float(model.support(np.full((1, model.n_features_in_), 1e9))[0])) - 1


def bound(alpha, tests, level):
    """The share of alarms that independent runs (fresh rows, calibration rows) exceed with probability `level`, if P = α.

    Each count is beta-binomial: of m calibration rows, the rank at α leaves k = ⌊α (m + 1)⌋ of m + 1 gaps below it.
    """
    fresh = sum(m for m, _ in tests)
    variance = 0.0
    for m, cal in tests:
        k = np.floor(alpha * (cal + 1))
        if k:
            variance += stats.betabinom(m, k, cal + 1 - k).var()
    return alpha + stats.norm.isf(level) * np.sqrt(variance) / fresh


def show_validity(run, seeds, uci):
    """One line a cell."""
    cells = [(f"d = {source.d}, n = {n}", source, n) for n in (300, 1000, 5000)
             for source in (Even(), Circle(), Warped(8, 8), Warped(20, 20))]  # fmt: skip
    tables = sorted(Path(uci).glob("*.npz")) if uci else []
    level = 0.05 / (len(ALPHAS) * (len(cells) + len(tables)) * 2)
    run.line(f"validity: {seeds} seeds; false alarms at α = {ALPHAS}, in brackets the bound at level {level:.1e}")
    worst = -np.inf
    for kind in MODELS:
        for name, source, n in cells:
            found = []
            for seed in range(seeds):
                rng = np.random.default_rng([seed, n])
                model = fitted(kind, *with_target(source.draw(n, rng), rng), seed)
                fresh = source.draw(2000, rng)
                found.append((2000, *count_alarms(model, fresh)))
            worst = max(worst, show_cell(run, kind, name, found, level))
        for path in tables:
            data = np.load(path)
            X, y = data["X"].astype(float), data["y"].astype(float).ravel()
            found = []
            for seed in range(seeds):
                order = np.random.default_rng(seed).permutation(len(y))
                test, train = order[: len(y) // 2], order[len(y) // 2 :]
                model = fitted(kind, X[train], y[train], seed)
                found.append((len(test), *count_alarms(model, X[test])))
            worst = max(worst, show_cell(run, kind, f"{path.stem}, n = {len(train)}, d = {X.shape[1]}", found, level))
    run.line(f"largest excess over the bound: {worst:+.4f}", largest_excess=worst)


def show_cell(run, kind, name, found, level):
    """Print one cell, and return by how much its worst share is over the bound."""
    alarms, cost = np.sum([entry[1] for entry in found], axis=0), np.mean([entry[3] for entry in found])
    fresh = sum(entry[0] for entry in found)
    bounds = [bound(alpha, [(m, cal) for m, _, cal, _ in found], level) for alpha in ALPHAS]
    text = "  ".join(f"{count / fresh:.4f} ({limit:.4f})" for count, limit in zip(alarms, bounds, strict=True))
    excess = max(count / fresh - limit for count, limit in zip(alarms, bounds, strict=True))
    run.line(
        f"  {kind} {name:28s} {text}   mean 1 − g {cost:.4f}{'   OVER' if excess > 0 else ''}",
        model=kind,
        cell=name,
        alarms=alarms / fresh,
        bounds=bounds,
        gate_cost=cost,
    )
    return excess


# ------------------------------------------------------------------------------------------------ power
def outliers(x, n, rng):
    """Three kinds of rows that are not like x."""
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.25 * (high - low)
    yield "box", rng.uniform(low - margin, high + margin, (n, x.shape[1]))
    rows = x[rng.choice(len(x), n)]
    yield "shuffled", np.column_stack([rng.permutation(column) for column in rows.T])
    yield "jitter", rows + rng.normal(size=rows.shape) * 0.7 * x.std(axis=0)


def show_power(run, seeds):
    """Gaps to the oracle, mean and worst over seeds."""
    run.line(f"power: oracle's AUROC less ours, mean (worst) of {seeds} seeds, n = 5000; goals .005, .02, .03")
    for kind in MODELS:
        criterion = {"criterion": "joint"} if kind == "GMM" else {}
        for name, make in (("ring, d = 2", lambda seed: Circle()), ("warped, d = 8", lambda seed: Warped(8, seed))):
            gaps: dict = {}
            for seed in range(seeds):
                source, rng = make(seed), np.random.default_rng([seed, 7])
                model = fitted(kind, *with_target(source.draw(5000, rng), rng), seed, **criterion)
                usual = source.draw(5000, rng)
                labels = np.repeat([1, 0], 5000)
                for what, rows in outliers(source.draw(5000, rng), 5000, rng):
                    both = np.concatenate([usual, rows])
                    truth, ours = (roc_auc_score(labels, of(both)) for of in (source.log_density, model.score_inputs))
                    gaps.setdefault(what, []).append(truth - ours)
            text = "  ".join(f"{what} {np.mean(gap):.4f} ({max(gap):.4f})" for what, gap in gaps.items())
            run.line(f"  {kind} {name:14s} {text}", model=kind, source=name, gaps=gaps)


# ------------------------------------------------------------------------------------------------ edges
def rare_level(problem_of, rows=200_000):
    """The .1 % quantile of the true log p(x, y) at rows drawn from it."""
    fresh = problem_of(rows, random_state=123)
    return np.quantile(fresh.log_joint_density(fresh.X, fresh.y), 0.001)


def show_edges(run, n, seeds):
    """Draws where there is nothing, of the plain and the gated model, and of the joint."""
    run.line(
        f"edges: n = {n}, {seeds} seeds; share of draws below the .1 % level of the true p(x, y); NaN share outside the data"
    )
    for kind, cls in {**MODELS, "GMM by p(x, y)": partial(JointGMMRegressor, criterion="joint")}.items():
        for name, make in ODD_SETS.items():
            level, rows = rare_level(make), []
            for seed in range(seeds):
                problem, rng = make(n, random_state=seed), np.random.default_rng(seed)
                model = cls(random_state=seed).fit(problem.X, problem.y)
                low, high = problem.X.min(), problem.X.max()
                width = high - low
                X = rng.uniform(low - 0.5 * width, high + 0.5 * width, (40_000, 1))
                plain = model.sample(X, random_state=seed)[:, 0]
                gated = model.sample(X, random_state=seed, outside="deficient")[:, 0]
                outside = (X[:, 0] < low) | (X[:, 0] > high)
                known = ~np.isnan(gated)
                joint_x, joint_y = model.sample_joint(40_000, random_state=seed)
                rows.append([
                    np.mean(problem.log_joint_density(X, plain) < level),
                    np.mean(problem.log_joint_density(X[known], gated[known]) < level),
                    np.mean(~known[outside]),
                    np.mean(~known[~outside]),
                    np.mean(problem.log_joint_density(joint_x, joint_y) < level),
                ])  # fmt: skip
            plain, gated, unknown, lost, joint = np.mean(rows, axis=0)
            run.line(
                f"  {kind} {name:13s} plain {plain:6.1%}  deficient {gated:6.2%}  NaN outside {unknown:6.2%}"
                f" (inside {lost:5.2%})"
                f"  sample_joint {joint:6.2%}",
                model=kind,
                problem=name,
                plain=plain,
                deficient=gated,
                nan_outside=unknown,
                nan_inside=lost,
                sample_joint=joint,
            )


# ------------------------------------------------------------------------------------------------ joint density
def show_joint(run, n, seeds):
    """Normalisation, and held-out log p(x, y)."""
    run.line(f"joint: n = {n}; largest |∫∫ p(x, y) − 1|, and held-out log p(x, y) on 2·10⁴ rows, mean of {seeds} seeds")
    for name, make in ODD_SETS.items():
        errors, scores, truth = {"MDN": 0.0, "GMM": 0.0}, {"MDN": [], "GMM": []}, []
        for seed in range(seeds):
            problem, test = make(n, random_state=seed), make(20_000, random_state=10_000 + seed)
            truth.append(test.log_joint_density(test.X, test.y).mean())
            for kind, cls in MODELS.items():
                model = cls(random_state=seed).fit(problem.X, problem.y)
                scores[kind].append(model.score_joint(test.X, test.y).mean())
                errors[kind] = max(errors[kind], abs(total_mass(model, problem) - 1.0))
        mdn, gmm = np.mean(scores["MDN"]), np.mean(scores["GMM"])
        run.line(
            f"  {name:13s} |∫∫ − 1| MDN {errors['MDN']:.1e} GMM {errors['GMM']:.1e}   log p(x, y): "
            f"truth {np.mean(truth):.4f}  "
            f"MDN {mdn:.4f}  GMM {gmm:.4f}  MDN − GMM {mdn - gmm:+.4f}",
            problem=name,
            errors=errors,
            truth=np.mean(truth),
            mdn=mdn,
            gmm=gmm,
        )


def total_mass(model, problem):
    """∫∫ p(x, y) by the trapezoid's rule, which converges faster than any power on smooth functions that fade at both ends."""
    x = np.linspace(problem.X.mean() - 12.0 * problem.X.std(), problem.X.mean() + 12.0 * problem.X.std(), 4001)
    dist = model.predict_dist(x[:, None])
    low, high = (dist.means - 9.0 * dist.scales).min(axis=1), (dist.means + 9.0 * dist.scales).max(axis=1)
    y = np.linspace(low, high, 2001, axis=1)
    inner = dist.pdf(y).sum(axis=1) * (y[:, 1] - y[:, 0])
    return float(np.exp(model.score_inputs(x[:, None])) @ inner * (x[1] - x[0]))


# ------------------------------------------------------------------------------------------------ reverse
def show_reverse(run, n, seeds):
    """Total variation from the truth, agreement, calibration."""
    run.line(
        f"reverse: n = {n}, {seeds} seeds; mean total variation from the exact p(x | y) at 40 y; p-value of uniform ranks"
    )
    for name in ("ring", "cross", "inverse wave"):
        make, rows = ODD_SETS[name], []
        for seed in range(seeds):
            problem, test = make(n, random_state=seed), make(40, random_state=10_000 + seed)
            center, spread = problem.X.mean(), problem.X.std()
            x = np.linspace(center - 4.0 * spread, center + 4.0 * spread, 4001)
            exact = np.exp([problem.log_joint_density(x[:, None], np.full(len(x), y)) for y in test.y])
            exact /= np.trapezoid(exact, x, axis=1)[:, None]
            densities, uniform = [], []
            for cls in MODELS.values():
                model = cls(random_state=seed).fit(problem.X, problem.y)
                densities.append(np.exp(model.predict_inputs(test.y).logpdf(x[None])))
                uniform.append(stats.kstest(simulated_ranks(model, 400, seed), "uniform").pvalue)
            distance = [0.5 * np.trapezoid(np.abs(a - b), x, axis=1).mean()
                        for a, b in ((densities[0], exact), (densities[1], exact), (densities[0], densities[1]))]  # fmt: skip
            rows.append([*distance, *uniform])
        mdn, gmm, both = np.mean(rows, axis=0)[:3]
        smallest = np.min(rows, axis=0)[3:]
        run.line(
            f"  {name:13s} MDN {mdn:.4f}  GMM {gmm:.4f}  MDN from GMM {both:.4f}   "
            f"smallest p of ranks: MDN {smallest[0]:.3f} "
            f"GMM {smallest[1]:.3f}",
            problem=name,
            mdn=mdn,
            gmm=gmm,
            apart=both,
            smallest_p=smallest,
        )
    problem = Warped(4, 4)
    rng = np.random.default_rng(4)
    X = problem.draw(5000, rng)
    y = np.sin(X[:, 0]) + X[:, 1] - 0.2 * X[:, 2] * X[:, 3] + 0.3 * rng.normal(size=5000)
    model = MDNRegressor(random_state=0).fit(X, y)
    X_drawn, y_drawn = model.sample_joint(300, random_state=1)
    seconds, draws = timed(lambda: model.predict_inputs(y_drawn))
    below = (draws.draws < X_drawn[:, None]) * np.exp(draws.log_weights)[:, :, None]
    p = [stats.kstest(below.sum(axis=1)[:, j], "uniform").pvalue for j in range(4)]
    run.line(
        f"  d = 4 (importance) p of ranks {', '.join(f'{value:.3f}' for value in p)}; effective size: median "
        f"{np.median(draws.effective_size):.0f}, smallest {draws.effective_size.min():.0f} of 4096; k: median "
        f"{np.median(draws.pareto_k):.2f}, largest {draws.pareto_k.max():.2f}; {seconds / 300 * 1e3:.0f} ms a row",
        p_of_ranks=p,
    )


def simulated_ranks(model, n, seed):
    """Ranks, in (0, 1), of inputs among what the model says of them, given the outputs that it drew for them."""
    X, y = model.sample_joint(n, random_state=seed)
    dist = model.predict_inputs(y)
    if hasattr(dist, "draws"):
        return ((dist.draws[:, :, 0] < X) * np.exp(dist.log_weights)).sum(axis=1)
    return dist.cdf(X[:, 0])


# ------------------------------------------------------------------------------------------------ time
def show_time(run, repeats):
    """Milliseconds that the support model adds, and the ratio to the fit without it."""
    run.line(f"time: fit without, and what the support model adds, ms, median of {repeats}; ratio added / without")
    cases = [
        (f"{name}, n = {n}", make(n, random_state=0)[:2]) for n in (200, 1000, 5000) for name, make in ODD_SETS.items()
    ]
    for d, n in ((8, 1000), (8, 5000), (20, 5000)):
        rng = np.random.default_rng(d)
        cases.append((f"warped, d = {d}, n = {n}", with_target(Warped(d, d).draw(n, rng), rng)))
    for kind, cls in MODELS.items():
        for name, (X, y) in cases:
            fits = {
                str(support): lambda cls=cls, X=X, y=y, support=support: cls(random_state=0, support_model=support).fit(
                    X, y
                )
                for support in (None, "auto")
            }
            times = interleaved(fits, repeats if X.shape[1] == 1 else max(3, repeats // 3))
            added = float(np.median(np.subtract(times["auto"].seconds, times["None"].seconds))) * 1e3
            fit = times["None"].median * 1e3
            run.line(
                f"  {kind} {name:26s} {fit:8.1f} + {added:7.1f}   {added / fit:5.2f}",
                model=kind,
                case=name,
                added_ms=added,
                **times,
            )


def main():
    """Run the parts asked for."""
    run = Benchmark(__doc__)
    parts = ("validity", "power", "edges", "joint", "reverse", "time")
    run.option("--part", nargs="+", choices=parts, default=parts)
    run.option("--seeds", type=int, default=20)
    run.option("--rows", type=int, default=5000)
    run.option("--uci", help="folder with the UCI sets as .npz files")
    run.option("--repeats", type=int, default=9)
    with run as options:
        few = max(1, options.seeds // 4)
        shows = {
            "validity": lambda: show_validity(run, options.seeds, options.uci),
            "power": lambda: show_power(run, few),
            "edges": lambda: show_edges(run, options.rows, few),
            "joint": lambda: show_joint(run, options.rows, few),
            "reverse": lambda: show_reverse(run, options.rows, few),
            "time": lambda: show_time(run, options.repeats),
        }
        for part in options.part:
            shows[part]()


if __name__ == "__main__":
    main()
