"""One grammar for all commands: a walk over them, and what each option means wherever it stands."""

import functools
import tracemalloc
import unicodedata

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from condensity import JointGMMRegressor, MDNRegressor, cli, load
from condensity.cli import batches, demo, diagnosis
from condensity.cli.options import Columns, one_name, split_names
from condensity.evaluation import comparison
from condensity.report import charts, pictures
from condensity.warning import collected_warnings

COMMANDS = cli.main.commands
OPTIONS = {
    (name, max(parameter.opts, key=len)): parameter
    for name, command in COMMANDS.items()
    for parameter in command.params
    if parameter.param_type_name == "option"
}
FLAGS = sorted({flag for _, flag in OPTIONS})

#: Options that name columns of a table to fit, by the fields of `Columns`.
OF_COLUMNS = {"--target" if field == "targets" else f"--{field}" for field in Columns._fields}

#: What commands do, by which some options belong to them.
FIT_A_TABLE = ("fit", "doctor", "report")
WRITE_A_FILE = ("fit", "predict", "report", "demo")
USE_A_MODEL = ("predict", "score")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def one_line(result, code):
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def meaning(option):
    """Everything about an option but the file that a command writes by default."""
    shared = (option.opts, option.secondary_opts, option.metavar, option.multiple, option.callback, str(option.type))
    return shared if "-o" in option.opts else (*shared, option.default, option.required, option.help, option.name)


@pytest.mark.parametrize("flag", FLAGS)
def test_an_option_means_the_same_in_every_command(flag):
    found = [option for (_, name), option in OPTIONS.items() if name == flag]
    assert all(meaning(option) == meaning(found[0]) for option in found)


def test_commands_have_the_options_of_what_they_do():
    flags = {name: {flag for command, flag in OPTIONS if command == name} for name in COMMANDS}
    assert set(COMMANDS) == {*FIT_A_TABLE, *WRITE_A_FILE, *USE_A_MODEL}
    assert all(flags[name] >= OF_COLUMNS for name in FIT_A_TABLE)
    assert all("--output" in flags[name] for name in WRITE_A_FILE)
    assert all("--outside" in flags[name] for name in USE_A_MODEL)
    assert all("--jobs" in flags[name] for name in COMMANDS)
    assert all("--random-state" in flags[name] for name in COMMANDS if name != "score")


def test_files_come_first_and_have_the_same_names():
    arguments = {
        name: " ".join(parameter.make_metavar(None) for parameter in command.params if parameter.param_type_name != "option")
        for name, command in COMMANDS.items()
    }  # fmt: skip
    assert arguments == {
        "demo": "",
        "fit": "DATA",
        "report": "[MODEL] DATA",
        "predict": "MODEL DATA",
        "score": "MODEL DATA",
        "doctor": "MODEL|DATA",
    }


def test_every_option_has_a_help_that_is_a_sentence_and_every_name_is_quoted_as_in_csv():
    for (command, flag), option in OPTIONS.items():
        assert option.help
        assert option.help.split("  [")[0][-1] in ".)", (command, flag)
        if option.metavar in ("NAMES", "NAME") and flag != "--encoding":
            assert option.callback in (split_names, one_name), (command, flag)
            read = option.callback(None, option, '"a, b"')
            assert read == (["a, b"] if option.callback is split_names else "a, b")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_slip_of_the_pen_gets_the_option_that_was_meant(run, name):
    for command, flag in OPTIONS:
        if command == name and len(flag) > 5:
            typed = flag[:-2] + flag[-1] + flag[-2]
            if typed not in FLAGS:
                text = one_line(run(name, typed, "1"), 2)
                assert repr(flag) in text.split("Did you mean")[1]


