"""NIST's reference data for nonlinear regression, https://www.itl.nist.gov/div898/strd/.

27 fits of curves to data, with two starts each. The parameters, their standard deviations and the
sum of squares are certified to eleven digits. The data are in the public domain. nist.json contains
what `python -m bench._nist FOLDER` reads from NIST's files.
"""

import functools
import json
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STORED = Path(__file__).with_name("nist.json")


class Fit(NamedTuple):
    name: str
    x: Any
    y: Any
    starts: Any  # a row for each
    certified: Any
    deviations: Any
    total: float  # the certified sum of squares
    model: Callable[[Any, Any], Any]
    slopes: Callable[[Any, Any], tuple]  # its derivatives, one for each parameter

    @property
    def residuals(self):
        return residuals(self.model)

    @property
    def jacobian(self):
        return jacobian(self.slopes)

    @property
    def data(self):
        return self.x, self.y

    @property
    def deviation(self):
        """The standard deviation of the data."""
        return np.sqrt(self.total / (self.y.size - self.certified.size))

    @property
    def least(self):
        """The sum of squares that the certified digits give: Lanczos1 has none of its own."""
        r = self.residuals(self.certified, *self.data)
        return max(self.total, r @ r)


def residuals(model):
    """A function of (b, x, y). Both are such that Numba can compile them."""
    return lambda b, x, y: model(b, x) - y


def jacobian(slopes):
    return lambda b, x, y: np.column_stack(slopes(b, x))


@functools.cache
def fits():
    """All 27 by their names. With several predictors x has a row for each of them."""
    found = {}
    for name, known in json.loads(STORED.read_text()).items():
        values = {key: np.array(value) for key, value in known.items()}
        if name == "Nelson":
            values["y"] = np.log(values["y"])
        model, slopes = MODELS[name]
        found[name] = Fit(name, **values, model=model, slopes=slopes)
    return found


def digits(found, known):
    """The right ones of the worst component: 0 to 11."""
    with np.errstate(all="ignore"):
        right = -np.log10(abs(found / known - 1).max())
    return float(np.clip(np.nan_to_num(right, nan=0), 0, 11))


# --- models, with their derivatives


def misra1a(b, x):
    return b[0] * (1 - np.exp(-b[1] * x))


def misra1a_slopes(b, x):
    e = np.exp(-b[1] * x)
    return 1 - e, b[0] * x * e


def misra1b(b, x):
    return b[0] * (1 - (1 + b[1] * x / 2) ** -2)


def misra1b_slopes(b, x):
    q = 1 + b[1] * x / 2
    return 1 - q**-2, b[0] * x * q**-3


def misra1c(b, x):
    return b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5)


def misra1c_slopes(b, x):
    q = 1 + 2 * b[1] * x
    return 1 - q**-0.5, b[0] * x * q**-1.5


def misra1d(b, x):
    return b[0] * b[1] * x / (1 + b[1] * x)


def misra1d_slopes(b, x):
    q = 1 + b[1] * x
    return b[1] * x / q, b[0] * x / q**2


def chwirut(b, x):
    return np.exp(-b[0] * x) / (b[1] + b[2] * x)


def chwirut_slopes(b, x):
    q = b[1] + b[2] * x
    y = np.exp(-b[0] * x) / q
    return -x * y, -y / q, -x * y / q


def lanczos(b, x):
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x)


def lanczos_slopes(b, x):
    e, f, g = np.exp(-b[1] * x), np.exp(-b[3] * x), np.exp(-b[5] * x)
    return e, -b[0] * x * e, f, -b[2] * x * f, g, -b[4] * x * g


def gauss(b, x):
    u, v = (x - b[3]) / b[4], (x - b[6]) / b[7]
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-(u**2)) + b[5] * np.exp(-(v**2))


