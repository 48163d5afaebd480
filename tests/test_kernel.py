"""Lifting: the compiled kernel does what the formula says, from any state in mid-run."""

import ctypes
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from scipy_gd import elementwise, gd, vector
from scipy_gd._kernel import STAMP, lift
from scipy_gd._options import settings
from scipy_gd._run import lay_out
from scipy_gd._state import G_ROWS, GRADIENT, NOISE

N = 37


def mid_run(method, rng, n=N, box=None, **options):
    """A state as it might be after some steps, with random contents."""
    x = rng.normal(size=n)
    if box is not None:
        x = np.clip(x, *box)
    V, s, _ = lay_out(method, x, box, settings(method, options, n))
    r = s[0]
    r["trial"], r["t"] = 1, 17.0
    if r["needs"] & GRADIENT:
        V[G_ROWS] = rng.normal(size=n)
    if r["needs"] & NOISE:
        V[r["z"]] = rng.normal(size=n)
    first = r["states"]
    for k in range(len(method.states)):
        V[first + k] = rng.uniform(0.1, 2.0, size=n)
    return V, s


def by_hand(method, V, s, options):
    """Direction and new states, by calling the formula itself with arrays."""
    r = s[0]
    supplied = {"x": V[0], "f": 0.0, "g": V[G_ROWS], "t": 17.0, "z": V[r["z"]]}
    given = [supplied[name] for name in method.supplied]
    states = [V[r["states"] + k] for k in range(len(method.states))]
    by_name = dict(zip(method.supplied + method.states, given + states, strict=True))
    hyper = {name: options.get(name, value) for name, value in method.hyper.items()}
    out = method.formula(**{name: np.copy(value) for name, value in by_name.items()}, **hyper)
    d, *new = out if isinstance(out, tuple) else (out,)
    return d, new


def run_kernel(method, V, s, searching=False, bounded=False, arrays=()):
    lift(method, searching, bounded, arrays).ctypes(
        V.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), s.ctypes.data
    )


@pytest.mark.parametrize("seed", range(3))
def test_fused_step_equals_the_formula(method, seed):
    rng = np.random.default_rng(seed)
    options = {name: value * rng.uniform(0.5, 1.0) + 1e-4 for name, value in method.hyper.items()}
    V, s = mid_run(method, rng, learning_rate=0.3, **options)
    d, states = by_hand(method, V, s, options)
    x, gradient = V[0].copy(), V[G_ROWS].copy()
    run_kernel(method, V, s)
    np.testing.assert_allclose(V[1], x - 0.3 * d, rtol=1e-13, atol=1e-14)
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
    d, _ = by_hand(method, V, s, {})
    x, g = V[0].copy(), V[G_ROWS].copy()
    run_kernel(method, V, s, bounded=True)
    new = np.clip(x - 0.3 * d, *box)
    np.testing.assert_allclose(V[1], new, rtol=1e-13, atol=1e-14)
    assert s["snorm"][0] == pytest.approx(np.linalg.norm(new - x), rel=1e-12)
    if "g" in method.supplied:
        assert s["gnorm"][0] == np.abs(np.clip(x - g, *box) - x).max()


def test_searching_kernel_keeps_the_direction(descent):
    rng = np.random.default_rng(5)
    V, s = mid_run(descent, rng, learning_rate="armijo")
    d, _ = by_hand(descent, V, s, {})
    before = V[:3].copy()
    run_kernel(descent, V, s, searching=True)
    np.testing.assert_allclose(V[s["d"][0]], d, rtol=1e-13, atol=1e-14)
    assert s["slope"][0] == pytest.approx(V[G_ROWS] @ d, rel=1e-11)
    assert s["snorm"][0] == pytest.approx(np.linalg.norm(d), rel=1e-12)
    assert V[:3].tolist() == before.tolist()


