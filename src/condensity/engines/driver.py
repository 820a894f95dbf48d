"""Driver of a training run of any engine: slices of work, with a chance to report, save and stop between them."""

from collections.abc import Callable

from condensity.engines.api import TrainingRun
from condensity.engines.types import TrainingResult

#: How long a run works between two returns to Python: Ctrl-C is obeyed as soon.
SLICE_SECONDS = 0.1


def run_to_end(run: TrainingRun, between: Callable[[TrainingRun], bool] | None = None) -> TrainingResult:
    """Advance a run to its end, or to Ctrl-C if it has parameters to keep by then.

    Parameters
    ----------
    run : TrainingRun
    between : callable (run) -> bool, optional
        Called between slices of work, about ten times a second; True ends the run as 'stopped', once it has parameters
        to keep.

    Raises
    ------
    KeyboardInterrupt
        At Ctrl-C, if no parameters have been checked yet; later, the best so far are kept.
    """
    ended = run_until(run, run.max_steps, between)
    return run.result() if ended is None else ended


def run_until(
    run: TrainingRun, step: int, between: Callable[[TrainingRun], bool] | None = None
) -> TrainingResult | None:
    """Advance a run to a check at or after `step`, with `between` as in `run_to_end`; its result if it has ended, else None."""
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