def gauss_slopes(b, x):
    u, v = (x - b[3]) / b[4], (x - b[6]) / b[7]
    e, f, g = np.exp(-b[1] * x), np.exp(-(u**2)), np.exp(-(v**2))
    p, q = 2 * b[2] * f * u / b[4], 2 * b[5] * g * v / b[7]
    return e, -b[0] * x * e, f, p, p * u, g, q, q * v


def danwood(b, x):
    return b[0] * x ** b[1]


def danwood_slopes(b, x):
    return x ** b[1], b[0] * x ** b[1] * np.log(x)


def kirby2(b, x):
    return (b[0] + x * (b[1] + x * b[2])) / (1 + x * (b[3] + x * b[4]))


def kirby2_slopes(b, x):
    s = 1 / (1 + x * (b[3] + x * b[4]))
    y = (b[0] + x * (b[1] + x * b[2])) * s
    return s, x * s, x**2 * s, -x * y * s, -(x**2) * y * s


def cubics(b, x):
    return (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) / (1 + x * (b[4] + x * (b[5] + x * b[6])))


def cubics_slopes(b, x):
    s = 1 / (1 + x * (b[4] + x * (b[5] + x * b[6])))
    y = (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) * s
    return s, x * s, x**2 * s, x**3 * s, -x * y * s, -(x**2) * y * s, -(x**3) * y * s


def nelson(b, x):
    return b[0] - b[1] * x[0] * np.exp(-b[2] * x[1])


def nelson_slopes(b, x):
    e = x[0] * np.exp(-b[2] * x[1])
    return np.ones_like(e), -e, b[1] * x[1] * e


def mgh09(b, x):
    return b[0] * (x * x + b[1] * x) / (x * x + b[2] * x + b[3])


def mgh09_slopes(b, x):
    s = 1 / (x * x + b[2] * x + b[3])
    y = (x * x + b[1] * x) * s
    return y, b[0] * x * s, -b[0] * x * y * s, -b[0] * y * s


def mgh10(b, x):
    return b[0] * np.exp(b[1] / (x + b[2]))


def mgh10_slopes(b, x):
    q = x + b[2]
    e = np.exp(b[1] / q)
    return e, b[0] * e / q, -b[0] * b[1] * e / q**2


def mgh17(b, x):
    return b[0] + b[1] * np.exp(-b[3] * x) + b[2] * np.exp(-b[4] * x)


def mgh17_slopes(b, x):
    e, f = np.exp(-b[3] * x), np.exp(-b[4] * x)
    return np.ones_like(e), e, f, -b[1] * x * e, -b[2] * x * f


def rat42(b, x):
    return b[0] / (1 + np.exp(b[1] - b[2] * x))


def rat42_slopes(b, x):
    e = np.exp(b[1] - b[2] * x)
    s = 1 / (1 + e)
    return s, -b[0] * e * s**2, b[0] * x * e * s**2


def rat43(b, x):
    return b[0] / (1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3])


def rat43_slopes(b, x):
    e = np.exp(b[1] - b[2] * x)
    s = (1 + e) ** (-1 / b[3])
    d = b[0] * s / b[3]
    return s, -d * e / (1 + e), x * d * e / (1 + e), d / b[3] * np.log(1 + e)


def eckerle4(b, x):
    return b[0] / b[1] * np.exp(-(((x - b[2]) / b[1]) ** 2) / 2)


def eckerle4_slopes(b, x):
    u = (x - b[2]) / b[1]
    e = np.exp(-(u**2) / 2) / b[1]
    return e, b[0] / b[1] * e * (u**2 - 1), b[0] / b[1] * e * u


def roszman1(b, x):
    return b[0] - b[1] * x - np.arctan(b[2] / (x - b[3])) / np.pi


def roszman1_slopes(b, x):
    d = x - b[3]
    s = 1 / (np.pi * (d**2 + b[2] ** 2))
    return np.ones_like(d), -x, -d * s, -b[2] * s


