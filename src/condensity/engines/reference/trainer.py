"""The training loop: networks side by side, in step with each other; batches, schedule, held-out checks, best kept.

A run trains m members, m ≥ 1, each on the rows that it keeps, all looked at together every few steps: what counts is the
density of every held-out row, averaged over the members that do not see it. The best parameters of all of them are those
of one common step: an ensemble is at its best later, and sharper, than each of its members alone.
"""

import copy
import time
from typing import NamedTuple

import numpy as np

from condensity.engines.reference.network import Penalty, log_density, loss_and_gradient, matrix_mask
from condensity.engines.reference.optimizer import SOLVERS

#: A held-out row counts for at most this many nats, so that one wild row cannot choose the stopping point.
ROW_LOSS_CAP = 20.0

#: Noise on the rows has faded to nothing after this share of the steps.
NOISE_SHARE = 0.7


class TrainingRows(NamedTuple):
    """Standardised rows.

    Attributes
    ----------
    x : ndarray (n, d)
    y : ndarray (n, q)
    weight : ndarray (n,)
        With mean one.
    offset : ndarray (n, head width), optional
        Added to what the network's linear head gives for the row, before all else.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    offset: np.ndarray | None = None

    def take(self, index) -> "TrainingRows":
        """The rows at `index`."""
        offset = None if self.offset is None else self.offset[index]
        return TrainingRows(self.x[index], self.y[index], self.weight[index], offset)

    def followed_by(self, other) -> "TrainingRows":
        """These rows, and behind them the other's.

        Raises
        ------
        ValueError
            If only one of the two has offsets.
        """
        offset = None
        if self.offset is not None and other.offset is not None:
            offset = np.concatenate([self.offset, other.offset])
        elif self.offset is not other.offset:
            raise ValueError("Either all rows must have an offset, or none; only one of two tables has them.")
        x, y, weight = (np.concatenate(pair) for pair in zip(self[:3], other[:3], strict=True))
        return TrainingRows(x, y, weight, offset)


class Split(NamedTuple):
    """Row indices that a member trains on, and those that it is judged by (none: it is not)."""

    kept: np.ndarray
    held_out: np.ndarray


def all_rows(n_rows) -> Split:
    """All rows to train on, none held out."""
    return Split(np.arange(n_rows), np.arange(0))


class TrainingPlan(NamedTuple):
    """How to train, every choice made.

    Attributes
    ----------
    solver : str
        A key of `optimizer.SOLVERS`.
    learning_rate : float
    warm_up, horizon : int
        The rate rises linearly over `warm_up` steps, then falls along a cosine, to 0 at step `horizon`; 0: it stays.
    batch_size, max_steps, check_every : int
    patience : int
        Checks without an improvement of `tolerance` nats after which held-out training stops, not before `min_steps`.
    min_steps : int
    tolerance : float
    weight_decay : float
    penalty : Penalty
    max_gradient_norm : float
        Longer gradients are cut to this length and counted.
    input_noise, target_noise : float
        Standard deviations of normal noise on x and y at the first step; it fades to nothing at 70 % of `max_steps`.
    """

    solver: str
    learning_rate: float
    warm_up: int
    batch_size: int
    max_steps: int
    check_every: int
    patience: int
    tolerance: float
    weight_decay: float
    penalty: Penalty
    max_gradient_norm: float
    horizon: int = 0
    min_steps: int = 0
    input_noise: float = 0.0
    target_noise: float = 0.0


class TrainingResult(NamedTuple):
    """What training gave.

    Attributes
    ----------
    parameters : ndarray (m, n_parameters)
        The best parameters: lowest held-out loss, or the last usable ones where nothing is held out.
    status : str
        'patience' (held-out loss stopped improving), 'max_steps', 'diverged' (a loss or gradient was not finite, or a
        checked model gave nan), 'interrupted' (Ctrl-C) or
        'stopped' (by whoever looks on between slices).
    n_steps, best_step, n_clipped : int
    history : dict of lists
        'step', 'train_loss' (mean over members and the steps since the last check) and 'validation_nll', one entry a check.
    held_out_log_density : ndarray (n,)
        Of every row under the best members that did not see it; nan where all did.
    """

    parameters: np.ndarray
    status: str
    n_steps: int
    best_step: int
    n_clipped: int
    history: dict
    held_out_log_density: np.ndarray

    @property
    def best_loss(self) -> float:
        """Held-out NLL of the best step; inf where there was none."""
        values = [value for value in self.history["validation_nll"] if not np.isnan(value)]
        return min(values, default=np.inf)


def run_to_end(run, between=None) -> TrainingResult:
    """Advance a run of either engine to its end, or to Ctrl-C if there is something to keep by then.

    Parameters
    ----------
    run : Run or native.Run
    between : callable (run) -> bool, optional
        Called between slices of work, about ten times a second; True ends the run as 'stopped', once
        there is something to keep.

    Raises
    ------
    KeyboardInterrupt
        At Ctrl-C, if no parameters have been looked at yet; later, the best so far are kept.
    """
    ended = run_until(run, run.max_steps, between)
    return run.result() if ended is None else ended


def run_until(run, step, between=None) -> TrainingResult | None:
    """Advance a run to a check at or after `step`, as `run_to_end`; what it gave, if it has ended by then, else None."""
    try:
        while not run.advance(SLICE_SECONDS):
            if between is not None and between(run) and run.best_step:
                return run.result("stopped")
            if run.last_check >= step:
                return None
    except KeyboardInterrupt:
        if run.best_step == 0:
            raise
        return run.result("interrupted")
    return run.result()


#: How long a run works before Python has a look: Ctrl-C is obeyed as soon.
SLICE_SECONDS = 0.1


def steps_per_epoch(n_rows, batch_size) -> int:
    """Batches that one pass over the rows takes."""
    return -(-n_rows // batch_size)


def batches(kept, batch_size, rng):
    """Endless row indices: a new permutation of `kept` each epoch, cut into batches whose sizes differ by at most one."""
    while True:
        yield from np.array_split(rng.permutation(kept), steps_per_epoch(len(kept), batch_size))


def rate_at(step, plan) -> float:
    """Learning rate of a step, the first being 1."""
    if step < plan.warm_up:
        return plan.learning_rate * step / plan.warm_up
    if plan.horizon <= plan.warm_up:
        return plan.learning_rate
    gone = min(1.0, (step - plan.warm_up) / (plan.horizon - plan.warm_up))
    return plan.learning_rate * 0.5 * (1.0 + np.cos(np.pi * gone))


def held_out_loss(log_density, weight) -> float:
    """Weighted mean held-out NLL, each row's share limited by `ROW_LOSS_CAP`."""
    return float(np.average(np.minimum(-log_density, ROW_LOSS_CAP), weights=weight))


