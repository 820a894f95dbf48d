"""Successive halving: candidates trained in step on validation splits, those that fall behind dropped early."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from condensity import engines
from condensity.compute import Compute
from condensity.engines.api import TrainingRun
from condensity.engines.driver import run_to_end, run_until
from condensity.engines.types import (
    Network,
    Split,
    TrainingPlan,
    TrainingResult,
    TrainingRows,
    all_rows,
    held_out_loss,
)
from condensity.monitor import Monitor
from condensity.training.gaussian_init import (
    GaussianInit,
    GaussianInitFitter,
    fit_gaussian_inits,
    rows_with_offsets,
)
from condensity.training.initialization import initial_parameters, initialize_silent
from condensity.training.result import ENDED_BY_USER, MDNFit
from condensity.training.settings import Recipe, Settings, for_all_rows, make_network, make_plan, require_same_network
from condensity.training.tied import (
    decorrelate,
    decorrelate_members,
    regressions_between_outputs,
    regressions_of_members,
    tie_members,
    untie_members,
)

#: Candidates that are this many nats behind at this share of their schedule, but not before so many steps, are dropped; see
#: docs/decisions.md.
RACE_SHARE, RACE_MARGIN, MIN_RACE_STEPS = 1 / 10, 0.05, 500


@dataclass
class Candidate:
    """A network, the plan of its training, and its run.

    Attributes
    ----------
    recipe : Recipe
    network : Network
    plan : TrainingPlan
    splits : list of m Split
    run : TrainingRun
    n_copies : int
        Of the table, each with the offsets of another mixture or decorrelated by other regressions.
    regressions : list of m ndarray (q, q), or None
        Of outputs on each other, where the candidate's covariances are tied: its rows are decorrelated by them.
    ended : TrainingResult or None
    race_loss : float
        Validation NLL at the step at which candidates were compared.
    dropped : bool
    """

    recipe: Recipe
    network: Network
    plan: TrainingPlan
    splits: list[Split]
    run: TrainingRun
    n_copies: int = 1
    regressions: list[np.ndarray] | None = None
    ended: TrainingResult | None = None
    race_loss: float = np.inf
    dropped: bool = False

    @property
    def race_step(self) -> int:
        """Step at which it is compared with others."""
        return max(MIN_RACE_STEPS, round(RACE_SHARE * self.plan.max_steps))

    @property
    def n_kept(self) -> int:
        """Rows that a member trains on, on average."""
        return rows_of_a_member(self.splits)

    @property
    def training(self) -> TrainingResult:
        """Result of the run, so far if it has not ended, for the network `fitted`."""
        return self.tied(self.run.result() if self.ended is None else self.ended, self.regressions)

    @property
    def fitted(self) -> Network:
        """The network of the results: where covariances are tied, coupled."""
        return self.network if self.regressions is None else self.network._replace(coupled=True)

    def tied(self, training: TrainingResult, regressions: list[np.ndarray] | None) -> TrainingResult:
        """A result, `training`, as one of the network `fitted`, by the members' `regressions`, m of (q, q), if any."""
        if regressions is None:
            return training
        return training._replace(parameters=tie_members(training.parameters, self.network, regressions))

    def loss_by(self, step: int) -> float:
        """Lowest validation NLL of the checks up to a step."""
        history = self.run.history
        pairs = zip(history["step"], history["validation_nll"], strict=True)
        return min((loss for at, loss in pairs if at <= step and not np.isnan(loss)), default=np.inf)


def rows_of_a_member(splits: list[Split]) -> int:
    """Rows that a member trains on, on average over the `splits`, rounded down."""
    return sum(len(split.kept) for split in splits) // len(splits)


