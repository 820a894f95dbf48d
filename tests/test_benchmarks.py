"""The benchmarks run, at sizes too small to measure anything, and write what they found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
TINY = {
    "categories": ["--seeds", "1", "--max-levels", "8"],
    "cold_start": ["--repeats", "1"],
    "irrelevant_columns": ["--tables", "two-branch", "--rows", "200", "--seeds", "1"],
    "joint_gmm": ["--part", "sweep", "--seeds", "1"],
    "known_problems": ["--n-samples", "100", "--seeds", "1", "--test-rows", "500", "--problems", "odd"],
    "long_table": ["--rows", "3000", "--predict-rows", "2000"],
    "memory": ["--rows", "3000", "--columns", "2"],
    "mixture_kernels": ["--rows", "20", "--rounds", "1"],
    "prediction_memory": ["--rows", "1000", "--models", "MDN"],
    "safety": ["--cells", "1", "--models", "MDN,joint,trivial", "--where", "n=10", "d=1", "q=1", "--max-seconds", "3"],
    "sizes": ["--rows", "60", "--seeds", "1"],
    "smoothness": ["--rows", "60", "--seeds", "1"],
    "spikes": ["--rows", "60", "--seeds", "1"],
    "support": ["--part", "validity", "joint", "--seeds", "1", "--rows", "200"],
    "training": ["--rows", "100", "--seeds", "1"],
    "trunk": [f"{sys.executable}:{ROOT / 'src'}"] * 2 + ["--rounds", "1", "--scale", "0.02"],
}
#: They need another environment or data that are not in the repository.
ELSEWHERE = {"mixed_tables", "real_tables", "scikit_mdn"}


def test_every_benchmark_is_listed():
    scripts = {path.stem for path in BENCHMARKS.glob("*.py")} - {"harness", "peers", "torture", "trivial"}
    assert scripts == set(TINY) | ELSEWHERE


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_runs_and_writes_its_results(name, tmp_path):
    command = [sys.executable, BENCHMARKS / f"{name}.py", *TINY[name], "--json", tmp_path / "results.json"]
    subprocess.run(
        command, check=True, timeout=600, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True
    )
    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert content["complete"]
    assert content["results"]
    assert {"machine", "versions", "commit"} <= set(content["environment"])
