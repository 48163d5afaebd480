"""Many problems whose data are Dask arrays."""

import os

import numba
import numpy as np
import pytest

from scipy_gd import lbfgs, levenberg_marquardt, minimize_many, spsa
from scipy_gd._run.many_result import ManyResult

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

K, T = 90, np.linspace(0.0, 3.0, 12)
ARRAYS = ["x", "fun", "jac", "success", "status", "nit", "nfev", "njev", "nhev"]
FIT = ["stderr", "covariance", "dof"]


def decay(p, t, y):
    return p[0] * np.exp(-p[1] * t) - y


compiled = numba.njit(decay)


def bowl(x, c):
    return (x - c) @ (x - c)


def slope(x, c):
    return 2.0 * (x - c)


@pytest.fixture(scope="module")
def y():
    rng = np.random.default_rng(0)
    return rng.uniform(2, 4, (K, 1)) * np.exp(-rng.uniform(0.5, 2, (K, 1)) * T) + 0.01 * rng.normal(
        size=(K, T.size)
    )


@pytest.fixture(scope="module")
def client():
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**how, processes=False) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def fits(y, fun=compiled, **more):
    return minimize_many(fun, [1, 1], (T, y), (None, 0), method=levenberg_marquardt, **more)


def same(res, whole):
    assert type(res) is type(whole) is ManyResult
    assert res.keys() == whole.keys()
    for name in [*ARRAYS, *(FIT if "upper" in whole else [])]:
        assert res[name].dtype == whole[name].dtype, name
        np.testing.assert_array_equal(res[name], whole[name], err_msg=name)
    assert list(res.messages) == list(whole.messages)
    assert res.parameter_names == whole.parameter_names


@pytest.mark.parametrize("fun", [decay, compiled], ids=["python", "numba"])
def test_blocks_have_the_results_of_the_whole_in_their_order(y, fun):
    options = {"parameter_names": ("height", "rate")}
    lazy = fits(da.from_array(y, chunks=((40, 0, 30, 20), (5, 7))), fun, options=options)
    whole = fits(y, fun, options=options)
    assert "90 problems with 2 parameters, lazy, in 3 blocks" in repr(lazy)
    res = lazy.compute()
    same(res, whole)
    assert res.summary() == whole.summary()
    assert res[77].x.tolist() == whole.x[77].tolist()


def test_arrays_are_chunked_as_the_problems_are(y):
    lazy, whole = fits(da.from_array(y, chunks=(40, 5))), fits(y)
    assert {*ARRAYS, *FIT} <= {*dir(lazy)}
    for name in [*ARRAYS, *FIT]:
        array = lazy[name]
        assert array.chunks == ((40, 40, 10), *((n,) for n in whole[name].shape[1:]))
        assert array.dtype == whole[name].dtype
    some = dask.compute(*(lazy[name] for name in [*ARRAYS, *FIT]))
    for name, found in zip([*ARRAYS, *FIT], some, strict=True):
        np.testing.assert_array_equal(found, whole[name], err_msg=name)
    assert (lazy.x[50:60, 1].mean().compute()) == whole.x[50:60, 1].mean()


def test_what_needs_all_problems_says_that_they_must_be_computed(y):
    lazy = fits(da.from_array(y, chunks=40))
    for name in ("messages", "summary", "to_pandas"):
        with pytest.raises(AttributeError, match=f"no `{name}`: call `.compute\\(\\)` first"):
            getattr(lazy, name)
    with pytest.raises(TypeError, match=r"`.compute\(\)` first"):
        lazy[3]
    lazy = minimize_many(bowl, [1.0], (da.ones((4, 1)),), 0)
    assert "stderr" not in dir(lazy)
    with pytest.raises(AttributeError, match="stderr"):
        _ = lazy.stderr


CALLS = []


@pytest.fixture
def calls():
    CALLS.clear()
    return CALLS


def counting(x, c):
    CALLS.append("fun")
    return (x - c) @ (x - c)


