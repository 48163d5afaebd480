"""Steps along the gradient, with or without memory of the last ones."""

from .._method import elementwise


@elementwise(learning_rate=1e-3, example={"learning_rate": 0.1})
def gd(g):
    """Gradient descent: straight down the slope.

    References
    ----------
    A. Cauchy, "Methode generale pour la resolution des systemes d'equations simultanees",
    Comptes Rendus 25, 536-538 (1847).
    """
    return g


@elementwise(learning_rate=1e-3, example={"learning_rate": 0.1})
def momentum(g, v, *, momentum=0.9, dampening=0.0):
    """Gradient descent with momentum (the heavy ball): steps along a velocity.

    The velocity is kept in units of the gradient. For a constant rate this is the same as the form
    ``v <- momentum v - learning_rate g; x <- x + v``. With ``dampening = momentum`` the velocity is
    the running average of the gradients, and the steps are those of ``dampening = 0`` at the rate
    ``(1 - momentum) learning_rate``; the schedule ``t -> a / (1 - momentum**t)`` corrects its bias.
    (torch.optim.SGD leaves out the dampening in the first step.)

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Computational Mathematics and Mathematical Physics 4(5), 1-17 (1964),
    https://doi.org/10.1016/0041-5553(64)90137-5. I. Goodfellow, Y. Bengio and A. Courville, "Deep
    Learning" (2016), Algorithm 8.2, https://www.deeplearningbook.org.
    """
    v = momentum * v + (1 - dampening) * g
    return v, v


@elementwise(learning_rate=1e-3, example={"learning_rate": 0.1})
def nesterov(g, v, *, momentum=0.9):
    """Nesterov's accelerated gradient, with a constant momentum.

    The iterate is the look-ahead point ``x + momentum v``, where the gradient is taken: the result
    is a point whose gradient is known. Written for the other point, these are the two-point form of
    the book and of Sutskever et al., equations 3 and 4, and `torch.optim.SGD(nesterov=True)`.

    References
    ----------
    Y. Nesterov, "A method for solving the convex programming problem with convergence rate
    O(1/k^2)", Soviet Mathematics Doklady 27, 372-376 (1983). I. Sutskever, J. Martens, G. Dahl and
    G. Hinton, "On the importance of initialization and momentum in deep learning", ICML (2013),
    https://proceedings.mlr.press/v28/sutskever13.html. Goodfellow et al. (2016), Algorithm 8.3.
    """
    v = momentum * v + g
    return g + momentum * v, v
