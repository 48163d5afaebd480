"""When each method works and when it fails: what the formula and the figures do not say."""

ADVICE = {
    "gd": (
        "Smooth functions of any size whose curvatures differ by up to about a million: with the "
        "automatic step it is a spectral gradient method, and a strong one.",
        "With a fixed rate it crawls along narrow valleys, and diverges as soon as the rate is "
        "above 2 over the largest curvature.",
    ),
    "sgd": (
        "Mini-batches of a well scaled loss: nothing is simpler, and on convex losses little is "
        "better, with a falling rate or an average.",
        "Features of different scales, which want different rates: scale them, or take `adam`. A "
        "constant rate never settles, and one above 2 over the largest curvature diverges. "
        "Without mini-batches it is `gd`.",
    ),
    "momentum": (
        "Long valleys at a fixed rate, and mini-batches, whose noise the velocity averages out.",
        "It runs past the minimum and swings back; lower `momentum`, or the rate, where it does. "
        "With the automatic step plain `gd` mostly needs fewer evaluations.",
    ),
    "nesterov": (
        "As `momentum`, with less swinging, since the gradient is taken where the velocity leads.",
        "A momentum that is too large for the function swings all the same: `nesterov_restart` "
        "finds a suitable one.",
    ),
    "adagrad": (
        "Parameters of different scales, and sparse gradients: each parameter has its own rate.",
        "The rates only fall. With a fixed `learning_rate` a long run stalls before the "
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
    "adam_uncorrected": (
        "Following lecture notes step by step, and comparing with their figures.",
        "As `adam`. The first steps are about three times as long as the rate says, since neither "
        "bias is corrected: a rate that suits `adam` may be too large for them.",
    ),
    "adamw": (
        "As `adam`, where the parameters are to be kept small: the decay does not pass through the "
        "moments.",
        "As `adam`. A decay moves the point where it settles away from the minimum of f.",
    ),
    "amsgrad": (
        "As `adam`, where rare large gradients carry the information: their weight is not "
        "forgotten.",
        "As `adam`; and one outlier, such as a very steep start, keeps the steps short for good.",
    ),
    "nadam": (
        "As `adam`, along valleys, where looking one step ahead saves some of the swinging.",
        "It shares the weaknesses of `adam`.",
    ),
    "adan": (
        "As `adam`, along valleys: the change of the gradient shortens the swinging, often with "
        "fewer steps.",
        "Noise, which counts twice, in the gradient and in its change; and it keeps four numbers "
        "for each parameter.",
    ),
    "radam": (
        "As `adam` with a fixed rate, but without a warm-up: the first steps do not depend on "
        "averages of a few squares.",
        "The first five steps are those of momentum, and as long as the gradient is steep: a rate "
        "that suits the rest may be too large for them.",
    ),
    "adamax": (
        "As `adam`, where gradients are sparse or have heavy tails: the largest one counts.",
        "As `adam`; and it forgets a large gradient slowly.",
    ),
    "adabelief": (
        "As `adam`, where the gradient is steady: the steps are long while it agrees with its "
        "average.",
        "As `adam`. Without noise the variance is nearly 0, and a fixed rate is soon too large.",
    ),
    "yogi": (
        "As `adam`, with gradients that are mostly 0: the mean square does not vanish between two "
        "of them.",
        "Its guard of 1e-3 is large: gradients smaller than that make shorter steps than those of "
        "`adam`.",
    ),
    "laprop": (
        "As `adam`, where the size of the gradients jumps: a large one takes nothing from "
        "those before it.",
        "As `adam`, whose other weaknesses it shares.",
    ),
    "adopt": (
        "Mini-batches with rare large gradients, for which `adam` needs a `beta2` that is tuned: "
        "here any will do.",
        "Short runs: the steps begin small, and grow as the average fills and the clipping opens.",
    ),
    "ademamix": (
        "Mini-batches and runs of many thousands of steps: old gradients still count.",
        "Short runs, in which the slow average hardly fills; and functions that change their "
        "character on the way, where it goes on in an old direction.",
    ),
    "adabound": (
        "Mini-batches: it begins as `adam` and ends as momentum, which often does better on data "
        "that were not fitted.",
        "The last rate, `final_rate * learning_rate`, must suit the function, as that of any "
        "gradient descent; the default is meant for losses of neural networks.",
    ),
    "swats": (
        "As `adabound`, but the rate of the second half is measured in the first.",
        "Where the rate never settles it remains `adam`; where it settles too early the rest is "
        "slow.",
    ),
    "lion": (
        "Mini-batches and very many parameters: one state vector, and noise counts by its sign "
        "only.",
        "All steps are equally long in all parameters: without a falling rate it never "
        "settles, and it does not suit parameters of different units.",
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
        "Functions that are not convex: nothing ensures descent.",
    ),
    "dowg": (
        "Convex functions without a rate to choose, and without function values.",
        "Functions that are not convex: distance travelled in the wrong direction counts for good.",
    ),
    "prodigy": (
        "Mini-batches without a rate to choose: it finds the rate of `adamw` on the way.",
        "The estimate only grows: on functions that are not convex it may settle on a rate that is "
        "too large for the end. A cosine schedule from 1 to 0 helps.",
    ),
    "schedule_free_sgd": (
        "Mini-batches, when you do not know how long the run will be: the average does what a "
        "falling rate would.",
        "The rate itself must still be chosen; at a rate that is too large the average does not "
        "help.",
    ),
    "schedule_free_adamw": (
        "As `schedule_free_sgd`, for parameters of different scales.",
        "It shares the weakness of `schedule_free_sgd`.",
    ),
    "nesterov_restart": (
        "Convex functions, badly conditioned ones too, without a rate to choose.",
        "It takes two evaluations of f for a gradient; on functions that are not convex it "
        "restarts so often that it loses its advantage.",
    ),
    "cg_descent": (
        "Very many parameters: it remembers a single direction, and solves nearly as many problems "
        "as `lbfgs`.",
        "Noise in the gradient, which breaks the conjugacy; functions with kinks.",
    ),
    "lbfgs": (
        "Smooth functions, with bounds or without, with a gradient or without, exact or rounded: "
        "the first choice. With a gradient, functions with kinks, too.",
        "Mini-batches, and values that are mostly noise: it stops where it can see no further. "
        "Kinks without a gradient.",
    ),
    "newton": (
        "Few parameters (up to some hundreds) with a Hessian, or with gradients exact enough for "
        "differences; badly conditioned functions. For a sum of squares, `levenberg_marquardt` "
        "needs no second derivatives.",
        "Many parameters: a step costs the cube of their number, and without a gradient half the "
        "square of it in values. Functions with kinks.",
    ),
    "levenberg_marquardt": (
        "Fits, that is sums of squares, with up to some hundreds of parameters in any units, with "
        "or without a Jacobian. It needs few evaluations, and the result has the errors of the "
        "parameters.",
        "Many parameters: a step costs the cube of their number, and memory holds the whole "
        "Jacobian. Residuals that stay large and bend strongly make it slow, since J'J is not the "
        "Hessian then: try `newton` or `lbfgs`. Without a Jacobian, noisy residuals.",
    ),
    "random_search": (
        "Few parameters and a function without a usable gradient: steps, a rugged surface.",
        "More than some ten parameters; and it cannot tell when it has arrived.",
    ),
    "spsa": (
        "Simulations and experiments whose values are mostly noise: no gradient, any number of "
        "parameters at two values a step.",
        "Exact functions, or nearly so, where `lbfgs` without a gradient needs far fewer values; "
        "parameters of different scales, since all are perturbed by the same `c`.",
    ),
}