def load(block):
    CALLS.append("load")
    return block


def loading(array, chunks):
    """A Dask array that tells when its blocks are made."""
    blocks = da.from_array(array, chunks=chunks)
    return blocks.map_blocks(load, meta=np.empty((0,) * array.ndim))


def test_nothing_is_run_before_it_is_asked_for_and_what_is_persisted_not_again(calls):
    c = np.arange(8.0).reshape(4, 2)
    lazy = minimize_many(counting, np.zeros(2), (loading(c, (2, 1)),), 0)
    assert not calls
    there = lazy.persist()
    made = len(calls)
    assert type(there) is type(lazy)
    np.testing.assert_allclose(there.x.compute(), c, atol=1e-4)
    assert calls.count("load") == 4
    assert there.compute().nfev.sum() == there.nfev.sum().compute() == calls.count("fun")
    assert len(calls) == made
    lazy.compute()
    assert len(calls) == 2 * made


def test_arrays_that_are_computed_together_are_run_once(calls):
    lazy = minimize_many(counting, np.zeros(2), (da.ones((4, 2), chunks=2),), 0)
    x, nfev, whole = dask.compute(lazy.x, lazy.nfev, lazy)
    assert len(calls) == nfev.sum()
    assert (x == whole.x).all()


def test_starts_bounds_and_other_arrays_are_cut_along():
    rng = np.random.default_rng(0)
    c, x0 = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    low = rng.normal(size=(50, 3))
    box = np.stack([low, low + 0.5], axis=-1)
    whole = minimize_many(bowl, x0, (c,), 0, jac=slope, bounds=box)
    lazy_c, lazy_x0 = da.from_array(c, chunks=(20, 2)), da.from_array(x0, chunks=(17, 1))
    for given in ((lazy_x0, c, box), (x0, lazy_c, box), (lazy_x0, lazy_c, da.from_array(box))):
        start, data, bounds = given
        lazy = minimize_many(bowl, start, (data,), 0, jac=slope, bounds=bounds)
        assert lazy.x.chunks[0] == ((17, 17, 16) if start is lazy_x0 else (20, 20, 10))
        same(lazy.compute(), whole)


def test_what_is_shared_is_made_once(calls):
    t = loading(T, 5)
    x0 = da.from_array(np.array([1.0, 1.0]), chunks=1)
    y = np.exp(-np.linspace(0.5, 1, 9)[:, None] * T)
    whole = minimize_many(decay, [1, 1], (T, y), (None, 0), method=levenberg_marquardt)
    lazy = minimize_many(
        decay, x0, (t, da.from_array(y, chunks=3)), (None, 0), method=levenberg_marquardt
    )
    same(lazy.compute(), whole)
    assert len(calls) == 3
    lazy = minimize_many(decay, x0, (t, y), (None, 0), method=levenberg_marquardt)
    assert lazy.x.chunks == ((9,), (2,))  # with nothing lazy to cut, it is one block
    same(lazy.compute(), whole)


