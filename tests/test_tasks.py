"""The problems of 1994 and 1996 as sequences: what every sequence is by its class, its length and its address."""

import math

import pytest
import torch

from lltd.tasks import latch_sequences, parity, random_patterns, tomita, two_sequence
from lltd.tomita import accepts, lengths_with_members

IDS = torch.arange(400)
WINDOW = {"first": 0, "count": 12, "shortest": 5, "longest": 11, "noise": 0.2}


def two_random_sequences(seed, ids, **options):
    """The 2-sequence problem, each run with patterns of its own."""
    return two_sequence(seed, ids, patterns=random_patterns(seed, ids, 3), **options)


TASKS = {"latch": latch_sequences, "2-sequence": two_random_sequences, "parity": parity}
every = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


@every
def test_shapes_and_classes_that_take_turns(task):
    inputs, lengths, classes = task(1, IDS, **WINDOW)
    assert inputs.shape == (12, 11, 3 if task is latch_sequences else 1, 400)
    assert inputs.dtype == torch.float64 and lengths.dtype == classes.dtype == torch.int64
    assert torch.equal(classes, (torch.arange(12) % 2)[:, None].expand(12, 400))


@every
def test_lengths_are_uniform_whatever_the_class(task):
    _, lengths, classes = task(1, IDS, **WINDOW)
    for own in (lengths[classes == 0], lengths[classes == 1]):
        counts = torch.bincount(own, minlength=13)
        assert counts[:5].sum() == counts[12:].sum() == 0
        expected = len(own) / 7
        assert ((counts[5:12] - expected) ** 2 / expected).sum() < 24.1  # chi-square, 6 degrees: p = 0.0005
        assert (
            (counts[4:12] - len(own) / 8) ** 2 / (len(own) / 8)
        ).sum() > 24.1  # uniform in 4 … 11 it is not


@every
def test_a_sequence_is_zero_after_its_end_and_only_there(task):
    inputs, lengths, _ = task(1, IDS, **WINDOW)
    inside = torch.arange(11)[:, None] < lengths[:, None]
    assert torch.equal((inputs != 0).any(2), inside)


@every
@pytest.mark.parametrize("kind", ["uniform", "gaussian"])
def test_any_window_shows_the_same_sequences(task, kind):
    whole = task(1, IDS, **{**WINDOW, "kind": kind})
    pieces = [
        task(1, IDS, **{**WINDOW, "first": f, "count": c, "kind": kind}) for f, c in ((0, 1), (1, 4), (5, 7))
    ]
    assert all(map(torch.equal, whole, map(torch.cat, zip(*pieces, strict=True))))


@every
@pytest.mark.parametrize("kind", ["uniform", "gaussian"])
def test_a_run_sees_the_same_sequences_alone_and_among_others(task, kind):
    whole = task(1, IDS, **{**WINDOW, "kind": kind})
    alone = task(1, IDS[123:124], **{**WINDOW, "kind": kind})
    assert all(torch.equal(all_[..., 123:124], own) for all_, own in zip(whole, alone, strict=True))


@every
def test_seeds_runs_and_sequences_differ(task):
    inputs = task(1, IDS, **WINDOW).inputs
    assert not torch.equal(inputs, task(2, IDS, **WINDOW).inputs)
    assert len(torch.unique(inputs[0].flatten(0, 1), dim=1).T) == 400
    assert len(torch.unique(inputs.flatten(1), dim=0)) == 12


def noise_of(task, kind, level):
    """The noise on sequences of 40 steps: all that is left of the inputs at their later steps."""
    options = {"first": 0, "count": 10, "shortest": 40, "longest": 40, "kind": kind}
    inputs = task(1, IDS, noise=level, **options).inputs[:, :, 0]
    return inputs - inputs.sign() if task is parity else inputs[:, 3:]


@every
def test_noise_has_the_size_and_the_shape_asked_for(task):
    uniform, gaussian = noise_of(task, "uniform", 0.2), noise_of(task, "gaussian", 0.2)
    assert 0.1999 < uniform.abs().max() < 0.2
    for noise, deviation, fourth in ((uniform, 0.2 / math.sqrt(3), 1.8), (gaussian, 0.2, 3.0)):
        assert abs(noise.mean()) <= 5 * deviation / math.sqrt(noise.numel())
        assert noise.std().item() == pytest.approx(deviation, rel=0.02)
        assert ((noise / deviation) ** 4).mean().item() == pytest.approx(fourth, rel=0.05)
        beside = torch.corrcoef(torch.stack((noise[:, 1:].flatten(), noise[:, :-1].flatten())))[0, 1]
        assert abs(beside) <= 5 / math.sqrt(noise.numel())
    assert not noise_of(task, "uniform", 0.0).any()


