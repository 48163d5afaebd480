"""Runs that survive: `checkpoint`, and `resume` from a file."""

import contextlib
import errno
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import njit
from scipy.optimize import NonlinearConstraint, OptimizeWarning, minimize, rosen, rosen_der

from scipy_gd import _checkpoint, adam, gd, lbfgs, levenberg_marquardt, sgd, spsa, start
from scipy_gd.schedules import reduce_on_plateau

X0 = [-1.2, 1.0, -0.5]
DATA = np.random.default_rng(0).normal(size=(60, 3))
PLATEAU = reduce_on_plateau(1e-3, 0.5, 2)


def solve(method=adam, fun=rosen, **options):
    options = {"rng": 3, "maxiter": 60} | options
    return minimize(fun, X0, jac=rosen_der, method=method, options=options)


def loss(w, X):
    r = X @ w - 1
    return r @ r, 2 * X.T @ r


def fit(fun=loss, **options):
    options = {"batch_size": 7, "epochs": 5, "rng": 1, "learning_rate": 1e-3} | options
    return minimize(fun, np.zeros(3), (DATA,), sgd, True, options=options)


def estimate(fun=rosen, **options):
    return minimize(fun, X0, method=spsa, options={"rng": 3, "maxiter": 60} | options)


def differences(fun=rosen, **options):
    return minimize(fun, X0, method=lbfgs, options={"maxiter": 9} | options)


def confine(fun=rosen, **options):
    ball = NonlinearConstraint(lambda x: x @ x, -np.inf, 1.0, jac=lambda x: 2 * x)
    options = {"maxiter": 60} | options
    return minimize(fun, X0, jac=rosen_der, method=lbfgs, constraints=ball, options=options)


def residuals(fun=lambda x: np.r_[10 * (x[1:] - x[:-1] ** 2), 1 - x], **options):
    return minimize(fun, X0, method=levenberg_marquardt, options={"maxiter": 7} | options)


def scaled(fun=lambda x: rosen(x / 1e-6), **options):
    options = {"x_scale": "auto", "maxiter": 9} | options
    return minimize(fun, np.multiply(X0, 1e-6), method=lbfgs, options=options)


RUNS = {
    "adam": lambda *fun, **options: solve(adam, *fun, **options),
    "lbfgs": lambda *fun, **options: solve(lbfgs, *fun, **options),
    "batches": fit,
    "validation": lambda *fun, **o: fit(*fun, validation=(DATA[:9],), patience=40, **o),
    "average": lambda *fun, **options: fit(*fun, averaging="polyak", **options),
    "plateau": lambda *fun, **o: solve(
        gd, *fun, learning_rate=reduce_on_plateau(1e-3, 0.5, 2), **o
    ),
    "spsa": estimate,
    "differences": differences,
    "constraint": confine,
    "residuals": residuals,
    "x_scale": scaled,
}
runs = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def same(a, b):
    assert (a.x.tolist(), a.fun, a.nit, a.status) == (b.x.tolist(), b.fun, b.nit, b.status)


def failing(run, after):
    """The objective of a run, of which a call fails."""
    fun, calls = run.__defaults__[-1] if run.__defaults__ else None, []
    fun = fun or (loss if run in (RUNS["validation"], RUNS["average"]) else rosen)

    def fragile(*args):
        calls.append(0)
        if len(calls) == after:
            raise ConnectionError
        return fun(*args)

    return fragile


# --- the file


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | arrays(st.sampled_from(["f8", "i8", "u4", "?"]), st.integers(0, 3))
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
)


