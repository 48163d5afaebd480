"""Studies of many runs: `comparison` of solvers on one problem, `sweep` over a grid of options."""
