"""Fit mixture density networks to standardised rows: candidates judged on held-out rows, the best one trained on all."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.data.scaling import QUANTILE_ROWS, weighted_quantiles
from condensity.data.splitting import fold_splits, held_out_splits
from condensity.engines.reference.network import ACTIVATIONS, Network, initialize, initialize_xavier
from condensity.engines.reference.network import log_density as log_density_of
from condensity.engines.reference.trainer import (
    Split,
    TrainingPlan,
    TrainingResult,
    TrainingRows,
    all_rows,
    held_out_loss,
    run_to_end,
    run_until,
)
from condensity.training import outcome
from condensity.training.gaussian_init import (
    GaussianInitFitter,
    gaussian_inits_of,
    of_original_rows,
    start_at_gaussian_init,
    tables_of,
)
from condensity.training.journal import Journal
from condensity.training.linear import MIN_ROWS_FOR_NETWORK, fit_linear_gaussian
from condensity.training.predict import limit_inputs
from condensity.training.settings import (
    Settings,
    encodings_to_try,
    for_all_rows,
    make_network,
    make_plan,
    require_same_network,
)

#: Statuses of runs that the user has ended: nothing else is begun.
ENDED_BY_USER = ("interrupted", "stopped")


@dataclass(frozen=True)
class MDNFit:
    """Fitted networks and how the fit went.

    Attributes
    ----------
    parameters : ndarray (m, n_parameters)
    network : Network
    converged : bool
    outcome : str
        How it ended, in a sentence with numbers.
    n_iter : int
        Epochs.
    history : dict of lists
    held_out_log_density : ndarray (n,)
        Of every training row under the networks that did not see it, standardised; nan where there are none.
    candidates : list of dict
        What was tried, and its held-out NLL.
    ended_by_user : bool
        Whether Ctrl-C or the callback cut it short.
    bases : list of GaussianInit or None
        What the networks stand on, one each.
    """

    parameters: np.ndarray
    network: Network
    converged: bool
    outcome: str
    n_iter: int
    history: dict
    held_out_log_density: np.ndarray
    candidates: list = field(default_factory=list)
    ended_by_user: bool = False
    gaussian_inits: list | None = None

    def check_loaded(self):
        """Refuse networks that are not as long as they say; nothing is allocated for what they say."""
        shape, widths = (
            np.shape(self.parameters),
            (*self.network.hidden, self.network.n_components, self.network.n_outputs),
        )
        if not all(type(width) is int and width > 0 for width in widths) or self.network.activation not in ACTIVATIONS:
            raise ValueError("widths must be positive numbers, and the activation one that there is")
        if (
            len(shape) != 2
            or shape[0] < 1
            or shape[1] != self.network.n_parameters
            or not np.isfinite(self.parameters).all()
        ):
            raise ValueError("a network must have as many numbers as its layers need, all finite")

    @property
    def log_scale_bounds(self):
        """Where log σ is held, or None."""
        return self.network.log_scale_bounds


@dataclass
class _Candidate:
    """A network, how it is trained, and what came of it."""

    encoding: str | None
    network: Network
    plan: TrainingPlan
    splits: list
    run: Any
    number: int
    n_copies: int = 1  # of the table, each with another base's offsets
    ended: TrainingResult | None = None
    standing: float = np.inf  # held-out NLL when it was compared with others
    dropped: bool = False

    @property
    def race_step(self) -> int:
        """When it is compared with others."""
        return max(MIN_RACE_STEPS, round(RACE_SHARE * self.plan.max_steps))

    @property
    def n_kept(self) -> int:
        """Rows that a member trains on."""
        return len(self.splits[0].kept)

    @property
    def training(self) -> TrainingResult:
        """What came of it so far."""
        return self.run.result() if self.ended is None else self.ended

    def loss_by(self, step) -> float:
        """Lowest held-out NLL of the checks up to a step."""
        history = self.run.history
        pairs = zip(history["step"], history["validation_nll"], strict=True)
        return min((loss for at, loss in pairs if at <= step and not np.isnan(loss)), default=np.inf)


#: Candidates that are this many nats behind at this share of their schedule, but not before so many steps, are dropped; see
#: docs/decisions.md.
RACE_SHARE, RACE_MARGIN, MIN_RACE_STEPS = 1 / 10, 0.05, 500


def fit_mdn(
    settings: Settings,
    rows: TrainingRows,
    rng,
    validation: TrainingRows | None = None,
    *,
    compute: Compute = AUTO,
    journal: Journal | None = None,
    earlier: MDNFit | None = None,
    fit_gaussian_init: GaussianInitFitter | None = None,
) -> MDNFit:
    """Fit by the recipe of the settings.

    Parameters
    ----------
    settings : Settings
    rows : TrainingRows
        Standardised training rows, weights with mean one; their x is limited in place.
    rng : numpy Generator
    validation : TrainingRows, optional
        The caller's own held-out rows; they replace the random splits.
    compute : Compute
        Its threads are members that train at a time.
    journal : Journal, optional
    earlier : MDNFit, optional
        Start from its parameters, in its network.
    make_base : callable, optional
        Fits what the networks stand on, for init='gmm'.
    """
    journal = Journal() if journal is None else journal
    rng = journal.generator(rng)
    n = len(rows.y)
    limit_inputs(rows.x, out=rows.x)
    if settings.early_stopping and validation is None and n < MIN_ROWS_FOR_NETWORK:
        theta, network, words = fit_linear_gaussian(rows)
        nothing: dict[str, list] = {"step": [], "train_loss": [], "validation_nll": []}
        return MDNFit(theta[None], network, True, words, 1, nothing, np.full(n, np.nan))
    race = CandidateRace(settings, rows, rng, journal, compute, earlier, fit_gaussian_init)
    if not settings.early_stopping:
        encoding = "piecewise" if settings.numeric_encoding == "piecewise" else None
        (candidate,) = race.train_candidates([encoding], [all_rows(n)] * settings.n_members)
        return _describe(candidate, candidate.training, outcome.of_full_run, n, [candidate], race.gaussian_inits)
    if validation is not None:
        race.table = rows.followed_by(_limited(validation))
        splits = [Split(np.arange(n), np.arange(n, len(race.table.y)))] * settings.n_members
    elif settings.n_members > 1:
        splits = [Split(*pair) for pair in fold_splits(n, settings.n_members, rng)]
    else:
        splits = [Split(*pair) for pair in held_out_splits(n, settings.validation_fraction, rng)]
    candidates = race.train_candidates(encodings_to_try(settings, rows) if earlier is None else [None], splits)
    kept = [candidate for candidate in candidates if candidate.ended and not candidate.dropped]
    best = min(kept, key=lambda candidate: candidate.training.best_loss)
    interrupted = any(candidate.training.status in ENDED_BY_USER for candidate in candidates)
    by_folds = len(splits) > settings.n_members
    whole_table = settings.n_members == 1 and validation is None and (settings.refit or by_folds)
    if not interrupted and race.gaussian_inits is not None and earlier is None:
        log_density, loss = race.score_gaussian_inits(best)
        if loss <= best.training.best_loss:
            return race.gaussian_init_alone(best, log_density, loss, whole_table, candidates)
    if interrupted or not whole_table:
        return _describe(best, best.training, outcome.of_stopped_run, n, candidates, race.gaussian_inits)
    if best.training.best_step == 0:  # diverged before the first look
        return _describe(best, best.training, outcome.of_stopped_run, n, candidates, race.gaussian_inits)
    final, gaussian_inits = race.train_on_all_rows(best)
    if final.best_step == 0:  # diverged before the first look: what chose the number of steps is still good
        return _describe(best, best.training, outcome.of_stopped_run, n, candidates, race.gaussian_inits)
    return _describe(best, final, outcome.of_refit, n, candidates, gaussian_inits)


class CandidateRace:
    """The rows of a fit and all that its runs share."""

    def __init__(self, settings, rows, rng, journal, compute, earlier, fit_gaussian_init):
        self.settings, self.rows, self.rng, self.journal = settings, rows, rng, journal
        self.compute, self.earlier, self.fit_gaussian_init = compute, earlier, fit_gaussian_init
        self.table = rows  # with the caller's validation rows behind, if any
        self.gaussian_inits: list | None = None  # of every member
        self.n_copies = 1

    def train_candidates(self, encodings, splits) -> list:
        """Train a member on each split, all in step; of several candidates, those that fall behind are dropped early."""
        self.gaussian_inits = self._gaussian_inits(splits)
        networks = [self._make_network(encoding) for encoding in encodings]
        if self.gaussian_inits is not None:
            n = len(self.table.y)
            self.table, splits = tables_of(self.table, splits, self.gaussian_inits, networks[0])
            self.n_copies = len(self.table.y) // n
        candidates = [self._prepare(*pair, splits) for pair in zip(encodings, networks, strict=True)]
        if len(candidates) > 1:
            for candidate in candidates:
                candidate.ended = self._advance(candidate, candidate.race_step)
                if candidate.training.status in ENDED_BY_USER:
                    return candidates[: candidates.index(candidate) + 1]
                candidate.standing = candidate.loss_by(candidate.race_step)
            ahead = min(candidate.standing for candidate in candidates)
            for candidate in candidates:  # also one that has run out meanwhile: how fast a machine is must not decide
                candidate.dropped = candidate.standing > ahead + RACE_MARGIN
        for candidate in candidates:
            if candidate.ended is None and not candidate.dropped:
                candidate.ended = self._advance(candidate)
            if candidate.training.status in ENDED_BY_USER:
                break
        return candidates

    def train_on_all_rows(self, candidate):
        """One network on all rows, for as many epochs as were best: what came of it, and what it stands on."""
        n, rows, gaussian_inits = len(self.rows.y), self.rows, None
        if self.gaussian_inits is not None:
            gaussian_inits = (
                self.gaussian_inits[:1]
                if self.earlier
                else [self.fit_gaussian_init(rows, self.rng, self.gaussian_inits[0])]
            )
            rows, _ = tables_of(rows, [all_rows(n)], gaussian_inits, candidate.network)
        plan = for_all_rows(candidate.plan, candidate.training.best_step, candidate.n_kept, n)
        make_run = engines.operation("train", self.compute.one_thread)
        run = make_run(self._start(candidate.network, 1), candidate.network, plan, self.rng, rows, [all_rows(n)])
        number = self.journal.begin(run)
        training = run_to_end(run, self.journal.between("all rows", number))
        self.journal.keep(number, run)
        return training, gaussian_inits

    def score_gaussian_inits(self, candidate):
        """Log density of held-out rows under what the members stand on, (n,), nan elsewhere; and its loss."""
        theta, table = start_at_gaussian_init(candidate.network, np.random.default_rng(0)), self.table
        log_density = np.full(len(table.y), np.nan)
        for split in candidate.splits:
            out = table.take(split.held_out)
            log_density[split.held_out] = log_density_of(theta, candidate.network, out.x, out.y, out.offset)
        known = ~np.isnan(log_density)
        return log_density, held_out_loss(log_density[known], table.weight[known])

    def gaussian_init_alone(self, candidate, log_density, loss, whole_table, candidates) -> MDNFit:
        """What the members stand on, with networks that add nothing."""
        gaussian_inits, n = list(self.gaussian_inits or []), len(self.rows.y)
        if whole_table:
            gaussian_inits = [self.fit_gaussian_init(self.rows, self.rng, gaussian_inits[0])]
        theta = start_at_gaussian_init(candidate.network, np.random.default_rng(0))
        fit = _describe(candidate, candidate.training, outcome.of_stopped_run, n, candidates, gaussian_inits)
        return replace(
            fit,
            parameters=np.array([theta] * len(gaussian_inits)),
            converged=True,
            outcome=outcome.of_gaussian_init_alone(candidate, loss),
            held_out_log_density=of_original_rows(log_density, self.n_copies)[:n],
        )

    def _gaussian_inits(self, splits):
        """What every member stands on; None where networks stand by themselves."""
        if self.earlier is not None:
            earlier = self.earlier.gaussian_inits
            return None if earlier is None else [earlier[j % len(earlier)] for j in range(len(splits))]
        if self.fit_gaussian_init is None:
            return None
        gaussian_inits = gaussian_inits_of(self.fit_gaussian_init, self.table, splits, self.rng)
        self.settings = replace(self.settings, n_components=gaussian_inits[0].n_components)
        return gaussian_inits

    def _prepare(self, encoding, network, splits) -> _Candidate:
        plan = make_plan(self.settings, self.rows, len(splits[0].kept), max(len(split.held_out) for split in splits))
        parameters = self._start(network, len(splits))
        run = engines.operation("train", self.compute)(parameters, network, plan, self.rng, self.table, splits)
        return _Candidate(encoding, network, plan, splits, run, self.journal.begin(run), self.n_copies)

    def _advance(self, candidate, step=None) -> TrainingResult | None:
        """Train a candidate to its end, or to a step; what came of it, if it has ended."""
        stage = "piecewise encoding" if candidate.encoding else "plain inputs"
        between = self.journal.between(stage, candidate.number)
        ended = run_to_end(candidate.run, between) if step is None else run_until(candidate.run, step, between)
        self.journal.keep(candidate.number, candidate.run)
        return ended

    def _make_network(self, encoding):
        if self.earlier is None:
            return make_network(self.settings, self.rows, encoding)
        require_same_network(self.settings, self.rows, self.earlier.network)
        return self.earlier.network

    def _start(self, network, n_members):
        """Initial θ of every member."""
        if self.earlier is not None:
            return self.earlier.parameters[np.arange(n_members) % len(self.earlier.parameters)]
        return make_starts(self.settings, self.rows, network, n_members, self.rng)


def train_one_epoch(settings, rows, rng, earlier: MDNFit | None, state, *, compute=AUTO, fit_gaussian_init=None):
    """One pass over rows, on from an earlier fit: (MDNFit, the solver's state, from which the next pass goes on).

    Without a horizon to plan for, 'auto' is the schedule-free solver.

    Parameters
    ----------
    settings : Settings
    rows : TrainingRows
        In the units of the first call.
    rng : numpy Generator
    earlier : MDNFit or None
    state : as returned
        None to start with a fresh solver.
    compute : Compute
    make_base : callable, optional
        As in `fit_mdn`.
    """
    rows, n = _limited(rows), len(rows.y)
    solver = "schedule_free_adamw" if settings.solver == "auto" else settings.solver
    settings = replace(settings, solver=solver, max_iter=1)
    gaussian_inits = None if earlier is None else earlier.gaussian_inits
    if earlier is None:
        if fit_gaussian_init is not None:
            gaussian_inits = [fit_gaussian_init(rows, rng, None)] * settings.n_members
            settings = replace(settings, n_components=gaussian_inits[0].n_components)
        network = make_network(settings, rows, "piecewise" if settings.numeric_encoding == "piecewise" else None)
        parameters, n_epochs = make_starts(settings, rows, network, settings.n_members, rng), 0
    else:
        require_same_network(settings, rows, earlier.network)
        network, parameters, n_epochs = earlier.network, earlier.parameters, earlier.n_iter
    done, solvers = (0, None) if state is None else state
    plan = make_plan(settings, rows, n)
    last = done + plan.max_steps
    plan = plan._replace(
        horizon=0, warm_up=50, min_steps=0, max_steps=last, check_every=last, input_noise=0.0, target_noise=0.0
    )
    splits = [all_rows(n)] * len(parameters)
    if gaussian_inits is not None:
        rows, splits = tables_of(rows, splits, gaussian_inits, network)
    run = engines.operation("train", compute.one_thread)(parameters, network, plan, rng, rows, splits)
    if solvers is not None:
        run.load_optimizer_state(solvers)
    training = run_to_end(run)
    words = f"Trained for one more epoch ({n} rows), {n_epochs + 1} in all; partial_fit does not judge convergence."
    if training.status != "max_steps":
        words = f"Ended early ({training.status}). {words}"
    history = {"step": [], "train_loss": [], "validation_nll": []} if earlier is None else earlier.history
    history = {name: [*history[name], *training.history[name]] for name in history}
    fit = MDNFit(
        training.parameters,
        network,
        False,
        words,
        n_epochs + 1,
        history,
        np.full(n, np.nan),
        gaussian_inits=gaussian_inits,
    )
    return fit, (training.n_steps, run.save())


def make_starts(settings, rows, network, n_members, rng):
    """Initial θ of every member, (m, n_parameters)."""
    if settings.init == "xavier":
        return np.array([initialize_xavier(network, rng) for _ in range(n_members)])
    if settings.init == "gmm":
        return np.array([start_at_gaussian_init(network, rng) for _ in range(n_members)])
    means = spread_over(rows, network.n_components)
    return np.array([initialize(network, means, rng) for _ in range(n_members)])


def spread_over(rows, n_components):
    """Where K components start, (K, q): at quantiles of y or, with several outputs, along their main axis."""
    levels = (np.arange(n_components) + 0.5) / n_components
    rows = rows.take(slice(None, None, -(-len(rows.y) // QUANTILE_ROWS)))
    if rows.y.shape[1] == 1:
        return weighted_quantiles(rows.y[:, 0], rows.weight, levels)[:, None]
    center = np.array([weighted_quantiles(column, rows.weight, 0.5) for column in rows.y.T])
    held = np.clip(rows.y - center, -INITIAL_RANGE, INITIAL_RANGE)
    _, _, axes = np.linalg.svd((held * rows.weight[:, None]).T @ held)
    places = weighted_quantiles(held @ axes[0], rows.weight, levels)
    return center + places[:, None] * axes[0]


#: Standardised targets further out do not choose the main axis.
INITIAL_RANGE = 5.0


def _limited(rows):
    return rows._replace(x=limit_inputs(rows.x))


def _describe(candidate, training, words, n, candidates, gaussian_inits) -> MDNFit:
    """A fit from its last run, in the words of `outcome`."""
    converged, text = words(candidate, training, n)
    history = training.history
    if training is not candidate.training:
        history = candidate.training.history  # with the held-out curve that chose the number of steps
    table = [
        {
            "numeric_encoding": each.encoding,
            "n_steps": each.race_step if each.dropped else each.training.best_step,
            "held_out_nll": each.standing if each.dropped else each.training.best_loss,
            "dropped": each.dropped,
        }
        for each in candidates
    ]
    return MDNFit(
        parameters=training.parameters,
        network=candidate.network,
        converged=converged,
        outcome=text,
        n_iter=outcome.epochs(
            training.n_steps, candidate.plan, n if training is not candidate.training else candidate.n_kept
        ),
        history=history,
        held_out_log_density=of_original_rows(candidate.training.held_out_log_density, candidate.n_copies)[:n],
        candidates=table,
        ended_by_user=training.status in ENDED_BY_USER,
        gaussian_inits=gaussian_inits,
    )
