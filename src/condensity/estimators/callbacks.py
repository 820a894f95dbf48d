"""scikit-learn's callbacks (`sklearn.callback`, from 1.9 on): the fit is a task, and every look at it a task within."""

from condensity._sklearn_compat import begin_callbacks, callback_context


def begin_fit(estimator, X, y):
    """Tell the callbacks that were set that a fit begins: the context of the fit, or None where there are none."""
    context = begin_callbacks(estimator)
    if context is None:
        return None
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    return context


def look_through(estimator, callback):
    """The caller's own callback, after those of scikit-learn, any of which may end the fit by returning True."""
    context = callback_context(estimator)
    if context is None:
        return callback

    def look(progress):
        task = context.subcontext(task_name=f"{progress.stage}, step {progress.n_steps} of {progress.max_steps}")
        task.call_on_fit_task_begin(estimator=estimator)
        stop = task.call_on_fit_task_end(estimator=estimator)
        own = None if callback is None else callback(progress)
        return bool(stop or own)

    return look
