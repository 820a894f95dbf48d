"""Paired comparisons of a fitted model with a joint Gaussian mixture, on rows that neither was trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from condensity.data import take_rows
from condensity.data.splitting import N_FOLDS, GroupSplitter, RowSplit, fold_splits
from condensity.engines.types import ROW_LOSS_CAP
from condensity.estimators.joint_gmm import JointGMMRegressor
from condensity.evaluation.diagnostics import Finding
from condensity.warning import collected_warnings


def compare_with_joint(
    log_density: np.ndarray, joint_log_density: np.ndarray, n_components: int, n_outputs: int = 1
) -> Finding:
    """Finding about the mean gain in log density over a joint Gaussian mixture.

    Parameters
    ----------
    log_density, joint_log_density : ndarray (m,)
        In nats, of the same rows, that neither was trained on; the gain of a row counts up to `ROW_LOSS_CAP` nats an output.
    n_components : int
        Of the joint mixture.
    n_outputs : int
        q.

    Returns
    -------
    Finding
        Serious where the model is worse by more than two standard errors.

    Examples
    --------
    >>> import numpy as np
    >>> from condensity.evaluation.comparison import compare_with_joint
    >>> print(compare_with_joint(np.array([-1.0, -1.2, -1.1]), np.array([-2.0, -2.1, -2.2]), 4))
      joint mixture: better than a joint Gaussian mixture of 4 components, by 1 nats a row on 3 fresh rows (standard error 0.047).
    """
    cap = ROW_LOSS_CAP * n_outputs
    gain = np.clip(log_density - joint_log_density, -cap, cap)
    mean, error = float(gain.mean()), float(gain.std() / np.sqrt(len(gain)))
    rival = (
        f"a joint Gaussian mixture of {n_components} component{'' if n_components == 1 else 's'}, by {abs(mean):.3g} nats a row "
        f"on {len(gain)} fresh rows (standard error {error:.2g})"
    )
    if mean > 0:
        return Finding("joint mixture", False, f"better than {rival}.")
    serious = mean < -2.0 * error
    advice = " Use JointGMMRegressor, or MDNRegressor(init='gmm')." if serious else " That is within chance."
    return Finding("joint mixture", serious, f"worse than {rival}.{advice}")


def compare_held_out(
    model: Any,
    X: Any,
    y: np.ndarray,
    random_state: int,
    *,
    weight: np.ndarray | None = None,
    groups: Sequence[Any] | None = None,
) -> Finding | None:
    """Comparison of a fitted network with a joint Gaussian mixture, on the rows that the network held out.

    The mixture, of the same categories and transform, is fitted to the rows that were not held out; where every row was held out
    once, in folds, so is it here.

    Parameters
    ----------
    model : fitted MDNRegressor
    X : table or ndarray (n, d)
        The training rows of the model.
    y : ndarray (n,) or (n, q)
    random_state : int
        Of the mixture and its folds.
    weight : ndarray (n,), optional
        Sample weights of the fits.
    groups : sequence (n,), optional
        Labels of rows that are held out together.

    Returns
    -------
    Finding or None
        None where the model held out no rows.
    """
    log_density = model.oof_score_samples_
    held_out = np.flatnonzero(np.isfinite(log_density))
    if not len(held_out):
        return None
    splits = _splits(len(y), held_out, np.random.default_rng(random_state), groups)
    options = {name: getattr(model, name) for name in ("y_transform", "categorical_features")}
    joint_log_density, sizes = np.full(len(y), np.nan), []
    with collected_warnings():
        for kept, scored in splits:
            joint = JointGMMRegressor(random_state=random_state, **options)
            joint.fit(take_rows(X, kept), y[kept], None if weight is None else weight[kept])
            joint_log_density[scored] = joint.score_samples(take_rows(X, scored), y[scored])
            sizes.append(joint.joint_.n_components)
    return compare_with_joint(log_density[held_out], joint_log_density[held_out], int(np.median(sizes)), y[0].size)


def _splits(n: int, held_out: np.ndarray, rng: np.random.Generator, groups: Sequence[Any] | None) -> list[RowSplit]:
    """Pairs (kept, scored) of row indices: the model's own split, or folds where it held out every row."""
    kept = np.setdiff1d(np.arange(n), held_out)
    if len(kept):
        return [(kept, held_out)]
    splitter = None if groups is None else GroupSplitter(np.unique(np.asarray(groups), return_inverse=True)[1])
    n_folds = min(N_FOLDS, n if splitter is None else splitter.n_units)
    return fold_splits(n, n_folds, rng, splitter)
