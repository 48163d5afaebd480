"""A grid of settings on several cores, with joblib: any map that returns its results in order does.

With Dask it is ``lambda f, items: client.gather(client.map(f, items))``.
"""

from joblib import Parallel, delayed

from scipy_gd import adam, sweep
from scipy_gd.problems import rosenbrock


def workers(function, items):
    return Parallel(n_jobs=2)(delayed(function)(item) for item in items)


def main():
    result = sweep(
        rosenbrock(),
        method=adam,
        learning_rate=[0.01, 0.03, 0.1, 0.3],
        beta1=[0.5, 0.9],
        maxiter=5000,
        workers=workers,
    )
    print(result)
    return result


if __name__ == "__main__":
    main()