class _Member:
    """One network in training."""

    def __init__(self, theta, network, plan, rng, rows, split):
        self.network, self.plan, self.rng, self.rows, self.split = network, plan, rng, rows, split
        self.solver = SOLVERS[plan.solver](theta, weight_decay=plan.weight_decay, decay_mask=matrix_mask(network))
        self.stream = batches(split.kept, plan.batch_size, rng)
        self.best, self.step, self.n_clipped, self.losses, self.diverged = theta.copy(), 0, 0, [], False

    def take_step(self):
        """One step of the solver; `diverged` where it cannot be taken."""
        plan, batch = self.plan, self._next_batch()
        loss, gradient = loss_and_gradient(
            self.solver.query(), self.network, batch.x, batch.y, batch.weight, plan.penalty, batch.offset
        )
        length = float(np.linalg.norm(gradient))
        if not (np.isfinite(loss) and np.isfinite(length)):
            self.diverged = True
            return
        if length > plan.max_gradient_norm:
            gradient, self.n_clipped = gradient * (plan.max_gradient_norm / length), self.n_clipped + 1
        self.step += 1
        self.losses.append(loss)
        self.solver.step(gradient, rate_at(self.step, plan))

    def _next_batch(self):
        batch = self.batch = self.rows.take(next(self.stream))
        left = max(0.0, 1.0 - self.step / (NOISE_SHARE * self.plan.max_steps))
        for name, spread in (("x", self.plan.input_noise), ("y", self.plan.target_noise)):
            if spread > 0:
                values = getattr(batch, name)
                batch = batch._replace(**{name: values + left * spread * self.rng.standard_normal(values.shape)})
        return batch

    def evaluate(self):
        """Log density of the held-out rows, or of the last batch where nothing is held out."""
        batch = self.rows.take(self.split.held_out) if len(self.split.held_out) else self.batch
        values = log_density(self.solver.model(), self.network, batch.x, batch.y, batch.offset)
        if not len(self.split.held_out) and np.isnan(values).any():
            self.diverged = True
        return values


