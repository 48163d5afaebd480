"""Mini-batches: which rows a step sees, what is counted, how a run ends."""

import warnings
from itertools import chain

import numpy as np
import pytest
import scipy.sparse
from numba import njit
from scipy.optimize import Bounds, minimize

from scipy_gd import METHODS, adam, lbfgs, schedules, sgd

RNG = np.random.default_rng(0)
X = np.column_stack([np.arange(50.0), RNG.normal(size=(50, 2))])  # the first column is the row
Y = 10.0 * np.arange(50)
SAMPLED = [m for m in METHODS.values() if m.constant is not None and "g" in m.supplied]


class Loss:
    """Least squares that remembers the rows of every call."""

    def __init__(self):
        self.values, self.gradients = [], []

    def fun(self, w, X, y, scale=1.0):
        self.values.append(X[:, 0].astype(int).tolist())
        assert (10 * X[:, 0] == y).all()  # the rows of both belong together
        return scale * float(np.mean((X[:, 1:] @ w - y / 100) ** 2))

    def jac(self, w, X, y, scale=1.0):
        self.gradients.append(X[:, 0].astype(int).tolist())
        r = X[:, 1:] @ w - y / 100
        return scale * 2 * X[:, 1:].T @ r / len(y)

    def both(self, w, X, y, scale=1.0):
        return self.fun(w, X, y, scale), self.jac(w, X, y, scale)


def run(method=sgd, jac="callable", args=(X, Y), w0=(0.0, 0.0), callback=None, bounds=None, **opts):
    loss = Loss()
    fun = loss.both if jac is True else loss.fun
    jac = {"callable": loss.jac, True: True, None: None}[jac]
    options = {"batch_size": 8, "epochs": 3, "rng": 0} | opts
    res = minimize(
        fun, w0, args, jac=jac, method=method, callback=callback, bounds=bounds, options=options
    )
    return res, loss


@pytest.mark.parametrize("jac", ["callable", True])
def test_every_row_once_an_epoch_in_a_new_order(jac):
    res, loss = run(jac=jac)
    assert loss.values == loss.gradients  # the same batch for both
    *batches, last = loss.values
    assert [len(b) for b in batches] == [8, 8, 8, 8, 8, 8, 2] * 3
    epochs = [list(chain(*batches[k : k + 7])) for k in (0, 7, 14)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(50))
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != list(range(50))
    assert last == list(range(50))  # the result is about all data
    assert (res.nit, res.nfev, res.njev) == (21, 22, 22)
    assert (res.success, res.status, res.message) == (
        True,
        0,
        "The requested `epochs` are complete.",
    )
    clean = Loss()
    assert res.fun == clean.fun(res.x, X, Y)
    assert res.jac.tolist() == clean.jac(res.x, X, Y).tolist()


def test_steps_are_those_of_a_loop_by_hand():
    res, loss = run(learning_rate=0.05)
    w = np.zeros(2)
    for rows in loss.gradients[:-1]:
        w = w - 0.05 * Loss().jac(w, X[rows], Y[rows])
    np.testing.assert_allclose(res.x, w, rtol=1e-12)


def test_differences_stay_on_their_batch():
    res, loss = run(jac=None, epochs=1)
    groups = [loss.values[3 * k : 3 * k + 3] for k in range(8)]  # f and two components
    assert all(a == b == c for a, b, c in groups)
    assert [len(a) for a, _, _ in groups] == [8] * 6 + [2, 50]
    assert res.nfev == len(loss.values) == 24


def test_without_shuffling_rows_come_as_they_are():
    _, loss = run(shuffle=False, epochs=2)
    assert list(chain(*loss.values[:-1])) == 2 * list(range(50))


@pytest.mark.parametrize("learner", SAMPLED, ids=lambda m: m.__name__)
def test_every_method_with_a_constant_learns(learner):
    res, _ = run(learner, epochs=60, w0=(0.5, 0.5))
    assert (res.status, res.nit) == (0, 420)
    assert res.fun < Loss().fun(np.array([0.5, 0.5]), X, Y)