def plain(value):
    """With a text for each array, as NaN is not NaN."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return repr((value, getattr(value, "dtype", None)))


@given(values)
def test_what_is_read_is_what_was_written(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    _checkpoint.write(path, {"value": value})
    assert plain(_checkpoint.read(path)["value"]) == plain(value)


@given(st.data())
def test_a_damaged_file_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    state = solve(maxiter=5).state
    _checkpoint.write(path, state)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
    else:
        path.write_bytes(
            whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
        )
    with contextlib.suppress(ValueError):
        found = _checkpoint.read(path)
        # what has changed does not matter, such as the time of a member
        assert found["V"].tobytes() == state["V"].tobytes()
        assert found["s"].tobytes() == state["s"].tobytes()


def test_nothing_is_pickled(tmp_path):
    path = tmp_path / "run.npz"
    fit(checkpoint=path)
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind != "O" for name in archive.files)


# --- what does not work is said before the first evaluation, and nothing is overwritten


def never(*_):
    raise AssertionError


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`checkpoint`.*nowhere"):
        solve(fun=never, checkpoint=tmp_path / "nowhere" / "run.npz")


def test_a_file_that_is_a_folder(tmp_path):
    with pytest.raises(OSError, match=r"`checkpoint`"):
        solve(fun=never, checkpoint=tmp_path)


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PK\x03\x04 and no more", "array", "npz"])
def test_a_file_of_somebody_else(tmp_path, content):
    path = tmp_path / "data.npz"
    if content == "array":
        with path.open("wb") as file:
            np.save(file, np.ones(3))
    elif content == "npz":
        np.savez(path, x=np.ones(3))
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"`checkpoint`.*data.npz is not a scipy_gd checkpoint"):
        solve(fun=never, checkpoint=path)
    with pytest.raises(ValueError, match=r"`resume`.*data.npz is not a scipy_gd checkpoint"):
        solve(fun=never, resume=path)
    assert path.read_bytes() == before


def test_a_newer_file(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    monkeypatch.setattr(_checkpoint, "FORMAT", _checkpoint.FORMAT + 1)
    solve(checkpoint=path)
    monkeypatch.undo()
    before = path.read_bytes()
    for name in ("resume", "checkpoint"):
        with pytest.raises(ValueError, match=f"`{name}`.*written by a newer version"):
            solve(fun=never, **{name: path})
    assert path.read_bytes() == before


def test_a_file_that_is_missing():
    with pytest.raises(FileNotFoundError, match=r"nowhere.npz"):
        solve(fun=never, resume="nowhere.npz")


@pytest.mark.parametrize("name", ["checkpoint", "resume"])
def test_what_is_no_file(name):
    with pytest.raises(TypeError, match=f"`{name}` must be"):
        solve(fun=never, **{name: 3})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 8}, "run.npz: `resume` .* a run with `batch_size` set to 7, got 8"),
        (
            {"shuffle": False},
            "run.npz: `resume` is the state of a run with `shuffle` set to its default",
        ),
        ({"clip_norm": 1.0}, "run.npz: `resume` is the state of a run with different options"),
    ],
)
def test_other_options(tmp_path, change, message):
    path = tmp_path / "run.npz"
    fit(checkpoint=path)
    with pytest.raises(ValueError, match=message):
        fit(never, resume=path, **change)


def test_another_method(tmp_path):
    path = tmp_path / "run.npz"
    solve(adam, checkpoint=path)
    with pytest.raises(ValueError, match=r"run.npz: `resume` is the state of adam, not of gd"):
        solve(gd, fun=never, resume=path)


# --- going on


@runs
@pytest.mark.parametrize("after", [2, 11, 30])
def test_an_error_leaves_a_file_to_go_on_from(tmp_path, run, after):
    path = tmp_path / "run.npz"
    whole = run()
    with contextlib.suppress(ConnectionError):
        same(run(failing(run, after), checkpoint=path), whole)  # it may need fewer calls
    if path.exists():  # not where it failed before there was a run
        same(run(resume=path, checkpoint=path), whole)


@runs
def test_a_run_that_has_ended_has_ended(tmp_path, run):
    path = tmp_path / "run.npz"
    whole = run(checkpoint=path)
    same(run(resume=path), whole)


def test_more_iterations_of_a_run_that_has_ended(tmp_path):
    path = tmp_path / "run.npz"
    solve(maxiter=40, checkpoint=path)
    same(solve(maxiter=60, resume=path), solve(maxiter=60))


@pytest.mark.parametrize("tolerance", [1e-9, 1e-5])
def test_a_smaller_tolerance_goes_on(tmp_path, tolerance):
    path = tmp_path / "run.npz"
    first = solve(lbfgs, checkpoint=path)
    rest = solve(lbfgs, resume=path, gtol=tolerance)
    assert rest.success
    assert (rest.nit > first.nit) == (tolerance == 1e-9)


@runs
def test_checkpoints_while_it_runs_change_nothing(tmp_path, run, monkeypatch):
    path, written, write = tmp_path / "run.npz", [], _checkpoint.write

    def spy(file, state):
        write(file, state)
        written.append(file.read_bytes())

    monkeypatch.setattr(_checkpoint, "write", spy)
    monkeypatch.setattr("scipy_gd._run.observers.SHARE", np.inf)
    monkeypatch.setattr("scipy_gd._run.drive.REPORT", 0.0)
    whole = run()
    same(run(checkpoint=path, checkpoint_every=0), whole)
    assert len(written) > 3
    for content in written[:: max(len(written) // 5, 1)]:
        path.write_bytes(content)
        same(run(resume=path), whole)


@njit
def quartic(x):
    return np.sum((x - 1.0) ** 4), 4.0 * (x - 1.0) ** 3


def test_checkpoints_of_compiled_runs(tmp_path, monkeypatch):
    def run(**options):
        options = {"compiled": True, "gtol": 0.0, "maxiter": 4000} | options
        return minimize(quartic, X0, jac=True, method=adam, options=options)

    path, states, write = tmp_path / "run.npz", [], _checkpoint.write

    def spy(file, state):
        write(file, state)
        states.append(_checkpoint.read(file))

    monkeypatch.setattr(_checkpoint, "write", spy)
    monkeypatch.setattr("scipy_gd._run.observers.SHARE", np.inf)
    whole = run()
    same(run(checkpoint=path, checkpoint_every=0), whole)
    assert len(states) > 2
    for state in states[::3]:
        same(run(resume=state), whole)


KILLS = """
import numpy as np
from bench.checkpoints import RUNS, survived
for k, name in enumerate(["sgd, mini-batches, validation", "spsa", "adam, compiled"]):
    _, kills, _, right = survived(RUNS[name], 3, np.random.default_rng(k))
    assert right == kills, (name, right)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_runs_go_on():
    subprocess.run([sys.executable, "-c", KILLS], check=True)


