"""Chapter error_flow: [HBFS01] section 2, its equations and bounds tried on random nets, and its claims."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from lltd.analysis import bit_descent, error_bounds, error_flow, random_nets, step_factor, three_forms
from lltd.analysis.jacobian_products import partial_products
from lltd.claims import claim
from lltd.experiments import experiment, read
from lltd.record import Recipe, Record
from lltd.rules import Count, Row, at_least, constant, corrected, equation, proved, trend

SIZES = [2, 5, 10, 30, 100]  # units n
GAINS = [1, 4, 12, 40]  # standard deviation of a weight times sqrt(n); at 4 a centred net is on the edge
LAGS = [1, 2, 3, 5, 10, 20, 30, 50, 100]  # q at which sizes are kept
LONG_SIZES = [1, 10, 30, 100]
LONG_GAINS = [2 ** (k / 2) for k in range(21)]  # 1 … 1024
LONG_LAGS = [1, 10, 100, 1000]
SEED = 2001  # of what is drawn on the page
TEN = math.log(10)
ERROR_UNIT = 1e-4  # in which the errors of training are stored
TESTS = "test_error_flow.py"
TOGETHER = 1_000_000  # weights of the nets that run side by side: 8 MB, enough to share the cost of a call
LANES = 16  # a multiple of the elements that any processor takes at once


def groups(recipe: Recipe, ids: Tensor) -> Iterator[tuple[Tensor, int, random_nets.Nets]]:
    """Runs that go side by side: their places in `ids`, their number of units n, their nets.

    A group is filled up to whole SIMD vectors by its first run. The numbers left over by a vector loop are rounded
    otherwise, and chaotic nets would make other runs of them; so each run is the same in whatever company.
    """
    settings = [recipe.settings(run) for run in ids.tolist()]
    for n in dict.fromkeys(cell["n"] for cell in settings):
        places = torch.tensor([i for i, cell in enumerate(settings) if cell["n"] == n])
        for chunk in places.split(max(1, TOGETHER // n**2)):
            chunk = torch.cat((chunk, chunk[:1].expand(-len(chunk) % LANES)))
            chosen = ids[chunk.to(ids.device)]
            values = [[settings[i][key] for i in chunk.tolist()] for key in ("gain", "centred")]
            gain, centred = torch.tensor(values, dtype=torch.float64, device=ids.device)
            yield chunk, n, random_nets.draw(recipe.seed, chosen, n, gain, centred)


@experiment(
    "error_flow/bounds",
    version=2,
    seed=2001,
    runs=2 * 5 * 4 * 75,
    shard=2 * 5 * 4 * 15,
    parameters={"vary": {"centred": [True, False], "n": SIZES, "gain": GAINS}},
    drift=0.1,  # as below, over shorter lags
)
def bounds(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The error's factor over lags up to 100 and what bounds it, in decades, for 3000 random nets."""
    names = error_bounds.QUANTITIES
    decades = torch.empty(len(ids), len(LAGS), len(names), dtype=torch.float32)
    for places, n, nets in groups(recipe, ids):
        inputs = random_nets.noise(recipe.seed, ids[places.to(ids.device)], n, LAGS[-1])
        sizes = error_bounds.log_sizes(nets.W, random_nets.slopes(nets, inputs))
        kept = torch.stack([sizes[name][[q - 1 for q in LAGS]] for name in names], -1)  # (lags, nets, names)
        decades[places] = (kept / TEN).movedim(0, 1).to("cpu", torch.float32)
    return {"decades": decades.numpy().round(3)}


