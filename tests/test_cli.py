"""The command line: what it prints and writes, and that every fault is one line."""

import importlib.metadata
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from condensity import JointGMMRegressor, cli
from condensity.report import cases, figures

HEAVY = ("numpy", "scipy", "sklearn", "matplotlib", "pyarrow", "jinja2")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in an empty directory, with models that fit at once."""

    def quick_models(joint_name, random_state, **_):
        return {
            name: JointGMMRegressor(n_components=2, max_iter=3, random_state=random_state)
            for name in ("first", joint_name)
        }

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cases, "four_models", quick_models)
    monkeypatch.setattr(cases, "TEST_ROWS", 200)
    # Drawing is tested with the page; here it would take most of the time.
    monkeypatch.setattr(figures, "to_picture", lambda _, *texts: figures.Picture("data:,", *texts, 1, 1))

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
    result = run("report", path, "--target", "b", "--features", '"a, cm",y', "--along", "a, cm")
    assert result.exit_code == 0, result.output


def test_a_piped_run_shows_no_progress_and_notes_are_single_lines(run):
    result = run("demo", "--n-samples", 100)
    assert "\r" not in result.output
    assert "\x1b" not in result.output
    assert all(line.startswith("condensity: note: ") for line in result.stderr.splitlines())


def test_a_terminal_shows_progress_and_clears_it(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with cli._progress() as progress:
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
        (rows(), ("--features", '"a'), ("unexpected end of data",)),
        (rows(), ("--along", "y"), ("--along names 'y'", "'a', 'b'")),
        (rows(header="a,a,y"), (), ("same name: 'a'",)),
        (rows() + "1,two,3\n", (), ("column 'b' is not numeric", "'two'")),
        (rows() + "1,,3\n", (), ("column 'b' has missing values in 1 of 41 rows",)),
        (b"PAR1 and nothing more", (), ("as Parquet",)),
        (b"PK\x03\x04\0\0\0", (), ("neither Parquet nor CSV",)),
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
        (("report", "--target", "y"), "FILE"),
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
    monkeypatch.setattr(cases, "four_models", lambda *_, **__: pytest.fail("a model was made"))
    table = csv(rows())
    for output, part in ((tmp_path / "no" / "p.html", "does not exist"), (tmp_path, "not a regular file")):
        assert_one_line(run("demo", "--output", output), 1, part)
        assert_one_line(run("report", table, "--target", "y", "--output", output), 1, part)


def test_a_model_that_cannot_be_fitted_is_one_line(run, monkeypatch):
    models = {"joint GMM, 40": JointGMMRegressor(n_components=400)}
    monkeypatch.setattr(cases, "four_models", lambda *_, **__: models)
    assert_one_line(run("demo", "--n-samples", 100), 1, "joint GMM, 40: ", "n_components")


def test_interrupt_is_one_line(run, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cases, "fit_all", interrupted)
    assert_one_line(run("demo"), 130, "interrupted")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["matplotlib.collections", "jinja2", "pyarrow"])
def test_a_missing_extra_is_one_line(run, monkeypatch, name):
    def missing(*_):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(cases, "fit_all", missing)
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
from condensity import JointGMMRegressor, cli
from condensity.report import cases
cases.four_models = lambda joint_name, *_, **__: {joint_name: JointGMMRegressor(n_components=1, max_iter=3)}
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
from condensity import JointGMMRegressor, cli
from condensity.report import cases
cases.four_models = lambda joint_name, *_, **__: {joint_name: JointGMMRegressor(n_components=1, max_iter=3)}
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
from condensity.report import cases
def slow(*_):
    print("fitting", flush=True)
    time.sleep(120)
cases.fit_all = slow
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