def test_arrays_in_files_are_cut_like_the_dask_array(y, tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    whole, x0 = fits(y), da.ones((K, 2), chunks=(40, 1))

    def lazily(y):
        return minimize_many(compiled, x0, (T, y), (None, 0), method=levenberg_marquardt)

    np.save(tmp_path / "y.npy", y)
    same(lazily(np.load(tmp_path / "y.npy", mmap_mode="r")).compute(), whole)
    z = zarr.create_array(tmp_path / "y.zarr", shape=y.shape, chunks=(17, 5), dtype=float)
    z[:] = y
    same(lazily(z).compute(), whole)
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["y"] = y
        same(lazily(file["y"]).compute(), whole)


def test_rows_that_are_no_numbers():
    def distance(x, c, words):
        return (x - c) @ (x - c) + len(words)

    words = [["a"], ["b", "c"], ["d"]]
    lazy = minimize_many(distance, [0.0], (da.ones((3, 1), chunks=(2, 1)), words), 0)
    assert lazy.compute().fun.round(6).tolist() == [1, 2, 1]


def test_each_problem_has_its_own_random_numbers():
    c = np.zeros((6, 2))
    options = {"rng": np.random.default_rng(3), "maxiter": 5, "learning_rate": 0.1}
    whole = minimize_many(bowl, [1.0, 1.0], (c,), 0, method=spsa, options=options)
    lazy = minimize_many(
        bowl, [1.0, 1.0], (da.from_array(c, chunks=2),), 0, method=spsa, options=options
    )
    same(lazy.compute(), whole)
    assert len(np.unique(whole.x[:, 0])) == 6


class Odd(Exception):
    """An error that cannot be made again from what it says."""

    def __init__(self, row, why):
        super().__init__(f"row {row}: {why}")


def fragile(x, c):
    if c[0] > 2:
        raise Odd(c[0], "too large")
    return (x - c) @ (x - c)


def test_an_error_harms_no_other_even_if_a_whole_block_has_it():
    c = np.arange(5.0)[:, None]
    whole = minimize_many(fragile, [0.0], (c,), 0)
    res = minimize_many(fragile, [0.0], (da.from_array(c, chunks=(3, 1)),), 0).compute()
    same(res, whole)
    assert res.success.tolist() == [True] * 3 + [False] * 2
    assert res.messages[4] == "Stopped by Odd: row 4.0: too large"


def test_an_error_of_all_problems_is_raised():
    lazy = minimize_many(fragile, [0.0], (da.full((4, 1), 9.0, chunks=2),), 0)
    with pytest.raises(RuntimeError, match=r"Odd: .* too large"):
        lazy.compute()
    assert lazy.status.compute().tolist() == [-1] * 4
    with pytest.raises(Odd, match="too large"):  # also if there is more than one, here
        minimize_many(fragile, [0.0], (np.full((4, 1), 9.0),), 0)


def test_what_does_not_go_together_is_refused_before_anything_is_run(y):
    def never(x, *args):
        raise AssertionError

    def many(*args, in_axes=0, x0=(0.0,), **more):
        return minimize_many(never, x0, args, in_axes, **more)

    a, b = da.ones((6, 2), chunks=2), da.ones((7, 2), chunks=2)
    with pytest.raises(ValueError, match=r"got `args\[0\]` 6, `args\[1\]` 7"):
        many(a, b)
    with pytest.raises(ValueError, match=r"got `x0` 7, `args\[0\]` 6"):
        many(a, x0=b)
    unknown = a[a[:, 0] > 0]
    with pytest.raises(ValueError, match=r"`args\[1\]` .* unknown shape: use `.compute_chunk"):
        many(a, unknown)
    with pytest.raises(ValueError, match=r"`x0` .* unknown shape"):
        many(a, x0=unknown)
    with pytest.raises(ValueError, match=r"`workers` cannot be used with Dask arrays"):
        many(a, workers=2)
    with pytest.raises(ValueError, match=r"`progress` cannot be used with Dask arrays"):
        many(a, progress=True)
    with pytest.raises(ValueError, match=r"`args\[0\]` must have at least one row"):
        many(a[:0])
    with pytest.raises(TypeError, match=r"`x0` must be real numbers"):
        many(a, x0=a.astype(complex))
    box = np.zeros((6, 1, 2))
    box[4, 0, 1] = -1.0
    with pytest.raises(ValueError, match=r"`bounds\[4\]` has an upper bound below"):
        many(a, bounds=da.from_array(box, chunks=2))
    with pytest.raises(TypeError, match=r"`args\[0\]` must be an array"):
        many(dask.delayed(y))


def test_a_labelled_array_says_what_to_pass(y):
    xarray = pytest.importorskip("xarray")
    with pytest.raises(TypeError, match=r"`args\[1\]` must be an array \(try `.data`"):
        fits(xarray.DataArray(da.from_array(y, chunks=40)))


@pytest.mark.parametrize("fun", [decay, compiled], ids=["python", "numba"])
def test_workers_of_a_client(y, client, fun):
    lazy = fits(da.from_array(y, chunks=(30, -1)), fun)
    same(lazy.compute(), fits(y, fun))
    there = lazy.persist()
    distributed.wait(there)
    same(there.compute(), fits(y, fun))
    same(client.compute(there).result(), fits(y, fun))


def test_other_processes_have_compiled_once():
    """Functions travel with the blocks, also those that no module has."""

    @numba.njit
    def both(x, c):
        return ((x - c) ** 2).sum(), 2.0 * (x - c)

    def compilations():
        from scipy_gd._run.compiled import _LOOPS

        loops = [loop for each in _LOOPS.values() for loop in each.values()]
        return os.getpid(), [len(loop.entries) for loop in loops]

    def many(c):
        return minimize_many(both, [1, 1], (c,), 0, jac=True, options={"compiled": True})

    c = np.arange(40.0).reshape(20, 2)
    whole, blocks = many(c), da.from_array(c, chunks=(2, -1))
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**how) as cluster, distributed.Client(cluster) as client:
        there = many(blocks).persist()
        same(there.compute(), whole)
        same(many(blocks).compute(), whole)
        told = client.run(compilations).values()
        assert {pid for pid, _ in told}.isdisjoint({os.getpid()})
        assert max(entries for _, entries in told) == [1]  # one loop of one kind


