"""The latch kernel: the reference against autograd, finite differences and theory, C++ against the reference."""

import math

import pytest
import torch
from drawn import compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from lltd import tasks
from lltd.kernels import latch
from lltd.kernels.latch import reference
from lltd.philox import Purpose
from lltd.systems import tanh_latch

INFINITE = float("inf")


def runs(count, weight=1.25, noise=0.2, lead=3, start="random"):
    ids = torch.arange(count)
    theta = latch.initial(1, ids, torch.full((count,), weight, dtype=torch.float64), lead, start)
    return ids, theta, torch.full((count,), noise, dtype=torch.float64)


def cost(theta, inputs, target):
    x = reference.forward(theta, inputs)[-1]
    return (x[0] + target) ** 2 + (x[1] - target) ** 2


@pytest.mark.parametrize(("length", "lead"), [(1, 1), (3, 3), (4, 3), (20, 3), (20, 4), (60, 1)])
def test_the_gradient_by_hand_is_that_of_autograd(length, lead):
    ids, theta, noise = runs(50, lead=lead)
    inputs = reference.draw(1, ids, 0, length - lead, Purpose.NOISE, noise)
    theta.requires_grad_()
    (expected,) = torch.autograd.grad(cost(theta, inputs, 0.8).sum(), theta)
    slope = reference.gradient(theta.detach(), inputs, 0.8)
    torch.testing.assert_close(slope, expected, rtol=1e-12, atol=1e-14)


def test_the_gradient_is_the_limit_of_differences_of_the_cost():
    ids, theta, noise = runs(20)
    inputs = reference.draw(1, ids, 0, 7, Purpose.NOISE, noise)
    slope, h = reference.gradient(theta, inputs, 0.8), 1e-6
    for row in range(len(theta)):
        shift = torch.zeros_like(theta)
        shift[row] = h
        difference = (cost(theta + shift, inputs, 0.8) - cost(theta - shift, inputs, 0.8)) / (2 * h)
        torch.testing.assert_close(difference, slope[row], rtol=1e-6, atol=1e-8)


def test_outputs_follow_equation_1_step_by_step():
    ids, theta, noise = runs(10)
    inputs, _ = tasks.latch(1, ids, 0, length=12, lead=3, noise=noise)
    u = inputs.clone()
    u[:3] = theta[1:].unflatten(0, (2, 3)).movedim(0, 1)
    a = torch.zeros(2, 10, dtype=torch.float64)
    for t in range(12):
        a = tanh_latch.step(a, theta[0], u[t])
    x = reference.forward(theta, reference.draw(1, ids, 0, 9, Purpose.NOISE, noise))
    torch.testing.assert_close(torch.tanh(a), x[-1], rtol=0, atol=0)


def test_without_noise_and_with_its_right_inputs_a_run_is_always_recalled():
    ids, theta, noise = runs(5, weight=2.0, noise=0.0, start="oracle")
    assert (latch.recall(1, ids, theta, noise=noise, length=200, draws=3) == 3).all()
    ids, theta, noise = runs(5, weight=2.0, noise=0.0, start="wrong")
    assert (latch.recall(1, ids, theta, noise=noise, length=200, draws=3) == 0).all()


def test_adam_is_the_optimizer_that_torch_has():
    ids, theta, noise = runs(8)
    inputs = [reference.draw(1, ids, epoch, 17, Purpose.NOISE, noise) for epoch in range(30)]
    theirs = theta.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.01)
    for presented in inputs:
        optimizer.zero_grad()
        cost(theirs, presented, 0.8).sum().backward()
        optimizer.step()
    ours, _ = reference.train(
        1,
        ids,
        theta,
        theta.new_zeros(2, *theta.shape),
        noise,
        0,
        30,
        20,
        0.01,
        0.8,
        reference.ADAM,
        True,
        True,
        INFINITE,
    )
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-9, atol=1e-12)


