"""The machine in the user's hands asks for what `minimize` evaluates, and ends as it does."""

import pickle

import numpy as np
import pytest
from scipy.optimize import Bounds, minimize, rosen, rosen_der

import scipy_gd
from scipy_gd import METHODS, adam, gd, lbfgs, newton, random_search, schedules, spsa, start

X0 = np.array([-1.2, 1.0, -0.5])
TOLD = [m for m in METHODS.values() if "hess" not in m.supplied and not m.probes]
KEYS = ("x", "fun", "jac", "nit", "nfev", "success", "status", "message")


def drive(run, steps=10**6):
    for _ in range(steps):
        if run.done:
            break
        x = run.ask()
        if x.ndim == 2:
            run.tell([rosen(point) for point in x])
        else:
            run.tell(rosen(x), rosen_der(x))
    return run


def assert_same(res, reference, keys=KEYS):
    for key in keys:
        assert np.array_equal(res.get(key), reference.get(key)), key


@pytest.mark.parametrize("told", TOLD, ids=lambda m: m.__name__)
@pytest.mark.parametrize("rate", [None, 1e-4, "armijo"])
@pytest.mark.parametrize("bounds", [None, Bounds(-1.3, 0.8)])
def test_it_is_minimize(told, rate, bounds):
    if isinstance(rate, str) and "g" not in told.supplied:
        return
    options = {"maxiter": 40, "rng": 3} | ({} if rate is None else {"learning_rate": rate})
    run = drive(start(told, X0, bounds=bounds, **options))
    jac = None if "g" not in told.supplied else rosen_der
    assert_same(
        run.result(),
        minimize(rosen, X0, jac=jac, bounds=bounds, method=told, options=options),
    )


@pytest.mark.parametrize("scheme", ["2-point", "3-point"])
@pytest.mark.parametrize("told", [gd, adam, lbfgs], ids=lambda m: m.__name__)
def test_differences_are_asked_for_side_by_side(told, scheme):
    run = start(told, X0, jac=scheme, maxiter=30)
    assert run.ask().shape == (4 if scheme == "2-point" else 7, 3)
    options = {"maxiter": 30, "finite_diff_scheme": scheme}
    assert_same(drive(run).result(), minimize(rosen, X0, method=told, options=options))


def test_schedules_are_followed():
    options = {"learning_rate": schedules.cosine(0.1, 0.0, steps=30), "maxiter": 40}
    run = drive(start(adam, X0, **options))
    assert_same(run.result(), minimize(rosen, X0, jac=rosen_der, method=adam, options=options))


@pytest.mark.parametrize("told", [adam, lbfgs, random_search], ids=lambda m: m.__name__)
@pytest.mark.parametrize("between", ["before asking", "after asking"])
def test_it_can_be_saved_at_any_time(told, between):
    options = {"maxiter": 25, "rng": 1}
    reference = drive(start(told, X0, **options)).result()
    for k in range(12):
        run = drive(start(told, X0, **options), k)
        asked = run.ask() if between == "after asking" else None
        again = pickle.loads(pickle.dumps(run))
        if asked is not None:
            assert np.array_equal(again.ask(), asked)
        assert_same(drive(again).result(), reference)
        from_state = start(told, X0, **options | {"maxiter": 25 - run.nit}, resume=run.state)
        assert_same(drive(from_state).result(), reference)


@pytest.mark.parametrize("told", [lbfgs, random_search], ids=lambda m: m.__name__)
def test_a_run_that_is_done_stays_done_when_it_is_pickled(told):
    run = drive(start(told, X0, maxiter=20, rng=1))
    again = pickle.loads(pickle.dumps(run))
    assert again.done
    assert_same(again.result(), run.result())


@pytest.mark.parametrize("k", [0, 1, 7, 18])
def test_a_schedule_that_follows_the_values_is_pickled_with_them(k):
    rate = schedules.reduce_on_plateau(0.5, factor=0.5, patience=1)
    reference = drive(start(adam, X0, learning_rate=rate, maxiter=25)).result()
    run = drive(start(adam, X0, learning_rate=rate, maxiter=25), k)
    run.ask()
    assert_same(drive(pickle.loads(pickle.dumps(run))).result(), reference)


def test_bounds_that_are_changed_later_do_not_matter():
    bounds = np.array([[-2.0, 2.0]] * 2)
    run = start(adam, [1.0, 1.0], bounds=bounds)
    bounds[:] = 0.0
    assert np.array_equal(pickle.loads(pickle.dumps(run)).ask(), run.ask())


@pytest.mark.parametrize(("told", "more"), [(lbfgs, {"jac": "2-point"}), (spsa, {"rng": 0})])
@pytest.mark.parametrize("maxfev", [5, 6, 7, 8, 9])
def test_no_more_values_than_maxfev(told, more, maxfev):
    rate = {"learning_rate": 0.01} if told is spsa else {}
    run = start(told, [3.0, -4.0, 1.0], maxfev=maxfev, **rate, **more)
    while not run.done:
        run.tell([x @ x for x in np.atleast_2d(run.ask())])
    assert maxfev - 4 <= run.nfev <= maxfev


