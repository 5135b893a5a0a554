"""Learning the minimal task with one tanh neuron: the mathematics, in plain torch. [BFS93] section II.

The neuron: a_t = w tanh(a_{t-1}) + u_t, a_0 = 0, x_t = tanh(a_t) (eq. 1). Class k = 0, 1 has its own inputs
u_1 … u_L; all later inputs are noise. The cost of one presentation is C = (x_T^0 + x̄)² + (x_T^1 - x̄)².

Letters: T length, L lead, B runs, P = 1 + 2L parameters: theta[0] = w, then u^0_1 … u^0_L, u^1_1 … u^1_L.
"""

import torch
from torch import Tensor

from lltd.philox import Purpose
from lltd.tasks import latch_noise

GRADIENT, SIGN, ADAM = 0, 1, 2  # the rules of learning: how a step follows from a gradient
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Kingma & Ba 2015, algorithm 1


def draw(seed: int, ids: Tensor, presentation: int, steps: int, purpose: int, noise: Tensor) -> Tensor:
    """The noise of one presentation, (T - L, 2, B), with standard deviations noise (B,)."""
    return noise * latch_noise(seed, ids, presentation, steps, purpose, noise.dtype)


def forward(theta: Tensor, inputs: Tensor) -> Tensor:
    """Outputs x_0 … x_T, (T + 1, 2, B), of theta (P, B) under the noise inputs (T - L, 2, B)."""
    w, u = theta[0], theta[1:].unflatten(0, (2, -1)).movedim(0, 1)  # (B), (L, 2, B)
    x = [torch.zeros_like(u[0])]
    for u_t in torch.cat((u, inputs)):
        x.append(torch.tanh(w * x[-1] + u_t))
    return torch.stack(x)


def gradient(theta: Tensor, inputs: Tensor, target: float) -> Tensor:
    """Gradient of C in theta, (P, B), by back-propagation through time written out by hand."""
    w, lead = theta[0], (len(theta) - 1) // 2
    x = forward(theta, inputs)
    wanted = torch.tensor([[-target], [target]], dtype=theta.dtype, device=theta.device)
    delta = 2 * (x[-1] - wanted) * (1 - x[-1] ** 2)  # dC/da_T
    by_w, by_u = torch.zeros_like(w), []
    for t in range(len(x) - 1, 0, -1):
        by_w = by_w + (delta * x[t - 1]).sum(0)
        if t <= lead:
            by_u.append(delta)
        delta = delta * w * (1 - x[t - 1] ** 2)  # dC/da_{t-1}
    return torch.cat((by_w[None], torch.stack(by_u[::-1], dim=1).flatten(0, 1)))


def update(
    theta: Tensor, memory: Tensor, slope: Tensor, number: int, rate: float, rule: int
) -> tuple[Tensor, Tensor]:
    """One step of learning along slope (P, B); memory (2, P, B) holds Adam's two running means."""
    if rule == GRADIENT:
        return theta - rate * slope, memory
    if rule == SIGN:
        return theta - rate * torch.sign(slope), memory
    mean = BETA1 * memory[0] + (1 - BETA1) * slope
    square = BETA2 * memory[1] + (1 - BETA2) * slope**2
    size = torch.sqrt(square / (1 - BETA2**number)) + EPSILON
    return theta - rate * (mean / (1 - BETA1**number)) / size, torch.stack((mean, square))


def train(
    seed: int,
    ids: Tensor,
    theta: Tensor,
    memory: Tensor,
    noise: Tensor,
    first: int,
    epochs: int,
    length: int,
    rate: float,
    target: float,
    rule: int,
    learn_weight: bool,
    fresh: bool,
    limit: float,
) -> tuple[Tensor, Tensor]:
    """Epochs first … first + epochs - 1 of learning: theta (P, B) and memory (2, P, B) after them."""
    steps = length - (len(theta) - 1) // 2
    for epoch in range(first, first + epochs):
        inputs = draw(seed, ids, epoch if fresh else 0, steps, Purpose.NOISE, noise)
        slope = gradient(theta, inputs, target)
        if not learn_weight:
            slope[0] = 0
        theta, memory = update(theta, memory, slope, epoch + 1, rate, rule)
        theta[0] = theta[0].clamp(-limit, limit)
    return theta, memory


def recall(
    seed: int, ids: Tensor, theta: Tensor, noise: Tensor, first: int, draws: int, length: int
) -> Tensor:
    """How many of `draws` fresh presentations end on the right side of zero, for each class: int64 (2, B)."""
    steps = length - (len(theta) - 1) // 2
    right = torch.zeros(2, theta.shape[1], dtype=torch.int64, device=theta.device)
    for presentation in range(first, first + draws):
        end = forward(theta, draw(seed, ids, presentation, steps, Purpose.TEST, noise))[-1]
        right += torch.stack((end[0] < 0, end[1] > 0))
    return right
