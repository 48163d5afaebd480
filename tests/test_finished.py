"""The option `checkpoint` of `compare` and `sweep`: what is finished is in a file, and kept."""

import errno
import functools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from scipy_gd import _checkpoint, adam, compare, gd, momentum, prox, schedules, sweep
from scipy_gd.problems import beale, rosenbrock
from scipy_gd.study.identity import Identity

START = [-1.2, 1.0]
RATES = [1e-4, 1e-3, 1e-2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Watched:
    """Rosenbrock's function that counts its calls away from the start."""

    def __init__(self):
        self.calls = 0
        self.__name__ = "watched"

    def __call__(self, x):
        self.calls += list(x) != START
        return rosen(x)


def swept(fun, method=gd, x0=START, jac=rosen_der, **options):
    options = {"maxiter": 20, "checkpoint": "kept.npz", "check": False} | options
    return sweep(fun, x0, method, jac=jac, **options)


def compared(fun, methods=("gd", "BFGS"), x0=START, jac=rosen_der, **options):
    options = {"maxfev": 50, "checkpoint": "kept.npz", "check": False} | options
    return compare(fun, x0, methods=methods, jac=jac, **options)


# --- what is finished is not run again


def test_runs_of_a_sweep_come_back_to_the_bit():
    fun = Watched()
    first = swept(fun, [gd, momentum], learning_rate=RATES, seeds=2)
    assert fun.calls > 100
    fun.calls = 0
    again = swept(fun, [gd, momentum], learning_rate=RATES, seeds=2)
    assert fun.calls <= 2  # near the start, to know the objective
    assert again.to_dicts() == first.to_dicts()
    assert again.best.options == first.best.options
    for one, other in zip(first, again, strict=True):
        assert vars(one).keys() == vars(other).keys()
        np.testing.assert_array_equal(one.x, other.x)
        assert (one.f.dtype, one.nit.dtype) == (other.f.dtype, other.nit.dtype)


def test_runs_of_a_comparison_come_back_to_the_bit():
    fun = Watched()
    first = compared(fun)
    fun.calls = 0
    again = compared(fun)
    assert fun.calls <= 2  # near the start, to know the objective
    assert str(again) == str(first)  # the times as well
    for one, other in zip(first, again, strict=True):
        for name, value in vars(one).items():
            np.testing.assert_array_equal(value, getattr(other, name))


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({"learning_rate": [1e-3, 1e-1]}, 1),
        ({"learning_rate": RATES[::-1]}, 0),
        ({"seeds": 2}, 3),
        ({"seeds": [1]}, 3),
        ({"maxiter": 21}, 3),
        ({"gtol": 1e-4}, 3),
        ({"method": momentum}, 3),
        ({"method": [gd, momentum]}, 3),
        ({"method": [("other", gd)]}, 3),
        ({"method": functools.partial(gd, maxfev=9)}, 3),
        ({"x0": [0.5, 0.5]}, 3),
        ({"bounds": [(-2, 2), (-2, 2)]}, 3),
        ({"jac": None}, 3),
        ({"workers": map}, 0),
    ],
)
def test_only_what_is_missing_is_run(changes, new, monkeypatch):
    def counted(task, job):
        made.append(job)
        return outcome(task, job)

    outcome, made = sys.modules["scipy_gd.study.sweep"]._outcome, []
    monkeypatch.setattr("scipy_gd.study.sweep._outcome", counted)
    swept(rosen, learning_rate=RATES)
    made.clear()
    swept(rosen, **({"learning_rate": RATES} | changes))
    assert len(made) == new
    made.clear()
    swept(rosen, learning_rate=RATES)  # the first ones are there still
    assert not made


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({"methods": ["gd", "CG", "BFGS"]}, ["CG"]),
        ({"maxfev": 51}, ["gd", "BFGS"]),
        ({"maxtime": 9.0}, ["gd", "BFGS"]),
        ({"tol": 1e-3}, ["gd", "BFGS"]),
        ({"methods": [("gd", gd, {"learning_rate": 1e-3}), "BFGS"]}, ["gd"]),
        ({"rng": 1}, ["gd"]),  # BFGS draws no numbers
    ],
)
def test_only_what_is_missing_is_compared(changes, new, monkeypatch):
    compared(rosen)
    solved, solve = [], sys.modules["scipy_gd.study.comparison"]._row

    def watched(task, solver, *rest):
        solved.append(solver.label)
        return solve(task, solver, *rest)

    monkeypatch.setattr("scipy_gd.study.comparison._row", watched)
    rows = compared(rosen, **changes)
    assert solved == new
    assert [row.method for row in rows] == (["gd", "CG", "BFGS"] if "CG" in new else ["gd", "BFGS"])