class CandidateRace:
    """Training of all candidates of a fit on the same rows.

    Parameters
    ----------
    settings : Settings
    rows : TrainingRows
    rng : numpy Generator
    monitor : Monitor
    compute : Compute
    earlier : MDNFit or None
        Its parameters and network are the start.
    fit_gaussian_init : callable or None

    Attributes
    ----------
    table : TrainingRows
        The rows, then the caller's validation rows, if any.
    gaussian_inits : list of GaussianInit or None
        Mixture that each member corrects.
    """

    settings: Settings
    rows: TrainingRows
    rng: np.random.Generator
    monitor: Monitor
    compute: Compute
    earlier: MDNFit | None
    fit_gaussian_init: GaussianInitFitter | None
    table: TrainingRows
    n_copies: int

    def __init__(
        self,
        settings: Settings,
        rows: TrainingRows,
        rng: np.random.Generator,
        monitor: Monitor,
        compute: Compute,
        earlier: MDNFit | None,
        fit_gaussian_init: GaussianInitFitter | None,
    ):
        self.settings, self.rows, self.rng, self.monitor = settings, rows, rng, monitor
        self.compute, self.earlier, self.fit_gaussian_init = compute, earlier, fit_gaussian_init
        self.table = rows
        self.gaussian_inits: list[GaussianInit] | None = None
        self.n_copies = 1

    def train_candidates(self, recipes: Sequence[Recipe], splits: list[Split]) -> list[Candidate]:
        """Train a candidate for each of the `recipes`: a member on each of the `splits`, all in step.

        Of several candidates, those that fall behind are dropped early.
        """
        self.gaussian_inits = self._initial_gaussian_inits(splits)
        if self.gaussian_inits is not None:
            n, size = len(self.table.y), self.gaussian_inits[0].n_components
            recipes = [recipe._replace(n_components=size) for recipe in recipes]
            network = self._make_network(recipes[0])
            self.table, splits = rows_with_offsets(self.table, splits, self.gaussian_inits, network)
            self.n_copies = len(self.table.y) // n
        candidates = [self._prepare(recipe, splits) for recipe in recipes]
        if len(candidates) > 1:
            n_begun = self._drop_slow(candidates)
            if n_begun is not None:
                return candidates[:n_begun]
        for candidate in candidates:
            if candidate.ended is None and not candidate.dropped:
                candidate.ended = self._advance(candidate)
            if candidate.training.status in ENDED_BY_USER:
                break
        return candidates

    def _drop_slow(self, candidates: list[Candidate]) -> int | None:
        """Train all to the step of their comparison and drop those behind; how many were begun, if the user ended the fit."""
        for number, candidate in enumerate(candidates, start=1):
            candidate.ended = self._advance(candidate, candidate.race_step)
            if candidate.training.status in ENDED_BY_USER:
                return number
            candidate.race_loss = candidate.loss_by(candidate.race_step)
        best = min(candidate.race_loss for candidate in candidates)
        for candidate in candidates:  # also one that has ended meanwhile: the speed of a machine must not decide
            candidate.dropped = candidate.race_loss > best + RACE_MARGIN
        return None

    def train_on_all_rows(self, candidate: Candidate) -> tuple[TrainingResult, list[GaussianInit] | None]:
        """Train the `candidate`'s network on all rows, for as many epochs as were best; its result, and its mixture."""
        n, rows, gaussian_inits, regressions = len(self.rows.y), self.rows, None, None
        if candidate.regressions is not None:
            regressions = candidate.regressions[:1] if self.earlier else [regressions_between_outputs(rows)]
            rows = decorrelate(rows, regressions[0])
        if self.gaussian_inits is not None:
            gaussian_inits = self.gaussian_inits[:1] if self.earlier else self.gaussian_inits_of_all_rows()
            rows, _ = rows_with_offsets(rows, [all_rows(n)], gaussian_inits, candidate.network)
        plan = for_all_rows(candidate.plan, candidate.training.best_step, candidate.n_kept, n)
        start_run = engines.operation("train", self.compute.one_thread)
        parameters = self._initial_parameters(candidate.network, 1, rows)
        run = start_run(parameters, candidate.network, plan, self.rng, rows, [all_rows(n)])
        self.monitor.checkpoint.begin(run)
        training = run_to_end(run, partial(self.monitor.after_slice, "all rows"))
        self.monitor.checkpoint.write(run)
        return candidate.tied(training, regressions), gaussian_inits

    def score_gaussian_inits(self, candidate: Candidate) -> tuple[np.ndarray, float]:
        """Log density (n,) of validation rows under the `candidate`'s mixtures alone, nan elsewhere; and its loss, in nats."""
        theta, table = initialize_silent(candidate.network, np.random.default_rng(0)), self.table
        log_density_of = engines.operation("network_log_density", self.compute.one_thread)
        log_density = np.full(len(table.y), np.nan)
        for split in candidate.splits:
            out = table.take(split.held_out)
            log_density[split.held_out] = log_density_of(theta, candidate.network, out.x, out.y, out.offset)
        scored = ~np.isnan(log_density)
        return log_density, held_out_loss(log_density[scored], table.weight[scored], candidate.network.n_outputs)

    def gaussian_inits_of_all_rows(self) -> list[GaussianInit]:
        """A mixture of all rows, fitted from the first member's."""
        if self.fit_gaussian_init is None or self.gaussian_inits is None:
            raise TypeError("there are no mixtures to start from.")
        return [self.fit_gaussian_init(self.rows, self.rng, self.gaussian_inits[0])]

    def _initial_gaussian_inits(self, splits: list[Split]) -> list[GaussianInit] | None:
        """The mixture that each member corrects; None if networks are initialised without one."""
        if self.earlier is not None:
            earlier = self.earlier.gaussian_inits
            return None if earlier is None else [earlier[j % len(earlier)] for j in range(len(splits))]
        if self.fit_gaussian_init is None:
            return None
        return fit_gaussian_inits(self.fit_gaussian_init, self.rows, splits, self.rng)

    def _prepare(self, recipe: Recipe, splits: list[Split]) -> Candidate:
        network, table, regressions, n_copies = self._make_network(recipe), self.table, None, self.n_copies
        if recipe.covariance_type == "tied" and network.n_outputs > 1 and self.gaussian_inits is None:
            regressions = self._initial_regressions(splits)
        if regressions is not None:
            table, splits, n_copies = decorrelate_members(table, splits, regressions)
            network = network._replace(coupled=False)
        plan = make_plan(
            self.settings, self.rows, rows_of_a_member(splits), max(len(split.held_out) for split in splits)
        )
        parameters = self._initial_parameters(network, len(splits), table.take(slice(len(self.rows.y))))
        start_run = engines.operation("train", self.compute)
        run = start_run(parameters, network, plan, self.rng, table, splits)
        self.monitor.checkpoint.begin(run)
        return Candidate(recipe, network, plan, splits, run, n_copies, regressions)

    def _advance(self, candidate: Candidate, step: int | None = None) -> TrainingResult | None:
        """Train a candidate to its end, or to a step; its result if it has ended."""
        between = partial(
            self.monitor.after_slice, "piecewise encoding" if candidate.recipe.encoding else "plain inputs"
        )
        ended = run_to_end(candidate.run, between) if step is None else run_until(candidate.run, step, between)
        self.monitor.checkpoint.write(candidate.run)
        return ended

    def _make_network(self, recipe: Recipe) -> Network:
        if self.earlier is None:
            return make_network(recipe.applied_to(self.settings), self.rows, recipe.encoding)
        require_same_network(self.settings, self.rows, self.earlier.network)
        return self.earlier.network

    def _initial_regressions(self, splits: list[Split]) -> list[np.ndarray] | None:
        """Regressions of outputs on each other of every member: of its rows, or an earlier fit's, if those are tied."""
        if self.earlier is None:
            return regressions_of_members(self.table, splits)
        earlier = untie_members(self.earlier.parameters, self.earlier.network)
        return None if earlier is None else [earlier[1][j % len(earlier[1])] for j in range(len(splits))]

    def _initial_parameters(self, network: Network, n_members: int, rows: TrainingRows) -> np.ndarray:
        """Initial θ of every member, (m, n_parameters); the `rows` place the means."""
        if self.earlier is None:
            return initial_parameters(self.settings, rows, network, n_members, self.rng)
        parameters = self.earlier.parameters
        tied = untie_members(parameters, self.earlier.network)
        if tied is not None and not network.coupled:
            parameters, _ = tied
        return parameters[np.arange(n_members) % len(parameters)]
