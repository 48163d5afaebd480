"""Data in blocks of rows: the option `reduce`."""

import os
import pickle
import signal
import tracemalloc

import numba
import numpy as np
import pytest
from scipy import LowLevelCallable
from scipy.optimize import minimize

from scipy_gd import METHODS, gd, lbfgs, levenberg_marquardt, newton, spsa
from scipy_gd._evaluate import blocks
from scipy_gd._run.batches import sampled_arguments

ROWS, N = 1100, 4


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks of a few rows: 1100 of them make six, the last one short."""
    monkeypatch.setattr(blocks, "BYTES", 8000)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, N))
    return X, np.where(rng.random(ROWS) < 1 / (1 + np.exp(-X @ np.arange(1.0, N + 1))), 1.0, -1.0)


def loss(w, X, y):
    return np.mean(np.logaddexp(0, -y * (X @ w))) + 0.5e-3 * w @ w


def slope(w, X, y):
    return X.T @ (-y / (1 + np.exp(y * (X @ w)))) / len(y) + 1e-3 * w


def both(w, X, y):
    return loss(w, X, y), slope(w, X, y)


def curvature(w, X, y):
    s = 1 / (1 + np.exp(X @ w))
    return (X.T * (s * (1 - s))) @ X / len(y) + 1e-3 * np.eye(w.size)


def along(w, p, X, y):
    return curvature(w, X, y) @ p


def curve(p, t, y):
    return p[0] * np.exp(-p[1] * t) + p[2] - y


def jacobian(p, t, y):
    e = np.exp(-p[1] * t)
    return np.column_stack([e, -p[0] * t * e, np.ones_like(t)])


def curve_and_jacobian(p, t, y):
    return curve(p, t, y), jacobian(p, t, y)


@pytest.fixture(scope="module")
def decay():
    rng = np.random.default_rng(1)
    t = rng.uniform(0, 3, ROWS)
    y = 2 * np.exp(-1.3 * t) + 0.5 + 0.05 * rng.normal(size=ROWS)
    y[::50] += 3
    return t, y


START = np.array([1.0, 1.0, 0.1])


def on_all_and_in_blocks(fun, x0, args, reduce="mean", options=None, **how):
    """The plain run, and the one in blocks; they must have come the same way."""
    options = options or {}
    whole = minimize(fun, x0, args, options=options, **how)
    parts = minimize(fun, x0, args, options=options | {"reduce": reduce}, **how)
    assert parts.message == whole.message
    assert abs(parts.nit - whole.nit) <= 1  # sums are rounded in another order
    return whole, parts


def close(parts, whole, rtol=1e-10):
    assert np.allclose(parts.x, whole.x, rtol=rtol, atol=rtol)
    assert np.isclose(parts.fun, whole.fun, rtol=rtol)


# --- the same as on all data


@pytest.mark.parametrize("name", METHODS)
def test_every_method(name, data, decay):
    method = METHODS[name]
    options = {"maxiter": 15, "rng": 0} | method.example
    if method.residuals:
        whole, parts = on_all_and_in_blocks(
            curve, START, decay, "sum", options, jac=jacobian, method=method
        )
    else:
        whole, parts = on_all_and_in_blocks(
            loss, np.zeros(N), data, "mean", options, jac=slope, method=method
        )
        assert (parts.nfev, parts.njev) == (whole.nfev, whole.njev)
    close(parts, whole)


@pytest.mark.parametrize(("fun", "jac"), [(both, True), (loss, None), (loss, "3-point")])
def test_where_gradients_come_from(fun, jac, data):
    options = {"finite_diff_scheme": jac} if isinstance(jac, str) else {}
    whole, parts = on_all_and_in_blocks(
        fun, np.zeros(N), data, options=options, jac=jac if jac is True else None, method=lbfgs
    )
    assert (parts.nfev, parts.njev) == (whole.nfev, whole.njev)
    close(parts, whole, 1e-10 if jac is True else 1e-4)


def test_complex_steps(data):
    def square(w, X, y):
        r = X @ w - y
        return np.sum(r * r)

    options = {"finite_diff_scheme": "cs"}
    close(*on_all_and_in_blocks(square, np.zeros(N), data, "sum", options, method=lbfgs))


@pytest.mark.parametrize("more", [{"hess": curvature}, {"hessp": along}, {}])
def test_hessians(more, data):
    whole, parts = on_all_and_in_blocks(loss, np.zeros(N), data, jac=slope, method=newton, **more)
    assert parts.nhev == whole.nhev
    close(parts, whole, 1e-8)


def test_a_sum_is_a_sum(data):
    X, y = data

    def summed(w, X, y):
        return np.sum(np.logaddexp(0, -y * (X @ w)))

    res = minimize(summed, np.ones(N), data, method=lbfgs, options={"reduce": "sum", "maxiter": 0})
    assert np.isclose(res.fun, summed(np.ones(N), X, y), rtol=1e-13)


def test_numba_functions(data):
    @numba.njit
    def jitted(w, X, y):
        z = y * (X @ w)
        return np.mean(np.log1p(np.exp(-z))), -(y / (1 + np.exp(z))) @ X / y.size

    close(*on_all_and_in_blocks(jitted, np.zeros(N), data, jac=True, method=lbfgs))


def test_in_units_of_a_scale(data, decay):
    options = {"x_scale": [1.0, 3.0, 0.2, 0.1]}
    close(*on_all_and_in_blocks(loss, np.ones(N), data, "mean", options, jac=slope, method=newton))
    options = {"x_scale": [1.0, 0.1, 10.0]}
    whole, parts = on_all_and_in_blocks(
        curve, START, decay, "sum", options, jac=jacobian, method=levenberg_marquardt
    )
    assert np.allclose(parts.covariance, whole.covariance, rtol=1e-8)


# --- where the data are


def stored(kind, array, folder):
    """The array, as something of that kind."""
    path = folder / f"{kind}{array.ndim}"
    if kind == "memmap":
        np.save(f"{path}.npy", array)
        return np.load(f"{path}.npy", mmap_mode="r")
    if kind == "h5py":
        h5py = pytest.importorskip("h5py")
        return h5py.File(path, "w").create_dataset("all", data=array, chunks=(70, *array.shape[1:]))
    if kind == "zarr":
        zarr = pytest.importorskip("zarr")
        return zarr.array(array, chunks=(70, *array.shape[1:]), store=str(path))
    if kind == "csr":
        sparse = pytest.importorskip("scipy.sparse")
        return sparse.csr_matrix(array) if array.ndim == 2 else array
    pandas = pytest.importorskip("pandas")
    return (pandas.DataFrame if array.ndim == 2 else pandas.Series)(array)


@pytest.mark.parametrize("kind", ["memmap", "h5py", "zarr", "csr", "pandas"])
def test_kinds_of_arrays(kind, data, tmp_path):
    whole = minimize(loss, np.zeros(N), data, jac=slope, method=lbfgs)
    args = tuple(stored(kind, each, tmp_path) for each in data)
    options = {"reduce": "mean"}
    close(minimize(loss, np.zeros(N), args, jac=slope, method=lbfgs, options=options), whole)
    if kind == "h5py":
        args[0].file.close(), args[1].file.close()


def test_memory_stays_small(tmp_path):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(40_000, 10)))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")  # 3.2 MB

    def residual(w, X):
        return X @ w - 1.0

    def jac(w, X):
        return np.array(X)

    def run():
        return minimize(
            residual,
            np.zeros(10),
            (X,),
            jac=jac,
            method=levenberg_marquardt,
            options={"reduce": "sum"},
        )

    run()
    tracemalloc.start()
    res = run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert res.success
    assert peak < 400_000


class Counted:
    """An array that knows how often its first row has been read, and how many at once."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.passes, self.most = 0, 0

    def __getitem__(self, rows):
        self.passes += rows.start == 0
        self.most = max(self.most, rows.stop - rows.start)
        return self.array[rows]


