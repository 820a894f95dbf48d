"""How many components a joint mixture needs: fits of each size on kept rows, judged by held-out rows."""

from dataclasses import replace
from functools import partial

import numpy as np

from condensity import em
from condensity.compute import AUTO, Compute
from condensity.em.sweep import candidate_sizes, sweep

#: Fits of the sweep may end this much earlier than the last one, which goes on from the best of them: 30 % less time, and .001
#: nats between the chosen sizes (nine problems, eight seeds each; ten times earlier costs .002).
SWEEP_TOLERANCE = 3.0


#: Rows that sizes are fitted to, and judged by, at most: the best size hardly depends on more, and the last fit sees all.
SWEEP_ROWS = 50_000


#: The best size is tried from so many more starts, where one held-out part judges them all: EM ends in optima that differ by more
#: than sizes do. Nine problems at n = 1000: NLL .359 → .351 (1) → .348 (3) → .353 (6), 91 → 101 → 118 → 179 ms.
MORE_STARTS = 3


class ComponentSearch:
    """The sweep over numbers of components of one joint mixture.

    Parameters
    ----------
    settings : em.Settings
    z : ndarray (n, d + q)
        Standardised rows (x, y); nan where there is a gap.
    weight : ndarray (n,)
    n_inputs : int
        d.
    criterion : {'conditional', 'joint', 'bic'}
    compute, watch
        As in `em.fit_gmm`.
    """

    def __init__(self, settings, z, weight, n_inputs, *, criterion="conditional", compute: Compute = AUTO, watch=None):
        self.settings, self.criterion, self.z, self.weight, self.n_inputs = settings, criterion, z, weight, n_inputs
        self.compute, self.watch = compute, watch or em.Watch()
        self.found: dict[int, tuple] = {}  # size → score, parameters to go on from, log densities of held-out rows

    def best_size(self, splits, held_out, rng):
        """The best size, its parameters, held-out log densities (n,), and the table of the sweep.

        The final fit starts from the parameters that won: a fresh start may end in a worse optimum than the one scored.
        """
        n_columns = self.z.shape[1]
        if self.criterion != "bic":
            splits = [(_some(kept, rng), _some(out, rng)) for kept, out in splits]
        sizes = candidate_sizes(min(len(kept) for kept, _ in splits))
        sizes = [k for k in sizes if em.covariance_bytes(k, n_columns) <= em.LARGEST_COVARIANCES]
        seeds = rng.integers(2**63, size=(len(sizes), 1 + MORE_STARTS))

        def fits(pairs):
            """Scores of (size, number of the start), each a fit on every split."""
            tasks = [(size, seeds[sizes.index(size), number], split) for size, number in pairs for split in splits]
            score = partial(self._score, held_out=held_out)
            results = em.in_threads(lambda task: score(*task), tasks, self.compute.n_threads, self.watch)
            m = len(splits)
            return [self._gather(size, results[m * i : m * (i + 1)], splits) for i, (size, _) in enumerate(pairs)]

        selection = sweep(
            lambda group: fits([(size, 0) for size in group]),
            sizes,
            at_once=self.compute.n_threads,
            ended=lambda: bool(self.watch.ended),
        )
        if len(splits) == 1 and selection.best > 1 and self.criterion != "bic" and not self.watch.ended:
            more = fits([(selection.best, 1 + number) for number in range(MORE_STARTS)])
            place = selection.table["n_components"].index(selection.best)
            selection.table["score"][place] = max(selection.table["score"][place], *more)
        _, start, log_density = self.found[selection.best]
        return selection.best, start, log_density, selection.table

    def _score(self, size, seed, split, held_out):
        """A fit on the kept rows of a split, its score, and the log densities behind it."""
        kept, out = split
        z, weight = self.z[kept], self.weight[kept]
        one = self.compute.one_thread
        settings = replace(self.settings, tol=SWEEP_TOLERANCE * self.settings.tol)
        fit = em.fit_joint(settings, z, weight, size, np.random.default_rng(seed), compute=one, watch=self.watch)
        if self.criterion == "bic":
            free = em.n_parameters(size, self.z.shape[1], self.settings.covariance_type)
            return fit.parameters, fit.log_likelihood - 0.5 * free * np.log(len(z)) / len(z), np.empty(0)
        rows = self.z[out] if held_out is None else held_out
        weight = self.weight[out] if held_out is None else np.ones(len(rows))
        joint = self.criterion == "joint"
        log_density = em.held_out_scores(
            fit.parameters, self.settings.spec, rows, self.n_inputs, joint=joint, compute=one
        )
        known = ~np.isnan(log_density)
        if not known.any():
            raise ValueError("No held-out row knows y; give X_val and y_val, or n_components.")
        return fit.parameters, np.average(log_density[known], weights=weight[known]), log_density

    def _gather(self, size, results, splits):
        """The mean score of a size; its best parameters and its held-out log densities are kept."""
        log_density = np.full(len(self.z), np.nan)
        for (_, out), (_, _, of_rows) in zip(splits, results, strict=True):
            if len(out) and self.criterion == "conditional":
                log_density[out] = of_rows
        score = float(np.mean([score for _, score, _ in results]))
        if size not in self.found or score > self.found[size][0]:
            best = max(results, key=lambda result: result[1])
            self.found[size] = score, best[0], log_density
        return score


def _some(rows, rng):
    """`SWEEP_ROWS` of some rows at most, drawn at random."""
    return rows if len(rows) <= SWEEP_ROWS else rng.choice(rows, SWEEP_ROWS, replace=False)
