"""Choice of the inputs of a joint mixture, together with its covariances and number of components.

Constants and copies are set aside beforehand. Then inputs that cost no held-out likelihood of y when they are integrated out are
candidates: the mixture is chosen once more without them, and they stay aside if held-out rows have a higher likelihood so.
Where there are none, nothing is fitted twice, and all bits are those of a mixture of all columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from condensity.compute import Compute
from condensity.em.aside import InputsAside, redundant_inputs
from condensity.em.covariance_search import Choice, Splits, choose
from condensity.em.joint import Settings, held_out_scores
from condensity.monitor import Monitor

#: Held-out rows of a split that judge inputs, at most.
MAX_JUDGING_ROWS = 1000

#: More inputs than this are not judged one by one.
MAX_JUDGED_INPUTS = 60

#: A candidate costs at most one standard error of its cost and this many nats per held-out row, one of few values two standard
#: errors: it is the more likely to have misled EM.
MAX_COST = 0.02

#: Times that inputs are judged, each by a mixture without those that were set aside before.
MAX_ROUNDS = 3

#: Inputs of at most this many values come first, as components gather at values.
FEW_VALUES = 10


@dataclass
class InputScreen:
    """Choices of a joint mixture over some of the inputs, on the same splits; `choose` gives the best, over all columns.

    Attributes
    ----------
    settings : Settings
    z : ndarray (n, d + q)
        Standardised rows (x, y); nan where a value is missing.
    weight : ndarray (n,)
        With mean one.
    n_inputs : int
        d.
    n_components : int or 'auto'
    rng : numpy Generator
    draw_splits : callable () -> sequence of (kept, held_out)
        Indices of rows; called where something is to be chosen.
    held_out : ndarray (v, d + q) or None
        The caller's validation rows, standardised; they replace those of the splits.
    criterion : {'conditional', 'joint', 'bic'}
        Inputs are judged with the first one only.
    compute : Compute
    monitor : Monitor
    """

    settings: Settings
    z: np.ndarray
    weight: np.ndarray
    n_inputs: int
    n_components: int | str
    rng: np.random.Generator
    draw_splits: Callable[[], Splits]
    held_out: np.ndarray | None
    criterion: str
    compute: Compute
    monitor: Monitor
    state: Any = None

    @cached_property
    def splits(self) -> Splits:
        """Splits that all choices share, as they share the chance that is drawn after them."""
        splits = self.draw_splits()
        self.state = self.rng.bit_generator.state
        return splits

    def choose(self) -> Choice:
        """The best choice, its inputs among the others."""
        best = self._without(redundant_inputs(self.z, self.n_inputs))
        for _ in range(MAX_ROUNDS if self.criterion == "conditional" and self.n_inputs <= MAX_JUDGED_INPUTS else 0):
            better = self._better(best)
            if better is None:
                break
            best = better
        return self._over_all(best)

    def _without(self, aside: np.ndarray) -> "Screened":
        """The choice over all columns but those `aside` (s,)."""
        others = np.setdiff1d(np.arange(self.z.shape[1]), aside)
        over = (lambda rows: rows[:, others]) if len(aside) else (lambda rows: rows)
        if self.state is not None:
            self.rng.bit_generator.state = self.state
        choice = choose(
            self.settings, over(self.z), self.weight, self.n_inputs - len(aside), self.n_components, self.rng,
            splits=lambda: self.splits, held_out=None if self.held_out is None else over(self.held_out),
            criterion=self.criterion, compute=self.compute, monitor=self.monitor,
        )  # fmt: skip
        return Screened(choice, aside, others)

    def _over_all(self, screened: "Screened") -> Choice:
        """The choice, its mixtures over all columns."""
        choice, columns, _ = screened
        if not len(columns):
            return choice
        aside = InputsAside.fit(columns, self.z, self.weight, self.n_inputs, choice.settings.spec)
        start = None if choice.start is None else aside.over_all(choice.start)
        fits = choice.partial_fits
        if fits is not None:
            fits = [(kept, out, aside.over_all(parameters)) for kept, out, parameters in fits]
        return choice._replace(start=start, partial_fits=fits, aside=aside)

    def _better(self, screened: "Screened") -> "Screened | None":
        """A choice with more inputs aside and a higher held-out likelihood: without all candidates, or else the first of them."""
        candidates = self._candidates(screened)
        while candidates and not self.monitor.stop_reason:
            found = self._without(np.union1d(screened.aside, np.array(candidates, dtype=int)))
            if found.choice.score > screened.choice.score:
                return found
            candidates = candidates[: len(candidates) // 2]
        return None

    def _candidates(self, screened: "Screened") -> list[int]:
        """Inputs that can be integrated out, all at once, at no cost; the most likely first."""
        left = np.setdiff1d(np.arange(self.n_inputs), screened.aside)
        if screened.choice.partial_fits is None or len(left) < 2:
            return []
        of_all = self._log_density(screened, left)

        few_values = {int(j): self._has_few_values(int(j)) for j in left}

        def excess(without: list[int]) -> float:
            lost = of_all - self._log_density(screened, np.setdiff1d(left, without))
            lost = lost[~np.isnan(lost)]
            error = float(lost.std() / np.sqrt(len(lost)))
            return float(lost.mean()) - (2.0 * error if all(few_values[j] for j in without) else min(error, MAX_COST))

        excesses = {j: excess([j]) for j in few_values}
        candidates: list[int] = []
        for j in sorted(excesses, key=lambda j: (not few_values[j], excesses[j])):
            if excesses[j] <= 0.0 and len(candidates) < len(left) - 1 and excess([*candidates, j]) <= 0.0:
                candidates.append(j)
        return candidates

    def _log_density(self, screened: "Screened", inputs: np.ndarray) -> np.ndarray:
        """Log p(y | some `inputs`) of held-out rows under the fits of a choice to the rows kept."""
        choice, _, others = screened
        columns = np.concatenate([inputs, np.arange(self.n_inputs, self.z.shape[1])])
        result = []
        for _, out, parameters in choice.partial_fits or []:
            rows = self.z[out[:MAX_JUDGING_ROWS]] if self.held_out is None else self.held_out[:MAX_JUDGING_ROWS]
            marginal = parameters.over(np.searchsorted(others, columns))
            spec = choice.settings.spec
            result.append(held_out_scores(marginal, spec, rows[:, columns], len(inputs), compute=self.compute))
        return np.concatenate(result)

    def _has_few_values(self, j: int) -> bool:
        return len(np.unique(self.z[:MAX_JUDGING_ROWS, j])) <= FEW_VALUES


class Screened(NamedTuple):
    """A choice over columns `others` (m,) of (x, y), with inputs `aside` (s,)."""

    choice: Choice
    aside: np.ndarray
    others: np.ndarray
