"""When each method works and when it fails: what the formula and the figures do not say."""

ADVICE = {
    "gd": (
        "Smooth functions of any size whose curvatures differ by up to about a million: with the "
        "automatic step it is a spectral gradient method, and a strong one.",
        "With a fixed rate it crawls along narrow valleys, and diverges as soon as the rate is "
        "above 2 over the largest curvature.",
    ),
    "momentum": (
        "Long valleys at a fixed rate, and mini-batches, whose noise the velocity averages out.",
        "It runs past the minimum and swings back; lower `momentum`, or the rate, where it does. "
        "With the automatic step plain `gd` mostly needs fewer evaluations.",
    ),
    "nesterov": (
        "As `momentum`, with less swinging, since the gradient is taken where the velocity leads.",
        "A momentum that is too large for the function swings all the same: `nesterov_restart` "
        "finds out by itself.",
    ),
    "adagrad": (
        "Parameters of different scales, and sparse gradients: each parameter has its own rate.",
        "The rates only fall. With a fixed `learning_rate` a long run comes to rest before the "
        "minimum; the automatic step makes up for it.",
    ),
    "rmsprop": (
        "Parameters of different scales on a function that changes its character on the way, and "
        "mini-batches.",
        "With a fixed rate the steps do not shrink near the minimum: it circles there, about the "
        "rate away. Let the rate fall with a schedule.",
    ),
    "rmsprop_nesterov": (
        "As `rmsprop`, along valleys.",
        "As `rmsprop`; and the momentum makes the circle larger.",
    ),
    "adadelta": (
        "Parameters of different units: the steps have the units of the parameters.",
        "At its published rate of 1 the first steps are tiny, some thousandths, and grow slowly.",
    ),
    "adam": (
        "Mini-batches and other noisy gradients; gradients whose size differs by orders of "
        "magnitude between parameters; a first attempt at anything.",
        "For smooth deterministic functions it is the wrong tool: `lbfgs` needs a tenth of the "
        "evaluations or less. A fixed rate leaves it about that far from the minimum.",
    ),
    "adamw": (
        "As `adam`, where the parameters are to be kept small: the decay does not pass through the "
        "moments.",
        "As `adam`. A decay moves the point where it comes to rest away from the minimum of f.",
    ),
    "rprop": (
        "Deterministic gradients of which only the signs can be trusted: each parameter's step "
        "depends on nothing else.",
        "Mini-batches, where signs change by chance; narrow valleys that lie across the axes.",
    ),
    "spg": (
        "Bounds, very many parameters, and steps that must cost next to nothing.",
        "Condition numbers beyond about a million; `lbfgs` is better where its memory is no "
        "burden.",
    ),
    "adgd": (
        "Convex functions whose value is expensive or unknown: it asks for gradients only.",
        "Functions that are not convex: nothing watches over the descent.",
    ),
    "nesterov_restart": (
        "Convex functions, badly conditioned ones too, without a rate to choose.",
        "It takes two evaluations of f for a gradient; on functions that are not convex it "
        "restarts so often that it loses its advantage.",
    ),
    "cg_descent": (
        "Very many parameters: it remembers a single direction, and solves nearly as many problems "
        "as `lbfgs`.",
        "Noise in f or in its gradient, which breaks the conjugacy and the line search.",
    ),
    "lbfgs": (
        "Smooth functions with a gradient, with bounds or without: the first choice.",
        "Noise in f or in its gradient, mini-batches; functions with kinks at the minimum.",
    ),
    "newton": (
        "Few parameters (up to some hundreds) with a Hessian, or with gradients exact enough for "
        "differences; badly conditioned functions.",
        "Many parameters: a step costs the cube of their number. The bounds are kept by projection "
        "only, which is slow where many hold.",
    ),
    "random_search": (
        "Few parameters and a function without a usable gradient: kinks, steps, noise of small "
        "size.",
        "More than some ten parameters; and it never knows that it has arrived.",
    ),
}