def test_same_seed_same_result():
    a, b, c = run()[0], run()[0], run(rng=np.random.default_rng(0))[0]
    assert a.x.tolist() == b.x.tolist() == c.x.tolist()
    assert run(rng=1)[0].x.tolist() != a.x.tolist()
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    run(rng=None)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_data_are_neither_modified_nor_copied_whole():
    class Watched(np.ndarray):
        taken = 0

        def __getitem__(self, rows):
            got = super().__getitem__(rows)
            Watched.taken = max(Watched.taken, len(got))
            return got

    data, target = X.copy(), Y.copy()
    data.flags.writeable = target.flags.writeable = False
    run(args=(data, target), batch_size=5)
    assert (data == X).all()
    watched = X.view(Watched)
    seen = []
    minimize(
        lambda w, X, y: float(seen.append(X is watched) or w @ w),
        [1.0],
        (watched, Y),
        jac=lambda w, X, y: 2 * w,
        method=sgd,
        options={"batch_size": 5, "epochs": 1},
    )
    assert Watched.taken == 5
    assert seen == [False] * 10 + [True]


def test_whatever_can_be_indexed_by_rows(tmp_path):
    pandas = pytest.importorskip("pandas")
    np.save(tmp_path / "X.npy", X)
    reference, _ = run(epochs=2)

    def fun(w, X, y):
        X = X.toarray() if scipy.sparse.issparse(X) else np.asarray(X)
        return Loss().both(w, X, np.asarray(y))

    for data, target in [
        (scipy.sparse.csr_matrix(X), Y),
        (scipy.sparse.csr_array(X), Y),
        (pandas.DataFrame(X), pandas.Series(Y, index=np.arange(50)[::-1])),
        (np.load(tmp_path / "X.npy", mmap_mode="r"), Y),
        (np.asfortranarray(X), Y),
    ]:
        options = {"batch_size": 8, "epochs": 2, "rng": 0}
        res = minimize(fun, [0.0, 0.0], (data, target), jac=True, method=sgd, options=options)
        np.testing.assert_allclose(res.x, reference.x, rtol=1e-12)
    with pytest.raises(ValueError, match=r"`args\[0\]` .coo_matrix. .*`.tocsr\(\)`"):
        run(args=(scipy.sparse.coo_matrix(X), Y))


def test_what_has_no_rows_passes_through():
    seen = []

    def fun(w, X, y, weights, scale, name):
        seen.append((len(X), len(weights), scale, name))
        return float(w @ w)

    options = {"batch_size": 20, "epochs": 1}
    args = (X, Y, np.ones(3), 2.0, "loss")
    minimize(fun, [1.0], args, jac=lambda w, *a: 2 * w, method=sgd, options=options)
    assert seen == [(20, 3, 2.0, "loss")] * 2 + [(10, 3, 2.0, "loss"), (50, 3, 2.0, "loss")]


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((), {}, "there is no array"),
        ((3.0,), {}, "there is no array"),
        ((X, Y[:30]), {}, r"found first axes of \[50, 30\]: use `batch_args`"),
        ((X, Y, X[:9], Y[:9]), {}, r"use `batch_args`"),
        ((X, Y), {"batch_args": (0, 5)}, "`batch_args` must be positions of arrays"),
        ((X, Y[:30]), {"batch_args": (0, 1)}, "same number of rows"),
        ((X[:0], Y[:0]), {}, "has no rows"),
        ((X, Y), {"batch_size": 0}, "`batch_size` must be a whole number, at least 1, got 0"),
        ((X, Y), {"batch_size": -3}, "at least 1, got -3"),
        ((X, Y), {"batch_size": 0.5}, "whole number"),
        ((X, Y), {"epochs": 0}, "`epochs` must be a whole number"),
        ((X, Y), {"batch_size": None}, "`epochs` needs `batch_size`"),
        ((X, Y), {"learning_rate": "armijo"}, "cannot be compared"),
        ((X, Y), {"ftol": 1e-3}, "`ftol` compares values"),
        ((X, Y), {"xtol": 1e-3}, "`xtol` compares steps"),
        ((X, Y), {"patience": 3}, "`patience` needs `validation`"),
        (
            (X, Y),
            {"validation": (X, Y, Y, Y)},
            "`validation` must be a tuple of held-out data for the 2 arrays",
        ),
        (
            (X, Y),
            {"validation": (X[:, 1:], Y)},
            r"shapes \(m, 3\), \(m,\) and m > 0, got \(50, 2\)",
        ),
        ((X, Y), {"validation": (X, Y[1:])}, "`validation` must be arrays like those"),
        ((X, Y), {"validation": (X[:0], Y[:0])}, "and m > 0"),
        ((X, Y), {"validation": (0.5, Y)}, "`validation` must be arrays like those"),
        ((X, Y), {"validation": "ab"}, "got 1"),
    ],
)
def test_what_cannot_be_is_refused(args, options, message):
    with pytest.raises(ValueError, match=message):
        run(args=args, **options)


