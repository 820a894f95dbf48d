"""Training loop: networks in parallel, in step with each other; batches, schedule, validation checks, the best step kept.

A run trains m members, m ≥ 1, each on the rows that it keeps, and checks all of them together every few steps: the criterion
is the density of every validation row, averaged over the members that do not train on it. The best parameters of all of them
are those of one common step: an ensemble is at its best later, and sharper, than each of its members alone.
"""

import copy
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from condensity.engines.reference.network import log_density, loss_and_gradient, matrix_mask
from condensity.engines.reference.optimizer import SOLVERS
from condensity.engines.types import (
    History,
    Network,
    Split,
    TrainingPlan,
    TrainingResult,
    TrainingRows,
    held_out_loss,
    steps_per_epoch,
)

#: Noise on the rows has faded to nothing after this share of the steps.
NOISE_SHARE = 0.7


def batches(kept: np.ndarray, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of row indices: a permutation of `kept` (n_kept,) per epoch, drawn by `rng`.

    Each epoch is cut into batches of at most `batch_size` rows, whose sizes differ by at most one.
    """
    while True:
        yield from np.array_split(rng.permutation(kept), steps_per_epoch(len(kept), batch_size))


def rate_at(step: int, plan: TrainingPlan) -> float:
    """Learning rate of a step of the `plan`, the first being 1."""
    if step < plan.warm_up:
        return plan.learning_rate * step / plan.warm_up
    if plan.horizon <= plan.warm_up:
        return plan.learning_rate
    fraction = min(1.0, (step - plan.warm_up) / (plan.horizon - plan.warm_up))
    return plan.learning_rate * 0.5 * (1.0 + np.cos(np.pi * fraction))


class _Member:
    """One network in training."""

    def __init__(
        self,
        theta: np.ndarray,
        network: Network,
        plan: TrainingPlan,
        rng: np.random.Generator,
        rows: TrainingRows,
        split: Split,
    ):
        self.network, self.plan, self.rng, self.rows, self.split = network, plan, rng, rows, split
        self.solver = SOLVERS[plan.solver](theta, weight_decay=plan.weight_decay, decay_mask=matrix_mask(network))
        self.stream = batches(split.kept, plan.batch_size, rng)
        self.best, self.step, self.n_clipped, self.diverged = theta.copy(), 0, 0, False
        self.losses: list[float] = []  # since the last check

    def take_step(self) -> None:
        """One step of the solver; `diverged` if it cannot be taken."""
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

    def _next_batch(self) -> TrainingRows:
        batch = self.batch = self.rows.take(next(self.stream))
        fade = max(0.0, 1.0 - self.step / (NOISE_SHARE * self.plan.max_steps))
        for name, spread in (("x", self.plan.input_noise), ("y", self.plan.target_noise)):
            if spread > 0:
                values = getattr(batch, name)
                batch = batch._replace(**{name: values + fade * spread * self.rng.standard_normal(values.shape)})
        return batch

    def evaluate(self) -> np.ndarray:
        """Log density of the validation rows, or of the last batch where nothing is held out."""
        batch = self.rows.take(self.split.held_out) if len(self.split.held_out) else self.batch
        values = log_density(self.solver.model(), self.network, batch.x, batch.y, batch.offset)
        if not len(self.split.held_out) and np.isnan(values).any():
            self.diverged = True
        return values


class Run:
    """Minimise the penalised NLL of m networks on `rows`; with validation rows, stop early and keep the best θ.

    Parameters
    ----------
    parameters : ndarray (m, n_parameters)
        Initial θ; not written to.
    network : Network
    plan : TrainingPlan
    rng : numpy Generator
        Shuffles the rows.
    rows : TrainingRows
    splits : sequence of m Split
    """

    def __init__(
        self,
        parameters: np.ndarray,
        network: Network,
        plan: TrainingPlan,
        rng: np.random.Generator,
        rows: TrainingRows,
        splits: Sequence[Split],
    ):
        self.plan, self.rows = plan, rows
        generators = rng.spawn(len(splits))
        self._members = [
            _Member(theta, network, plan, generator, rows, split)
            for theta, generator, split in zip(parameters, generators, splits, strict=True)
        ]
        self._n_unseen = np.zeros(len(rows.y))
        for split in splits:
            self._n_unseen[split.held_out] += 1.0
        self._best_log_density = np.full(len(rows.y), np.nan)
        self.status, self.best_step = "running" if plan.max_steps else "max_steps", 0
        self.history: History = {"step": [], "train_loss": [], "validation_nll": []}
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

    @np.errstate(over="ignore", invalid="ignore")  # overflow is checked for, and ends the run as 'diverged'
    def advance(self, seconds: float) -> bool:
        """Train for about `seconds`; True once the run has ended."""
        plan, deadline = self.plan, time.perf_counter() + seconds
        while self.status == "running":
            target = self.n_steps + 1
            for member in self._members:
                if member.step < target and not member.diverged:
                    member.take_step()
            if any(member.diverged for member in self._members):
                self.status = "diverged"
            elif target % plan.check_every == 0 or target == plan.max_steps:
                self._apply_stopping_rule(target)
            if time.perf_counter() > deadline:
                break
        return self.status != "running"

    def _apply_stopping_rule(self, step: int) -> None:
        holds_out = self._n_unseen > 0
        total = np.full(len(self._n_unseen), -np.inf)
        for member in self._members:
            values, held_out = member.evaluate(), member.split.held_out
            if len(held_out):
                total[held_out] = np.logaddexp(total[held_out], values)
        loss = np.nan
        if holds_out.any():
            values = total[holds_out] - np.log(self._n_unseen[holds_out])
            loss = held_out_loss(values, self.rows.weight[holds_out], self.rows.y.shape[1])
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

    def save(self) -> Any:
        """Solvers and steps of the members, for `load_optimizer_state` of another run in the same process."""
        return copy.deepcopy([(member.solver, member.step) for member in self._members])

    def load_optimizer_state(self, state: Any) -> None:
        """Take the solvers in the `state` of another run of the same network."""
        for member, (solver, step) in zip(self._members, copy.deepcopy(state), strict=True):
            member.solver, member.step = solver, step

    def result(self, status: str | None = None) -> TrainingResult:
        """Best parameters so far; `status` replaces the run's own."""
        return TrainingResult(
            np.array([member.best for member in self._members]),
            status or self.status,
            self.n_steps,
            self.best_step,
            sum(member.n_clipped for member in self._members),
            self.history,
            self._best_log_density,
        )
