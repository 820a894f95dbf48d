"""Protocol of fitted conditional models, with what a fit is given and what it reports."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from condensity.compute import Compute
from condensity.distributions import Mixture
from condensity.engines.types import TrainingRows
from condensity.evaluation.diagnostics import Evidence
from condensity.monitor import Monitor
from condensity.persistence import saveable


@runtime_checkable
class ConditionalModel(Protocol):
    """Fitted p(y | x) in standardised units.

    Attributes
    ----------
    n_inputs, n_outputs : int
    log_scale_bounds : (float or ndarray (q,), float) or None
        Bounds of log σ, where the model has any.
    """

    @property
    def n_inputs(self) -> int:
        """Number of standardised inputs, d."""

    @property
    def n_outputs(self) -> int:
        """Number of standardised outputs, q."""

    @property
    def log_scale_bounds(self) -> tuple[Any, float] | None:
        """Bounds of log σ, or None."""

    def predict(self, x: np.ndarray, *, compute: Compute) -> Mixture:
        """Mixture of y for each row of standardised x (n, d), predicted on `compute`."""


class FitTask(NamedTuple):
    """Everything that a fit is given besides its training rows.

    Attributes
    ----------
    rng : numpy Generator
        The only source of chance.
    validation : TrainingRows or None
        The caller's own validation rows, standardised.
    earlier : ConditionalModel or None
        Model that a warm start continues from.
    monitor : Monitor
        Progress reports, the signal to stop, checkpoints.
    compute : Compute
        Engine and threads.
    """

    rng: np.random.Generator
    validation: TrainingRows | None
    earlier: Any
    monitor: Monitor
    compute: Compute


class CrossFit(NamedTuple):
    """A model fitted to some of the rows, and rows held out of its fit.

    Attributes
    ----------
    kept : ndarray of int
        Training rows that it was fitted to.
    held_out : TrainingRows
        Standardised, without missing targets.
    rows : ndarray (h,) of int or None
        Positions of the held-out rows in the training table; None for validation rows of the caller's own.
    model : ConditionalModel
    """

    kept: np.ndarray
    held_out: TrainingRows
    rows: np.ndarray | None
    model: ConditionalModel

    @classmethod
    def of_split(cls, rows: TrainingRows, kept: np.ndarray, out: np.ndarray, model: ConditionalModel) -> "CrossFit":
        """The `model` of a split of the training `rows` into positions `kept` (k,) and `out` (h,), without missing targets."""
        out = out[np.isfinite(rows.y[out]).all(axis=1)]
        return cls(kept, rows.take(out), out, model)


@saveable("FitReport")
@dataclass(frozen=True, eq=False)
class FitReport:
    """Report of a fit.

    Attributes
    ----------
    converged : bool
    outcome : str
        How the fit ended, in a sentence with numbers.
    n_iter : int
        Epochs, or iterations of EM.
    history : dict of lists
        Losses along the fit.
    candidates : list of dict
        Candidates that were compared, with their scores.
    evidence : Evidence or None
        Sample of training rows and findings, from which the health of the model is worked out; None after `partial_fit`.
    validation_log_density : ndarray (n,) or None
        Log p(y | x) of every training row under models fitted without it, NaN where there is none. Not saved.
    cross_fits : list of CrossFit
        The model fitted to parts of the rows, by which a fallback is weighed; dropped at the end of a fit.
    """

    converged: bool
    outcome: str
    n_iter: int
    history: dict[str, list[Any]]
    candidates: list[dict[str, Any]] = field(default_factory=list)
    evidence: Evidence | None = None
    validation_log_density: np.ndarray | None = field(default=None, repr=False)
    cross_fits: list[CrossFit] = field(default_factory=list, repr=False)

    def check_loaded(self) -> None:
        """Refuse what no fit reports."""
        numbers = [value for values in self.history.values() for value in values]
        if self.n_iter < 0 or not all(type(value) in (int, float) for value in numbers):
            raise ValueError("the history of a fit must be of numbers")
        settings = [value for candidate in self.candidates for value in candidate.values()]
        if not all(value is None or isinstance(value, (str, int, float)) for value in settings):
            raise ValueError("the candidates of a fit must be described by words and numbers")

    def saved_state(self) -> dict[str, Any]:
        """Everything but the densities of the training rows, which take as much room as the table."""
        names = ("converged", "outcome", "n_iter", "history", "candidates", "evidence")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_saved_state(cls, **state: Any) -> "FitReport":
        """The report of a loaded model, from the `state` that was saved."""
        return cls(**state)

    def log_density_of(self, rows: TrainingRows) -> np.ndarray:
        """The validation log density of training rows, (n,); NaN where the model reports none."""
        if self.validation_log_density is None:
            return np.full(len(rows.y), np.nan)
        return self.validation_log_density

    def with_training_rows(self, evidence: Evidence, validation_log_density: np.ndarray) -> "FitReport":
        """The report completed by `evidence` and `validation_log_density` (n,), in nats per data unit, of training rows."""
        return replace(self, evidence=evidence, validation_log_density=validation_log_density, cross_fits=[])