@pytest.fixture(scope="module")
def movie():
    xarray = pytest.importorskip("xarray")
    rng = np.random.default_rng(1)
    rate = rng.uniform(0.5, 2, (6, 8))
    stack = 3 * np.exp(-rate[..., None] * T) + 0.01 * rng.normal(size=(6, 8, T.size))
    return xarray.DataArray(stack, dims=("row", "column", "t"), coords={"t": T})


def maps(movie):
    import xarray

    def fit(y):
        return fits(y.reshape(-1, T.size)).x.reshape(*y.shape[:-1], 2)

    return xarray.apply_ufunc(
        fit,
        movie,
        input_core_dims=[["t"]],
        output_core_dims=[["param"]],
        dask="parallelized",
        output_dtypes=[float],
        dask_gufunc_kwargs={"output_sizes": {"param": 2}},
    ).assign_coords(param=["height", "rate"])


def curvefit(movie):
    def model(t, height, rate):
        return height * np.exp(-rate * t)

    fitted = movie.curvefit("t", model, kwargs={"ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12})
    return fitted.curvefit_coefficients


def test_maps_of_xarray_are_those_of_curvefit(movie, client):
    theirs = curvefit(movie)
    chunked = movie.chunk(row=3, column=4)
    here = maps(movie)
    assert here.dims == ("row", "column", "param")
    np.testing.assert_allclose(here, theirs, rtol=1e-6)
    lazy = maps(chunked)
    assert dask.is_dask_collection(lazy)
    for found in (lazy.compute(scheduler="threads"), lazy.compute()):  # the second by the client
        np.testing.assert_array_equal(found, here)


def test_maps_by_blocks_keep_what_xarray_knows(movie):
    """The lazy result itself, back in the shape of the image."""
    import xarray

    rows = movie.chunk(row=3).data.reshape(-1, T.size)
    lazy = fits(rows)
    stderr = xarray.DataArray(lazy.stderr.reshape(6, 8, 2), dims=("row", "column", "param"))
    whole = fits(movie.values.reshape(-1, T.size))
    np.testing.assert_array_equal(stderr.values, whole.stderr.reshape(6, 8, 2))


def test_default_method_in_blocks():
    c = np.arange(12.0).reshape(6, 2)
    lazy = minimize_many(bowl, [0, 0], (da.from_array(c, chunks=4),), 0, method=lbfgs, jac=slope)
    same(lazy.compute(), minimize_many(bowl, [0, 0], (c,), 0, jac=slope))
