"""The command line: what it prints and writes, and that every fault is one line."""

import importlib.metadata
import io
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

from condensity import JointGMMRegressor, cli, load
from condensity.cli import demo, shell
from condensity.io import stream as streams
from condensity.io import text as text_files
from condensity.report import charts, pictures

HEAVY = ("numpy", "scipy", "sklearn", "matplotlib", "pyarrow", "jinja2")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in an empty directory, with models that fit at once."""

    def quick_models(joint_name, random_state, *, categories="from_dtype", **_):
        return {
            name: JointGMMRegressor(
                n_components=2, max_iter=3, random_state=random_state, categorical_features=categories
            )
            for name in ("first", joint_name)
        }

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "four_models", quick_models)
    monkeypatch.setattr(demo, "TEST_ROWS", 200)
    # Drawing is tested with the page; here it would take most of the time.
    monkeypatch.setattr(charts, "to_picture", lambda _, *texts: pictures.Picture("data:,", *texts, 1, 1))

    def run(*arguments):
        return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def csv(tmp_path):
    def write(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def rows(n=40, header="a,b,y", seed=0):
    rng = np.random.default_rng(seed)
    a, b, noise = rng.normal(size=(3, n))
    return header + "\n" + "".join(f"{i},{j},{j + 0.3 * e}\n" for i, j, e in zip(a, b, noise, strict=True))


def assert_one_line(result, exit_code, *parts):
    assert result.exit_code == exit_code, result.output
    assert result.stderr.startswith("condensity: error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    for part in parts:
        assert part in result.stderr


def fresh(*arguments, code=None, **options):
    """A real process: ``condensity arguments``, or the code given."""
    start = code or "import sys; from condensity.cli import main; sys.argv[0] = 'condensity'; main()"
    command = [sys.executable, "-c", start, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


# ---------------------------------------------------------------- what it does


def test_demo_prints_one_aligned_table_and_writes_a_page(run, tmp_path):
    result = run("demo", "--n-samples", 100, "--random-state", 3)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    table = lines[: lines.index("")]
    assert table[0].split("  ")[0] == "set"
    assert table[0].rstrip().endswith("NLL − H*")
    assert len(table) == 1 + 4 * 2
    starts = [line.index("first") for line in table if "first" in line]
    assert len(set(starts)) == 1
    page = tmp_path / "condensity-demo.html"
    assert lines[-1] == f"page: {page.resolve()}"
    text = page.read_text(encoding="utf-8")
    assert "random_state = 3" in text
    assert "100 rows drawn with seed 3 to fit, 200 fresh rows with seed 4 to test." in text


def test_report_of_a_table(run, csv, tmp_path):
    result = run("report", csv(rows()), "--target", "y", "--output", tmp_path / "mine.html")
    assert result.exit_code == 0, result.output
    assert "NLL − H*" not in result.stdout
    text = (tmp_path / "mine.html").read_text(encoding="utf-8")
    assert "32 rows to fit and 8 to test" in text
    assert "y along b" in text  # the feature that y follows


def test_report_takes_features_and_along(run, csv):
    path = csv(rows(header='"a, cm",b,y'))
    result = run("report", path, "--target", "b", "--features", '"a, cm",y', "--along", '"a, cm"')
    assert result.exit_code == 0, result.output


def test_report_takes_what_fit_takes(run, files):
    """Categories, numbers that are categories, missing values, weights and several targets; from stdin too."""
    options = ("--target", "price,rent", "--weights", "weight", "--categories", "rooms", "-o", "two.html")
    table = mixed_table().assign(rent=lambda t: 2.0 * t["price"] + t["size"], weight=1.0, rooms=[1, 2, 5] * 100)
    table.to_csv("two.csv", index=False)
    result = run("report", "two.csv", *options)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:7:2]] == ["two.csv", "two.csv: price", "two.csv: rent"]
    text = (files / "two.html").read_text(encoding="utf-8")
    assert "240 rows to fit and 60 to test" in text
    assert "The distribution of price, rent" in text


def test_report_of_a_saved_model(run, fitted):
    result = run("report", "m.condensity", "t.csv", "--output", "saved.html")
    assert result.exit_code == 0, result.output
    model, table = load("m.condensity"), mixed_table()
    nll = -model.score(table[["size", "town", "gaps"]], table["price"])
    assert f"{nll:.3f} ± " in result.stdout.splitlines()[1]
    assert "300 rows, all of them scored" in (fitted / "saved.html").read_text(encoding="utf-8")
    assert_one_line(run("report", "m.condensity", "t.csv", "--target", "price"), 2, "--target", "saved model")
    assert_one_line(run("report", "m.condensity", "t.csv", "--along", "z"), 1, "--along names 'z'")


def test_a_piped_run_shows_no_progress_and_notes_are_single_lines(run):
    result = run("demo", "--n-samples", 100)
    assert "\r" not in result.output
    assert "\x1b" not in result.output
    assert all(line.startswith("condensity: note: ") for line in result.stderr.splitlines())


def test_a_terminal_shows_progress_and_clears_it(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with shell.progress_line() as progress:
        progress("fitting")
    shown = capsys.readouterr()
    assert "fitting" in shown.err
    assert shown.err.endswith("\r\x1b[2K")
    assert shown.out == ""


def test_a_constant_target_is_noted(run, csv):
    content = "a,y\n" + "".join(f"{i},7\n" for i in range(40))
    result = run("report", csv(content), "--target", "y")
    assert result.exit_code == 0, result.output
    assert "the target 'y' is constant (7)" in result.stderr


def test_hostile_names_reach_the_page_escaped(run, csv, tmp_path):
    name = "</script><b>"
    result = run("report", csv(rows(header=f"{name},b,y")), "--target", "y", "--along", name)
    assert result.exit_code == 0, result.output
    assert name not in (tmp_path / "condensity-report.html").read_text(encoding="utf-8")


def test_the_same_seed_gives_the_same_numbers(run, csv):
    path = csv(rows())

    def numbers(seed):
        result = run("report", path, "--target", "y", "--random-state", seed)
        return [line.split()[-6:] for line in result.stdout.splitlines()[1:3]]  # without the seconds

    assert numbers(1) == numbers(1)
    assert numbers(1) != numbers(2)


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("content", "options", "parts"),
    [
        (b"", (), ("is empty",)),
        (b"a,y\n", (), ("no rows",)),
        (b"a,y\n1,2\n3,4\n", (), ("2 rows", "at least 20")),
        (rows(), ("--target", "z"), ("no column 'z'", "'a', 'b', 'y'")),
        (rows(), ("--features", "a,c"), ("no column 'c'",)),
        (rows(), ("--features", "a,a"), ("named twice",)),
        (rows(), ("--features", "y"), ("is the target",)),
        (rows(), ("--features", ""), ("no feature",)),
        (rows(), ("--along", "y"), ("--along names 'y'", "'a', 'b'")),
        (rows(header="a,a,y"), (), ("same name: 'a'",)),
        (rows(80) + "1,two,3\n", (), ("column 'b' mixes numbers and words", "row 80", "'two'", "--categories")),
        (rows() + "1,2,three\n", (), ("column 'y', row 40", "'three' is not a number")),
        (rows(), ("--weights", "z"), ("no column 'z'",)),
        (rows(), ("--weights", "a"), ("Negative values", "sample_weight")),
        (b"PAR1 and nothing more", (), ("as Parquet",)),
        (b"PK\x03\x04\0\0\0", (), ("a damaged archive",)),
    ],
)
def test_bad_tables(run, csv, tmp_path, content, options, parts):
    path = csv(content)
    result = run("report", path, "--target", "y", *options)
    assert_one_line(result, 1, *parts)
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_paths_that_are_no_tables(run, tmp_path):
    assert_one_line(run("report", tmp_path / "missing.csv", "--target", "y"), 1, "No such file")
    assert_one_line(run("report", tmp_path, "--target", "y"), 1, "directory")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("report", "x.csv"), "--target"),
        (("report", "--target", "y"), "DATA is needed"),
        (("report", "x.csv", "--target", "y", "--features", '"a'), "unexpected end of data"),
        (("demo", "--n-samples", "many"), "many"),
        (("demo", "--n-samples", "5"), "5"),
        (("demo", "--random-state", "-1"), "-1"),
        (("dmeo",), "dmeo"),
        (("demo", "--outptu", "x"), "--outptu"),
    ],
)
def test_wrong_calls(run, arguments, part):
    assert_one_line(run(*arguments), 2, part)


def test_without_arguments_the_help_is_shown(run):
    result = run()
    assert result.exit_code == 2
    assert "Usage:" in result.output


def test_the_output_is_checked_before_any_fit(run, csv, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "four_models", lambda *_, **__: pytest.fail("a model was made"))
    table = csv(rows())
    for output, part in ((tmp_path / "no" / "p.html", "does not exist"), (tmp_path, "not a regular file")):
        assert_one_line(run("demo", "--output", output), 1, part)
        assert_one_line(run("report", table, "--target", "y", "--output", output), 1, part)


def test_a_model_that_cannot_be_fitted_is_one_line(run, monkeypatch):
    models = {"joint GMM, 40": JointGMMRegressor(n_components=400)}
    monkeypatch.setattr(demo, "four_models", lambda *_, **__: models)
    assert_one_line(run("demo", "--n-samples", 100), 1, "joint GMM, 40: ", "n_components")


def test_interrupt_is_one_line(run, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "fit_all", interrupted)
    assert_one_line(run("demo"), 130, "interrupted")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["matplotlib.collections", "jinja2", "pyarrow"])
def test_a_missing_extra_is_one_line(run, monkeypatch, name):
    def missing(*_):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(demo, "fit_all", missing)
    assert_one_line(run("demo"), 1, 'pip install "condensity[cli]"')


# ---------------------------------------------------------------- real processes


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("demo", "--help"), ("report", "--help")])
def test_help_and_version_load_nothing_heavy(arguments):
    code = f"""