def test_passes_over_the_data(data):
    """Value and gradient are one, and so are all points of a gradient by differences."""

    def run(fun, method, **how):
        X = Counted(data[0])
        res = minimize(
            fun, np.zeros(N), (X, data[1]), method=method, options={"reduce": "mean"}, **how
        )
        assert 100 < X.most < 300
        return X.passes - 1, res  # one looks whether it can be cut

    passes, res = run(loss, lbfgs, jac=slope)
    assert passes == res.nfev
    passes, res = run(loss, gd, jac=slope)  # an Armijo rule asks for one after the other
    assert passes == res.nfev
    passes, res = run(loss, lbfgs)
    assert passes <= res.nfev - (N - 1) * res.njev


def test_of_a_fit_no_more_passes_than_evaluations(decay):
    t = Counted(decay[0])
    options = {"reduce": "sum"}
    res = minimize(
        curve, START, (t, decay[1]), jac=jacobian, method=levenberg_marquardt, options=options
    )
    assert t.passes - 1 == res.nfev


def test_chunks_of_a_file_are_read_once(tmp_path, data):
    zarr = pytest.importorskip("zarr")
    X = zarr.array(data[0], chunks=(70, N), store=str(tmp_path / "X"))
    starts = [block[0].shape[0] for block in blocks.Rows((X,), (0,), lambda a, rows: a[rows])]
    assert set(starts[:-1]) == {210}  # 250 rows have 8000 bytes
    assert sum(starts) == ROWS