# ------------------------------------------------------------------------------------------------ options at work
def table(n=60):
    rng = np.random.default_rng(0)
    size = rng.uniform(40, 160, n)
    return pd.DataFrame(
        {
            "key": np.arange(n),
            "size": size,
            "a, b": rng.choice(["Aa", "Bé"], n),
            "house": np.repeat(np.arange(n // 3), 3),
            "w": 1.0,
            "price": 3 * size + rng.normal(size=n),
        }
    )


@pytest.fixture
def file(run):
    table().to_csv("t.csv", index=False)
    return "t.csv"


@pytest.mark.trap(130)
def test_excluded_columns_are_no_features(run, file):
    assert run("fit", file, "--target", "price", "--exclude", "key,house,w", "--model", "gmm", "-o", "a").exit_code == 0
    named = ["--features", 'size,"a, b"']
    assert run("fit", file, "--target", "price", *named, "--model", "gmm", "-o", "b").exit_code == 0
    assert (
        load("a").predict(table()[["size", "a, b"]]).tolist() == load("b").predict(table()[["size", "a, b"]]).tolist()
    )
    assert "no column 'keys'" in one_line(run("fit", file, "--target", "price", "--exclude", "keys", "-o", "c"), 1)
    for option in ("--target", "--features"):
        text = one_line(run("fit", file, "--target", "price", option, "size", "--exclude", "size", "-o", "c"), 1)
        assert "column 'size' is excluded" in text


@pytest.mark.trap(130)
def test_rows_outside_are_treated_as_asked(run, file):
    run("fit", file, "--target", "price", "--features", "size", "--model", "gmm", "-o", "m")
    far = pd.DataFrame({"size": [100.0, 1e4], "price": [300.0, 3e4]})
    far.to_csv("far.csv", index=False)
    model = load("m")
    for outside in ("ignore", "prior"):
        assert run("predict", "m", "far.csv", "-o", "p.csv", "--outside", outside).exit_code == 0
        expected = model.predict_dist(far[["size"]], outside=outside)
        np.testing.assert_allclose(pd.read_csv("p.csv")["price_std"], expected.std(), rtol=1e-12)
        scored = run("score", "m", "far.csv", "--outside", outside).stdout
        assert scored.startswith(f"log density: {expected.logpdf(far['price'].to_numpy()).mean():.6g} ")
    assert "rarer" in one_line(run("predict", "m", "far.csv", "-o", "p.csv", "--outside", "raise"), 1)
    JointGMMRegressor(1, support_model=None, random_state=0).fit(far[["size"]], far["price"]).save("n")
    assert "--outside prior needs" in one_line(run("predict", "n", "far.csv", "-o", "p.csv", "--outside", "prior"), 1)


@pytest.mark.trap(130)
def test_groups_are_apart_in_every_command_that_fits(run, file, monkeypatch):
    seen = []

    class Spy(JointGMMRegressor):
        def fit(self, X, y, sample_weight=None, **options):
            seen.append((len(y), options.get("groups")))
            return super().fit(X, y, sample_weight, **options)

    monkeypatch.setattr(charts, "to_picture", lambda _, *texts: pictures.Picture("data:,", *texts, 1, 1))
    monkeypatch.setattr(demo, "four_models", lambda *_, **__: {"spy": Spy(1, random_state=0)})
    common = ("--target", "price", "--features", "size", "--groups", "house")
    assert run("report", file, *common, "-o", "p.html").exit_code == 0
    ((fitted, groups),) = seen
    assert len(groups) == fitted == 48
    assert all(np.sum(np.array(groups) == label) == 3 for label in set(groups))
    quick = functools.partial(MDNRegressor, n_components=2, hidden_layer_sizes=(2,), max_iter=2)
    monkeypatch.setattr(diagnosis, "MDNRegressor", quick)
    monkeypatch.setattr(comparison, "JointGMMRegressor", Spy)
    assert run("doctor", file, *common).exit_code == 0
    assert all(number % 3 == 0 for number, _ in seen[1:])  # houses have three rows each


@pytest.mark.trap(131)
@pytest.mark.parametrize(
    ("column", "typed", "hint"),
    [
        ("a  b", "a b", "'a  b'"),
        ("größe", unicodedata.normalize("NFD", "größe"), r"'gr\xf6\xdfe' and not 'gro\u0308\xdfe'"),
        ("Price", "PRICE", "'Price'"),
        (" price", "price", "' price'"),
        ("price", "price\u00a0", "'price'"),
    ],
)
def test_the_column_that_was_meant_can_be_told_from_what_was_typed(run, column, typed, hint):
    table()[["size", "price"]].set_axis(["x", column], axis=1).to_csv("t.csv", index=False)
    for command in (("fit", "t.csv", "-o", "m"), ("report", "t.csv"), ("doctor", "t.csv")):
        text = one_line(run(*command, "--target", typed), 1)
        assert hint in text.split("Did you mean")[1], text


def test_members_are_of_networks(run, file):
    text = one_line(run("fit", file, "--target", "price", "--model", "gmm", "--members", "3", "-o", "m"), 2)
    assert "--members is of networks" in text


# ------------------------------------------------------------------------------------------------ batches
@pytest.mark.trap(132)
@pytest.mark.parametrize("limit", [1, 20_000])
def test_results_are_those_of_one_batch(run, file, monkeypatch, limit):
    run("fit", file, "--target", "price,size", "--features", "house", "--model", "gmm", "-o", "m")
    ask = ("predict", "m", file, "--quantiles", ".1,.9", "--support", "--keep", "key", "-o")
    assert run(*ask, "whole.csv").exit_code == 0
    whole = run("score", "m", file, "--crps").stdout
    monkeypatch.setattr(batches, "BATCH_BYTES", limit)
    assert run(*ask, "parts.csv").exit_code == 0
    pd.testing.assert_frame_equal(pd.read_csv("whole.csv"), pd.read_csv("parts.csv"), rtol=1e-12)
    parts = run("score", "m", file, "--crps").stdout
    assert parts.split("±")[0] == whole.split("±")[0]


@pytest.mark.trap(132)
@pytest.mark.parametrize(("outputs", "rows", "options"), [(30, 1_000, ()), (1, 10_000, ("--samples", "300"))])
def test_memory_follows_neither_the_number_of_outputs_nor_that_of_draws(run, monkeypatch, outputs, rows, options):
    """As one batch, covariances take 30² · 3 · 8 · 1000 = 22 MB and draws 24 MB, several times each."""
    monkeypatch.setattr(batches, "BATCH_BYTES", 2**22)
    rng = np.random.default_rng(0)
    names = [f"y{j}" for j in range(outputs)]
    X, Y = rng.normal(size=(200, 1)), rng.normal(size=(200, outputs))
    model = JointGMMRegressor(3, random_state=0, support_model=None)
    with collected_warnings():  # y is noise
        model.fit(pd.DataFrame(X, columns=["x"]), pd.DataFrame(Y, columns=names)).save("m")
    pd.DataFrame({"x": rng.normal(size=rows)}).to_feather("t.arrow")
    tracemalloc.start()
    result = run("predict", "m", "t.arrow", "-o", "p.arrow", *options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.exit_code == 0, result.stderr
    assert peak < 4 * 2**22
    assert len(pd.read_feather("p.arrow", columns=["y0_mean"])) == rows
