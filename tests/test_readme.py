"""The README does what it says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import check_examples

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)


def test_there_are_two_commands_of_one_line():
    assert len(COMMANDS) == 2
    assert COMMANDS[0].endswith("-m scipy_gd compare")
    assert COMMANDS[1].split("&&")[-1].split()[1:3] == ["-m", "pytest"]


def test_examples_in_the_readme_run():
    blocks = re.findall(r"```python\n(>>>.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        assert check_examples(block, "README") > 0


def test_the_three_lines_run():
    (block,) = re.findall(r"```python\n(import.*?)```", README, re.DOTALL)
    scope = {"f": lambda x: x @ x, "g": lambda x: 2 * x, "x0": [1.0, 2.0]}
    exec(block, scope)
    assert scope["res"].fun < 5


def test_files_and_pictures_named_in_the_readme_exist():
    names = re.findall(r"\]\((?!http)([^)]+)\)", README)
    names += re.findall(r"`([a-z_]+/[a-z_./]*)`", README)
    assert len(names) > 4
    for name in names:
        assert (ROOT / name).exists(), name


def test_figures_in_the_readme_are_those_of_the_committed_results():
    """Every table of the README stands, row by row, in the result that it names."""
    sections = re.findall(r"((?:^\|.*\n)+)\n`python -m bench (\w+)`", README, re.MULTILINE)
    assert sections
    for table, name in sections:
        result = (ROOT / "bench" / "results" / f"{name}.md").read_text()
        known = {tuple(re.split(r" *\| *", line)) for line in result.splitlines()}
        for line in table.splitlines():
            if "---" not in line:
                assert tuple(re.split(r" *\| *", line)) in known, line


@pytest.mark.skipif(sys.platform == "win32", reason="a command for a POSIX shell")
@pytest.mark.skipif("CI" not in os.environ, reason="downloads: runs in CI")
def test_the_main_job_runs_in_a_fresh_copy(tmp_path):
    """The README's first command, as it stands there, in a copy of the tracked files."""
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in files:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    python3 = Path(sys.executable).resolve()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(python3)
    environment["PATH"] = f"{tmp_path / 'bin'}:{environment['PATH']}"
    out = subprocess.run(
        COMMANDS[0], shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert out.returncode == 0, out.stderr[-2000:]
    assert "L-BFGS-B" in out.stdout
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