import sys
from condensity.cli import main
try:
    main({list(arguments)!r}, prog_name="condensity")
except SystemExit as end:
    assert not end.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    result = fresh(code=code)
    assert result.returncode == 0, result.stderr
    if arguments == ("--version",):
        assert result.stdout == f"condensity {importlib.metadata.version('condensity')}\n"


def test_without_click_the_script_says_what_to_install():
    code = "import sys; sys.modules['click'] = None\nfrom condensity.cli import main"
    result = fresh(code=code)
    assert result.returncode == 1
    assert result.stderr == 'condensity: error: the command line is not installed; run pip install "condensity[cli]".\n'


def test_a_narrow_encoding_is_no_fault(csv):
    """A Greek sigma stands in the table; a terminal that lacks it shows a question mark."""
    code = """
from condensity import JointGMMRegressor, cli, load
from condensity.cli import shell
from condensity.cli import demo
demo.four_models = lambda joint_name, *_, **__: {joint_name: JointGMMRegressor(n_components=1, max_iter=3)}
cli.main()
"""
    path = csv(rows())
    environment = {**os.environ, "PYTHONIOENCODING": "koi8-r", "PYTHONUTF8": "0"}
    result = fresh("report", path, "--target", "y", code=code, env=environment, cwd=path.parent)
    assert result.returncode == 0, result.stderr
    assert "largest ?" in result.stdout


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_closed_pipe_ends_quietly(csv):
    path = csv(rows())
    code = """
import sys
from condensity import JointGMMRegressor, cli, load
from condensity.cli import shell
from condensity.cli import demo
demo.four_models = lambda joint_name, *_, **__: {joint_name: JointGMMRegressor(n_components=1, max_iter=3)}
cli.main()
"""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-W", "error", "-c", code, "report", str(path), "--target", "y"]
    process = subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=path.parent)
    os.close(writer)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "Broken" not in errors
    assert (path.parent / "condensity-report.html").is_file()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_real_interrupt_exits_with_130(tmp_path):
    code = """
import time
from condensity import cli
from condensity.cli import demo
def slow(*_):
    print("fitting", flush=True)
    time.sleep(120)
demo.fit_all = slow
cli.main(["demo"])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout.readline() == "fitting\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "condensity: error: interrupted; nothing was written.\n"
    assert list(tmp_path.iterdir()) == []


def test_doctor_prints_one_finding_a_line_and_names_the_columns(run, csv):
    result = run("doctor", csv(rows(400)), "--target", "y")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    found = [line[2:].split(":")[0] for line in lines]
    assert found == ["stopping", "baseline", "ties", "components", "bounds of sigma", "steps", "joint mixture"]
    assert "along 'b'" in lines[-2]
    assert "than a joint Gaussian mixture of" in lines[-1]
    assert "on 60 fresh rows" in lines[-1]
    assert all(line.startswith("  ") for line in lines[:-1])


def test_doctor_marks_what_is_serious_and_explains_faults_in_one_line(run, csv):
    noise = np.random.default_rng(0).normal(size=(60, 21))
    text = ",".join("abcdefghijklmnopqrst") + ",y\n" + "".join(",".join(map(str, row)) + "\n" for row in noise)
    result = run("doctor", csv(text), "--target", "y")
    assert result.exit_code == 0, result.output
    assert "! baseline: no better than one normal that ignores X" in result.stdout
    assert_one_line(run("doctor", csv(rows(5)), "--target", "y"), 1, "has 5 rows")
    assert_one_line(run("doctor", csv(rows()), "--target", "z"), 1, "'z'")


# ---------------------------------------------------------------------------------------- fit, predict, score, doctor
def mixed_table(n=300):
    rng = np.random.default_rng(0)
    size, town = rng.normal(size=n), rng.choice(["Aa", "Bé", "C, D"], n)
    price = size + (town == "Aa") + 0.2 * rng.normal(size=n)
    gaps = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    columns = {
        "id": np.arange(n),
        "size": size,
        "town": town,
        "gaps": gaps,
        "price": price,
        "other": -price,
        "w": rng.random(n),
    }
    return pd.DataFrame(columns)


@pytest.fixture
def files(tmp_path):
    """The same table in four formats."""
    table = mixed_table()
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet", row_group_size=70)
    table.to_feather(tmp_path / "t.arrow")
    arrow = pa.Table.from_pandas(table)
    with pa.ipc.new_stream(tmp_path / "t.stream", arrow.schema) as stream:
        stream.write_table(arrow, max_chunksize=90)
    return tmp_path


FEATURES = ("--features", "size,town,gaps", "--target", "price")


@pytest.fixture
def fitted(run, files):
    assert run("fit", "t.csv", *FEATURES, "-o", "m.condensity", "--model", "gmm").exit_code == 0
    return files


@pytest.mark.parametrize("kind", ["mdn", "gmm"])
def test_fit_writes_the_same_model_from_every_format(run, files, kind):
    for name in ("t.csv", "t.parquet", "t.arrow"):
        result = run("fit", name, *FEATURES, "-o", f"{name}.model", "--model", kind)
        assert result.exit_code == 0, result.stderr
        assert "300 rows, 3 features." in result.stdout
        assert "converged" in result.stdout or "Trained" in result.stdout
    contents = {(files / f"{name}.model").read_bytes() for name in ("t.csv", "t.parquet", "t.arrow")}
    assert len(contents) == 1
    model = load(files / "t.csv.model")
    assert model.target_names_ == ["price"]
    assert list(model.feature_names_in_) == ["size", "town", "gaps"]


@pytest.mark.parametrize("data", ["t.csv", "t.parquet", "t.arrow", "t.stream"])
@pytest.mark.parametrize("output", ["p.csv", "p.parquet", "p.arrow"])
def test_predict_writes_what_the_model_says(run, fitted, data, output, monkeypatch):
    monkeypatch.setattr(streams, "BATCH_ROWS", 64)
    result = run(
        "predict",
        "m.condensity",
        data,
        "-o",
        output,
        "--quantiles",
        ".1,.5",
        "--interval",
        ".8",
        "--support",
        "--keep",
        "id",
    )
    assert result.exit_code == 0, result.stderr
    assert "300 rows" in result.stdout
    read = {"p.csv": pd.read_csv, "p.parquet": pd.read_parquet, "p.arrow": pd.read_feather}[output]
    found, table = read(output), mixed_table()
    model, X = load("m.condensity"), table[["size", "town", "gaps"]]
    dist = model.predict_dist(X)
    assert list(found) == [
        "id", "price_mean", "price_std", "price_q0.1", "price_q0.5", "price_lower0.8", "price_upper0.8", "support",
    ]  # fmt: skip
    keeps_text = data == "t.csv" and output != "p.csv"  # a key that passes through keeps its spelling
    np.testing.assert_array_equal(found["id"], table["id"].astype(str) if keeps_text else table["id"])
    np.testing.assert_allclose(found["price_mean"], dist.mean(), rtol=1e-12)
    np.testing.assert_allclose(found["price_q0.1"], dist.ppf(0.1), rtol=1e-12)
    np.testing.assert_allclose(found[["price_lower0.8", "price_upper0.8"]], dist.interval(0.8), rtol=1e-12)
    np.testing.assert_allclose(found["support"], model.support(X), rtol=1e-12)


def test_draws_of_several_outputs_belong_together(run, files):
    assert (
        run("fit", "t.csv", "--features", "size", "--target", "price,other", "-o", "m", "--model", "gmm").exit_code == 0
    )
    for output in ("a.csv", "b.csv"):
        assert run("predict", "m", "t.csv", "-o", output, "--samples", "2").exit_code == 0
    assert (files / "a.csv").read_bytes() == (files / "b.csv").read_bytes()
    found = pd.read_csv(files / "a.csv")
    assert list(found)[:4] == ["price_mean", "price_std", "price_sample1", "price_sample2"]
    assert np.corrcoef(found["price_sample1"], found["other_sample1"])[0, 1] < -0.9
    assert (
        np.corrcoef(found["price_sample1"] - found["price_mean"], found["other_sample2"] - found["other_mean"])[0, 1]
        > -0.3
    )


def test_score_is_that_of_the_model_in_batches(run, fitted, monkeypatch):
    monkeypatch.setattr(streams, "BATCH_ROWS", 64)
    table, model = mixed_table(), load("m.condensity")
    X = table[["size", "town", "gaps"]]
    expected = model.score(X, table["price"])
    crps = model.predict_dist(X).crps(table["price"].to_numpy()).mean()
    for data in ("t.csv", "t.parquet", "t.stream"):
        lines = run("score", "m.condensity", data, "--crps").stdout.splitlines()
        assert lines[0].startswith(f"log density: {expected:.6g} ± ")
        assert lines[1].startswith(f"CRPS: {crps:.6g} ± ")
    weighted = run("score", "m.condensity", "t.csv", "--weights", "w").stdout
    assert weighted.startswith(f"log density: {model.score(X, table['price'], table['w']):.6g} ± ")


def test_stdin_and_stdout_are_files_too(fitted):
    command = [sys.executable, "-m", "condensity.cli", "predict", "m.condensity", "-", "-o", "-", "--keep", "id,town"]
    for name in ("t.csv", "t.parquet"):
        with open(fitted / name, "rb") as stdin:
            result = subprocess.run(command, stdin=stdin, capture_output=True, cwd=fitted, timeout=120, check=True)
        found = pd.read_csv(io.BytesIO(result.stdout))
        assert list(found) == ["id", "town", "price_mean", "price_std"]
        assert list(found["town"]) == list(mixed_table()["town"])
        assert b"300 rows" in result.stderr


@pytest.mark.trap(60)
def test_a_pipe_that_is_closed_ends_quietly_in_predict(fitted):
    command = f"{sys.executable} -m condensity.cli predict m.condensity t.csv -o - | head -1"
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=fitted, timeout=120, check=True
    )
    assert result.stdout.startswith('"price_mean"')
    assert "Traceback" not in result.stderr


@pytest.mark.trap(14)
def test_no_rows_give_an_empty_output(run, fitted):
    pd.read_csv("t.csv").head(0).to_csv("empty.csv", index=False)
    mixed_table().head(0).to_parquet("empty.parquet")
    for data in ("empty.csv", "empty.parquet"):
        assert run("predict", "m.condensity", data, "-o", "p.csv").exit_code == 0
        assert list(pd.read_csv("p.csv")) == ["price_mean", "price_std"]
        assert_one_line(run("score", "m.condensity", data), 1, "has a header but no rows")


@pytest.mark.trap(60)
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("predict", "m.condensity", "missing.csv", "-o", "p.csv"), ["missing.csv", "No such file"]),
        (("predict", "missing", "t.csv", "-o", "p.csv"), ["missing", "No such file"]),
        (("predict", "t.csv", "t.csv", "-o", "p.csv"), ["not a model file"]),
        (("predict", "m.condensity", "t.csv", "-o", "."), ["not a regular file"]),
        (
            ("predict", "m.condensity", "t.csv", "-o", "p.csv", "--keep", "ids"),
            ["no column 'ids'", "Did you mean 'id'"],
        ),
        (("predict", "m.condensity", "part.csv", "-o", "p.csv"), ["no column 'town'"]),
        (("predict", "m.condensity", "text.csv", "-o", "p.csv"), ["size"]),
        (("score", "m.condensity", "part.csv"), ["no column 'town'"]),
        (("score", "m.condensity", "t.csv", "--weights", "price"), ["weights must be finite and not negative"]),
        (("fit", "t.csv", "--target", "prize", "-o", "n"), ["no column 'prize'", "Did you mean 'price'"]),
        (("fit", "t.csv", "--target", "town", "-o", "n"), ["town"]),
        (("fit", "t.csv", "--target", "price", "--features", "price", "-o", "n"), ["is the target"]),
        (("fit", "t.csv", "--target", "price", "--weights", "ww", "-o", "n"), ["no column 'ww'"]),
        (("fit", "t.csv", "--target", "price", "-o", "."), ["not a regular file"]),
        (("doctor", "missing"), ["missing", "No such file"]),
        (("score", "pickle", "t.csv"), ["it is a pickle"]),
    ],
)
def test_faults_of_models_and_tables_are_one_line(run, fitted, arguments, parts):
    mixed_table()[["size", "gaps", "price"]].to_csv("part.csv", index=False)
    mixed_table().assign(size="large").to_csv("text.csv", index=False)
    (fitted / "pickle").write_bytes(pickle.dumps({"a": 1}))
    before = sorted(os.listdir())
    assert_one_line(run(*arguments), 1, *parts)
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("predict", "m", "t.csv"), "--output"),
        (("predict", "m", "t.csv", "-o", "p", "--quantiles", "5,95"), "between 0 and 1"),
        (("predict", "m", "t.csv", "-o", "p", "--quantiles", "a"), "not a list of numbers"),
        (("fit", "t.csv", "-o", "m"), "--target"),
        (("doctor", "t.csv"), "--target is needed"),
    ],
)
def test_wrong_calls_of_model_commands_exit_with_2(run, files, arguments, part):
    assert_one_line(run(*arguments), 2, part)


def test_doctor_of_a_model_says_what_it_said(run, fitted):
    assert run("doctor", "m.condensity").stdout.splitlines() == [
        str(finding) for finding in load("m.condensity").health_
    ]


def test_fit_and_predict_read_streams_from_a_pipe(fitted):
    table = pa.table({"size": np.arange(60.0), "price": np.arange(60.0) % 7})
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    command = [sys.executable, "-m", "condensity.cli"]
    fit = [*command, "fit", "-", "--target", "price", "-o", "s.condensity", "--model", "gmm"]
    subprocess.run(fit, input=stream.getvalue(), capture_output=True, cwd=fitted, timeout=120, check=True)
    ask = [*command, "predict", "s.condensity", "-", "-o", "-"]
    result = subprocess.run(ask, input=stream.getvalue(), capture_output=True, cwd=fitted, timeout=120, check=True)
    assert len(pd.read_csv(io.BytesIO(result.stdout))) == 60


def test_kept_columns_pass_through_as_they_are(run, fitted):
    """Zeros at either end, 21 digits, times and blanks stay what they are, in text and in Parquet."""
    spellings = ["00700", "123456789012345678901", "1.10", "2024-01-02 03:04", " 7", "+1", "", "NA", "1e3", "ä;,"]
    table = mixed_table().assign(id=[spellings[i % len(spellings)] for i in range(300)])
    table.to_csv("keys.csv", index=False)
    for output in ("p.csv", "p.parquet", "p.tsv", "p.csv.gz"):
        assert run("predict", "m.condensity", "keys.csv", "-o", output, "--keep", "id,town,size").exit_code == 0
        text = {"dtype": str, "keep_default_na": False, "sep": "\t" if "tsv" in output else ","}
        found = pd.read_parquet(output) if "parquet" in output else pd.read_csv(output, **text)
        assert found["id"].tolist() == table["id"].tolist()
        assert found["town"].tolist() == table["town"].tolist()
        assert [float(text) for text in found["size"]] == table["size"].tolist()


@pytest.mark.trap(85)
@pytest.mark.parametrize("name", ["p.xlsx", "p.json", "p.parquet.gz", "p.csv.zip"])
def test_output_of_a_format_that_is_not_written_is_refused_before_any_prediction(run, fitted, name):
    assert_one_line(run("predict", "m.condensity", "t.csv", "-o", name), 1, name, "that format is not written", ".csv")
    assert not (fitted / name).exists()


@pytest.mark.trap("T31")
@pytest.mark.parametrize("late", ["12x", "NaN", "1.5"])
def test_a_kept_column_may_change_its_type_after_the_first_block(run, fitted, monkeypatch, late):
    monkeypatch.setattr(text_files, "CSV_BLOCK", 2**12)
    n = 500
    lines = ["id,size,town,gaps\n", *(f"{i:018d},0.{i % 10},Aa,1\n" for i in range(n)), f"{late},0.5,Aa,1\n"]
    (fitted / "long.csv").write_text("".join(lines))
    assert (fitted / "long.csv").stat().st_size > 2**12
    assert run("predict", "m.condensity", "long.csv", "-o", "p.parquet", "--keep", "id").exit_code == 0
    found = pd.read_parquet("p.parquet")["id"]
    assert (found.iloc[0], found.iloc[-1], len(found)) == ("0" * 18, late, n + 1)


@pytest.mark.trap(60)
def test_columns_of_the_same_name_are_one_line(run, fitted):
    (fitted / "twice.csv").write_text("size,town,gaps,size\n1,Aa,2,3\n")
    assert_one_line(
        run("predict", "m.condensity", "twice.csv", "-o", "p.csv"), 1, "several columns of the same name", "'size'"
    )
    assert_one_line(run("score", "m.condensity", "twice.csv"), 1, "several columns of the same name")