def test_methods_that_compare_values_are_refused():
    with pytest.raises(ValueError, match="on a sampled objective"):
        run(lbfgs)


def test_batch_args_resolve_an_ambiguity():
    seen = []

    def fun(w, X, y, Z):
        seen.append((len(X), len(y), len(Z)))
        return float(w @ w)

    options = {"batch_size": 10, "epochs": 1, "batch_args": (0, 1)}
    minimize(fun, [1.0], (X, Y, Y), jac=lambda w, *a: 2 * w, method=sgd, options=options)
    assert set(seen) == {(10, 10, 50), (50, 50, 50)}


def test_more_than_all_rows_are_all_rows():
    res, loss = run(batch_size=1000, epochs=4)
    assert [len(b) for b in loss.values] == [50] * 5
    assert res.nit == 4


def test_epochs_and_maxiter_both_limit():
    assert run(maxiter=10)[0].nit == 10
    res, _ = run(maxiter=10)
    assert (res.success, res.status) == (False, 1)
    assert "maxiter" in res.message
    assert run(maxiter=1000)[0].nit == 21
    assert run(epochs=None, maxiter=500)[0].nit == 500


def test_the_gradient_test_is_made_on_all_data_at_the_end():
    def fun(w, X):
        return float(np.mean((w - X) ** 2)), 2 * (w - np.mean(X)) * np.ones(1)

    data = np.ones(64)
    options = {"batch_size": 8, "learning_rate": 0.5, "epochs": 2}
    res = minimize(fun, [3.0], (data,), jac=True, method=sgd, options=options)
    assert (res.nit, res.message) == (16, "Optimization terminated successfully.")
    noisy = np.concatenate([np.ones(32), -np.ones(32)])
    options |= {"shuffle": False, "batch_size": 32, "epochs": 50}
    res = minimize(fun, [1.0], (noisy,), jac=True, method=sgd, options=options)
    assert res.nit == 100  # though the gradient of the first batch is zero where it begins
    assert "epochs" in res.message


def test_held_out_data_choose_the_point_and_stop():
    held_out = RNG.permutation(50)[:20]
    seen = []
    res, loss = run(
        adam,
        w0=(5.0, 5.0),
        learning_rate=0.3,
        epochs=200,
        validation=(X[held_out], Y[held_out]),
        patience=4,
        callback=lambda w: seen.append(w),
    )
    losses = res.validation_losses
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 4 < 200
    assert "`patience`" in res.message
    assert res.success
    assert Loss().fun(res.x, X[held_out], Y[held_out]) == min(losses)
    assert res.nfev == len(loss.values)  # real calls, those on held-out data included
    assert res.fun == Loss().fun(res.x, X, Y)


