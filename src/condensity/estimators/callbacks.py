"""scikit-learn's callbacks (`sklearn.callback`, from 1.9 on): the fit is a task, and every look at it a task within."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # an older scikit-learn, without callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to set."""

    def with_callbacks(method):
        """The method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "begin_fit", "look_through", "with_callbacks"]


def begin_fit(estimator, X, y):
    """Tell the callbacks that were set that a fit begins: the context of the fit, or None where there are none."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    context = estimator._init_callback_context(max_subtasks=None)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    return context


def look_through(estimator, callback):
    """The caller's own callback, after those of scikit-learn, any of which may end the fit by returning True."""
    context = getattr(estimator, "_callback_fit_ctx", None)
    if context is None:
        return callback

    def look(progress):
        task = context.subcontext(task_name=f"{progress.stage}, step {progress.n_steps} of {progress.max_steps}")
        task.call_on_fit_task_begin(estimator=estimator)
        stop = task.call_on_fit_task_end(estimator=estimator)
        own = None if callback is None else callback(progress)
        return bool(stop or own)

    return look