def test_a_run_that_raised_is_tried_again():
    broken = True

    def fun(x):
        if broken and x[0] > 0.5:
            raise ConnectionError("try later")
        return x @ x

    rates = {"learning_rate": [0.1, 0.9], "jac": lambda x: 2 * x, "x0": [-1.0]}
    first = swept(fun, **rates)
    assert [row.message[:15] for row in first][1] == "ConnectionError"
    methods = [("far", gd, {"learning_rate": 0.9})]
    (row,) = compared(fun, methods, [-1.0], lambda x: 2 * x, checkpoint="b.npz")
    assert "ConnectionError" in row.message
    broken = False
    again = swept(fun, **rates)
    assert again[0].f[0] == first[0].f[0] and again[1].f[0] < 1.0
    (row,) = compared(fun, methods, [-1.0], lambda x: 2 * x, checkpoint="b.npz")
    assert "ConnectionError" not in row.message


def test_a_noisy_objective_is_recognized():
    rng = np.random.default_rng(0)

    def noisy(x):
        return x @ x + 1e-3 * rng.normal()

    first = swept(noisy, learning_rate=[0.1], jac=lambda x: 2 * x)
    again = swept(noisy, learning_rate=[0.1, 0.2], jac=lambda x: 2 * x)
    assert again[0].f[0] == first[0].f[0]


def test_several_sizes_share_a_file():
    tables = [compared(rosenbrock(n), x0=None, jac=None) for n in (2, 5)]
    again = [compared(rosenbrock(n), x0=None, jac=None) for n in (2, 5)]
    assert [*map(str, tables)] == [*map(str, again)]


# --- what is refused


def test_a_file_of_another_problem_is_refused_by_name():
    compared(rosenbrock(), x0=None, jac=None)
    content = Path("kept.npz").read_bytes()
    with pytest.raises(
        ValueError, match=r"kept\.npz belongs to another problem, rosenbrock, not to"
    ):
        compared(beale(), x0=None, jac=None)
    assert Path("kept.npz").read_bytes() == content


@pytest.mark.parametrize(
    "changes",
    [
        {"fun": lambda x: 2 * rosen(x)},
        {"jac": lambda x: 2 * rosen_der(x)},
    ],
)
@pytest.mark.parametrize("study", [swept, compared])
def test_an_objective_that_has_changed_is_noticed(changes, study):
    given = {"fun": lambda x: rosen(x), "jac": lambda x: rosen_der(x)}
    study(**given)
    content = Path("kept.npz").read_bytes()
    with pytest.raises(
        ValueError, match=r"kept\.npz has runs of lambda, n = 2, with another objective"
    ):
        study(**(given | changes))
    assert Path("kept.npz").read_bytes() == content


def test_data_that_have_changed_are_noticed():
    def fit(x, data):
        return np.sum((x - data) ** 2)

    sweep(fit, START, gd, args=(np.ones(2),), checkpoint="kept.npz", maxiter=2)
    with pytest.raises(
        ValueError, match=r"another objective, gradient or data: f and \|g\| at and near the start"
    ):
        sweep(fit, START, gd, args=(np.zeros(2),), checkpoint="kept.npz", maxiter=2)


def never(x):
    raise AssertionError("no work before the file is checked")


