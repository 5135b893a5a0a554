"""Products of Jacobians that leave the range of floating point numbers."""

import math

import pytest
import torch
from flint import acb_mat, arb_mat, ctx

from lltd.analysis.jacobian_products import log_norms, log_singular_values, partial_products, product
from lltd.philox import Purpose, normal


def factors_of(case, steps, *shape):
    places = torch.arange(steps * math.prod(shape))
    return normal(4, case, places, Purpose.NOISE)[0].reshape(steps, *shape).double()


def exact_log_singular_values(factors):
    """Half the logarithms of the eigenvalues of P P^T, with a thousand binary digits."""
    try:
        ctx.prec = 1000
        P = arb_mat(factors[0].tolist())
        for factor in factors[1:]:
            P = arb_mat(factor.tolist()) * P
        eigenvalues = acb_mat(P * P.transpose()).eig()
        logs = [float(value.real.log()) / 2 for value in eigenvalues]
        return torch.tensor(sorted(logs, reverse=True), dtype=torch.float64)
    finally:
        ctx.prec = 53


@pytest.mark.parametrize(("n", "steps"), [(1, 50), (2, 3), (2, 300), (4, 40), (7, 12)])
def test_singular_values_agree_with_a_thousand_digits(n, steps):
    for case in range(3):
        factors = factors_of(case, steps, n, n)
        exact = exact_log_singular_values(factors)
        torch.testing.assert_close(log_singular_values(factors), exact, rtol=0, atol=1e-6)
        torch.testing.assert_close(log_norms(factors)[-1], exact[0], rtol=1e-10, atol=1e-10)


def test_blocks_of_factors_give_the_same_singular_values():
    factors = factors_of(0, 101, 20, 5, 5)
    one_by_one = log_singular_values(factors)
    assert one_by_one.shape == (20, 5)
    torch.testing.assert_close(log_singular_values(factors, every=4), one_by_one, rtol=0, atol=1e-6)


def test_a_product_of_moderate_size_is_the_plain_one():
    factors = factors_of(1, 9, 30, 6, 6)
    plain = factors[0]
    for factor in factors[1:]:
        plain = factor @ plain
    matrix, log = product(factors)
    torch.testing.assert_close(matrix * log.exp()[:, None, None], plain)
    torch.testing.assert_close(log_norms(factors)[-1], torch.linalg.matrix_norm(plain, ord=2).log())
    assert matrix.abs().amax((-2, -1)).allclose(torch.ones(30, dtype=plain.dtype))
    assert len(list(partial_products(factors))) == 9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decade", [-30, 30])
def test_a_thousand_steps_neither_overflow_nor_underflow(dtype, decade):
    """A rotation times 10^±30 at each step: all singular values of the product are 10^±30000."""
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=dtype) * 10.0**decade
    expected = torch.full((2,), 1000 * decade * math.log(10), dtype=dtype)
    torch.testing.assert_close(log_singular_values([turn] * 1000), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(log_norms([turn] * 1000)[-1], expected[0], rtol=1e-5, atol=0)


def test_directions_that_never_mix_are_all_found():
    scales = torch.tensor([0.1, 0.5, 2.0, 1.0], dtype=torch.float64)
    found = log_singular_values([torch.diag(scales)] * 1000)
    torch.testing.assert_close(found, 1000 * scales.log().sort(descending=True).values, rtol=0, atol=1e-6)


def test_a_lost_derivative_is_minus_infinity():
    zero = torch.zeros(3, 2, 2)
    assert torch.isneginf(log_norms([zero] * 3)).all()
    assert torch.isneginf(log_singular_values([zero] * 3)).all()


def test_the_latest_factor_stands_left():
    first, second = torch.tensor([[0.0, 1.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    assert product([second, first]).matrix.tolist() == [[0, 1], [0, 0]]
    assert torch.isneginf(product([first, second]).log)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="factors is empty"):
        product([])
    with pytest.raises(ValueError, match="every is 0"):
        log_singular_values([torch.eye(2)], every=0)


def test_a_hundred_units_over_a_thousand_steps():
    """All singular values of a net's derivative, the least over a thousand decades below the largest."""
    W = factors_of(2, 1, 2, 100, 100)[0] * 0.15
    states = [factors_of(3, 1, 2, 100)[0]]
    for _ in range(999):
        states.append((W @ torch.tanh(states[-1])[..., None])[..., 0])
    factors = [W * (1 - torch.tanh(a) ** 2)[..., None, :] for a in states]
    logs = log_singular_values(factors)
    matrix, log = product(factors)
    largest = torch.linalg.matrix_norm(matrix, ord=2).log() + log
    torch.testing.assert_close(logs[:, 0], largest, rtol=0, atol=1e-9)
    volume = sum(torch.linalg.slogdet(factor).logabsdet for factor in factors)
    torch.testing.assert_close(logs.sum(-1), volume)
    assert (logs[:, -1] < logs[:, 0] - 1000 * math.log(10)).all()
    in_blocks = log_singular_values(factors, every=20)
    torch.testing.assert_close(in_blocks[:, :50], logs[:, :50], rtol=0, atol=1e-6)
    single = log_singular_values([factor.float() for factor in factors], every=20)
    torch.testing.assert_close(single[:, :10].double(), logs[:, :10], rtol=0, atol=0.01)