# --- residuals


FITS = [(curve, jacobian), (curve_and_jacobian, True), (curve, None)]


@pytest.mark.parametrize(("fun", "jac"), FITS)
@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
def test_fits(fun, jac, loss, decay):
    options = {"loss": loss, "f_scale": 0.1}
    whole, parts = on_all_and_in_blocks(
        fun, START, decay, "sum", options, jac=jac, method=levenberg_marquardt
    )
    close(parts, whole, 1e-6)  # where f falls by its rounding, a step more or less
    assert np.isclose(parts.fun, whole.fun, rtol=1e-12)
    assert parts.dof == whole.dof == ROWS - 3
    assert np.allclose(parts.covariance, whole.covariance, rtol=1e-5)
    assert "residuals" not in parts
    assert "jacobian" not in parts
    assert "degrees of freedom: 1097" in str(parts)


@pytest.mark.parametrize("solver", [lbfgs, newton])
def test_fits_by_other_methods(solver, decay):
    options = {"residuals": True}
    whole, parts = on_all_and_in_blocks(
        curve, START, decay, "sum", options, jac=jacobian, method=solver
    )
    close(parts, whole, 1e-7)
    assert np.allclose(parts.stderr, whole.stderr, rtol=1e-7)


def test_errors_do_not_suffer_from_the_square_of_the_condition(decay):
    def line(p, t, y):  # columns that differ by 1e-9
        return p[0] + p[1] * (1.0 + 1e-9 * t) - y

    def jac(p, t, y):
        return np.column_stack([np.ones_like(t), 1.0 + 1e-9 * t])

    runs = on_all_and_in_blocks(
        line, [1.0, 1.0], decay, "sum", {"maxiter": 3}, jac=jac, method=levenberg_marquardt
    )
    whole, parts = (res.covariance * 1e-18 / res.fun for res in runs)
    assert np.allclose(parts, whole, rtol=1e-5)


def test_long_steps_for_noisy_residuals(decay):
    """They are found by norms over all blocks."""

    def rounded(p, t, y):
        return np.float32(curve(p, t, y)).astype(float)

    whole, parts = on_all_and_in_blocks(
        rounded, START, decay, "sum", {"maxiter": 3}, method=levenberg_marquardt
    )
    steps = whole.state["fit"]["steps"][0]
    assert np.array_equal(parts.state["fit"]["steps"][0], steps)
    assert steps.max() > 1e-7


def test_the_number_of_residuals_is_the_same_everywhere(decay):
    def changing(p, t, y):
        return curve(p, t, y)[: t.size - (p[0] != 1.0)]

    with pytest.raises(ValueError, match="same number of residuals"):
        minimize(changing, START, decay, method=levenberg_marquardt, options={"reduce": "sum"})


# --- as in every run


def test_it_goes_on_where_it_was(data):
    def run(**options):
        options = {"reduce": "mean"} | options
        return minimize(loss, np.zeros(N), data, jac=slope, method=lbfgs, options=options)

    first = run(maxiter=3)
    assert np.array_equal(run(resume=pickle.loads(pickle.dumps(first.state))).x, run().x)


def test_budget_and_callback(data):
    seen = []
    res = minimize(
        loss,
        np.zeros(N),
        data,
        method=lbfgs,
        callback=lambda x: seen.append(x.copy()),
        options={"reduce": "mean", "maxfev": 17},
    )
    assert "maxfev" in res.message
    assert res.nfev <= 17
    assert len(seen) == res.nit