class Run:
    """Minimise the penalised NLL of m networks on `rows`; with held-out rows, stop early and keep the best parameters.

    Parameters
    ----------
    parameters : ndarray (m, n_parameters)
        Starts; not written to.
    network : Network
    plan : TrainingPlan
    rng : numpy Generator
        Shuffles the rows.
    rows : TrainingRows
    splits : list of m Split
    threads : int
        Ignored: this engine is for reading.
    """

    def __init__(self, parameters, network, plan, rng, rows, splits, threads=1):
        self.plan, self.rows = plan, rows
        generators = rng.spawn(len(splits))
        self._members = [
            _Member(theta, network, plan, generator, rows, split)
            for theta, generator, split in zip(parameters, generators, splits, strict=True)
        ]
        self._seen_by = np.zeros(len(rows.y))
        for split in splits:
            self._seen_by[split.held_out] += 1.0
        self._best_log_density = np.full(len(rows.y), np.nan)
        self.status, self.best_step = "running" if plan.max_steps else "max_steps", 0
        self.history: dict[str, list] = {"step": [], "train_loss": [], "validation_nll": []}
        self._best_loss = self._reference_loss = np.inf
        self._stale = 0

    @property
    def max_steps(self) -> int:
        """Steps at most."""
        return self.plan.max_steps

    @property
    def last_check(self) -> int:
        """Step of the latest check; 0 before the first."""
        return self.history["step"][-1] if self.history["step"] else 0

    @property
    def n_steps(self) -> int:
        """Steps taken."""
        return max(member.step for member in self._members)

    @np.errstate(over="ignore", invalid="ignore")  # what overflows is looked for, and ends the run as 'diverged'
    def advance(self, seconds) -> bool:
        """Train for about so many seconds; whether the run has ended."""
        plan, deadline = self.plan, time.perf_counter() + seconds
        while self.status == "running":
            target = self.n_steps + 1
            for member in self._members:
                if member.step < target and not member.diverged:
                    member.take_step()
            if any(member.diverged for member in self._members):
                self.status = "diverged"
            elif target % plan.check_every == 0 or target == plan.max_steps:
                self._check(target)
            if time.perf_counter() > deadline:
                break
        return self.status != "running"

    def _check(self, step):
        holds_out = self._seen_by > 0
        total = np.full(len(self._seen_by), -np.inf)
        for member in self._members:
            values, held_out = member.evaluate(), member.split.held_out
            if len(held_out):
                total[held_out] = np.logaddexp(total[held_out], values)
        loss = np.nan
        if holds_out.any():
            values = total[holds_out] - np.log(self._seen_by[holds_out])
            loss = held_out_loss(values, self.rows.weight[holds_out])
        train_loss = float(np.mean([np.mean(member.losses) for member in self._members]))
        for name, value in (("step", step), ("train_loss", train_loss), ("validation_nll", loss)):
            self.history[name].append(value)
        for member in self._members:
            member.losses = []
        if any(member.diverged for member in self._members) or (holds_out.any() and np.isnan(loss)):
            self.status = "diverged"
            return
        if not holds_out.any() or loss < self._best_loss:
            self.best_step, self._best_loss = step, loss
            for member in self._members:
                member.best = member.solver.model().copy()
            if holds_out.any():
                self._best_log_density[holds_out] = values
        if step == self.plan.max_steps:
            self.status = "max_steps"
        if not holds_out.any():
            return
        if loss < self._reference_loss - self.plan.tolerance:
            self._reference_loss, self._stale = loss, 0
        else:
            self._stale += 1
        if self._stale >= self.plan.patience and step >= self.plan.min_steps:
            self.status = "patience"

    def save(self):
        """What `load_optimizer_state` takes, in memory only."""
        return copy.deepcopy([(member.solver, member.step) for member in self._members])

    def load_optimizer_state(self, state):
        """Take only the solvers over from another run of the same network."""
        for member, (solver, step) in zip(self._members, copy.deepcopy(state), strict=True):
            member.solver, member.step = solver, step

    def result(self, status=None) -> TrainingResult:
        """What there is so far."""
        return TrainingResult(
            np.array([member.best for member in self._members]),
            status or self.status,
            self.n_steps,
            self.best_step,
            sum(member.n_clipped for member in self._members),
            self.history,
            self._best_log_density,
        )