@pytest.mark.parametrize("study", [swept, compared])
def test_other_files_are_refused_before_any_work(study):
    minimize(rosen, START, method=adam, options={"checkpoint": "run.npz", "maxiter": 3})
    Path("text.npz").write_text("my notes")
    np.savez("arrays.npz", a=np.ones(3))
    newer = {"study": study.__name__}
    with pytest.MonkeyPatch.context() as m:
        m.setattr(_checkpoint, "FORMAT", 99)
        _checkpoint.write("newer.npz", newer)
    swept(rosen, learning_rate=[0.1], checkpoint="swept.npz")
    compared(rosen, checkpoint="compared.npz")
    other = "compared" if study is swept else "swept"
    for name, said in (
        ("run", "run.npz is a checkpoint of a run, not of"),
        ("text", "text.npz is not a scipy_gd checkpoint, or is damaged, and will not be overwr"),
        ("arrays", "arrays.npz is not a scipy_gd checkpoint"),
        ("newer", "newer.npz was written by a newer version"),
        (other, f"{other}.npz is a checkpoint of `{'compare' if study is swept else 'sweep'}`"),
    ):
        content = Path(f"{name}.npz").read_bytes()
        with pytest.raises(ValueError, match=f"`checkpoint`: {said}"):
            study(never, checkpoint=f"{name}.npz")
        assert Path(f"{name}.npz").read_bytes() == content
    with pytest.raises(FileNotFoundError, match="`checkpoint`: cannot be written"):
        study(never, checkpoint="nowhere/kept.npz")
    with pytest.raises(TypeError, match="`checkpoint` must be a file name, got 3"):
        study(never, checkpoint=3)


def test_a_run_neither_overwrites_nor_resumes_a_study():
    swept(rosen, learning_rate=[0.1])
    content = Path("kept.npz").read_bytes()
    for option in ("checkpoint", "resume"):
        with pytest.raises(
            ValueError, match=f"`{option}`: kept.npz contains finished runs of `sweep`"
        ):
            minimize(never, START, method=adam, options={option: "kept.npz"})
    assert Path("kept.npz").read_bytes() == content