def test_nan_in_one_block(data):
    def broken(w, X, y):
        return both(w, X, y) if X[0, 0] != first or abs(w).max() < 0.5 else (np.nan, np.zeros(N))

    first = data[0][200, 0]
    options = {"reduce": "mean"}
    res = minimize(broken, np.zeros(N), data, jac=True, method=lbfgs, options=options)
    assert not res.success
    assert np.isfinite(res.fun)
    assert abs(res.x).max() < 0.5
    at_once = minimize(broken, np.ones(N), data, jac=True, method=lbfgs, options=options)
    assert "x0" in at_once.message
    assert at_once.nfev == 1


def test_an_exception_in_one_block_takes_the_best_point_along(data):
    def failing(w, X, y):
        if X[0, 0] == first and abs(w).max() > 0.5:
            raise KeyError("no such row")
        return both(w, X, y)

    first = data[0][200, 0]
    options = {"reduce": "mean"}
    with pytest.raises(KeyError, match="no such row") as info:
        minimize(failing, np.zeros(N), data, jac=True, method=lbfgs, options=options)
    best = info.value.optimize_result
    assert best.fun < loss(np.zeros(N), *data)
    options["undefined"] = KeyError  # and is NaN if the user says so
    res = minimize(failing, np.zeros(N), data, jac=True, method=lbfgs, options=options)
    assert np.isclose(res.fun, loss(res.x, *data))


def test_undefined_residuals_in_one_block(decay):
    def failing(p, t, y):
        if t[0] == decay[0][0] and p[1] > 1.25:
            raise ValueError
        return curve(p, t, y)

    options = {"reduce": "sum", "undefined": ValueError}
    res = minimize(failing, START, decay, method=levenberg_marquardt, options=options)
    assert res.x[1] <= 1.25
    assert np.isfinite(res.fun)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_check_grad(reduce, data, decay):
    options = {"reduce": reduce, "check_grad": True, "maxiter": 2}
    minimize(loss, np.zeros(N), data, jac=slope, method=lbfgs, options=options)
    with pytest.raises(ValueError, match="gradient"):
        minimize(loss, np.zeros(N), data, jac=curvature_row, method=lbfgs, options=options)


def curvature_row(w, X, y):
    return slope(w, X, y) * [1.0, 1.0, 1.0, 1.1]


def test_functions_may_change_their_x(data):
    def wild(w, X, y):
        found = both(w, X, y)
        w[:] = np.nan
        return found

    options = {"reduce": "mean"}
    res = minimize(wild, np.zeros(N), data, jac=True, method=lbfgs, options=options)
    close(res, minimize(both, np.zeros(N), data, jac=True, method=lbfgs))


# --- what is cut, and what does not go together


def test_other_arguments_are_passed_whole(data):
    X, y = data

    def penalized(w, weights, X, y, power):
        return loss(w, X, y) + weights @ abs(w) ** power

    args = np.full(N, 0.1), X, y, 2
    close(*on_all_and_in_blocks(penalized, np.zeros(N), args, method=lbfgs)[::-1], 1e-4)


def test_batch_args_name_what_is_cut():
    table, prior = np.random.default_rng(0).normal(size=(ROWS, 3)), np.ones(3)

    def counts(w, table, prior):
        return np.mean((table - w) ** 2) + 0.1 * np.sum((w - prior) ** 2)

    with pytest.raises(ValueError, match=r"`reduce` needs arrays.*`batch_args`"):
        minimize(counts, np.zeros(3), (table, prior), method=lbfgs, options={"reduce": "mean"})
    whole = minimize(counts, np.zeros(3), (table, prior), method=lbfgs)
    options = {"reduce": "mean", "batch_args": [0]}
    parts = minimize(counts, np.zeros(3), (table, prior), method=lbfgs, options=options)
    close(parts, whole, 1e-5)


def refused(options, error, match, fun=loss, args=None, method=lbfgs, **how):
    return pytest.param(options, error, match, fun, args, method, how, id=match[:40])


