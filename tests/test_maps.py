"""Maps of R^n, their orbits, basins and reduced attracting sets."""

import pytest
import torch

from lltd.analysis import basins, maps
from lltd.philox import Purpose, normal

LATCH = maps.scalar("latch", lambda a: 2 * torch.tanh(a), lambda a: 2 / torch.cosh(a) ** 2)
REST = 1.9150080481545374  # a = 2 tanh a


def numbers(*shape):
    return normal(4, 0, torch.arange(torch.Size(shape).numel()), Purpose.NOISE)[0].reshape(shape).double()


def test_a_net_is_its_sums_written_out():
    W, bias, a = numbers(3, 3), numbers(3), numbers(5, 3)
    net = maps.tanh_net(W, bias)
    for run in range(5):
        for i in range(3):
            by_hand = sum(W[i, j] * torch.tanh(a[run, j]) for j in range(3)) + bias[i]
            torch.testing.assert_close(net(a)[run, i], by_hand)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_derivative_is_that_of_autograd(n):
    net, a = maps.tanh_net(numbers(n, n), numbers(n)), numbers(7, n)
    by_autograd = torch.stack([torch.autograd.functional.jacobian(net.M, state) for state in a])
    torch.testing.assert_close(net.derivative(a), by_autograd)


def test_an_orbit_adds_its_inputs_after_the_map():
    u = numbers(4, 3, 1)
    states = maps.orbit(LATCH, torch.zeros(3, 1, dtype=u.dtype), u)
    assert states.shape == (5, 3, 1)
    torch.testing.assert_close(states[1], u[0])
    torch.testing.assert_close(states[4], 2 * torch.tanh(states[3]) + u[3])


def test_an_orbit_without_inputs_is_the_autonomous_one():
    start = numbers(6, 1)
    driven = maps.orbit(LATCH, start, torch.zeros(9, 1, 1, dtype=start.dtype))
    assert torch.equal(driven, maps.autonomous(LATCH, start, 9))


def test_eigenvalues_and_norms_part_in_two_dimensions():
    shear = torch.tensor([[0.5, 4.0], [0.0, 0.5]], dtype=torch.float64)
    assert maps.spectral_radius(shear) == pytest.approx(0.5)
    assert maps.operator_norm(shear) > 4


def test_the_two_sides_of_a_latch_are_its_basins():
    points = torch.tensor([-3.0, -1e-3, 0.0, 1e-3, 3.0], dtype=torch.float64)[:, None]
    attractors = torch.tensor([[-REST], [REST]], dtype=torch.float64)
    assert basins.lead(LATCH, points, attractors, steps=100, radius=1e-6).tolist() == [0, 0, -1, 1, 1]


@pytest.mark.parametrize("size", [maps.spectral_radius, maps.operator_norm])
def test_the_reduced_attracting_set_of_a_latch_begins_where_its_slope_is_one(size):
    edge = torch.acosh(torch.tensor(2.0, dtype=torch.float64).sqrt())
    points = torch.stack((edge - 1e-6, edge + 1e-6, -edge - 1e-6, torch.zeros_like(edge)))[:, None]
    assert basins.reduced(LATCH, points, size, steps=60).tolist() == [False, True, True, False]


def test_a_reduced_set_asks_for_every_iterate():
    """M' < 1 at the start and later not: the derivative of M^2 is what tells."""
    bend = maps.scalar("bend", lambda a: 3 * a**2, lambda a: 6 * a)
    point = torch.tensor([[0.16]], dtype=torch.float64)
    assert bend.derivative(point) < 1 < bend.derivative(bend(bend(torch.tensor([[0.5]]))))
    assert basins.reduced(bend, point, maps.operator_norm, steps=50)
    rising = maps.scalar("rising", lambda a: a + 1, lambda a: torch.where(a < 1, 0.5, 4.0))
    assert basins.reduced(rising, torch.zeros(1, 1), maps.operator_norm, steps=1)
    assert not basins.reduced(rising, torch.zeros(1, 1), maps.operator_norm, steps=2)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"W has shape \(2, 3\)"):
        maps.tanh_net(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="steps is -1"):
        maps.autonomous(LATCH, torch.zeros(1), -1)
    with pytest.raises(ValueError, match="radius is 0"):
        basins.lead(LATCH, torch.zeros(1, 1), torch.zeros(1, 1), steps=1, radius=0)
