"""Outcome of a fit, in a sentence with numbers: (converged, sentence) of a candidate and its last run."""

from condensity.engines.types import TrainingPlan, TrainingResult, steps_per_epoch
from condensity.training.race import Candidate
from condensity.training.settings import MAX_GRADIENT_NORM


def epochs(n_steps: int, plan: TrainingPlan, n: int) -> int:
    """Passes over n rows in `n_steps` of the `plan`, at least one."""
    return max(1, -(-n_steps // steps_per_epoch(n, plan.batch_size)))


def of_stopped_run(candidate: Candidate, run: TrainingResult, n: int) -> tuple[bool, str]:
    """Outcome of a run of the `candidate` with validation rows, out of n rows."""
    passes = epochs(run.n_steps, candidate.plan, candidate.n_kept)
    who = "Stopped" if len(run.parameters) == 1 else f"{len(run.parameters)} networks stopped together"
    if run.status == "patience":
        ending = f"{who} after {run.n_steps} steps ({passes} epochs): held-out NLL no longer improved"
    elif run.status == "diverged":
        ending = f"Diverged after {run.n_steps} steps: a loss or gradient was not finite"
    elif run.status == "interrupted":
        ending = f"Interrupted after {run.n_steps} steps ({passes} epochs)"
    elif run.status == "stopped":
        ending = f"Stopped by the callback after {run.n_steps} steps ({passes} epochs)"
    elif _levelled_off(candidate.plan, run):
        ending = f"Ran the whole schedule of {run.n_steps} steps ({passes} epochs), at whose end held-out NLL had levelled off"
    else:
        ending = f"Reached max_iter ({passes} epochs, {run.n_steps} steps) while held-out NLL was still improving"
    converged = run.status == "patience" or (run.status == "max_steps" and _levelled_off(candidate.plan, run))
    return converged, f"{ending}; the parameters of step {run.best_step}, the best, were kept.{_clipping(run)}"


def of_gaussian_init_alone(candidate: Candidate, loss: float) -> str:
    """Outcome where the `candidate` improves on its mixtures, of validation `loss` in nats, on no validation rows."""
    return (
        f"The joint mixture of {candidate.network.n_components} components, from which training began, was not improved on: "
        f"held-out NLL {loss:.4f} without the network, {candidate.training.best_loss:.4f} at its best step. "
        "The mixture alone was kept."
    )


def of_refit(candidate: Candidate, run: TrainingResult, n: int) -> tuple[bool, str]:
    """Outcome of a run on all n rows, its length chosen on the validation rows of the `candidate`."""
    chooser, passes = candidate.training, epochs(run.n_steps, candidate.plan, n)
    converged, choice = of_stopped_run(candidate, chooser, n)
    if len(candidate.splits) > 1:
        by = f"the best step of {len(candidate.splits)} folds trained together"
    else:
        by = f"as many epochs as were best on {len(candidate.splits[0].held_out)} held-out rows"
    text = f"Trained on all {n} rows for {run.n_steps} steps ({passes} epochs), {by}. {choice}"
    if run.status == "diverged":
        return False, f"Diverged on all rows after {run.n_steps} steps: a loss or gradient was not finite. {choice}"
    if run.status in ("interrupted", "stopped"):
        ended = "Interrupted" if run.status == "interrupted" else "Stopped by the callback"
        return False, f"{ended} after {run.n_steps} steps on all rows ({passes} epochs). {choice}"
    return converged, text + _clipping(run)


def of_full_run(candidate: Candidate, run: TrainingResult, n: int) -> tuple[bool, str]:
    """Outcome of a `candidate`'s run on all n rows: converged if the training loss had stopped falling before the end."""
    if run.status in ("interrupted", "stopped"):
        return of_stopped_run(candidate, run, n)
    passes, plan, losses = epochs(run.n_steps, candidate.plan, n), candidate.plan, run.history["train_loss"]
    earlier, late = losses[: -plan.patience], losses[-plan.patience :]
    settled = run.status == "max_steps" and bool(earlier) and min(late) > min(earlier) - plan.tolerance
    if run.status == "diverged":
        return False, f"Diverged after {run.n_steps} steps: a loss or gradient was not finite."
    state = "had settled" if settled else "was still falling"
    words = f"Ran all {passes} epochs ({run.n_steps} steps) without a held-out check; training loss {state}."
    return settled, words + _clipping(run)


#: A schedule whose rate falls to nothing has converged when its last tenth brought less than this, in nats.
LEVEL = 0.01


def _levelled_off(plan: TrainingPlan, run: TrainingResult) -> bool:
    """Whether the validation curve was level at the end of a schedule that runs out."""
    curve = run.history["validation_nll"]
    if not plan.horizon or len(curve) < 10:
        return False
    return min(curve[: -max(1, len(curve) // 10)]) - min(curve) < LEVEL


def _clipping(run: TrainingResult) -> str:
    if not run.n_clipped:
        return ""
    return f" {run.n_clipped} gradients were longer than {MAX_GRADIENT_NORM:g} and were cut: look for outliers."