def test_noise_has_the_standard_deviation_asked_for_and_is_new_at_each_presentation():
    ids = torch.arange(4000)
    noise = torch.full((4000,), 0.3, dtype=torch.float64)
    first, second = (reference.draw(3, ids, epoch, 7, Purpose.NOISE, noise) for epoch in (0, 1))
    assert first.shape == (7, 2, 4000)
    assert abs(first.std() - 0.3) < 5 * 0.3 / math.sqrt(2 * first.numel())
    correlation = torch.corrcoef(torch.stack((first.flatten(), second.flatten())))[0, 1]
    assert abs(correlation) < 5 / math.sqrt(first.numel())


SETTINGS = [
    {"rule": "gradient"},
    {"rule": "sign"},
    {"rule": "adam"},
    {"rule": "gradient", "learn_weight": False},
    {"rule": "gradient", "fresh": False},
    {"rule": "gradient", "limit": 1.26},
]


def by_reference(ids, theta, noise, epochs, length, rate, rule="gradient", **options):
    """What `latch.train` returns, from the reference alone."""
    weight, fresh = options.get("learn_weight", True), options.get("fresh", True)
    numbers = (0, epochs, length, rate, 0.8, latch.RULES[rule], weight, fresh, options.get("limit", INFINITE))
    return reference.train(1, ids, theta, theta.new_zeros(2, *theta.shape), noise, *numbers)


@compiled
@pytest.mark.parametrize("setting", SETTINGS, ids=repr)
@pytest.mark.parametrize("length", [3, 4, 20, 60])
def test_the_compiled_face_equals_the_reference(setting, length):
    ids, theta, noise = runs(37)
    # An exploding gradient multiplies rounding too, from one epoch to the next: long sequences get one epoch.
    options = {"length": length, "epochs": 3 if length < 60 else 1, "rate": 0.01, **setting}
    fast = latch.train(1, ids, theta, noise=noise, **options)
    for ours, theirs in zip(fast, by_reference(ids, theta, noise, **options), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-15)


@compiled
@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 4), st.floats(0, 1), st.integers(3, 40), st.integers(0, 2**63 - 1))
def test_the_compiled_recall_equals_the_reference(weight, noise, length, seed):
    ids, theta, noise = runs(20, weight, noise)
    fast = latch.recall(seed, ids, theta, noise=noise, length=length, draws=3)
    slow = reference.recall(seed, ids, theta, noise, 0, 3, length)
    assert torch.equal(fast, slow)


@compiled
def test_in_float32_runs_differ_from_float64_as_far_as_their_gradients_explode():
    ids, theta, noise = runs(4000)
    options = {"length": 20, "epochs": 20, "rate": 0.01}
    exact, _ = by_reference(ids, theta, noise, **options)
    single, _ = latch.train(1, ids, theta.float(), noise=noise.float(), **options)

    def distance(other):
        """The largest error of a run's parameters, relative to its largest parameter."""
        return (other.double() - exact).abs().amax(0) / exact.abs().amax(0)

    error = distance(single)
    assert error.quantile(0.5) <= 1e-6 and error.quantile(0.99) <= 1e-3

    # How much a run magnifies a relative error in what it starts from, tried in four directions.
    shift = torch.linspace(0, 6, theta.numel(), dtype=torch.float64).view_as(theta)
    starts = [theta * (1 + 1e-9 * torch.cos(shift * k)) for k in (1, 10, 100, 1000)]
    moved = [latch.train(1, ids, start, noise=noise, **options)[0] for start in starts]
    magnified = torch.stack([distance(other) / 1e-9 for other in moved]).amax(0)
    beyond = error > 1e-3
    assert 0 < beyond.sum() <= 40
    assert magnified[beyond].min() > magnified.quantile(0.9)
    assert (error <= 64 * 2**-24 * (1 + magnified)).all()