def test_the_latch_problem_opens_with_a_pulse_in_the_channel_of_its_class():
    inputs, _, classes = latch_sequences(1, IDS, **WINDOW)
    assert torch.equal(inputs[:, 0, 2], classes.double()) and torch.equal(inputs[:, 0, 1], 1.0 - classes)
    assert not inputs[:, 0, 0].any() and not inputs[:, 1:, 1:].any()


@pytest.mark.parametrize("apart", [False, True])
def test_the_2_sequence_problem_opens_with_the_pattern_of_its_class(apart):
    patterns = random_patterns(1, IDS, 5) if apart else torch.tensor([[-1.0, 1.0]], dtype=torch.float64)
    inputs, _, classes = two_sequence(1, IDS, **WINDOW, patterns=patterns)
    for k in (0, 1):
        own = patterns[:, k] if apart else patterns[:, k, None].expand(1, 400)
        shown = inputs[k::2, : len(patterns), 0]
        assert (classes[k::2] == k).all() and torch.equal(shown, own.expand_as(shown))
    assert inputs[:, len(patterns) :].abs().max() < 0.2


def test_random_patterns_fill_the_cube_and_belong_to_their_run():
    patterns = random_patterns(1, IDS, 5)
    assert patterns.shape == (5, 2, 400)
    assert torch.equal(patterns[..., 7:8], random_patterns(1, IDS[7:8], 5))
    assert torch.equal(patterns[:3], random_patterns(1, IDS, 3))
    assert patterns.min() < -0.99 and patterns.max() > 0.99 and patterns.abs().max() < 1
    table = torch.corrcoef(patterns.flatten(0, 1))
    assert (table - torch.eye(10)).abs().max() <= 5 / math.sqrt(400)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_class_of_a_parity_sequence_is_the_parity_of_its_ones(noise):
    inputs, lengths, classes = parity(1, IDS, **{**WINDOW, "shortest": 1, "noise": noise})
    assert torch.equal((inputs > 0).sum((1, 2)) % 2, classes)
    inside = torch.arange(11)[:, None, None] < lengths[:, None, None]
    assert not noise or (inputs.abs()[inside.expand_as(inputs)] != 1).any()
    assert ((inputs.abs() - 1).abs()[inside.expand_as(inputs)] <= noise).all()


def test_the_parity_sequences_of_a_class_are_equally_likely():
    inputs, _, _ = parity(1, torch.arange(4000), first=0, count=2, shortest=4, longest=4)
    for k in (0, 1):
        code = ((inputs[k, :, 0] > 0).long() * torch.tensor([8, 4, 2, 1])[:, None]).sum(0)
        counts = torch.bincount(code, minlength=16)
        counts = counts[counts > 0]
        assert len(counts) == 8 and ((counts - 500) ** 2 / 500).sum() < 26.0  # 7 degrees: p = 0.0005


@every
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": -1}, "first is -1 and count is 12"),
        ({"count": 0}, "first is 0 and count is 0"),
        ({"shortest": 12}, "shortest is 12 and longest 11"),
        ({"noise": -0.1}, "noise is -0.1: a level, 0 or more"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"kind": "pink"}, "kind is 'pink': one of uniform, gaussian"),
    ],
)
def test_bad_arguments_are_named(task, change, message):
    with pytest.raises(ValueError, match=message):
        task(1, IDS, **{**WINDOW, **change})


@pytest.mark.parametrize("task", [latch_sequences, parity])
def test_an_empty_sequence_is_named(task):
    with pytest.raises(ValueError, match="shortest is 0 and longest 11"):
        task(1, IDS, **{**WINDOW, "shortest": 0})


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (torch.zeros(6, 2), "patterns has 6 steps: between 1 and shortest = 5"),
        (torch.zeros(0, 2), "patterns has 0 steps"),
        (torch.zeros(3, 4), r"patterns has shape \(3, 4\): \(N, 2\) or \(N, 2, 400\)"),
        (torch.zeros(3, 2, 7), r"patterns has shape \(3, 2, 7\)"),
        (torch.zeros(3), r"patterns has shape \(3,\)"),
    ],
)
def test_bad_patterns_are_named(patterns, message):
    with pytest.raises(ValueError, match=message):
        two_sequence(1, IDS, patterns=patterns, **WINDOW)