@experiment(
    "error_flow/lags",
    version=2,
    seed=1991,
    runs=2 * 4 * 21 * 24,
    shard=2 * 4 * 21 * 2,
    parameters={"vary": {"centred": [True, False], "n": LONG_SIZES, "gain": LONG_GAINS}},
    drift=0.3,  # nets whose error explodes are chaotic: rounding picks another run of the same kind
)
def lags(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The error's factor over lags up to 1000, in decades, over the size of the weights, and the slopes met."""
    decades = torch.empty(len(ids), len(LONG_LAGS), dtype=torch.float32)
    slopes = torch.empty(len(ids), 2, dtype=torch.float32)
    for places, n, nets in groups(recipe, ids):
        met = torch.zeros(len(places), 2, dtype=nets.W.dtype, device=ids.device)
        inputs = random_nets.noise(recipe.seed, ids[places.to(ids.device)], n, LONG_LAGS[-1])
        products = partial_products(
            error_flow.jacobians(nets.W, _watched(random_nets.slopes(nets, inputs), met))
        )
        logs = [log for q, (_, log) in enumerate(products, 1) if q in LONG_LAGS]
        decades[places] = (torch.stack(logs, -1) / TEN).to("cpu", torch.float32)
        slopes[places] = (met / LONG_LAGS[-1]).to("cpu", torch.float32)
    return {"decades": decades.numpy().round(3), "slopes": slopes.numpy()}


@experiment(
    "error_flow/descent",
    version=2,
    seed=2001,
    runs=2 * 2 * 100,
    shard=2 * 2 * 50,
    parameters={
        "common": {"n": 20, "rate": 1.0, "epochs": 40, "centred": True},
        "vary": {"gain": [2, 12], "lag": [1, 20]},
    },
    flips=0.06,  # where errors explode, the last bit of a weight decides what is learnt
)
def descent(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Learning to carry a bit over a lag: errors, in units of ERROR_UNIT, and updates that turn back."""
    epochs = recipe.parameters["common"]["epochs"]
    error = np.empty((len(ids), epochs), np.uint16)
    turned = np.empty((len(ids), epochs - 1), np.uint8)
    cells = (ids % len(recipe.cells)).cpu()
    for number in cells.unique().tolist():
        cell, places = recipe.cells[number], (cells == number).nonzero()[:, 0]
        chosen = ids[places.to(ids.device)]
        nets = random_nets.draw(recipe.seed, chosen, cell["n"], cell["gain"], cell["centred"])
        found = bit_descent.descend(nets, recipe.seed, chosen, cell["lag"], cell["rate"], epochs)
        error[places] = (found.error.T / ERROR_UNIT).round().cpu()
        turned[places] = found.turned.T.cpu()
    return {"error": error, "turned": turned}


def _watched(slopes: Iterable[Tensor], met: Tensor) -> Iterator[Tensor]:
    """Pass the slopes on, and add their largest and their mean over the units to `met` (nets, 2)."""
    for slope in slopes:
        met += torch.stack((slope.amax(-1), slope.mean(-1)), -1)
        yield slope


def decades() -> np.ndarray:
    """The record of sizes, in decades: (cells, nets, lags, quantities)."""
    return read("error_flow/bounds").by_cell("decades")


def at(record: Record, name: str, **settings: float) -> np.ndarray:
    """An array's runs, over all cells of these settings: (cells * nets, …)."""
    return np.concatenate(record.by_cell(name)[record.where(**settings)])


def sizes(record: Record, n: int, gain: float, q: int, centred: bool = True) -> dict[str, np.ndarray]:
    """Decades of each quantity, (nets,), from the record of bounds."""
    found = at(record, "decades", n=n, gain=gain, centred=centred)[:, LAGS.index(q)]
    return dict(zip(error_bounds.QUANTITIES, found.T, strict=True))


def tightest(record: Record, n: int, gain: float, q: int, names: Iterable[str]) -> tuple[str, float]:
    """The bound that is lowest in most nets of a kind, both biases together, and in what share of them."""
    both = [sizes(record, n, gain, q, centred) for centred in (True, False)]
    names = list(names)
    lowest = np.concatenate([np.argmin([found[name] for name in names], axis=0) for found in both])
    counts = np.bincount(lowest, minlength=len(names))
    return names[counts.argmax()], counts.max() / counts.sum()


def trained(name: str, gain: float, lag: int) -> np.ndarray:
    """The record of the nets taught to carry a bit over a lag: "error" (nets, epochs), "turned" (nets, epochs - 1)."""
    record = read("error_flow/descent")
    return at(record, name, gain=gain, lag=lag) * {"error": ERROR_UNIT, "turned": 1.0}[name]


def turns(gain: float, lag: int) -> np.ndarray:
    """Share of a net's updates that point against the one before."""
    return trained("turned", gain, lag).mean(1)


def left_over(gain: float, lag: int) -> np.ndarray:
    """A net's last error over its first."""
    error = trained("error", gain, lag)
    return error[:, -1] / error[:, 0]


def by_time(gain: float, n: int = 20, steps: int = 50, nets: int = 200) -> Tensor:
    """Decades of what each step adds to the gradient of an error at the end, (steps, nets): its size as a matrix."""
    ids = torch.arange(nets)
    drawn = random_nets.draw(SEED, ids, n, gain, centred=True)
    inputs = list(random_nets.noise(SEED, ids, n, steps))
    slopes = list(random_nets.slopes(drawn, inputs))
    activations = list(random_nets.activations(drawn, inputs))
    delta = torch.zeros_like(slopes[0])
    delta[:, 0] = slopes[-1][:, 0] * (activations[-1][:, 0] - 0.9)
    found = []
    for t in range(steps - 1, 0, -1):
        found.append(delta.norm(dim=-1) * activations[t - 1].norm(dim=-1))
        delta = slopes[t - 1] * (delta[:, None] @ drawn.W)[:, 0]
    return torch.stack(found[::-1]).log10()


def recent_and_early(gain: float, span: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Decades of the mean contribution of the last and of the first `span` steps, (nets,) each."""
    found = by_time(gain)
    return found[-span:].mean(0).numpy(), found[:span].mean(0).numpy()


@claim("HBFS01.1")
def blow_up_or_vanish() -> Iterable[Row]:
    """At lag 1000, over all sizes, biases and weights of the record."""
    found = at(read("error_flow/lags"), "decades")[:, -1]
    gone = Count(int((np.abs(found) > 3).sum()), len(found))
    return at_least("lag 1000: errors scaled by more than a factor 1000, up or down", 0.95, gone)


@claim("HBFS01.2")
def exponential_in_the_weights() -> Iterable[Row]:
    """At fixed slopes a factor is homogeneous of degree q in the weights; running nets follow at small weights."""
    worst = 0.0
    for number in range(100):
        case = three_forms.random_case(number)
        slopes = three_forms.slopes(case)
        once, more = error_flow.flow(case.W, slopes).log, error_flow.flow(1.7 * case.W, slopes).log
        worst = max(worst, abs((more - once).item() - len(slopes) * math.log(1.7)))
    record = read("error_flow/lags")
    small, larger = (at(record, "decades", gain=gain)[:, -1] for gain in (1.0, 2.0))
    return (
        *equation("weights times 1.7 at the same slopes: factor times 1.7^q", 100, max(worst, 1e-12), 1e-9),
        *trend("lag 1000: log factor, weights of gain 1 and 2", small, larger),
    )


@claim("HBFS01.3")
def oscillation_and_stagnation() -> Iterable[Row]:
    """Two ways for training to go wrong, each against the nets that do not have its cause."""
    return (
        *trend(
            "lag 20: updates that turn back, where errors vanish and where they explode",
            turns(2, 20),
            turns(12, 20),
        ),
        *trend(
            "small weights: error left after 40 epochs, lag 1 and lag 20, where it vanishes",
            left_over(2, 1),
            left_over(2, 20),
        ),
    )


@claim("HBFS01.8")
def first_equation() -> Iterable[Row]:
    """The recursion."""
    return _against_autograd("recursion", 0)


@claim("HBFS01.9")
def second_equation() -> Iterable[Row]:
    """The sum over paths."""
    return _against_autograd("sum over paths", 1)


@claim("HBFS01.22")
def matrix_form() -> Iterable[Row]:
    """The printed product of matrices, together with the product of Jacobians and the complex step."""
    return _against_autograd("matrix form, product, complex step", 2)


def _against_autograd(form: str, place: int) -> Iterable[Row]:
    worst = max(three_forms.differences()[place], 1e-13)  # below, machines differ
    return equation(f"{form} against autograd", 100, worst, three_forms.TOLERANCE)


@claim("HBFS01.10")
def total_flow() -> Iterable[Row]:
    """A finite sum of numbers that go to zero."""
    return proved("a sum over output units", f"{TESTS}::test_the_total_flow_is_the_sum_over_output_units")


@claim("HBFS01.11")
def growing_paths() -> Iterable[Row]:
    """Two steps of the argument fail: above one is not bounded away from one, and paths cancel."""
    return (
        *corrected(
            "the largest product grows exponentially",
            "if |f' w| >= rho > 1 with one rho for all steps",
            f"{TESTS}::test_step_factors_may_exceed_one_for_ever_and_leave_a_path_finite",
        ),
        *corrected(
            "the error explodes",
            "its largest path does; paths of opposite sign may cancel, to zero even",
            f"{TESTS}::test_every_path_grows_and_their_sum_is_zero",
        ),
    )


@claim("HBFS01.12")
def opposite_errors() -> Iterable[Row]:
    """Updates that turn back, in nets that differ in the size of their weights only (which cause some at lag 1 too)."""
    calm, wild = (turns(gain, 20) for gain in (2, 12))
    return trend("lag 20: updates that turn back, where errors vanish and where they explode", calm, wild)


@claim("HBFS01.13")
def shrinking_paths() -> Iterable[Row]:
    """The same two steps, downwards."""
    return (
        *corrected(
            "the largest product shrinks exponentially",
            "if |f' w| <= rho < 1 with one rho for all steps",
            f"{TESTS}::test_step_factors_may_exceed_one_for_ever_and_leave_a_path_finite",
        ),
        *corrected(
            "the error vanishes",
            "if the spectral radius of |W| is below 4: there are n^(q-1) paths",
            f"{TESTS}::test_every_path_shrinks_and_their_sum_grows",
        ),
    )


@claim("HBFS01.14")
def steepest_slope() -> Iterable[Row]:
    """The product f (1 - f) is largest at f = 1/2."""
    net = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    return constant("largest slope", 0.25, 0.005, random_nets.logistic_slope(net).max().item())


@claim("HBFS01.15")
def coth_formula() -> Iterable[Row]:
    """The slope of the step factor in w, by central differences, where coth puts its maximum."""
    worst, cases = 0.0, 0
    for a in (-1.0, -0.3, 0.05, 0.5, 1.0):
        for c in (-6.0, -1.0, 0.0, 0.5, 4.0):
            for w in step_factor.best_weights(a, c):
                near = torch.tensor([w - 1e-4 / a, w, w + 1e-4 / a], dtype=torch.float64)
                low, best, high = step_factor.step_factor(near, a, c).tolist()
                worst, cases = (
                    max(worst, abs(high - low) / best, *(max(0, x - best) / best for x in (low, high))),
                    cases + 1,
                )
    return equation("change of |f' w| around w = coth(net/2)/a", cases, worst, 1e-8)


@claim("HBFS01.16")
def step_factor_limits() -> Iterable[Row]:
    """|f' w| <= |w| / 4, and <= |w| exp(-|w a + c|)."""
    test = f"{TESTS}::test_a_step_factor_is_below_a_quarter_of_the_weight_and_falls_in_the_end"
    return proved("both limits, for fixed a other than 0 and fixed c", test)


@claim("HBFS01.17")
def weights_below_four() -> Iterable[Row]:
    """False from two units on; true of one, and of nets with a small |W|."""
    instead = "so for n = 1; for n > 1 if the spectral radius of |W| is below 4, and no weaker condition on |W| will do"
    return (
        *corrected("all |w| < 4", instead, f"{TESTS}::test_every_path_shrinks_and_their_sum_grows"),
        *corrected(
            "random nets, n = 100, |w| < 2.1",
            instead,
            f"{TESTS}::test_random_nets_of_small_weights_let_the_error_grow",
        ),
    )


@claim("HBFS01.18")
def larger_weights() -> Iterable[Row]:
    """True of a path whose other inputs are held; in whole nets only beyond a window in which errors explode."""
    test = f"{TESTS}::test_errors_of_a_hundred_units_vanish_then_explode_then_vanish_as_weights_grow"
    return (
        *proved(
            "one step, other inputs held",
            f"{TESTS}::test_a_step_factor_is_below_a_quarter_of_the_weight_and_falls_in_the_end",
        ),
        *corrected(
            "whole nets: the derivative shrinks faster than the weight grows",
            "no remedy: first the error explodes, and vanishes again where nearly all units are saturated",
            test,
        ),
    )


@claim("HBFS01.19")
def learning_rate() -> Iterable[Row]:
    """Both contributions to an update are multiplied by it."""
    test = f"{TESTS}::test_the_learning_rate_leaves_the_ratio_of_long_and_short_contributions_as_it_is"
    return proved("ratio of contributions to one update", test)


@claim("HBFS01.20")
def recent_distractions() -> Iterable[Row]:
    """Recent against early contributions, where errors vanish and where they explode."""
    label = "size of contributions: first and last 10 of 50 steps"
    rows = []
    for gain, reading in ((2, ""), (16, "exploding errors")):
        recent, early = recent_and_early(gain)
        rows += trend(label, early, recent, reading)
    return rows


@claim("HBFS01.21")
def signs_cancel() -> Iterable[Row]:
    """An exact case, and how much of the sum of all paths is lost to signs as n grows."""
    record, lost = read("error_flow/bounds"), []
    for n in (10, 100):
        both = [sizes(record, n, gain=4, q=10, centred=centred) for centred in (True, False)]
        lost.append(np.concatenate([size["all paths"] - size["factor"] for size in both]))
    return (
        *proved("a second unit may cancel the flow", f"{TESTS}::test_more_units_may_have_less_error_flow"),
        *trend("lag 10: decades lost to signs, n = 10 and n = 100", *lost),
    )


@claim("HBFS01.23")
def scalar_product() -> Iterable[Row]:
    """There are n terms, each at most the product of the norms."""
    return proved("|x.y| <= n ||x|| ||y||", f"{TESTS}::test_a_scalar_product_is_at_most_n_times_the_norms")


@claim("HBFS01.24")
def printed_bound() -> Iterable[Row]:
    """Fails for norms in which a unit vector is longer than 1."""
    instead = "||e_k||_* ||e_v|| in place of n: 1 in the usual norms, where n is superfluous"
    return corrected(
        "n (f'max ||W||)^q", instead, f"{TESTS}::test_the_printed_bound_fails_in_exact_arithmetic"
    )


@claim("HBFS01.25")
def rows_and_columns() -> Iterable[Row]:
    """The column needs a short unit vector, the row the norm of the transpose."""
    return (
        *corrected(
            "||W_v|| <= ||W||",
            "||W_v|| <= ||W|| ||e_v||",
            f"{TESTS}::test_the_printed_bound_fails_in_exact_arithmetic",
        ),
        *corrected(
            "||W_k^T|| <= ||W||",
            "||W_k^T|| <= ||W^T|| ||e_k||; the 1-norm breaks what is printed",
            f"{TESTS}::test_a_row_of_weights_may_exceed_the_norm_of_the_matrix",
        ),
    )


@claim("HBFS01.26")
def extreme_case() -> Iterable[Row]:
    """With n in front the bound is out of reach; without, equality is characterised."""
    return (
        *corrected(
            "the printed bound can be reached",
            "never for n > 1 where unit vectors have norm 1: it is n times too large or more",
            f"{TESTS}::test_the_printed_bound_is_never_reached_with_more_than_one_unit",
        ),
        *proved(
            "lambda^q / n: all slopes 1/4, all weights of one size, all paths of one sign",
            f"{TESTS}::test_at_lag_four_only_nets_of_one_sign_pattern_attain_it",
        ),
    )


@claim("HBFS01.27")
def large_norms_small_slopes() -> Iterable[Row]:
    """The largest slope of a step, which is the norm of F', averaged over time."""
    record = read("error_flow/lags")
    small, large = (
        np.concatenate([at(record, "slopes", n=n, gain=gain)[:, 0] for n in (10, 30, 100)])
        for gain in (4.0, 1024.0)
    )
    return trend("10, 30 and 100 units: largest slope at gain 1024 and at gain 4", large, small)


@claim("HBFS01.28")
def small_weights() -> Iterable[Row]:
    """True, and n squared times too large."""
    return proved(
        "n lambda^q; even lambda^q / n, which is attained",
        f"{TESTS}::test_the_factor_is_at_most_lambda_to_the_q_over_n",
    )


@claim("HBFS01.29")
def rows_before_columns() -> Iterable[Row]:
    """The definition of W puts i in the row; the matrix form is right only so."""
    instead = "[A]_ij stands in row i, column j"
    return corrected(
        "[A]_ij in column i, row j", instead, f"{TESTS}::test_one_index_convention_is_used_throughout"
    )
