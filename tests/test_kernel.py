"""Lifting: the compiled kernel does what the formula says, from any state in mid-run."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from numpy import abs, dot, empty, maximum, sqrt
from numpy.linalg import norm
from scipy.optimize import rosen, rosen_der

from scipy_gd import METHODS, Option, elementwise, gd, vector
from scipy_gd._core.bits import POINTS
from scipy_gd._core.jit import STAMP
from scipy_gd._core.kernel import divisible, lift
from scipy_gd._core.vectors import BLOCK
from scipy_gd._options import settings
from scipy_gd._run.layout import lay_out

N = 37


def mid_run(method, rng, n=N, box=None, **options):
    """A state as it might be after some steps, with random contents."""
    x = rng.normal(size=n)
    if box is not None:
        x = np.clip(x, *box)
    V, s, _ = lay_out(method, x, box, settings(method, options, n))
    r = s[0]
    r["trial"], r["old"], r["t"] = 1, 2, 17.0
    V[: 2 * POINTS] = rng.normal(size=(2 * POINTS, n))
    V[0] = x
    for name in ("z", "hess"):
        if r[name] >= 0:
            V[r[name]] = rng.normal(size=n)
    if r["hess"] >= 0:
        A = rng.normal(size=(n, n))
        V[r["hess"] : r["hess"] + n] = A + A.T
    first = r["states"]
    for k in range(len(method.states)):
        V[first + k] = rng.uniform(1.0, 2.0, size=n)
    if "diagonal" in method.supplied:
        V[r["diagonal"]] = rng.uniform(0.5, 2.0, size=n)
        s["pair_noise"] = 0.3
    if method.memory:
        V[r["memory"] :] = rng.normal(size=V[r["memory"] :].shape)
    return V, s


def by_hand(method, V, s, options, box=None):
    """Direction and new states, by calling the formula itself."""
    r = s[0]
    n = V.shape[1]
    rows = {"x": 0, "x_old": 2, "g": POINTS, "g_old": POINTS + 2, "z": r["z"]}
    rows |= {name: r[name] for name in ("free", "diagonal")}
    given = {name: V[row].copy() for name, row in rows.items() if name in method.supplied}
    if box is not None and "free" in method.supplied:
        x, g = V[0], V[POINTS]
        given["free"] = 1.0 - (((x <= box[0]) & (g > 0)) | ((x >= box[1]) & (g < 0)))
    if "held" in method.supplied:
        given["held"] = bool((given["free"] == 0.0).any())
    if "hess" in method.supplied:
        given["hess"] = V[r["hess"] : r["hess"] + n].copy()
    given |= {name: V[r["states"] + k].copy() for k, name in enumerate(method.states)}
    given |= {name: options.get(name, value) for name, value in method.hyper.items()}
    if method.memory:
        given |= {name: int(r["h"][k]) for k, name in enumerate(method.hyper)}
    for k, name in enumerate(method.memory):
        m = given["maxcor"]
        given[name] = V[r["memory"] + k * m : r["memory"] + (k + 1) * m].copy()
    scalars = {"t": 17.0, "pair_noise": r["pair_noise"]}
    scalars = {name: value for name, value in scalars.items() if name in method.supplied}
    if not method.elementwise:
        out = method.formula(**given, **scalars)
    else:
        each = [
            method.formula(**{k: v[i] if np.ndim(v) else v for k, v in given.items()}, **scalars)
            for i in range(n)
        ]
        out = tuple(np.array(each).T) if method.states else (np.array(each),)
    d, *new = out if isinstance(out, tuple) else (out,)
    return d, new


def run_kernel(method, V, s, searching=False, bounded=False, arrays=()):
    assert lift(method, searching, bounded, arrays).bound(V, s)() == 0


@pytest.mark.parametrize("seed", range(3))
def test_fused_step_equals_the_formula(method, seed):
    rng = np.random.default_rng(seed)
    numbers = {
        name: value for name, value in method.hyper.items() if name not in ("maxcor", "mincor")
    }
    options = {name: value * rng.uniform(0.5, 1.0) + 1e-4 for name, value in numbers.items()}
    V, s = mid_run(method, rng, learning_rate=0.3, **options)
    d, states = by_hand(method, V, s, options)
    x, gradient = V[0].copy(), V[POINTS].copy()
    run_kernel(method, V, s)
    np.testing.assert_allclose(V[1], x - 0.3 * d, rtol=1e-10, atol=1e-12)
    for k, state in enumerate(states):
        np.testing.assert_allclose(V[s["states"][0] + k], state, rtol=1e-13)
    assert V[0].tolist() == x.tolist()
    assert s["snorm"][0] == pytest.approx(np.linalg.norm(0.3 * d), rel=1e-12)
    if "g" in method.supplied:
        assert s["gnorm"][0] == np.abs(gradient).max()


@pytest.mark.parametrize("seed", range(3))
def test_bounded_step_is_projected_and_measures_the_projected_gradient(method, seed):
    rng = np.random.default_rng(seed)
    box = (rng.uniform(-1, 0, N), rng.uniform(0, 1, N))
    V, s = mid_run(method, rng, box=box, learning_rate=0.3)
    d, _ = by_hand(method, V, s, {}, box)
    x, g = V[0].copy(), V[POINTS].copy()
    run_kernel(method, V, s, bounded=True)
    new = np.clip(x - 0.3 * d, *box)
    np.testing.assert_allclose(V[1], new, rtol=1e-10, atol=1e-12)
    assert s["snorm"][0] == pytest.approx(np.linalg.norm(new - x), rel=1e-12)
    if "g" in method.supplied:
        assert s["gnorm"][0] == pytest.approx(np.abs(np.clip(x - g, *box) - x).max(), rel=1e-14)


def test_searching_kernel_keeps_the_direction(descent):
    rng = np.random.default_rng(5)
    V, s = mid_run(descent, rng, learning_rate="armijo")
    d, _ = by_hand(descent, V, s, {})
    before = V[:3].copy()
    run_kernel(descent, V, s, searching=True)
    np.testing.assert_allclose(V[s["d"][0]], d, rtol=1e-10, atol=1e-12)
    assert s["slope"][0] == pytest.approx(V[POINTS] @ d, rel=1e-11)
    assert s["dnorm"][0] == pytest.approx(np.linalg.norm(d), rel=1e-11)
    if descent.__name__ in ("adagrad", "rmsprop", "adadelta"):  # d = g / P
        np.testing.assert_allclose(V[s["d"][0]] * V[s["p"][0]], V[POINTS], rtol=1e-12)
    assert V[:3].tolist() == before.tolist()


def test_arrays_of_rates_and_hyper_parameters(descent):
    rng = np.random.default_rng(6)
    if descent.memory:
        return
    options = {name: rng.uniform(0.1, 0.9, N) for name in descent.hyper}
    rate = rng.uniform(0.1, 0.9, N)
    V, s = mid_run(descent, rng, learning_rate=rate, **options)
    d, _ = by_hand(descent, V, s, options)
    x = V[0].copy()
    run_kernel(descent, V, s, arrays=("learning_rate", *descent.hyper))
    np.testing.assert_allclose(V[1], x - rate * d, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("place", [0, 5, N - 1])
def test_nan_in_the_gradient_is_never_lost(descent, bounded, place):
    rng = np.random.default_rng(7)
    box = (np.full(N, -1.0), np.full(N, 1.0)) if bounded else None
    V, s = mid_run(descent, rng, box=box)
    V[POINTS, place] = np.nan
    run_kernel(descent, V, s, bounded=bounded)
    assert np.isnan(s["gnorm"][0])
    assert np.isnan(s["snorm"][0])
    assert np.isnan(V[1, place])


def test_vector_formula_equals_its_elementwise_twin():
    @elementwise(learning_rate=0.1, auto=None)
    def scalar_form(g, x, m, *, beta1=0.5):
        m = beta1 * m + g
        return m + 0.1 * x, m

    @vector(learning_rate=0.1, auto=None)
    def vector_form(g, x, m, *, beta1=0.5):
        m = beta1 * m + g
        return m + 0.1 * x, m

    results = []
    for method in (scalar_form, vector_form):
        V, s = mid_run(method, np.random.default_rng(8))
        run_kernel(method, V, s)
        results.append(V[:7])
    np.testing.assert_allclose(*results, rtol=1e-14, atol=1e-15)


def test_states_may_start_elsewhere_and_returns_see_old_values():
    @elementwise(learning_rate=1.0, auto=None, init={"a": 2.0, "b": 3.0})
    def swap(g, a, b):
        return a, b, a

    V, s = mid_run(swap, np.random.default_rng(9))
    V, s, _ = lay_out(swap, np.zeros(4), None, settings(swap, {}, 4))
    s["trial"] = 1
    run_kernel(swap, V, s)
    assert V[1].tolist() == [-2] * 4
    assert V[s["states"][0]].tolist() == [3] * 4
    assert V[s["states"][0] + 1].tolist() == [2] * 4


def test_declarations_that_break_the_rules():
    with pytest.raises(TypeError, match="the formula 'overwrites' must not assign to 'beta1'"):

        @elementwise(learning_rate=1.0)
        def overwrites(g, *, beta1=0.9):
            beta1 = 0.5 * beta1
            return beta1 * g

    with pytest.raises(TypeError, match="the formula 'by_tuple' must not assign to 'beta1'"):

        @elementwise(learning_rate=1.0)
        def by_tuple(g, m, *, beta1=0.9):
            m, beta1 = beta1, g
            return m, m

    with pytest.raises(TypeError, match="must not have"):

        @elementwise(learning_rate=1.0)
        def starred(*g):
            return g

    with pytest.raises(TypeError, match="number as its default"):

        @elementwise(learning_rate=1.0)
        def without_default(g, *, beta1):
            return g

    with pytest.raises(TypeError, match="options of every method"):

        @elementwise(learning_rate=1.0)
        def takes_an_option(g, *, maxiter=3):
            return g

    with pytest.raises(TypeError, match="which are not states"):

        @elementwise(learning_rate=1.0, init={"w": 1.0})
        def no_such_state(g, m):
            return g, m

    for argument in (
        {"average": "w"},
        {"preconditioner": "w"},
        {"preconditioner": "g"},  # given, not made
        {"hyper": {"w": Option("A word.")}},
    ):
        (name,) = argument
        with pytest.raises(TypeError, match=f"`{name}` of 'plain' names .*, which are not"):

            @elementwise(learning_rate=1.0, **argument)
            def plain(g, m, *, k=1.0):
                m = k * g
                return m, m

    with pytest.raises(TypeError, match="underscore"):

        @elementwise(learning_rate=1.0)
        def hides(g, _n):
            return g, _n


def test_a_preconditioner_is_declared_and_an_undeclared_p_is_just_a_local():
    @elementwise(preconditioner="scale")
    def declared(g):
        scale = 2.0 + g * g
        return g / scale

    @elementwise()
    def undeclared(g):
        P = 2.0 + g * g
        return g / P

    rows = []
    for method in (declared, undeclared):
        V, s = mid_run(method, np.random.default_rng(4), learning_rate="armijo")
        run_kernel(method, V, s, searching=True)
        rows.append(s["p"][0])
        np.testing.assert_allclose(V[s["d"][0]], V[POINTS] / (2 + V[POINTS] ** 2), rtol=1e-14)
        if rows[-1] >= 0:
            np.testing.assert_allclose(V[rows[-1]], 2 + V[POINTS] ** 2, rtol=1e-14)
    assert rows[0] > 0 > rows[1]
    a, b = (
        method(rosen, [-1.2, 1.0], jac=rosen_der, maxiter=20) for method in (declared, undeclared)
    )
    assert abs(a.x - b.x).max() > 1e-6  # the rule measures in another metric


def test_an_average_is_declared_and_an_undeclared_one_is_just_a_state():
    @elementwise(learning_rate=0.1, average="mean")
    def declared(g, x, mean, t):
        mean = mean + (x - mean) / t
        return g, mean

    @elementwise(learning_rate=0.1)
    def undeclared(g, x, average, t):
        average = average + (x - average) / t
        return g, average

    data = {"args": (np.arange(1.0, 5.0),), "batch_size": 2, "epochs": 3, "rng": 0}
    a, b = (
        method(
            lambda x, c: float(np.mean((x - c) ** 2)),
            [0.0],
            jac=lambda x, c: np.atleast_1d(2 * np.mean(x - c)),
            return_all=True,
            **data,
        )
        for method in (declared, undeclared)
    )
    np.testing.assert_allclose(a.x, np.mean(a.allvecs[:-1]), rtol=1e-12)
    assert b.x == b.allvecs[-1]
    with pytest.raises(ValueError, match="`averaging` cannot be used with declared"):
        declared(lambda x: x @ x, [1.0], averaging="polyak")


def test_formulas_that_cannot_be_lifted():
    @elementwise(learning_rate=1.0)
    def forgets(g, m):
        return g

    with pytest.raises(ValueError, match="must return the direction, followed by its states: d, m"):
        forgets(lambda x: x @ x, [1.0])

    @elementwise(learning_rate=1.0)
    def early(g):
        if g > 0:
            return 1.0
        return g

    with pytest.raises(ValueError, match="single return"):
        early(lambda x: x @ x, [1.0])

    scope = {"elementwise": elementwise}
    exec("@elementwise(learning_rate=1.0)\ndef nowhere(g):\n    return g", scope)
    with pytest.raises(ValueError, match="source of the formula 'nowhere'"):
        scope["nowhere"](lambda x: x @ x, [1.0])


def run_own(method, x0=(3.0, 4.0), **options):
    options = {"learning_rate": 0.1, "maxiter": 3, "gtol": 0.0} | options
    return method(lambda x: float(x @ x) / 2, x0, jac=lambda x: x.copy(), **options)


def test_a_vector_formula_may_write_to_what_it_is_given():
    @vector(learning_rate=0.1)
    def normalised(g, x):
        g /= np.sqrt(np.sum(g * g))
        x[0] = 7.0
        return g

    res = run_own(normalised)
    assert res.jac.tolist() == res.x.tolist()
    np.testing.assert_allclose(res.x, np.array([3, 4]) * (1 - 0.3 / 5), rtol=1e-14)


def test_states_that_are_handed_on_are_not_mixed_up():
    @vector(learning_rate=0.1)
    def by_vector(g, g1, g2):
        return g2, g, g1

    @elementwise(learning_rate=0.1)
    def by_element(g, g1, g2):
        return g2, g, g1

    assert run_own(by_vector, maxiter=6).x.tolist() == run_own(by_element, maxiter=6).x.tolist()


@pytest.mark.parametrize("bad", ["too short", "short state", "singular", "raises"])
def test_a_formula_that_fails_is_an_error(bad):
    @vector(learning_rate=0.1)
    def short(g):
        return np.ones(1)

    @vector(learning_rate=0.1)
    def short_state(g, m):
        return g, m[1:]

    @vector(learning_rate=0.1)
    def singular(g, x):
        return np.linalg.solve(np.outer(x, x), g)

    @vector(learning_rate=0.1)
    def raises(g):
        if g[0] < 100:
            raise ZeroDivisionError
        return g

    method = {
        "too short": short,
        "short state": short_state,
        "singular": singular,
        "raises": raises,
    }[bad]
    with pytest.raises(ValueError, match="the method's formula raised") as caught:
        run_own(method)
    assert caught.value.optimize_result.x.tolist() == [3, 4]


def test_constants_of_a_formula_are_the_current_ones(tmp_path):
    script = tmp_path / "own.py"
    results = []
    for scale in (1.0, 3.0):
        (tmp_path / "factor.py").write_text(f"FACTOR = {scale}\n")
        script.write_text(
            NEW_METHOD.replace("np.sign(g)", "FACTOR * np.sign(g)").replace(
                "import numpy as np", "import numpy as np\nfrom factor import FACTOR"
            )
        )
        run = [sys.executable, "-B", script]
        results.append(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert results[0] != results[1]


def test_more_declarations_that_break_the_rules():
    outside = 3.0
    bad = {
        "must not assign to": "def f(g, t):\n t = t + 1\n return t * g",
        "must not start with an underscore": "def f(g):\n _a = 2 * g\n return _a",
        "shadow a builtin": "def f(g):\n abs = g\n return abs",
        "number as its default": "def f(g, *, flag=True):\n return g",
        "options of every method": "def f(g, *, fun=1.0):\n return g",
    }
    for message, source in bad.items():
        scope = {}
        exec(source, scope)
        with pytest.raises(TypeError, match=message):
            elementwise(learning_rate=1.0)(scope["f"])
    with pytest.raises(TypeError, match="must be a named function"):
        elementwise(learning_rate=1.0)(lambda g: g)
    with pytest.raises(TypeError, match="no variables of an enclosing function, got outside"):

        @elementwise(learning_rate=1.0)
        def closure(g):
            return outside * g


def test_methods_are_immutable():
    for name in ("learning_rate", "constant", "hyper", "own", "another"):
        with pytest.raises(AttributeError):
            setattr(gd, name, 7)
    with pytest.raises(TypeError):
        gd.hyper["momentum"] = 1.0


NEW_METHOD = """
import numpy as np
from scipy.optimize import minimize
from scipy_gd import elementwise