def test_ids_that_are_no_whole_numbers_are_named():
    with pytest.raises(TypeError, match=r"ids is .*float32"):
        parity(1, torch.zeros(3), **WINDOW)


STRINGS = {"first": 0, "count": 12, "shortest": 5, "longest": 11}
every_language = pytest.mark.parametrize("number", range(1, 8))
every_negative = pytest.mark.parametrize("negatives", ["random", "near", "cut"])


@every_negative
@every_language
def test_a_string_is_of_class_1_if_and_only_if_it_is_in_the_language(number, negatives):
    inputs, lengths, classes = tomita(1, IDS, number=number, negatives=negatives, **STRINGS)
    assert inputs.shape == (12, 11, 1, 400) and inputs.dtype == torch.float64
    assert lengths.dtype == classes.dtype == torch.int64
    assert torch.equal(classes, (torch.arange(12) % 2)[:, None].expand(12, 400))
    assert torch.equal(accepts(number, (inputs[:, :, 0] > 0).long(), lengths), classes == 1)
    inside = torch.arange(11)[:, None] < lengths[:, None]
    assert torch.equal(inputs[:, :, 0].abs(), inside.double())


@every_negative
@every_language
def test_any_window_shows_the_same_strings_and_any_run_has_its_own(number, negatives):
    def show(ids, first, count):
        return tomita(
            1, ids, number=number, negatives=negatives, **{**STRINGS, "first": first, "count": count}
        )

    whole = show(IDS, 0, 12)
    pieces = [show(IDS, first, count) for first, count in ((0, 1), (1, 4), (5, 7))]
    assert all(map(torch.equal, whole, map(torch.cat, zip(*pieces, strict=True))))
    alone = show(IDS[123:124], 0, 12)
    assert all(torch.equal(all_[..., 123:124], own) for all_, own in zip(whole, alone, strict=True))
    assert not torch.equal(whole.inputs[..., 122], whole.inputs[..., 123])
    assert not torch.equal(whole.lengths[0], whole.lengths[2])


@every_negative
@pytest.mark.parametrize(("number", "members"), [(2, [6, 8, 10]), (4, [5, 6, 7, 8, 9, 10, 11])])
def test_lengths_are_uniform_over_those_of_which_the_class_has_strings(number, members, negatives):
    def chi_square(counts):
        return ((counts - counts.sum() / len(counts)) ** 2 / (counts.sum() / len(counts))).sum()

    _, lengths, classes = tomita(1, IDS, number=number, negatives=negatives, **STRINGS)
    for class_, kind in enumerate((negatives, "accepted")):
        allowed = lengths_with_members(number, 5, 11, kind)
        assert allowed == (members if kind != "random" else list(range(5, 12)))
        counts = torch.bincount(lengths[classes == class_], minlength=12)[allowed]
        assert counts.sum() == 2400 and chi_square(counts) < 24.1  # 6 degrees or fewer: p <= 0.0005
        counts[0] //= 2
        assert chi_square(counts) > 24.1


def test_the_members_are_the_same_whatever_the_negatives():
    sets = {kind: tomita(1, IDS, number=4, negatives=kind, **STRINGS) for kind in ("random", "near", "cut")}
    for kind in ("near", "cut"):
        assert torch.equal(sets[kind].inputs[1::2], sets["random"].inputs[1::2])
        assert not torch.equal(sets[kind].inputs[::2], sets["random"].inputs[::2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": -1}, "first is -1 and count is 12"),
        ({"count": 0}, "first is 0 and count is 0"),
        ({"shortest": 0}, "shortest is 0 and longest 11"),
        ({"shortest": 12}, "shortest is 12 and longest 11"),
        ({"number": 8}, "number is 8: the languages are numbered 1 to 7"),
        ({"negatives": "accepted"}, "negatives is 'accepted': one of random, near, cut"),
        ({"negatives": "wild"}, "negatives is 'wild'"),
        ({"shortest": 1, "longest": 2}, "language 4 has no rejected string of length 1 to 2"),
        ({"number": 2, "shortest": 7, "longest": 7}, "language 2 has no accepted string of length 7 to 7"),
    ],
)
def test_bad_arguments_of_strings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        tomita(1, IDS, **{"number": 4, **STRINGS, **change})