@pytest.mark.parametrize("end", ["diverges", "is not finite"])
def test_the_best_point_on_held_out_data_is_not_lost_when_the_run(end):
    held_out, calls = (X[:20], Y[:20]), []

    def both(w, A, y):
        calls.append(0)
        f, g = Loss().both(w, A, y)
        broken = end == "is not finite" and len(calls) > 35 and len(y) == 8
        return (np.nan if broken else f), g

    options = {
        "batch_size": 8,
        "epochs": 20,
        "rng": 0,
        "validation": held_out,
        "learning_rate": lambda t: 0.1 if t <= 30 or end == "is not finite" else 1e30,
    }
    res = minimize(both, [3.0, -4.0], (X, Y), sgd, jac=True, options=options)
    assert res.status == (4 if end == "diverges" else 3)
    assert Loss().fun(res.x, *held_out) == np.nanmin(res.validation_losses)
    assert res.fun == Loss().fun(res.x, X, Y)


@pytest.mark.parametrize("trouble", ["error", "maxfev"])
def test_a_held_out_loss_that_failed_is_made_up_for(trouble):
    held_out = X[:20], Y[:20]
    fragile, seen = [trouble == "error"], []

    def both(w, A, y):
        seen.append(len(y))
        if fragile[0] and seen.count(20) == 5:
            raise ConnectionError
        return Loss().both(w, A, y)

    def fit(**options):
        options = {"batch_size": 10, "learning_rate": 1e-2, "rng": 0} | options
        options |= {"validation": held_out}
        return minimize(both, [3.0, -4.0], (X, Y), sgd, jac=True, options=options)

    try:
        part = fit(epochs=6, **({"maxfev": 26} if trouble == "maxfev" else {}))
    except ConnectionError as error:
        part = error.optimize_result
    assert part.nit == 19
    assert len(part.validation_losses) == 4
    fragile[0] = False
    left = {"maxiter": 30 - part.nit} if trouble == "maxfev" else {"epochs": 6}
    rest = fit(resume=part.state, **left)
    whole = fit(epochs=6)
    assert rest.validation_losses == whole.validation_losses
    assert rest.x.tolist() == whole.x.tolist()


def test_the_first_held_out_loss_is_not_that_of_an_average_of_nothing():
    options = {"batch_size": 50, "epochs": 1, "validation": (X, Y), "averaging": "polyak"}
    res, loss = run(w0=(5.0, 5.0), learning_rate=1e-3, **options)
    after_one_step = np.array([5.0, 5.0]) - 1e-3 * loss.jac(np.array([5.0, 5.0]), X, Y)
    points = [5.0, 5.0], after_one_step
    assert res.validation_losses == pytest.approx([loss.fun(w, X, Y) for w in points], rel=1e-12)


@pytest.mark.parametrize("patience", [None, 2])
def test_the_start_is_a_candidate_and_no_success(patience):
    def mean(w, rows):
        return np.mean((rows - w) ** 2), 2 * np.mean(w - rows, axis=0)

    rows, held_out = RNG.normal(3.0, 1.0, (40, 2)), RNG.normal(-1.0, 1.0, (10, 2))
    options = {"batch_size": 8, "epochs": 4, "rng": 0, "learning_rate": 0.1}
    options |= {"validation": (held_out,), "patience": patience}
    res = minimize(mean, [-1.0, -1.0], (rows,), sgd, jac=True, options=options)
    assert (res.success, res.status) == (False, 12)
    assert "its value at the starting point" in res.message
    assert res.x.tolist() == [-1.0, -1.0]
    assert res.fun == mean(res.x, rows)[0]
    assert len(res.validation_losses) == (5 if patience is None else 3)
    assert res.validation_losses[0] == mean(res.x, held_out)[0] == min(res.validation_losses)


