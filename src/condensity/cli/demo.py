"""The demo: four models on the four odd data sets, whose true density is known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from condensity.datasets.synthetic import ODD_SETS
from condensity.estimators.joint_gmm import JointGMMRegressor
from condensity.estimators.mdn import MDNRegressor
from condensity.report.study import DataSet, Fit, Study, fit_all, studies_of

#: Fresh rows on which the models of the demo are scored.
TEST_ROWS = 20_000


#: Models that run a fixed number of epochs, as in the blog post, whether or not they have converged.
OF_THE_POST = ("blog post's network", "regularised")


def four_models(
    joint_name: str,
    random_state: int,
    *,
    categories: npt.ArrayLike = "from_dtype",
    jobs: int | None = None,
    **joint_options: Any,
) -> dict[str, Any]:
    """The blog post's network, its regularised variant, the default network and a joint GMM: unfitted, by name.

    Parameters
    ----------
    joint_name : str
        Name of the joint mixture.
    random_state : int
    categories : 'from_dtype' or array-like (c,)
        Columns of numbers that are categories.
    jobs : int, optional
        Threads.
    **joint_options
        Parameters of the joint mixture.

    Examples
    --------
    >>> list(four_models("joint GMM", 0))
    ["blog post's network", 'regularised', 'MDN (default)', 'joint GMM']
    """
    common: dict[str, Any] = {"random_state": random_state, "categorical_features": categories, "n_jobs": jobs}
    plain, regularised = OF_THE_POST
    return {
        plain: MDNRegressor.from_blog(**common),
        regularised: MDNRegressor.from_blog(regularised=True, **common),
        "MDN (default)": MDNRegressor(**common),
        joint_name: JointGMMRegressor(**common, **joint_options),
    }


def fit_four(data: DataSet, models: Mapping[str, Any], progress: Callable[[str], object]) -> list[Fit]:
    """Every model, fitted to the training rows of a data set; that those `OF_THE_POST` do not converge is no news.

    Parameters
    ----------
    data : DataSet
    models : mapping of str to unfitted estimator
    progress : callable (str)
    """
    return [
        replace(fit, notes=tuple(note for note in fit.notes if not note.startswith("ConvergenceWarning")))
        if fit.name in OF_THE_POST
        else fit
        for fit in fit_all(data, models, progress)
    ]


def unconverged_note(studies: Sequence[Study]) -> list[str]:
    """One line in place of the warnings of models `OF_THE_POST`, where any of them did not converge.

    Parameters
    ----------
    studies : sequence of Study
    """
    found = {
        fit.name: None
        for study in studies
        for fit, measures in zip(study.fits, study.measures, strict=True)
        if fit.name in OF_THE_POST and measures.converged is False
    }
    names = " and ".join(map(repr, found))
    return [f"{names} run a fixed number of epochs, as in the blog post: not converged, as expected."] if found else []


def odd_data_sets(n_samples: int, random_state: int) -> Iterator[DataSet]:
    """The four odd sets: `n_samples` rows to fit, TEST_ROWS fresh rows with the next seed to test.

    Parameters
    ----------
    n_samples : int
    random_state : int
    """
    split = (
        f"{n_samples} rows drawn with seed {random_state} to fit, "
        f"{TEST_ROWS} fresh rows with seed {random_state + 1} to test."
    )
    for name, make in ODD_SETS.items():
        train, test = make(n_samples, random_state=random_state), make(TEST_ROWS, random_state=random_state + 1)
        yield DataSet(
            name,
            X=train.X, y=train.y, X_test=test.X, y_test=test.y, split=split,
            log_density=train.log_density,
            conditional_entropy=train.conditional_entropy,
            log_joint_density=train.log_joint_density,
        )  # fmt: skip


def demo_studies(
    n_samples: int, random_state: int, progress: Callable[[str], object], jobs: int | None = None
) -> list[Study]:
    """The four models, fitted to each of the four odd sets and measured.

    Parameters
    ----------
    n_samples : int
        Rows to fit, per set.
    random_state : int
    progress : callable (str)
    jobs : int, optional
        Threads.
    """
    studies = []
    for data in odd_data_sets(n_samples, random_state):
        models = four_models("joint GMM, 40", random_state, jobs=jobs, n_components=40)
        studies += studies_of(data, fit_four(data, models, progress))
    return studies