def test_a_state_on_demand():
    states = []

    def callback(intermediate_result):
        if intermediate_result.nit in (1, 17, 40):
            states.append(intermediate_result.state())
        pickle.dumps(intermediate_result)

    whole = solve()
    options = {"rng": 3, "maxiter": 60}
    minimize(rosen, X0, jac=rosen_der, method=adam, callback=callback, options=options)
    assert [each["nit"] for each in states] == [1, 17, 40]
    for state in states:
        same(solve(resume=state), whole)


def test_the_other_front_door_goes_on_from_a_file(tmp_path):
    path = tmp_path / "run.npz"
    solve(maxiter=20, checkpoint=path)
    run = start(adam, X0, maxiter=30, resume=path)
    while not run.done:
        x = run.ask()
        run.tell(rosen(x), rosen_der(x))
    same(run.result(), solve(maxiter=30))
    with pytest.raises(ValueError, match=r"run.npz"):
        start(gd, X0, resume=path)


# --- messages


@pytest.mark.parametrize("options", [{"maxtime": 0.0}, {"maxiter": 2}, {"maxfev": 3}])
@pytest.mark.parametrize("run", [solve, confine])
def test_the_message_says_how_to_go_on(tmp_path, run, options):
    path = tmp_path / "run.npz"
    res = run(checkpoint=path, **options)
    assert f"To continue the run, pass `resume={str(path)!r}`" in res.message
    assert "resume" not in run(**options).message