@pytest.mark.parametrize("epoch", [0, 3])
@pytest.mark.parametrize("compiled", [None, False])
def test_a_held_out_loss_that_is_nan_ends_the_run(epoch, compiled):
    seen = []

    def both(w, A, y):
        f, g = Loss().both(w, A, y)
        if len(y) == 20:
            seen.append(f if len(seen) < epoch else np.nan)
            f = seen[-1]
        return f, g

    options = {"batch_size": 10, "learning_rate": 1e-2, "rng": 0, "validation": (X[:20], Y[:20])}
    res = minimize(both, [3.0, -4.0], (X, Y), sgd, jac=True, options=options)
    assert (res.success, res.status) == (False, 3)
    assert "held-out loss is NaN" in res.message
    np.testing.assert_array_equal(res.validation_losses, seen)
    assert len(seen) == epoch + 1
    assert res.fun == Loss().fun(res.x, X, Y)
    if epoch:
        assert Loss().fun(res.x, X[:20], Y[:20]) == min(seen[:epoch])


def test_the_last_iterate_ends_what_is_recorded():
    """Not the point that is returned."""
    options = {"validation": (X[:20], Y[:20]), "return_all": True, "history": True, "epochs": 9}
    plain = {name: options[name] for name in ("return_all", "epochs")}
    way = [run(adam, w0=(5.0, 5.0), learning_rate=1.0, **each)[0] for each in (options, plain)]
    assert way[0].x.tolist() != way[1].x.tolist()
    np.testing.assert_array_equal(way[0].allvecs, way[1].allvecs)
    np.testing.assert_array_equal(way[0].history.x[-1], way[1].x)
    assert way[0].history.fun[-1] == way[1].fun


def test_a_stop_on_the_way_is_told_of_all_data():
    def stop(intermediate_result):
        if intermediate_result.nit == 5:
            raise StopIteration

    res, loss = run(callback=stop)
    short, _ = run(maxiter=5)
    assert (res.status, res.nit) == (99, 5)
    assert res.x.tolist() == short.x.tolist()
    assert res.fun == short.fun == Loss().fun(res.x, X, Y)
    res, loss = run(maxfev=6)
    assert "maxfev" in res.message
    assert res.nfev == len(loss.values) == 6
    assert res.fun == Loss().fun(res.x, X, Y)
    res, _ = run(maxtime=0.0)
    assert "maxtime" in res.message


def test_nan_in_a_batch_ends_with_the_last_good_point():
    data = X.copy()
    data[33, 1] = np.nan
    res, _ = run(args=(data, Y), shuffle=False)
    assert (res.success, res.status) == (False, 3)
    assert np.isfinite(res.x).all()


@njit
def jitted_fun(w, X, y):
    r = X[:, 1:] @ w - y / 100
    return np.mean(r**2)


@njit
def jitted_jac(w, X, y):
    r = X[:, 1:] @ w - y / 100
    return 2 * X[:, 1:].T @ r / len(y)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"learning_rate": schedules.cosine(0.1, 0.0, steps=21)},
        {"averaging": "polyak", "clip_norm": 0.3},
        {"averaging": 0.9, "clip_value": 0.1, "maxiter": 17},
        {"return_all": True},
        {"maxfev": 9},
    ],
    ids=["plain", "schedule", "average", "ema", "watched", "maxfev"],
)
@pytest.mark.parametrize("bounds", [None, Bounds(0.0, 0.2)])
def test_compiled_epochs_are_those_of_python(more, shuffle, bounds):
    options = {"batch_size": 8, "epochs": 3, "rng": 0, "shuffle": shuffle, **more}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Numba's word on strided products
        a, b = (
            minimize(
                jitted_fun,
                np.zeros(2),
                (X, Y),
                jac=jitted_jac,
                bounds=bounds,
                method=adam,
                options=options | {"compiled": compiled},
            )
            for compiled in (True, False)
        )
    np.testing.assert_allclose(a.x, b.x, rtol=1e-12)
    for key in ("nit", "nfev", "njev", "status", "message"):
        assert a[key] == b[key], key