@elementwise(learning_rate=0.5, auto=None)
def sign_descent(g):
    return np.sign(g)

if __name__ == "__main__":
    res = minimize(lambda x: x @ x, [3.0, 4.0], jac=lambda x: 2 * x, method=sign_descent)
    print(res.success, res.nit)
"""


def test_a_users_own_method_in_a_file(tmp_path):
    script = tmp_path / "own.py"
    script.write_text(NEW_METHOD)
    run = {"capture_output": True, "text": True, "check": True}
    run["env"] = {name: v for name, v in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    for _ in range(2):
        out = subprocess.run([sys.executable, script], **run)
        assert out.stdout == "True 8\n"
    cached = {path.name for path in (tmp_path / "__pycache__").iterdir()}
    assert len(cached) == 2  # one index, one kernel: the second run has found them


def test_works_where_no_cache_can_be_written(tmp_path):
    """A read-only install in a home that cannot be written."""
    program = textwrap.dedent("""
        import numba.core.caching as caching
        def refuse(self):
            raise OSError("read-only file system")
        for locator in caching.CacheImpl._locator_classes:
            locator.ensure_cache_path = refuse
        from scipy_gd import adam
        print(adam(lambda x: x @ x, [1.0], learning_rate=0.1).success)
    """)
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert out.stdout == "True\n"


def test_kernels_are_compiled_once_per_variant():
    assert lift(gd, False, False, ()) is lift(gd, False, False, ())
    assert lift(gd, False, False, ()) is not lift(gd, False, True, ())
    assert f"{STAMP:08x}" != "00000000"


@pytest.mark.parametrize("what", ["K = 1.0", "K = 3.0"])
def test_what_a_formula_refers_to_is_the_current_one(tmp_path_factory, what):
    """Numba's cache does not see another module: what lies there must not be remembered."""
    folder = tmp_path_factory.getbasetemp() / "helped"
    folder.mkdir(exist_ok=True)
    (folder / "helper.py").write_text(what + "\n")
    (folder / "own.py").write_text(
        textwrap.dedent("""
            import helper
            from scipy_gd import elementwise
            @elementwise(learning_rate=0.1, auto=None)
            def helped(g):
                return g * helper.K
            if __name__ == "__main__":
                options = {"maxiter": 1, "return_all": True}
                print(helped(lambda x: x[0], [0.0], jac=lambda x: [1.0], **options).allvecs[1][0])
        """)
    )
    done = subprocess.run(
        [sys.executable, folder / "own.py"], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == pytest.approx(-0.1 * float(what.split()[-1]))


# --- vector formulas as loops: what is rewritten means what it meant


@vector(learning_rate=0.1)
def swapped(g, x):
    s, y = 2 * g, x - g
    s, y = y + s, s - y
    return s * y + s


@vector(learning_rate=0.1)
def renamed(g, x):
    d = g * 2
    before = d
    d = d + x
    before -= 0.5 * d
    return d * before


@vector(learning_rate=0.1)
def late(g, x, x_old, m):
    """Updates wait, while what they take, or what they change, gets other values or names."""
    d, y = g * 1.0, x * 1.0
    for k in range(3):
        d -= (k + 1.0) * y
        y = y * 0.5 + d
        if k == 1:
            d += 0.25 * x_old
        y += 2 * m
        b = dot(y, d) / dot(d, d)
        d -= b * y / 3
    d -= 0.1 * y
    m = m * 2
    y = d
    d = g * 1.0
    d += sqrt(norm(y)) * m
    return d + y, m


@vector(learning_rate=0.1)
def until(g, x, m):
    d, count = g + m, 0
    while norm(d) > 0.5 and count < 7:
        d -= 0.5 * d
        d -= 0.1 * x
        count += 1
    total = dot(d, x) if count > 3 and dot(d, d) > 0 else norm(maximum(abs(g), m))
    return d * total, m + count


@vector(learning_rate=0.1, memory=("S",))
def remembered(g, x, S, count, *, maxcor=3):
    k = int(count[0]) % int(maxcor)
    d, a = g * 1.0, empty(2)
    a[0] = a[1] = dot(S[k], x)
    d -= a[0] * S[k]
    S[k] = x - d
    d += a[1] * S[k]
    S[(k + 1) % int(maxcor)] = g
    return d, k + 1


@pytest.mark.parametrize(
    "formula", [swapped, renamed, late, until, remembered], ids=lambda f: f.__name__
)
def test_a_formula_means_what_numpy_means(formula):
    rng = np.random.default_rng(3)
    V, s = mid_run(formula, rng, learning_rate=0.3)
    memory = V[s["memory"][0] :].copy() if formula.memory else None
    given = V.copy(), s.copy()
    d, states = by_hand(formula, *given, {})
    x = V[0].copy()
    run_kernel(formula, V, s)
    np.testing.assert_allclose(V[1], x - 0.3 * d, rtol=1e-10)
    for k, state in enumerate(states):
        np.testing.assert_allclose(V[s["states"][0] + k], state, rtol=1e-12)
    assert memory is None or not np.array_equal(memory, V[s["memory"][0] :])
    np.testing.assert_array_equal(V[0], x)


def test_sums_in_blocks():
    """More than a block, and not a multiple of one."""
    rng, n = np.random.default_rng(1), 2 * BLOCK + 7
    V, s = mid_run(METHODS["lbfgs"], rng, n=n, learning_rate=0.3)
    d, _ = by_hand(METHODS["lbfgs"], V.copy(), s.copy(), {})
    x = V[0].copy()
    run_kernel(METHODS["lbfgs"], V, s)
    np.testing.assert_allclose(V[1], x - 0.3 * d, rtol=1e-8)


def test_which_formulas_threads_can_share():
    assert {name for name, method in METHODS.items() if not divisible(method)} == {
        *("newton", "levenberg_marquardt", "swats", "dowg", "prodigy"),
    }
