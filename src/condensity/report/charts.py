"""The charts of the page, in order: what each is called, how to read it, when it applies, and how it is drawn.

A new chart is a function and an entry of `CHARTS`; page and help follow.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from condensity.plots.panels import data_panel, edges_panel, means_panel, samples_panel, scales_panel, weights_panel
from condensity.plots.slices import inverse_panel, inverse_values, slice_range, slice_rows, slices_panel
from condensity.plots.style import padded_range, small_multiples
from condensity.report.pictures import Picture, to_picture
from condensity.report.study import DataSet, Fit, Study


class Scene(NamedTuple):
    """What is drawn: the models of a study, or one of them.

    Attributes
    ----------
    study : Study
    colours : dict of str to str
        Of every model.
    random_state : int
        Seed of draws.
    remarks : list of str
        Filled by charts that leave a model out.
    fit : Fit, optional
        The model of a chart of one model.
    """

    study: Study
    colours: dict[str, str]
    random_state: int
    remarks: list[str]
    fit: Fit | None = None

    @property
    def data(self) -> DataSet:
        """The data set of the study."""
        return self.study.data

    @property
    def model(self) -> Any:
        """The fitted estimator of a chart of one model."""
        return None if self.fit is None else self.fit.model

    @property
    def title(self) -> str:
        """Beginning of the text that stands in for a picture."""
        return self.data.name if self.fit is None else f"{self.data.name}, {self.fit.name}"

    @property
    def view(self) -> dict[str, Any]:
        """The column on the x axis and the output that is drawn, as charts take them."""
        return {"along": self.data.along, "output": self.data.output}


class Chart(NamedTuple):
    """A chart of the page.

    Attributes
    ----------
    key : str
        Identifies it.
    title, help : str
        Its paragraph in "How to read the charts".
    per_model : bool
        Whether it shows one model, rather than all of them together.
    applies : callable (Scene) -> bool
    draw : callable (Scene) -> list of Picture
    """

    key: str
    title: str
    help: str
    per_model: bool
    applies: Callable[[Scene], bool]
    draw: Callable[[Scene], list[Picture]]


def draw_charts(scene: Scene) -> dict[str, list[Picture]]:
    """Pictures of the charts that apply, by key: of one model if the scene has one, else of all together.

    Parameters
    ----------
    scene : Scene
    """
    chosen = [chart for chart in CHARTS if chart.per_model == (scene.fit is not None) and chart.applies(scene)]
    return {chart.key: chart.draw(scene) for chart in chosen}


# ---------------------------------------------------------------------------------------------- when a chart applies
def one_target(scene: Scene) -> bool:
    """Whether the section is about one output.

    Parameters
    ----------
    scene : Scene
    """
    return scene.data.has_one_target


def beyond_data(scene: Scene) -> bool:
    """Whether the model has a support model and the x axis is of numbers, which go on beyond the data.

    Parameters
    ----------
    scene : Scene
    """
    return one_target(scene) and not scene.data.along_category and getattr(scene.model, "has_support", False)


def inverse(scene: Scene) -> bool:
    """Whether some model has p(x | y) of the one output, and the x axis is of numbers.

    Parameters
    ----------
    scene : Scene
    """
    data = scene.data
    supported = any(getattr(fit.model, "has_support", False) for fit in scene.study.fits)
    return supported and one_target(scene) and data.output is None and not data.along_category


# ------------------------------------------------------------------------------------------------- charts of all models
def draw_slices(scene: Scene) -> list[Picture]:
    """One picture for each chosen x, with all models and, where it is given, the truth.

    Parameters
    ----------
    scene : Scene
    """
    data = scene.data
    models = {fit.name: fit.model for fit in scene.study.fits}
    widest, pictures = padded_range([*data.y, *data.y_test], 0.08), []
    for value, row in slice_rows(data.X, data.along, categorical_features=data.categories):
        figure, (ax,) = small_multiples(1)
        y_range = slice_range(models.values(), row, widest, output=data.output)
        slices_panel(
            models, row, y_range, ax=ax, truth=data.log_density, target=data.target, output=data.output,
            colours=scene.colours,
        )  # fmt: skip
        caption = f"{data.along_name} = {value if isinstance(value, str) else f'{value:.3g}'}"
        truth = " and the true density" if data.log_density is not None else ""
        alternative = f"{scene.title}: densities of {data.target} at {caption}, of {', '.join(models)}{truth}."
        pictures.append(to_picture(figure, caption, alternative))
    return pictures


def draw_inverse_slices(scene: Scene) -> list[Picture]:
    """One picture for each chosen y: p(x | y) of the models that have it and, where it is given, the truth.

    Parameters
    ----------
    scene : Scene
    """
    data, name, values = scene.data, scene.data.along_name, inverse_values(scene.data.y)
    models = {fit.name: fit.model for fit in scene.study.fits if _has_inverse(fit, values[0], scene.remarks)}
    if not models:
        return []
    pictures, truth = [], data.log_joint_density
    for value in values:
        figure, (ax,) = small_multiples(1)
        inverse_panel(models, data.X, value, ax=ax, along=data.along, truth=truth, colours=scene.colours)
        caption = f"p({name} | {data.target} = {value:.3g})"
        alternative = f"{scene.title}: {caption} of {', '.join(models)}{' and the truth' if truth else ''}."
        pictures.append(to_picture(figure, caption, alternative))
    return pictures


def _has_inverse(fit: Fit, value: float, remarks: list[str]) -> bool:
    """Whether a model answers p(x | y); if not although it has a support model, the reason becomes a remark."""
    if not getattr(fit.model, "has_support", False):
        return False
    try:
        fit.model.predict_inputs([[value]])
    except ValueError as error:
        remarks.append(f"Inverse slices leave out {fit.name}: {error}")
        return False
    return True


# ------------------------------------------------------------------------------------------------- charts of one model
def draw_data(scene: Scene) -> list[Picture]:
    """The data alone.

    Parameters
    ----------
    scene : Scene
    """
    data = scene.data
    figure, (ax,) = small_multiples(1)
    data_panel(data.X, data.y, ax=ax, target=data.target, categorical_features=data.categories, **scene.view)
    return [to_picture(figure, "data", f"{data.name}: scatter plot of {len(data.y)} rows.")]


def draw_samples(scene: Scene) -> list[Picture]:
    """Draws over the data.

    Parameters
    ----------
    scene : Scene
    """
    data = scene.data
    figure, (ax,) = small_multiples(1)
    style: dict[str, Any] = {"target": data.target, "colour": _colour(scene), "random_state": scene.random_state}
    samples_panel(scene.model, data.X, data.y, ax=ax, **scene.view, **style)
    return [
        to_picture(figure, "draws from p(y | x)", f"{scene.title}: draws from the model over the data at the same x.")
    ]


def draw_means(scene: Scene) -> list[Picture]:
    """Component means over the data.

    Parameters
    ----------
    scene : Scene
    """
    figure, (ax,) = small_multiples(1)
    means_panel(scene.model, scene.data.X, scene.data.y, ax=ax, **scene.view)
    return [to_picture(figure, "means μₖ(x)", f"{scene.title}: means of the components along {scene.data.along_name}.")]


def draw_weights(scene: Scene) -> list[Picture]:
    """Component weights.

    Parameters
    ----------
    scene : Scene
    """
    figure, (ax,) = small_multiples(1)
    weights_panel(scene.model, scene.data.X, ax=ax, **scene.view)
    text = f"{scene.title}: weights of the components along {scene.data.along_name}."
    return [to_picture(figure, "weights πₖ(x)", text)]


def draw_scales(scene: Scene) -> list[Picture]:
    """Component scales, logarithmic.

    Parameters
    ----------
    scene : Scene
    """
    figure, (ax,) = small_multiples(1)
    scales_panel(scene.model, scene.data.X, scene.data.y, ax=ax, **scene.view)
    text = f"{scene.title}: scales of the components along {scene.data.along_name}, logarithmic."
    return [to_picture(figure, "scales σₖ(x)", text)]


def draw_edges(scene: Scene) -> list[Picture]:
    """Draws beyond the edges of the data, as the model is and with the gate.

    Parameters
    ----------
    scene : Scene
    """
    data, pictures = scene.data, []
    style: dict[str, Any] = {"target": data.target, "colour": _colour(scene), "random_state": scene.random_state}
    for outside, caption in (("ignore", "beyond the edges"), ("deficient", "the same, gated")):
        figure, (ax,) = small_multiples(1)
        edges_panel(scene.model, data.X, data.y, ax=ax, outside=outside, **scene.view, **style)
        text = f"{scene.title}: draws over a range twice as wide as the data, outside={outside!r}."
        pictures.append(to_picture(figure, caption, text))
    return pictures


def _colour(scene: Scene) -> str:
    return "" if scene.fit is None else scene.colours[scene.fit.name]


CHARTS = [
    Chart(
        "slices",
        "Slices",
        "The density p(y | x) of each model at five values of x, or at the five most frequent levels of a category. A peak that "
        "is cut is far too high; the remark says how high.",
        False,
        one_target,
        draw_slices,
    ),
    Chart(
        "inverse",
        "Inverse slices",
        "The density p(x | y) of the input at five values of y, for the models that have a density of the inputs.",
        False,
        inverse,
        draw_inverse_slices,
    ),
    Chart("data", "Data", "One dot for each row, y against x.", True, one_target, draw_data),
    Chart(
        "samples",
        "Draws",
        "Coloured dots are one draw from the model for each row, over the grey data. Where the model is right, the two clouds "
        "look alike: no bridges between branches, no fog in empty space. On rows that the model was fitted to, overfitting does "
        "not show here, only in the test NLL.",
        True,
        one_target,
        draw_samples,
    ),
    Chart(
        "means",
        "Means",
        "One line for each component k of the mixture: its mean μₖ as it changes with x (its median, where the target was "
        "transformed). A component has one colour in all charts, from violet for the lowest mean to green for the highest. Width "
        "and opacity of a line follow the component's weight.",
        True,
        one_target,
        draw_means,
    ),
    Chart(
        "weights",
        "Weights",
        "The weight πₖ of each component. The weights at one x sum to one.",
        True,
        one_target,
        draw_weights,
    ),
    Chart(
        "scales",
        "Scales",
        "The width σₖ of each component, on a logarithmic axis. A spike on a faint line is ugly but harmless, on a strong line "
        "it is a fault. The dotted line is the standard deviation of y.",
        True,
        one_target,
        draw_scales,
    ),
    Chart(
        "edges",
        "Beyond the edges",
        "Draws over a range twice as wide as the data: once from the model as it is, once gated, where draws are left out in "
        "regions without training data. The ground is grey there, in all charts: the p-value of x is at most 1 %.",
        True,
        beyond_data,
        draw_edges,
    ),
]
