"""scikit-learn's callbacks (`sklearn.callback`, from 1.9 on): the fit is a task, and every report of progress a task within."""

from collections.abc import Callable
from typing import Any

from condensity._sklearn_compat import begin_callbacks, callback_context
from condensity.monitor import Progress


def begin_fit(estimator: Any, X: Any, y: Any) -> Any:
    """Tell the callbacks of an estimator that a fit to X (n, d) and y (n,) or (n, q) begins; the context, None without any."""
    context = begin_callbacks(estimator)
    if context is None:
        return None
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    return context


def progress_hook(estimator: Any) -> Callable[[Progress], bool] | None:
    """A function that passes progress to an estimator's callbacks, any of which may end the fit by returning True, or None."""
    context = callback_context(estimator)
    if context is None:
        return None

    def hook(progress: Progress) -> bool:
        task = context.subcontext(task_name=f"{progress.stage}, step {progress.n_steps} of {progress.max_steps}")
        task.call_on_fit_task_begin(estimator=estimator)
        return bool(task.call_on_fit_task_end(estimator=estimator))

    return hook