def test_arrays_of_rates_and_hyper_parameters(descent):
    rng = np.random.default_rng(6)
    options = {name: rng.uniform(0.1, 0.9, N) for name in descent.hyper}
    rate = rng.uniform(0.1, 0.9, N)
    V, s = mid_run(descent, rng, learning_rate=rate, **options)
    d, _ = by_hand(descent, V, s, options)
    x = V[0].copy()
    run_kernel(descent, V, s, arrays=("learning_rate", *descent.hyper))
    np.testing.assert_allclose(V[1], x - rate * d, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("place", [0, 5, N - 1])
def test_nan_in_the_gradient_is_never_lost(descent, bounded, place):
    rng = np.random.default_rng(7)
    box = (np.full(N, -1.0), np.full(N, 1.0)) if bounded else None
    V, s = mid_run(descent, rng, box=box)
    V[G_ROWS, place] = np.nan
    run_kernel(descent, V, s, bounded=bounded)
    assert np.isnan(s["gnorm"][0])
    assert np.isnan(s["snorm"][0])
    assert np.isnan(V[1, place])


def test_vector_formula_equals_its_elementwise_twin():
    @elementwise(learning_rate=0.1)
    def scalar_form(g, x, m, *, beta1=0.5):
        m = beta1 * m + g
        return m + 0.1 * x, m

    @vector(learning_rate=0.1)
    def vector_form(g, x, m, *, beta1=0.5):
        m = beta1 * m + g
        return m + 0.1 * x, m

    results = []
    for method in (scalar_form, vector_form):
        V, s = mid_run(method, np.random.default_rng(8))
        run_kernel(method, V, s)
        results.append(V)
    np.testing.assert_allclose(*results, rtol=1e-14, atol=1e-15)


def test_states_may_start_elsewhere_and_returns_see_old_values():
    @elementwise(learning_rate=1.0, init={"a": 2.0, "b": 3.0})
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
    with pytest.raises(TypeError, match="'beta1' of 'overwrites' is assigned to"):

        @elementwise(learning_rate=1.0)
        def overwrites(g, *, beta1=0.9):
            beta1 = 0.5 * beta1
            return beta1 * g

    with pytest.raises(TypeError, match="'beta1' of 'by_tuple' is assigned to"):

        @elementwise(learning_rate=1.0)
        def by_tuple(g, m, *, beta1=0.9):
            m, beta1 = beta1, g
            return m, m

    with pytest.raises(TypeError, match="must not have"):

        @elementwise(learning_rate=1.0)
        def starred(*g):
            return g

    with pytest.raises(TypeError, match="number as default"):

        @elementwise(learning_rate=1.0)
        def without_default(g, *, beta1):
            return g

    with pytest.raises(TypeError, match="options of every method"):

        @elementwise(learning_rate=1.0)
        def takes_an_option(g, *, maxiter=3):
            return g

    with pytest.raises(TypeError, match="which are no states"):

        @elementwise(learning_rate=1.0, init={"w": 1.0})
        def no_such_state(g, m):
            return g, m

    with pytest.raises(TypeError, match="underscore"):

        @elementwise(learning_rate=1.0)
        def hides(g, _n):
            return g, _n


def test_formulas_that_cannot_be_lifted():
    @elementwise(learning_rate=1.0)
    def forgets(g, m):
        return g

    with pytest.raises(ValueError, match="must return the direction and then its states: d, m"):
        forgets(lambda x: x @ x, [1.0])

    @elementwise(learning_rate=1.0)
    def early(g):
        if g > 0:
            return 1.0
        return g

    with pytest.raises(ValueError, match="one return"):
        early(lambda x: x @ x, [1.0])

    scope = {"elementwise": elementwise}
    exec("@elementwise(learning_rate=1.0)\ndef nowhere(g):\n    return g", scope)
    with pytest.raises(ValueError, match="source of the formula 'nowhere'"):
        scope["nowhere"](lambda x: x @ x, [1.0])


NEW_METHOD = """
import numpy as np
from scipy.optimize import minimize
from scipy_gd import elementwise

@elementwise(learning_rate=0.5)
def sign_descent(g):
    return np.sign(g)

if __name__ == "__main__":
    res = minimize(lambda x: x @ x, [3.0, 4.0], jac=lambda x: 2 * x, method=sign_descent)
    print(res.success, res.nit)
"""


def test_a_users_own_method_in_a_file(tmp_path):
    script = tmp_path / "own.py"
    script.write_text(NEW_METHOD)
    for _ in range(2):
        out = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
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