def enso(b, x):
    t = 2 * np.pi * x
    return (
        b[0] + b[1] * np.cos(t / 12) + b[2] * np.sin(t / 12)
        + b[4] * np.cos(t / b[3]) + b[5] * np.sin(t / b[3])
        + b[7] * np.cos(t / b[6]) + b[8] * np.sin(t / b[6])
    )  # fmt: skip


def enso_slopes(b, x):
    t = 2 * np.pi * x
    u, v = t / b[3], t / b[6]
    return (
        np.ones_like(u), np.cos(t / 12), np.sin(t / 12),
        (b[4] * np.sin(u) - b[5] * np.cos(u)) * u / b[3], np.cos(u), np.sin(u),
        (b[7] * np.sin(v) - b[8] * np.cos(v)) * v / b[6], np.cos(v), np.sin(v),
    )  # fmt: skip


def bennett5(b, x):
    return b[0] * (b[1] + x) ** (-1 / b[2])


def bennett5_slopes(b, x):
    q = b[1] + x
    s = q ** (-1 / b[2])
    return s, -b[0] * s / (b[2] * q), b[0] * s * np.log(q) / b[2] ** 2


MODELS = {
    "Misra1a": (misra1a, misra1a_slopes),
    "Misra1b": (misra1b, misra1b_slopes),
    "Misra1c": (misra1c, misra1c_slopes),
    "Misra1d": (misra1d, misra1d_slopes),
    "Chwirut1": (chwirut, chwirut_slopes),
    "Chwirut2": (chwirut, chwirut_slopes),
    "Lanczos1": (lanczos, lanczos_slopes),
    "Lanczos2": (lanczos, lanczos_slopes),
    "Lanczos3": (lanczos, lanczos_slopes),
    "Gauss1": (gauss, gauss_slopes),
    "Gauss2": (gauss, gauss_slopes),
    "Gauss3": (gauss, gauss_slopes),
    "DanWood": (danwood, danwood_slopes),
    "Kirby2": (kirby2, kirby2_slopes),
    "Hahn1": (cubics, cubics_slopes),
    "Nelson": (nelson, nelson_slopes),
    "MGH09": (mgh09, mgh09_slopes),
    "MGH10": (mgh10, mgh10_slopes),
    "MGH17": (mgh17, mgh17_slopes),
    "Thurber": (cubics, cubics_slopes),
    "BoxBOD": (misra1a, misra1a_slopes),
    "Rat42": (rat42, rat42_slopes),
    "Rat43": (rat43, rat43_slopes),
    "Eckerle4": (eckerle4, eckerle4_slopes),
    "Roszman1": (roszman1, roszman1_slopes),
    "ENSO": (enso, enso_slopes),
    "Bennett5": (bennett5, bennett5_slopes),
}


# --- NIST's files


def parsed(text):
    """One of NIST's files: rows "b1 = start start certified deviation", and a table of the data."""
    rows = re.findall(r"^ *b\d+ = +(\S+) +(\S+) +(\S+) +(\S+) *$", text, re.MULTILINE)
    *starts, certified, deviations = np.array(rows, float).T.tolist()
    total = float(re.search(r"Residual Sum of Squares: +(\S+)", text)[1])
    table = text.splitlines()[60:]  # below "Data:  y  x"
    y, *x = np.array([line.split() for line in table if line.strip()], float).T.tolist()
    return {
        "x": x if len(x) > 1 else x[0],
        "y": y,
        "starts": starts,
        "certified": certified,
        "deviations": deviations,
        "total": total,
    }


def store(folder):
    blocks = []
    for name in MODELS:
        known = parsed((Path(folder) / f"{name}.dat").read_text())
        lines = [f'"{key}": {json.dumps(value)}' for key, value in known.items()]
        wrapped = [textwrap.fill(line, 100, subsequent_indent=" ") for line in lines]
        blocks.append(f'"{name}": {{\n' + ",\n".join(wrapped) + "\n}")
    STORED.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    store(sys.argv[1])
