"""Every name of scikit-learn that its public interface does not promise, in one place: what may break with a new version.

Checked with scikit-learn 1.6 to 1.9; nothing else in condensity reads a private module, function or attribute of it.
"""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator

# Private, the same in 1.6 ... 1.9. There is no public equivalent of any of them.
from sklearn.metrics._scorer import _BaseScorer as BaseScorer
from sklearn.model_selection import cross_val_predict
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

# Documented, new in 1.6; a method `_validate_data` of BaseEstimator before.
from sklearn.utils.validation import validate_data

try:  # documented, experimental, new in 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to set: this scikit-learn has no callbacks."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method unchanged: this scikit-learn has no callbacks."""
        return method


__all__ = [
    "CALLBACKS",
    "BaseScorer",
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "allow_in_cross_val_predict",
    "begin_callbacks",
    "callback_context",
    "check_parameters",
    "check_sample_weight",
    "safe_indexing",
    "validate_data",
    "validate_params",
    "with_callbacks",
]

#: The attribute in which `set_callbacks` keeps callbacks (1.9), no part of a fitted model.
CALLBACKS = "_skl_callbacks"


def check_parameters(estimator: BaseEstimator) -> None:
    """Check constructor parameters against `_parameter_constraints`; a private method of BaseEstimator since 1.2.

    Raises
    ------
    sklearn.utils._param_validation.InvalidParameterError
        A ValueError and TypeError.
    """
    estimator._validate_params()


def begin_callbacks(estimator: BaseEstimator) -> Any:
    """The new context of a fit, or None where no callback was set. `with_callbacks` ends it."""
    if not getattr(estimator, CALLBACKS, None):
        return None
    return estimator._init_callback_context(max_subtasks=None)


def callback_context(estimator: BaseEstimator) -> Any:
    """The context of the fit that runs, or None where no callback was set."""
    return getattr(estimator, "_callback_fit_ctx", None)


def allow_in_cross_val_predict(*methods: str) -> None:
    """Let `cross_val_predict(method=...)` take methods other than the four of classifiers that its check lists.

    The check compares words with a list, and is all that stands in the way: what follows calls the method by its name and puts
    the results in order. Where a version of scikit-learn keeps the list elsewhere, nothing happens.
    """
    constraints = getattr(cross_val_predict, "_skl_parameter_constraints", {})
    if "method" in constraints:
        constraints["method"].append(StrOptions(set(methods)))