def test_the_last_value_of_spsa_fits_into_an_exact_maxfev():
    options = {"maxiter": 3, "maxfev": 7, "rng": 5, "learning_rate": 0.002}
    run = start(spsa, X0, **options)
    while not run.done:
        run.tell([rosen(x) for x in run.ask()])
    assert run.nfev == 7
    reference = minimize(rosen, X0, method=spsa, options=options)
    assert_same(run.result(), reference, ("x", "fun", "nit", "nfev", "success", "status"))


def test_spsa_asks_for_two_points_then_for_the_end():
    options = {"maxiter": 20, "rng": 5, "learning_rate": 0.002}
    run = start(spsa, X0, **options)
    sizes = []
    while not run.done:
        points = run.ask()
        sizes.append(len(points))
        run = pickle.loads(pickle.dumps(run))  # at any time
        assert np.array_equal(run.ask(), points)
        run.tell([rosen(x) for x in points])
    assert sizes == [2] * 20 + [1]
    reference = minimize(rosen, X0, method=spsa, options=options)
    assert_same(run.result(), reference, ("x", "fun", "nit", "nfev", "success", "status"))


def test_values_alone_are_enough_for_rejected_trials():
    run = start(lbfgs, X0)
    run.ask()
    assert run.wants == "fun and jac"
    run.tell(rosen(X0), rosen_der(X0))
    gradients = 1
    while not run.done:
        x = run.ask()
        if run.wants == "jac":
            gradients += 1
            run.tell(jac=rosen_der(x))
        else:
            assert run.wants == "fun"
            run.tell(rosen(x))
    reference = minimize(rosen, X0, jac=rosen_der, method=lbfgs)
    assert_same(run.result(), reference)
    assert run.njev == gradients == reference.njev < reference.nfev


def test_asking_twice_is_asking_once():
    run = start(random_search, X0, rng=0)
    assert np.array_equal(run.ask(), run.ask())
    point = run.ask()
    point += 1
    assert not np.array_equal(run.ask(), point)


def test_an_unfinished_run_tells_the_best_point():
    run = drive(start(adam, X0), 7)
    res = run.result()
    assert (res.success, res.message) == (False, "The run has not ended.")
    assert res.fun == run.fun == rosen(run.x)
    assert (res.nit, res.nfev) == (run.nit, run.nfev) == (6, 7)


def test_maxfev_is_kept():
    run = drive(start(lbfgs, X0, maxfev=9))
    assert (run.nfev, run.done) == (9, True)
    assert "maxfev" in run.result().message


def test_wrong_words_are_told():
    run = start(adam, X0)
    with pytest.raises(RuntimeError, match="call `ask` first"):
        run.tell(1.0, X0)
    run.ask()
    for told, error in [
        ((None, X0), "`fun` must be the value"),
        ((1.0,), "`jac` must be the gradient"),
        ((1.0, [1.0]), r"`jac` must return an array of shape \(3,\)"),
    ]:
        with pytest.raises(ValueError, match=error):
            run.tell(*told)
    with pytest.raises(TypeError, match="scalar"):
        run.tell("good", X0)
    run.tell(1.0, X0)  # the run was as before
    assert run.nfev == 1
    several = start(adam, X0, jac="2-point")
    several.ask()
    with pytest.raises(ValueError, match="4 values, one per point, got 1"):
        several.tell(1.0)
    done = drive(start(adam, X0, maxiter=1))
    with pytest.raises(RuntimeError, match="the run has ended"):
        done.ask()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": newton}, ValueError, "newton needs Hessians"),
        ({"batch_size": 3}, ValueError, "`batch_size` cannot be used without `fun`"),
        ({"maxtime": 3}, ValueError, "`maxtime` cannot be used without `fun`"),
        ({"lerning_rate": 3}, ValueError, "unknown options: lerning_rate"),
        ({"jac": "cs"}, ValueError, "must be one of True, 'adaptive'"),
        ({"jac": rosen_der}, ValueError, "`jac` must be one of"),
        ({"method": spsa}, ValueError, "`learning_rate` must be given"),
        ({"learning_rate": -1}, ValueError, "`learning_rate` must be above 0"),
        ({"resume": 3}, TypeError, "`resume` must be the `state`"),
    ],
)
def test_bad_beginnings_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        start(**{"method": adam, "x0": X0} | arguments)


def test_repr_and_wants():
    run = start(gd, X0)
    assert repr(run) == "<run of gd: nit 0, nfev 0, wants fun and jac>"
    assert repr(drive(start(gd, X0, maxiter=2))).endswith("done>")
    assert isinstance(run, scipy_gd.AskTell)