@pytest.mark.parametrize(
    ("options", "error", "match", "fun", "args", "solver", "how"),
    [
        refused({"reduce": "max"}, ValueError, "`reduce` must be one of 'sum', 'mean'"),
        refused(
            {"reduce": "sum", "batch_size": 10},
            ValueError,
            "`reduce` cannot be combined with `batch_size`",
        ),
        refused(
            {"reduce": "sum", "workers": 2},
            ValueError,
            "`reduce` cannot be combined with `workers`",
        ),
        refused(
            {"reduce": "sum", "compiled": True},
            ValueError,
            "`reduce` cannot be combined with `compiled`",
        ),
        refused({"reduce": "sum"}, ValueError, "there is no array", args=(1.0, "a")),
        refused({"reduce": "sum"}, ValueError, "no array", args=()),
        refused(
            {"reduce": "sum"},
            ValueError,
            "with one item per row",
            args=(np.ones((3, 2)), [1, 2, 3]),
        ),
        refused({"reduce": "sum"}, ValueError, "has no rows", args=(np.ones((0, 2)),)),
        refused(
            {"reduce": "mean"},
            ValueError,
            '`reduce` must be "sum" for residuals',
            curve,
            method=levenberg_marquardt,
        ),
        refused(
            {"reduce": "sum", "accelerate": True},
            ValueError,
            "combined with `accelerate`",
            curve,
            method=levenberg_marquardt,
        ),
        refused(
            {"reduce": "sum"},
            TypeError,
            "C functions have no `args`",
            LowLevelCallable(numba.cfunc("f8(i8, CPointer(f8))")(lambda n, x: x[0]).ctypes),
        ),
    ],
)
def test_what_does_not_go_together(options, error, match, fun, args, solver, how, data):
    args = data if args is None else args
    x0 = START if solver is levenberg_marquardt else np.zeros(N)
    called = []

    def counted(*given):
        called.append(given)
        return fun(*given)

    with pytest.raises(error, match=match):
        minimize(
            fun if isinstance(fun, LowLevelCallable) else counted,
            x0,
            args,
            method=solver,
            options=options,
            **how,
        )
    assert not called


# --- Dask


@pytest.fixture(scope="module")
def da():
    return pytest.importorskip("dask.array")


def chunks_of(data, da):
    """In chunks that do not match, and across the columns."""
    X, y = data
    return da.from_array(X, (300, 3), name=False), da.from_array(y, 170, name=False)


@pytest.mark.parametrize("piece", [100, 12_288])
def test_dask_without_a_cluster(piece, data, da, monkeypatch):
    from scipy_gd._evaluate import dask_blocks

    monkeypatch.setattr(dask_blocks, "PIECE", piece)
    X, y = chunks_of(data, da)
    X = da.concatenate([X[:0], X])  # an empty chunk is no block
    for fun, jac in ((loss, slope), (both, True)):
        whole = minimize(fun, np.zeros(N), data, jac=jac, method=lbfgs)
        for args in ((X, y), (X, data[1])):
            res = minimize(
                fun, np.zeros(N), args, jac=jac, method=lbfgs, options={"reduce": "mean"}
            )
            close(res, whole)
            assert res.nfev == whole.nfev


def test_dask_does_not_know(data, da):
    X, y = chunks_of(data, da)

    def run(args, options, error, match):
        with pytest.raises(error, match=match):
            minimize(loss, np.zeros(N), args, method=lbfgs, options=options)

    run((X, y[1:]), {"reduce": "mean"}, ValueError, r"first axes of \[1100, 1099\]")
    run((X[X[:, 0] > 0], y), {"reduce": "mean"}, ValueError, "compute_chunk_sizes")
    run((X, y), {"batch_size": 10}, ValueError, "`batch_size` needs arrays in memory")
    inside = pytest.importorskip("xarray").DataArray(X)
    run((inside, y), {"reduce": "mean"}, TypeError, r"`args\[0\]` must be an array.*`.data`")
    run((X.to_delayed()[0, 0], y), {"reduce": "mean"}, TypeError, "got a Dask Delayed")


def test_dask_arrays_say_what_is_cut(da):
    args = da.zeros((7, 2)), np.zeros((3, 3)), np.zeros(3), np.zeros(7), 1.0
    assert sampled_arguments(args, None, "reduce") == (0, 3)
    assert sampled_arguments(args, (0,), "reduce") == (0,)


@pytest.fixture(scope="module")
def client(da):
    distributed = pytest.importorskip("distributed")
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**how, processes=False) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


LOADS = []


def load(X, y):
    LOADS.append(X.shape)
    return np.column_stack([X, y])