@compiled
def test_runs_have_the_same_bits_alone_in_a_crowd_in_pieces_and_on_two_threads():
    ids, theta, noise = runs(100)
    options = {"noise": noise, "length": 20, "rate": 0.1, "rule": "adam"}
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        whole, memory = latch.train(1, ids, theta, epochs=40, **options)
    finally:
        torch.set_num_threads(threads)
    half, carried = latch.train(1, ids, theta, epochs=15, **options)
    pieces, again = latch.train(1, ids, half, carried, epochs=25, first=15, **options)
    assert torch.equal(whole, pieces) and torch.equal(memory, again)
    options["noise"] = noise[41:42]
    alone, _ = latch.train(1, ids[41:42], theta[:, 41:42], epochs=40, **options)
    assert torch.equal(whole[:, 41:42], alone)


def test_training_leaves_its_arguments_as_they_were_and_returns_new_tensors():
    ids, theta, noise = runs(20)
    before, memory = theta.clone(), theta.new_zeros(2, *theta.shape)
    for epochs in (0, 5):
        trained, remembered = latch.train(
            1, ids, theta, memory, noise=noise, length=20, epochs=epochs, rate=0.1
        )
        assert torch.equal(theta, before) and not memory.any()
        assert trained.data_ptr() != theta.data_ptr() and remembered.data_ptr() != memory.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_no_runs_are_no_trouble(dtype):
    ids, theta, noise = runs(0)
    trained, _ = latch.train(
        1, ids, theta.to(dtype), noise=noise.to(dtype), length=20, epochs=2, rate=0.1, rule="adam"
    )
    assert trained.shape == (7, 0)
    assert latch.recall(1, ids, theta, noise=noise, length=20, draws=2).shape == (2, 0)


def test_a_run_that_is_no_number_stays_so():
    ids, theta, noise = runs(3)
    theta[0, 1] = float("nan")
    trained, _ = latch.train(1, ids, theta, noise=noise, length=20, epochs=2, rate=0.1)
    assert trained[:, 1].isnan().all() and trained[:, ::2].isfinite().all()


def test_half_precision_takes_the_reference():
    ids, theta, noise = runs(20)
    theta, noise = theta.half(), noise.half()
    trained, _ = latch.train(1, ids, theta, noise=noise, length=10, epochs=2, rate=0.1)
    assert trained.dtype == torch.float16 and latch.face(theta) == "reference"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"length": 2}, ValueError, "length is 2, shorter than lead = 3"),
        ({"noise": torch.full((5,), -0.1, dtype=torch.float64)}, ValueError, "noise is .*not negative"),
        ({"noise": torch.zeros(4, dtype=torch.float64)}, TypeError, r"noise is torch.float64 \(4,\)"),
        ({"rule": "newton"}, ValueError, "rule is 'newton': one of gradient, sign, adam"),
        ({"rate": 0.0}, ValueError, "rate is 0.0"),
        ({"epochs": -1}, ValueError, "epochs is -1"),
        ({"target": 1.5}, ValueError, "target is 1.5"),
        ({"ids": torch.arange(4)}, TypeError, "ids is torch.int64"),
        ({"seed": -4}, ValueError, "seed is -4"),
        ({"theta": torch.zeros(4, 5, dtype=torch.float64)}, ValueError, r"theta has shape \(4, 5\)"),
        ({"theta": torch.zeros(7, 5, dtype=torch.int64)}, TypeError, "theta is torch.int64"),
        ({"memory": torch.zeros(2, 7, 4, dtype=torch.float64)}, TypeError, r"memory is .*\(2, 7, 4\)"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    ids, theta, noise = runs(5)
    options = {"seed": 1, "ids": ids, "theta": theta, "noise": noise, "length": 10, "epochs": 1, "rate": 0.1}
    with pytest.raises(error, match=message):
        latch.train(**{**options, **change})


def test_an_unknown_start_is_named():
    with pytest.raises(ValueError, match="start is 'left': one of random, wrong, oracle"):
        runs(3, start="left")


@pytest.mark.parametrize(("length", "lead", "message"), [(5, 0, "lead is 0"), (2, 3, "T >= L")])
def test_a_task_that_cannot_be_is_named(length, lead, message):
    with pytest.raises(ValueError, match=message):
        tasks.latch(1, torch.arange(3), 0, length=length, lead=lead, noise=0.2)