# --- disks


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """Past a limit on the size of files, writing fails as on a full disk."""
    path = tmp_path / "run.npz"
    program = f"""
import resource, signal, warnings, numpy as np
warnings.simplefilter("ignore")
from scipy.optimize import minimize
from scipy_gd import adam, _checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def run(n, **options):
    options |= {{"checkpoint": {str(path)!r}, "maxiter": 5}}
    return minimize(lambda x: x @ x, np.ones(n), jac=lambda x: 2 * x, method=adam, options=options)
run(3)
before = open({str(path)!r}, "rb").read()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    run(100_000)
except OSError as error:
    print(error)
    print(error.optimize_result.nit)
assert open({str(path)!r}, "rb").read() == before
_checkpoint.read({str(path)!r})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    said, nit = done.stdout.splitlines()
    assert "cannot write the checkpoint" in said
    assert "run.npz" in said
    assert nit == "5"
    assert os.listdir(tmp_path) == ["run.npz"]


def test_an_error_is_not_hidden_by_a_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "run.npz"
    monkeypatch.setattr(_checkpoint, "write", full)
    with pytest.raises(ConnectionError) as caught:
        solve(fun=failing(solve, 9), checkpoint=path)
    assert caught.value.optimize_result.nfev == 9


def test_a_link_stays_one(tmp_path):
    (tmp_path / "disk").mkdir()
    path = tmp_path / "run.npz"
    path.symlink_to(tmp_path / "disk" / "kept.npz")
    whole = solve(checkpoint=path)
    assert path.is_symlink()
    same(solve(resume=path), whole)


# --- runs that are not what the file is of


def test_a_file_that_is_about_to_be_lost_is_told_of(tmp_path):
    path = tmp_path / "run.npz"
    solve(maxiter=20, checkpoint=path)
    before = path.read_bytes()
    message = r"run.npz has adam after 20 iterations, and will be overwritten. To continue"
    with pytest.warns(OptimizeWarning, match=message), pytest.raises(ConnectionError):
        solve(fun=failing(RUNS["adam"], 1), checkpoint=path)
    assert path.read_bytes() == before  # nothing is lost before the first iteration
    path.unlink()
    solve(lbfgs, maxiter=500, checkpoint=path)
    solve(lbfgs, maxiter=500, checkpoint=path)  # it has ended by itself: no warning


@pytest.mark.parametrize("run", [lambda f, **o: solve(lbfgs, f, maxiter=500, **o), confine])
def test_another_function_is_no_success_at_the_old_point(tmp_path, run):
    path = tmp_path / "run.npz"
    first = run(rosen, checkpoint=path)
    again = run(rosen, resume=path)
    assert (again.x.tolist(), again.fun, again.nit) == (first.x.tolist(), first.fun, first.nit)
    with pytest.raises(ValueError, match=r"run.npz: .* with a different `fun`: at its end"):
        run(lambda x: rosen(x) + 100.0, resume=path)


def test_other_constraints(tmp_path):
    path = tmp_path / "run.npz"
    confine(checkpoint=path)
    ball = NonlinearConstraint(lambda x: x @ x, -np.inf, 1.0, jac=lambda x: 2 * x)
    with pytest.raises(ValueError, match="different `bounds`"):
        minimize(
            rosen, X0, jac=rosen_der, method=lbfgs, constraints=ball, bounds=[(-2, 0.1)] * 3,
            options={"resume": path},
        )  # fmt: skip
    with pytest.raises(ValueError, match="different `constraints`"):
        minimize(
            rosen, X0, jac=rosen_der, method=lbfgs, options={"resume": path},
            constraints=NonlinearConstraint(lambda x: x[0], 3, np.inf),
        )  # fmt: skip
    with pytest.raises(ValueError, match="different `jac`"):
        minimize(rosen, X0, method=lbfgs, constraints=ball, options={"resume": path})


@pytest.mark.parametrize("change", [(DATA[:9] + 1,), None])
def test_other_held_out_data(change):
    state = fit(validation=(DATA[:9],), epochs=2).state
    with pytest.raises(ValueError, match="with `validation` set to"):
        fit(validation=change, epochs=2, resume=state)


@pytest.mark.parametrize("name", ["batches", "average", "validation", "spsa", "differences"])
@pytest.mark.parametrize("most", [3, 9, 20])
def test_a_budget_of_evaluations_that_is_used_up(tmp_path, name, most):
    run, path = RUNS[name], tmp_path / "run.npz"
    first = run(maxfev=most, checkpoint=path)
    again = run(maxfev=most, resume=path)
    assert "maxfev" in again.message
    assert again.fun == first.fun
    assert again.x.tolist() == first.x.tolist()
    more = run(maxfev=most + 30, resume=path)
    assert more.nit >= first.nit


def test_a_stop_that_is_switched_on_later_counts_from_there():
    half = solve(maxiter=30)
    rest = solve(maxiter=500, stagnation=40, gtol=0.0, resume=half.state)
    assert rest.nit > 71


# --- names


def test_runs_at_the_same_time_leave_a_whole_file(tmp_path):
    path = tmp_path / "run.npz"
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("ignore")
        results = pool.map(lambda _: solve(maxiter=3, checkpoint=path), range(40))
        assert all(res.nit == 3 for res in results)
    assert _checkpoint.read(path)["nit"] == 3
    assert os.listdir(tmp_path) == ["run.npz"]


def test_the_folder_is_that_of_the_call(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def moving(x):
        os.chdir(tmp_path / "elsewhere")
        return rosen(x)

    res = solve(fun=moving, checkpoint="run.npz", maxiter=3)
    assert "`resume='run.npz'`" in res.message
    assert os.listdir(tmp_path / "elsewhere") == []
    assert (tmp_path / "run.npz").exists()


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_the_mode_of_a_file_is_kept(tmp_path):
    path = tmp_path / "run.npz"
    solve(lbfgs, checkpoint=path, maxiter=500)
    path.chmod(0o640)
    solve(lbfgs, checkpoint=path, maxiter=500)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_state_is_that_of_the_callback():
    kept = []
    options = {"rng": 3, "maxiter": 5}
    minimize(
        rosen, X0, jac=rosen_der, method=adam, options=options,
        callback=lambda intermediate_result: kept.append(intermediate_result),
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="while the callback runs"):
        kept[2].state()


def test_a_last_write_that_fails_does_not_lose_the_result(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "run.npz"
    monkeypatch.setattr(_checkpoint, "write", full)
    for run in (lambda **o: solve(lbfgs, maxiter=500, **o), confine):
        with pytest.raises(OSError, match="No space left") as caught:
            run(checkpoint=path)
        assert caught.value.optimize_result.status == 0


@pytest.mark.parametrize("run", [RUNS["adam"], confine])
def test_an_error_object_that_is_raised_twice_carries_the_last_result(run):
    broken = ConnectionError()

    def best_above(height):
        def fun(x):
            calls.append(0)
            if len(calls) == 9:
                raise broken
            return rosen(x) + height

        calls = []
        with pytest.raises(ConnectionError):
            run(fun)
        return broken.optimize_result.fun

    assert best_above(5.0) == pytest.approx(best_above(7.0) - 2.0)