def test_workers_load_the_data_once(data, da, client):
    X, y = chunks_of(data, da)
    both_ = da.map_blocks(load, X.rechunk((170, -1)), y[:, None], chunks=((y.chunks[0]), (N + 1,)))
    args = both_[:, :N], both_[:, N]
    LOADS.clear()  # of an empty block, for the type
    whole = minimize(loss, np.zeros(N), data, jac=slope, method=lbfgs)
    for k in (1, 2):
        res = minimize(loss, np.zeros(N), args, jac=slope, method=lbfgs, options={"reduce": "mean"})
        close(res, whole)
        assert res.nfev == whole.nfev > 5
        assert len(LOADS) == 7 * k  # once a run


@pytest.mark.parametrize("large", [0, 2**17])
def test_one_round_trip_an_evaluation(large, data, da, client, monkeypatch):
    from scipy_gd._evaluate import dask_blocks

    monkeypatch.setattr(dask_blocks, "LARGE", large)  # how w is sent
    trips = []
    gather = client.gather
    monkeypatch.setattr(
        client, "gather", lambda futures: trips.append(len(futures)) or gather(futures)
    )
    args = chunks_of(data, da)
    res = minimize(loss, np.zeros(N), args, jac=slope, method=lbfgs, options={"reduce": "mean"})
    assert trips == [2] * res.nfev  # a task for each thread
    trips.clear()
    res = minimize(loss, np.zeros(N), args, method=lbfgs, options={"reduce": "mean"})
    assert len(trips) < res.nfev / 2


def test_blocks_that_would_fill_the_workers_are_not_kept(data, da, client, monkeypatch):
    from scipy_gd._evaluate import dask_blocks

    monkeypatch.setattr(dask_blocks, "memory", lambda client: {"here": 50_000.0})
    args = chunks_of(data, da)
    res = minimize(loss, np.zeros(N), args, jac=slope, method=lbfgs, options={"reduce": "mean"})
    close(res, minimize(loss, np.zeros(N), data, jac=slope, method=lbfgs))


@pytest.mark.parametrize(("fun", "jac"), FITS)
def test_fits_on_workers(fun, jac, decay, da, client):
    args = tuple(da.from_array(each, 170, name=False) for each in decay)
    how = {"jac": jac, "method": levenberg_marquardt}
    res = minimize(fun, START, args, options={"reduce": "sum"}, **how)
    whole = minimize(fun, START, decay, **how)
    close(res, whole, 1e-6)
    assert np.allclose(res.covariance, whole.covariance, rtol=1e-6)


def test_an_exception_on_a_worker(data, da, client):
    def failing(w, X, y):
        if abs(w).max() > 0.5:
            raise KeyError("no such row")
        return both(w, X, y)

    args = chunks_of(data, da)
    with pytest.raises(KeyError, match="no such row") as info:
        minimize(failing, np.zeros(N), args, jac=True, method=lbfgs, options={"reduce": "mean"})
    assert info.value.optimize_result.fun < loss(np.zeros(N), *data)


def test_data_that_cannot_be_made(data, da, client):
    def broken(X):
        raise OSError("no such file") if X.size else X

    X, y = chunks_of(data, da)
    args = X.map_blocks(broken, dtype=float, meta=np.empty((0, 0))), y
    with pytest.raises(OSError, match="no such file"):
        minimize(loss, np.zeros(N), args, jac=slope, method=lbfgs, options={"reduce": "mean"})


def test_a_worker_dies_in_the_middle(data, da):
    distributed = pytest.importorskip("distributed")
    X, y = chunks_of(data, da)
    whole = minimize(both, np.zeros(N), data, jac=True, method=lbfgs)
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with distributed.LocalCluster(**how) as cluster, distributed.Client(cluster) as client:
        killed = []

        def kill(x):
            killed.append(x)
            if len(killed) == 3:
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

        options = {"reduce": "mean"}
        res = minimize(
            both, np.zeros(N), (X, y), jac=True, method=lbfgs, callback=kill, options=options
        )
        assert len(killed) > 4
        close(res, whole)
        assert res.nfev == whole.nfev


def test_perturbations_take_one_pass(data):
    X = Counted(data[0])
    options = {"reduce": "mean", "maxiter": 10, "rng": 0, "learning_rate": 0.1}
    res = minimize(loss, np.zeros(N), (X, data[1]), method=spsa, options=options)
    assert X.passes <= res.nfev / 2 + 2
