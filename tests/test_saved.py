"""A run that is saved and continued is the run that never stopped."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from numba import njit
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess

from scipy_gd import (
    adam,
    gd,
    lbfgs,
    momentum,
    newton,
    random_search,
    schedules,
    sgd,
    spsa,
    start,
)
from scipy_gd.methods import GENERAL

X0 = [-1.2, 1.0, -0.5]
DATA = np.random.default_rng(0).normal(size=(60, 3))


def loss(w, X):
    r = X @ w - 1
    return r @ r, 2 * X.T @ r


def solve(method, **options):
    options = {"rng": 3} | options
    return minimize(rosen, X0, jac=rosen_der, method=method, options=options)


def again(state):
    return pickle.loads(pickle.dumps(state))


def assert_same(a, b):
    assert a.x.tolist() == b.x.tolist()
    assert (a.nit, a.fun, a.status) == (b.nit, b.fun, b.status)


@pytest.mark.parametrize("rate", [None, 1e-4, "armijo", schedules.cosine(1e-3, 1e-5, steps=80)])
def test_50_and_50_steps_are_100(method, rate):
    if isinstance(rate, str) and ("g" not in method.supplied or method.probes):
        return
    options = {} if rate is None else {"learning_rate": rate}
    whole, parts = solve(method, maxiter=100, **options), (50, 50)
    if whole.nit < 100:  # it has converged before
        whole, parts = solve(method, maxiter=10, **options), (4, 6)
    part = solve(method, maxiter=parts[0], **options)
    assert_same(solve(method, maxiter=parts[1], resume=again(part.state), **options), whole)


@pytest.mark.parametrize("stop", [{"maxfev": 11}, {"maxtime": 0.0}, "callback"])
def test_any_stop_can_be_continued(method, stop):
    whole = solve(method, maxiter=30)
    if stop == "callback":

        def enough(intermediate_result):
            if intermediate_result.nit == 7:
                raise StopIteration

        options = {"rng": 3, "maxiter": 30}
        part = minimize(rosen, X0, jac=rosen_der, method=method, callback=enough, options=options)
    else:
        part = solve(method, maxiter=30, **stop)
    rest = solve(method, maxiter=30 - part.nit, resume=again(part.state))
    assert_same(rest, whole)


@pytest.mark.parametrize("culprit", ["fun", "jac", "callback"])
def test_an_error_can_be_continued(method, culprit):
    calls = dict.fromkeys(("fun", "jac", "callback"), 0)

    def fragile(name, value):
        calls[name] += 1
        if calls[name] == (12 if name == culprit else -1):
            raise ConnectionError("the cluster is gone")
        return value

    def again_and_again(**options):
        return minimize(
            lambda x: fragile("fun", rosen(x)),
            X0,
            jac=lambda x: fragile("jac", rosen_der(x)),
            method=method,
            callback=lambda x: fragile("callback", None),
            options={"rng": 3} | options,
        )

    whole = solve(method, maxiter=30)
    try:
        assert_same(again_and_again(maxiter=30), whole)  # it needs less than twelve of them
    except ConnectionError as error:
        state = error.optimize_result.state
        rest = again_and_again(maxiter=30, resume=again(state))
        assert_same(rest, whole)


def test_an_error_gives_its_batch_back():
    calls = []

    def fit(fun, **options):
        options = {"batch_size": 7, "rng": 1, "learning_rate": 1e-3} | options
        return minimize(fun, np.zeros(3), (DATA,), jac=True, method=sgd, options=options)

    def fragile(w, X):
        calls.append(X)
        if len(calls) == 12:
            raise ConnectionError
        return loss(w, X)

    with pytest.raises(ConnectionError) as caught:
        fit(fragile, epochs=3)
    whole = fit(loss, epochs=3)
    rest = fit(loss, epochs=3, resume=caught.value.optimize_result.state)
    assert (rest.x.tolist(), rest.nit) == (whole.x.tolist(), whole.nit)


@pytest.mark.parametrize("compiled", [False, True])
def test_noise_is_drawn_once_for_a_point_that_fails(compiled):
    fun = njit(lambda x: (x[0] - 1) ** 2 + (x[1] + 2) ** 2)
    calls = []

    def fragile(x):
        calls.append(0)
        if len(calls) == 20:
            raise ConnectionError
        return fun.py_func(x)

    def run(f, **options):
        options = {"rng": 1, "maxiter": 50} | options
        return minimize(f, [0.0, 0.0], method=random_search, options=options)

    whole = run(fun.py_func)
    with pytest.raises(ConnectionError) as caught:
        run(fragile)
    state = caught.value.optimize_result.state
    rest = run(fun, resume=again(state), compiled=compiled)
    assert_same(rest, whole)


def test_an_error_at_the_very_end_can_be_continued():
    def last(intermediate_result):
        if intermediate_result.nit == 5:
            raise ConnectionError

    options = {"maxiter": 5}
    with pytest.raises(ConnectionError) as caught:
        minimize(rosen, X0, jac=rosen_der, method=adam, callback=last, options=options)
    state = caught.value.optimize_result.state
    assert_same(solve(adam, maxiter=10, resume=state), solve(adam, maxiter=10))


@pytest.mark.parametrize("why", ["maxfev", "averaging"])
def test_an_error_after_the_loop_keeps_the_run(why):
    def fun(w, X):
        if why == "maxfev" and len(X) == len(DATA):
            raise ConnectionError
        if why == "averaging" and not any(np.array_equal(w, x) for x in points):
            raise ConnectionError
        return loss(w, X)

    points = [np.zeros(3)]
    options = {"learning_rate": 1e-3}
    if why == "maxfev":
        options |= {"batch_size": 7, "maxfev": 10}
    else:
        path = options | {"maxiter": 5, "return_all": True}
        points += minimize(loss, np.zeros(3), (DATA,), sgd, jac=True, options=path).allvecs
        options |= {"averaging": 0.9, "maxiter": 5}
    with pytest.raises(ConnectionError) as caught:
        minimize(fun, np.zeros(3), (DATA,), sgd, jac=True, options=options)
    assert caught.value.optimize_result.nit >= 5
    assert caught.value.optimize_result.state["nit"] >= 5


def test_a_batch_that_was_only_cut_is_the_next_one_again(monkeypatch):
    """Ctrl-C may come between two lines."""
    from scipy_gd._run.epochs import Epochs

    calls, original = [], Epochs.next

    def cut(self):
        calls.append(0)
        batch = original(self)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return batch

    def fit(**options):
        options = {"batch_size": 7, "rng": 1, "learning_rate": 1e-3} | options
        return minimize(loss, np.zeros(3), (DATA,), sgd, jac=True, options=options)

    monkeypatch.setattr(Epochs, "next", cut)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(epochs=3)
    part, whole = caught.value.optimize_result, fit(epochs=3)
    rest = fit(epochs=3, resume=part.state)
    assert rest.x.tolist() == whole.x.tolist()


def test_an_error_in_a_schedule_gives_the_batch_back():
    broken = [True]

    def rate(t):
        if t == 13 and broken[0]:
            raise ConnectionError
        return 1e-3

    def fit(**options):
        options = {"batch_size": 7, "rng": 1, "learning_rate": rate} | options
        return minimize(loss, np.zeros(3), (DATA,), sgd, jac=True, options=options)

    with pytest.raises(ConnectionError) as caught:
        fit(epochs=3)
    broken[0] = False
    part, whole = caught.value.optimize_result, fit(epochs=3)
    rest = fit(epochs=3, resume=part.state)
    assert rest.x.tolist() == whole.x.tolist()


def test_a_new_clip_norm_is_the_one_of_the_call():
    part = solve(momentum, maxiter=3, clip_norm=10.0)
    way = [solve(momentum, maxiter=9, clip_norm=c, resume=part.state).x for c in (10.0, 1e-9)]
    assert way[0].tolist() != way[1].tolist()


def test_a_gradient_that_is_wanted_alone_is_that_of_its_point():
    @njit
    def pair(x):
        return np.sum((x - 1) ** 4), 4 * (x - 1) ** 3

    run = start(lbfgs, [3.0, -4.0])
    x = run.ask()
    run.tell(*pair(x))
    while run.wants != "jac":
        run.tell(pair(run.ask())[0])
    ways = [
        minimize(
            pair,
            [3.0, -4.0],
            jac=True,
            method=lbfgs,
            options={"resume": again(run.state), "compiled": compiled},
        )
        for compiled in (False, True)
    ]
    assert_same(*ways)
    assert_same(ways[0], minimize(pair, [3.0, -4.0], jac=True, method=lbfgs))


def test_other_bounds_are_refused():
    def boxed(high, **options):
        return minimize(
            rosen, X0, jac=rosen_der, bounds=[(-2, high)] * 3, method=adam, options=options
        )

    state = boxed(0.5, maxiter=5).state
    with pytest.raises(ValueError, match="different `bounds`"):
        boxed(0.4, resume=state)
    assert boxed(0.5, maxiter=5, resume=state).nit == 10


@pytest.mark.parametrize("learner", [sgd, momentum, adam], ids=lambda m: m.__name__)
@pytest.mark.parametrize("epochs", [2, 3])
def test_batches_go_on_where_they_were(learner, epochs):
    def fit(**options):
        options = {"batch_size": 7, "rng": 1, "learning_rate": 1e-3} | options
        return minimize(loss, np.zeros(3), (DATA,), jac=True, method=learner, options=options)

    whole = fit(epochs=5)
    part = fit(epochs=epochs)
    assert_same(fit(epochs=5 - epochs, resume=again(part.state)), whole)
    part = fit(maxiter=13)  # in the middle of an epoch
    assert_same(fit(maxiter=whole.nit - 13, resume=again(part.state)).x.tolist() and whole, whole)
    rest = fit(epochs=None, maxiter=whole.nit - 13, resume=again(part.state))
    assert rest.x.tolist() == whole.x.tolist()


def test_counts_go_on_and_budgets_begin_anew():
    half = solve(adam, maxiter=50)
    rest = solve(adam, maxiter=50, maxfev=60, resume=half.state)
    assert (rest.nit, rest.nfev) == (100, solve(adam, maxiter=100).nfev)


def test_in_another_process(tmp_path):
    half = solve(lbfgs, maxiter=10)
    (tmp_path / "state").write_bytes(pickle.dumps(half.state))
    code = f"""if True:
        import pickle
        from scipy.optimize import minimize, rosen, rosen_der, rosen_hess
        from scipy_gd import lbfgs
        state = pickle.loads(open({str(tmp_path / "state")!r}, "rb").read())
        options = {{"resume": state, "maxiter": 10, "rng": 3}}
        print(minimize(rosen, {X0}, jac=rosen_der, method=lbfgs, options=options).x.tolist())
    """
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(solve(lbfgs, maxiter=20).x.tolist())


def test_a_state_is_small_and_plain():
    state = solve(adam, maxiter=50).state
    assert len(pickle.dumps(state)) < 5800
    assert repr(state) == "<state of adam after 50 iterations>"
    assert {type(value) for value in state.values()} <= {np.ndarray, str, int, float, dict, tuple}


def test_the_state_is_not_used_up():
    half = solve(adam, maxiter=50)
    first = solve(adam, maxiter=20, resume=half.state)
    assert_same(solve(adam, maxiter=20, resume=half.state), first)


@pytest.mark.parametrize(
    ("other", "options", "error", "message"),
    [
        (gd, {}, ValueError, "is the state of adam, not of gd"),
        (adam, {"learning_rate": "armijo"}, ValueError, "with different options"),
        (adam, {"averaging": "polyak"}, ValueError, "with `averaging` set to its default, got"),
        (adam, {"resume": 3}, TypeError, "must be the `state` of a result"),
        (adam, {"resume": {"V": 1}}, TypeError, "must be the `state` of a result"),
        (adam, {"counts": 3}, TypeError, "must be the `state` of a result"),
        (adam, {"since": "the start"}, TypeError, "must be the `state` of a result"),
    ],
)
def test_what_does_not_fit_is_refused(other, options, error, message):
    state = solve(adam, maxiter=5, learning_rate=1e-3).state
    state |= {name: value for name, value in options.items() if name in state}
    options = {name: value for name, value in options.items() if name not in state}
    with pytest.raises(error, match=message):
        solve(other, **{"resume": state} | options)


@pytest.mark.parametrize("each", [adam, gd, random_search, spsa], ids=lambda m: m.__name__)
@pytest.mark.parametrize("stop", [1, 2, 13, 19])
@pytest.mark.parametrize("within", ["alone", "warmup", "hyper-parameter", "batches"])
def test_schedules_that_follow_the_values_go_on(each, stop, within):
    """They remember what they were told, not only where they are."""
    plateau = schedules.reduce_on_plateau(0.3, 0.7, 1, cooldown=1, threshold=0.01)
    options = {"learning_rate": plateau, "rng": 3}
    if within == "warmup":
        options["learning_rate"] = schedules.warmup(5, plateau)
    if within == "hyper-parameter":
        if each is not adam:
            return
        options = {"beta1": plateau, "learning_rate": 0.01}
    fun, args = (lambda x: np.sum(x**2 + np.cos(5 * x))), ()
    if within == "batches":
        if each is random_search:
            return
        options |= {"batch_size": 7}
        fun, args = (lambda x, data: loss(x, data)[0] / len(data)), (DATA,)

    def run(**more):
        return minimize(
            fun, np.full(3, 0.1), args, each, options=options | {"return_all": True} | more
        )

    whole, half = run(maxiter=30), run(maxiter=stop)
    rest = run(maxiter=30 - stop, resume=pickle.loads(pickle.dumps(half.state)))
    assert_same(rest, whole)
    assert len({*np.diff([f for _, f in whole.state["told"]])}) > 1


def test_a_schedule_that_follows_the_values_may_take_over():
    half = solve(adam, maxiter=5, learning_rate=1e-3)
    rate = schedules.reduce_on_plateau(0.1, 0.5, 3)
    assert solve(adam, maxiter=50, learning_rate=rate, resume=half.state).fun < half.fun


@pytest.mark.parametrize("rate", ["auto", schedules.cosine(1e-3, 1e-5, steps=80)])
def test_no_iteration_is_made_where_none_is_left(method, rate):
    """With `maxiter` 0 the result is that of the run before, and what follows is the same."""
    options = {"learning_rate": rate}
    part = solve(method, maxiter=4, **options)
    none = solve(method, maxiter=0, resume=again(part.state), **options)
    assert_same(none, part)
    rest = solve(method, maxiter=3, resume=again(none.state), **options)
    assert_same(rest, solve(method, maxiter=7, **options))


def test_a_run_at_its_goal_is_still_there():
    whole = solve(lbfgs)
    assert whole.success
    assert_same(solve(lbfgs, maxiter=0, resume=again(whole.state)), whole)


@pytest.mark.parametrize("where", ["fun", "jac", "hess"])
@pytest.mark.parametrize("error", [ArithmeticError, KeyboardInterrupt])
@pytest.mark.parametrize("each", [adam, lbfgs, newton, random_search], ids=lambda m: m.__name__)
def test_an_error_before_the_first_iteration_leaves_what_is_known(where, error, each):
    """The value at x0, if that is known, and a state to go on from."""
    used = {"newton": ("fun", "jac", "hess"), "random_search": ("fun",)}
    if where not in used.get(each.__name__, ("fun", "jac")):
        return
    sound = {"fun": rosen, "jac": rosen_der} | ({"hess": rosen_hess} if each is newton else {})

    def broken(x):
        raise error

    with pytest.raises(error) as caught:
        minimize(x0=X0, method=each, **sound | {where: broken})
    part = caught.value.optimize_result
    assert part.x.tolist() == X0
    assert np.isnan(part.fun) if where == "fun" else part.fun == rosen(X0)
    options = {"maxiter": 20, "rng": 3}
    rest = minimize(x0=X0, method=each, options=options | {"resume": again(part.state)}, **sound)
    if each is not random_search:  # whose noise came from another seed
        assert_same(rest, minimize(x0=X0, method=each, options=options, **sound))


def test_an_error_in_the_first_compiled_evaluation_leaves_a_state():
    @njit
    def fun(x, broken):
        if broken[0] > 0:
            raise ValueError("not yet")
        return x[0] ** 4 + x[1] ** 2

    options = {"maxiter": 20, "compiled": True}
    broken = np.ones(1)
    with pytest.raises(ValueError, match="not yet") as caught:
        minimize(fun, [1.0, 2.0], args=(broken,), method=lbfgs, options=options)
    broken[0] = 0.0
    options["resume"] = again(caught.value.optimize_result.state)
    rest = minimize(fun, [1.0, 2.0], args=(broken,), method=lbfgs, options=options)
    whole = minimize(fun, [1.0, 2.0], args=(broken,), method=lbfgs, options={"maxiter": 20})
    assert_same(rest, whole)


def test_rows_that_are_not_there_are_refused():
    def fit(**options):
        options = {"batch_size": 7, "maxiter": 5, "rng": 1, "learning_rate": 1e-3} | options
        return minimize(loss, np.zeros(3), (DATA,), jac=True, method=sgd, options=options)

    state = fit().state
    state["order"] = state["order"] + 1
    with pytest.raises(ValueError, match="a different number of rows"):
        fit(resume=state)


def test_another_size_is_refused():
    state = solve(adam, maxiter=5).state
    with pytest.raises(ValueError, match="a different number of parameters"):
        minimize(rosen, [0.0, 0.0], jac=rosen_der, method=adam, options={"resume": state})


def test_every_method_has_a_state():
    assert all("V" in solve(m, maxiter=2).state for m in GENERAL.values())


def test_a_pickled_state_is_plain():
    """It must not matter to a file where a class lives in a later version."""
    state = minimize(loss, np.zeros(3), (DATA,), gd, jac=True, options={"maxiter": 3}).state
    assert type(pickle.loads(pickle.dumps(state))) is dict
    assert type(copy.deepcopy(state)) is type(state)