@pytest.mark.parametrize("study", [swept, compared])
def test_a_full_disk_is_an_error_and_the_old_file_is_intact(study, monkeypatch):
    study(rosen)
    content = Path("kept.npz").read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write the checkpoint \(No space left"):
        study(rosen, **({"maxiter": 30} if study is swept else {"maxfev": 60}))
    assert Path("kept.npz").read_bytes() == content
    assert os.listdir() == ["kept.npz"]


def test_ctrl_c_keeps_what_is_finished():
    def interrupted(x):
        if calls_before_the_end():
            raise KeyboardInterrupt
        return rosen(x)

    left = iter(range(70))

    def calls_before_the_end():
        return next(left, None) is None

    with pytest.raises(KeyboardInterrupt):
        swept(interrupted, learning_rate=RATES, seeds=2)
    saved = _checkpoint.read("kept.npz")
    assert 2 <= len(saved["runs"]) <= 3


# --- kills

SLOW = """
import sys, time
import numpy as np
from scipy.optimize import OptimizeResult
from scipy_gd import compare, sweep

def slow(fun, x0, args=(), rate=0.0, **_):
    with open("log", "a") as file:
        file.write(f"{rate}\\n")
    time.sleep(30.0 if rate < 0 and "stuck" in sys.argv else 0.1)
    return OptimizeResult(x=x0 + 2 * rate + 1, nit=1, nfev=1, success=True, message="done")

def fun(x):
    return float(x[0])

if __name__ == "__main__":
    rates = [-1.0, *range(12)]
    workers = 2 if "workers" in sys.argv else None
    options = {"checkpoint": "kept.npz", "check": False}
    if "compare" in sys.argv:
        methods = [(f"rate {rate}", slow, {"rate": rate}) for rate in rates]
        result = compare(fun, [0.0], methods=methods, **options)
        print([float(row.f) for row in result])
    else:
        result = sweep(fun, [0.0], slow, rate=rates, workers=workers, **options)
        print([float(row.f[0]) for row in result])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills a group of processes")
@pytest.mark.parametrize("how", [["compare"], ["workers", "stuck"]], ids=" ".join)
def test_after_a_kill_only_what_is_missing_is_run(how, tmp_path):
    """With workers, the first run does not end: those after it are finished all the same."""
    (tmp_path / "slow.py").write_text(SLOW)
    warm_up = 1 + ("compare" in how)  # a comparison runs each solver on a trivial problem first
    process = subprocess.Popen([sys.executable, "slow.py", *how], start_new_session=True)
    saved, deadline = 0, time.time() + 60
    while saved < 3 and time.time() < deadline and process.poll() is None:
        time.sleep(0.02)
        if Path("kept.npz").exists():  # and whole, at any time
            saved = len(_checkpoint.read("kept.npz")["runs"])
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    before = Path("log").read_text().split()
    saved = len(_checkpoint.read("kept.npz")["runs"])
    assert 3 <= saved < 13
    again = [each for each in how if each != "stuck"]
    done = subprocess.run(
        [sys.executable, "slow.py", *again], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"{[-1.0, *(2.0 * rate + 1.0 for rate in range(12))]}\n", done.stderr
    after = Path("log").read_text().split()[len(before) :]
    assert len(after) == warm_up * (13 - saved)
    assert ("-1.0" in after) == ("stuck" in how)


# --- what a value is known by


def other(t):
    return 0.1


class Rate:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, t):
        return self.rate


class Step(Rate):
    __qualname__ = "Rate"

    def __call__(self, t):
        return self.rate / t


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, 1.0),
        (1, True),
        (0.1, "0.1"),
        (None, "None"),
        ([1, 2], [2, 1]),
        (np.zeros(2000), np.r_[np.zeros(1000), 1e-9, np.zeros(999)]),
        (np.zeros(2), np.zeros(2, int)),
        (np.zeros((2, 1)), np.zeros((1, 2))),
        (lambda t: 0.1, lambda t: 0.2),
        (lambda t: 0.1, other),
        (lambda t, a=1: a, lambda t, a=2: a),
        (*(lambda t, k=k: (lambda: k)() for k in (1, 2)),),
        (*map(lambda k: lambda t: k, (1, 2)),),
        (lambda t: t in {"a", "b"}, lambda t: t in {"a", "c"}),
        (functools.partial(other, 1), functools.partial(other, 2)),
        (gd, momentum),
        (functools.partial(adam, beta1=0.5), functools.partial(adam, beta1=0.6)),
        (schedules.cosine(0.1, 0.01, steps=10), schedules.cosine(0.1, 0.01, steps=11)),
        (prox.l1(np.full(3000, 1.0)), prox.l1(np.r_[np.ones(1500), 2.0, np.ones(1499)])),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, [["a", 1]]),
        (Rate(1), Rate(2)),
        (Rate(1), Step(1)),
        (np.random.default_rng(1), np.random.default_rng(2)),
    ],
)
def test_what_differs_is_told_apart(one, two):
    assert Identity()(one) != Identity()(two)
    assert Identity()(one) == Identity()(one)
    assert Identity()([one, two]) != Identity()([one, one])


def test_what_is_equal_is_found_again_in_another_process():
    program = textwrap.dedent("""
        import functools, numpy as np
        from scipy_gd import adam, schedules
        from scipy_gd.study.identity import Identity
        def make(k):
            return lambda t: k * t if t in {"a", "b", "c"} else k
        values = [np.arange(3.0), make(2), {"b": 1, "a": (2, np.float64(0.5))}, adam,
                  functools.partial(adam, beta1=0.5), schedules.cosine(0.1, 0.01, steps=10),
                  np.random.default_rng(1)]
        print(Identity()(values))
    """)
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_an_option_that_cannot_be_told_from_others_is_named():
    lock = threading.Lock()
    with pytest.raises(TypeError, match="`checkpoint`: gd has an option that another process"):
        swept(rosen, learning_rate=[0.1, lambda t: 0.1 + lock.locked()])
    assert not os.path.exists("kept.npz")
