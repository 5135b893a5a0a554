"""Random search: the sieve against showing everything, trials alone and among others, and the settings as printed."""

from dataclasses import replace

import pytest
import torch
from drawn import compiled

from lltd import claims, experiments
from lltd.chapters import random_search as chapter
from lltd.chapters.random_search import contest
from lltd.kernels import guess, sieve
from lltd.kernels.guess import A1, A2
from lltd.kernels.small_net import Net
from lltd.systems import random_search
from lltd.systems import trials_1996 as trials
from lltd.systems.random_search import (
    GUESSES,
    Lessons,
    answers,
    clues,
    lessons,
    passed,
    possible,
    presentations,
    search,
    stood,
    weights,
)

pytestmark = pytest.mark.usefixtures("doubles")
SEED = 9
SHORT = {"shortest": 5, "longest": 12, "lessons": 12, "tests": 20}
USUAL = {"span": 100.0, "tolerance": 0.1}
EASY = {"task": "tomita", "language": 1, "net": "A1, n = 1", "budget": 5000, **SHORT}


def easy(runs=6, **changed):
    """A short, easy task: the setting, and each trial's training set."""
    setting = trials.complete({**EASY, **changed})
    shown = trials.sequences(SEED, torch.arange(runs), setting, 0, setting["lessons"])
    return setting, [lessons(shown, b, setting["low"], setting["high"]) for b in range(runs)]


def right(net, trial, candidates, lesson, tolerance=0.1):
    """Which of a trial's candidates have each sequence right, all shown, in single precision: (S, B)."""
    theta = weights(net, SEED, trial * GUESSES + candidates, 100.0, torch.float32)
    given = answers(net, theta, lesson)
    return (given - lesson.targets[:, None].to(given)).abs() < tolerance


@pytest.mark.parametrize("known", [False, True], ids=["run", "followed"])
@pytest.mark.parametrize("net", [A1(1), A1(2), A2, trials.LATCH_II], ids=["A1", "A1, n = 2", "A2", "tanh"])
def test_sieve_counts_the_sequences_before_the_first_mistake(net, known):
    _, sets = easy(low=-1.0 if isinstance(net, Net) else 0.0)
    candidates, known = torch.arange(700), clues(sets[2]) if known else None
    count = stood(net, SEED, 2 * GUESSES + candidates, sets[2], known, span=100.0, tolerance=0.1)
    torch.testing.assert_close(count, right(net, 2, candidates, sets[2]).long().cumprod(0).sum(0))
    assert 0 < count.float().mean() < 12


def test_search_stops_at_the_first_net_that_has_all_sequences_right():
    setting, sets = easy()
    for trial, lesson in enumerate(sets):
        found = search(trials.net(setting), SEED, trial, lesson, budget=5000)
        solves = right(A1(1), trial, torch.arange(5000), lesson)
        first = int(solves.all(0).nonzero()[0])
        assert found.solved
        assert found.guesses == first + 1
        assert passed(
            A1(1), SEED, first + trial * GUESSES + torch.arange(1), lesson, clues(lesson), **USUAL
        ).all()


def test_presentations_are_counted_up_to_each_net_s_first_mistake(monkeypatch):
    _, sets = easy()
    monkeypatch.setitem(random_search.TOGETHER, "cpu", 70)
    for trial, lesson in enumerate(sets):
        solves = right(A1(1), trial, torch.arange(200), lesson).T.tolist()
        for guesses in (1, 70, 200):
            # up to and with the first that is wrong
            expected = sum((*net, False).index(False) + 1 if not all(net) else 12 for net in solves[:guesses])
            assert presentations(A1(1), SEED, trial, lesson, guesses, **USUAL) == expected


def test_no_outcome_depends_on_how_many_guesses_are_looked_at_in_one_go(monkeypatch):
    _, sets = easy()
    usual = [search(A1(1), SEED, trial, lesson, budget=300) for trial, lesson in enumerate(sets)]
    monkeypatch.setattr(random_search, "FEW", 7)
    monkeypatch.setitem(random_search.TOGETHER, "cpu", 11)
    assert usual == [search(A1(1), SEED, trial, lesson, budget=300) for trial, lesson in enumerate(sets)]


def test_a_budget_is_kept_and_no_net_is_given_out_as_found():
    _, sets = easy(low=1.0, high=1.0)
    beyond = sets[0]._replace(targets=sets[0].targets + 5)
    found = search(A1(1), SEED, 0, beyond, budget=123)
    assert (found.guesses, found.solved) == (123, False)
    assert presentations(A1(1), SEED, 0, beyond, 123, **USUAL) == 123


# --- nets rejected without being run ---


def decided(setting, candidates):
    """Which of trial 0's candidates have its training set right: by the sieve, and by running each."""
    setting = trials.complete({"budget": 1, **setting})
    shown = trials.sequences(SEED, torch.arange(1), setting, 0, setting["lessons"])
    lesson = lessons(shown, 0, setting["low"], setting["high"])
    known, given = clues(lesson), {name: setting[name] for name in ("span", "tolerance")}
    found = passed(trials.net(setting), SEED, candidates, lesson, known, **given)
    count = stood(trials.net(setting), SEED, candidates, lesson, **given)
    if isinstance(trials.net(setting), guess.Topology):
        kept = possible(trials.net(setting), SEED, candidates, known, **given)
        assert kept[found].all()
    return found, count == len(lesson.lengths)


@pytest.mark.parametrize("lengths", [(1, 4), (5, 12), (30, 50)], ids=str)
@pytest.mark.parametrize("row", chapter.ROWS)
def test_what_passes_is_what_stands_in_each_row(row, lengths):
    if row == "latch, 3 weights" and lengths[0] < 5:
        lengths = 5, 8  # the class is in the first steps
    short = {"shortest": lengths[0], "longest": lengths[1], "lessons": 4}
    found, expected = decided({**chapter.ROWS[row][0], **short}, torch.arange(2000))
    assert torch.equal(found, expected)
    if lengths == (5, 12):
        assert expected.any()
    assert not expected.all()


@pytest.mark.parametrize("row", ["parity, A2", "Tomita 4, A1, n = 2", "2-sequence, A1, n = 1"])
def test_what_passes_is_what_stands_in_a_whole_training_set(row):
    found, expected = decided(chapter.ROWS[row][0], torch.arange(6000))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("order", guess.ORDERS)
@pytest.mark.parametrize("tolerance", [0.03, 0.5, 0.9])
def test_what_passes_is_what_stands_at_any_tolerance_and_with_any_targets(order, tolerance):
    for low, high in ((0.0, 1.0), (1.0, 0.0), (0.25, 0.7)):
        setting = {**EASY, "low": low, "high": high, "tolerance": tolerance, "order": order, "late": True}
        found, expected = decided({**setting, "span": 30.0, "lessons": 6}, torch.arange(2000))
        assert torch.equal(found, expected)


def test_words_reject_most_nets_on_parity_and_none_that_solves_it():
    setting = trials.complete({**chapter.ROWS["parity, A2"][0], "budget": 1})
    shown = trials.sequences(SEED, torch.arange(1), setting, 0, 100)
    lesson = lessons(shown, 0, 0.0, 1.0)
    kept = possible(A2, SEED, torch.arange(20_000), clues(lesson), **USUAL)
    assert kept.float().mean() < 0.15
    # Of nothing that is asked, nothing is rejected; of targets that are nobody's, more is.
    asked = clues(lesson).asked
    nothing = clues(lesson)._replace(asked=asked[:0])
    assert possible(A2, SEED, torch.arange(100), nothing, **USUAL).all()
    beyond = clues(lesson)._replace(asked=torch.full_like(asked, 5.0))
    assert not possible(A2, SEED, torch.arange(100), beyond, **USUAL).any()


def test_words_that_change_come_first_and_symbols_are_told_apart():
    setting = trials.complete({**chapter.ROWS["parity, A2"][0], "budget": 1})
    shown = trials.sequences(SEED, torch.arange(1), setting, 0, 100)
    lesson = lessons(shown, 0, 0.0, 1.0)
    known = clues(lesson)
    assert (known.words[:2].diff(dim=1).abs() == 2).all() and (known.words[2:].diff(dim=1) == 0).any()
    assert known.asked.shape == (2, 4) and (known.asked.sum(0) == 1).all()
    inside = torch.arange(lesson.inputs.shape[1]) < lesson.lengths[:, None]
    assert torch.equal(known.alphabet[known.symbols.int()][inside], lesson.inputs[:, :, 0].float()[inside])
    for beyond in (0.5, -1.5, 1.5):  # between two symbols, before the first, after the last
        lesson.inputs[50, 40] = beyond
        assert clues(lesson).symbols is None


def test_without_a_compiler_the_same_nets_pass(build):
    build(LLTD_NO_COMPILER=1)
    found, expected = decided({**EASY, "lessons": 4}, torch.arange(300))
    assert torch.equal(found, expected) and expected.any() and not expected.all()


@pytest.mark.parametrize("row", ["parity, A2", "Tomita 2, A2", "parity in noise, A1, n = 1"])
@pytest.mark.parametrize("lengths", [(3, 6), (500, 600)], ids=str)
def test_words_end_sequences_and_ask_for_the_targets_of_all_that_end_so(row, lengths):
    setting = trials.complete({**chapter.ROWS[row][0], "budget": 1})
    setting |= {"shortest": lengths[0], "longest": lengths[1]}
    shown = trials.sequences(SEED, torch.arange(1), setting, 0, 100)
    lesson = lessons(shown, 0, 0.0, 1.0)
    endings = {}
    for inputs, length, target in list(zip(*lesson, strict=True))[:32]:
        word = tuple(inputs[length - 3 : length, 0].float().tolist())
        endings.setdefault(word, set()).add(float(target))
    known = clues(lesson)
    words = [tuple(word) for word in known.words.tolist()]
    assert len(set(words)) == len(words) == known.asked.shape[1] == min(4, len(endings))
    for word, asked in zip(words, known.asked.T.tolist(), strict=True):
        assert set(asked) == endings[word]

    def rank(word):  # words that ask most come first, and of those the ones that change most
        return len(endings[word]), abs(word[1] - word[0]) + abs(word[2] - word[1])

    assert [rank(word) for word in words] == sorted(map(rank, endings), reverse=True)[:4]


def of(rows, lengths=None, targets=None):
    """Sequences of these inputs, all as long as the longest, to learn."""
    inputs = torch.tensor(rows)[..., None]
    lengths = torch.full((len(rows),), inputs.shape[1]) if lengths is None else torch.tensor(lengths)
    targets = torch.arange(len(rows)) % 2 if targets is None else torch.tensor(targets)
    return Lessons(inputs, lengths, targets.to(inputs))


def symbols_of(lesson):
    """Whether symbols were found, and then that they are right wherever a sequence goes on."""
    known = clues(lesson)
    assert (known.symbols is None) == (known.alphabet is None)
    if known.symbols is None:
        return None
    assert known.symbols.dtype == torch.uint8 and known.alphabet.dtype == torch.float32
    assert len(known.alphabet) <= sieve.SYMBOLS
    for coded, inputs, length in zip(known.symbols, lesson.inputs, lesson.lengths, strict=True):
        assert torch.equal(known.alphabet[coded.int()][:length], inputs[:length, 0].float())
    return known.alphabet.tolist()


@compiled
def test_inputs_of_few_values_are_taken_for_symbols():
    _, sets = easy()
    assert symbols_of(sets[0]) == [-1.0, 1.0]
    _, sets = easy(late=True)
    assert symbols_of(sets[0]) == [-1.0, 0.0, 1.0]
    assert symbols_of(of([[1.0, 1.0], [1.0, 1.0]])) == [1.0]
    assert symbols_of(of([[1.0, 2.0], [3.0, 4.0], [4.0, 1.0]])) == [1.0, 2.0, 3.0, 4.0]
    assert symbols_of(of([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])) is None
    noisy = lessons(trials.sequences(SEED, torch.arange(1), trials.complete({**EASY, "task": "two_sequence"}
        | {"language": None, "noise": 0.2}), 0, 4), 0, 0.0, 1.0)  # fmt: skip
    assert symbols_of(noisy) is None


@compiled
@pytest.mark.parametrize("value", [-7.0, 0.5, 1.0 + 2.0**-23, 7.0])
@pytest.mark.parametrize(("sequence", "step"), [(0, 49), (1, 40), (5, 0), (5, 49)])
def test_a_value_that_is_seen_late_is_not_taken_for_another(value, sequence, step):
    rows = [[(-1.0) ** (s * t) for t in range(50)] for s in range(6)]
    rows[sequence][step] = value
    assert symbols_of(of(rows)) in (None, sorted({-1.0, 1.0, value}))


@compiled
def test_what_stands_after_a_sequence_s_end_is_no_symbol():
    rows = [[1.0, -1.0, 9.0, 8.0], [1.0, -1.0, -1.0, 7.0], [1.0, 1.0, 1.0, 1.0]]
    assert symbols_of(of(rows, [2, 3, 4])) == [-1.0, 1.0]


def test_sequences_shorter_than_a_word_end_in_none():
    known = clues(of([[1.0, -1.0], [-1.0, 1.0]]))
    assert known.words.shape == (0, 3) and known.asked.shape[1] == 0
    known = clues(of([[1.0, -1.0, 1.0], [-1.0, 1.0, 9.0]], [3, 2]))
    assert known.words.tolist() == [[1.0, -1.0, 1.0]] and known.asked.tolist() == [[0.0]]
    for lesson in (of([[1.0, -1.0], [-1.0, 1.0]]), of([[1.0], [-1.0]])):
        found = passed(A1(1), SEED, torch.arange(500), lesson, clues(lesson), **USUAL)
        count = stood(A1(1), SEED, torch.arange(500), lesson, **USUAL)
        assert torch.equal(found, count == 2) and found.any()


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_sequences_of_one_class_ask_for_one_target(target):
    _, sets = easy()
    lesson = sets[0]._replace(targets=torch.full_like(sets[0].targets, target))
    assert (clues(lesson).asked == target).all()
    found = passed(A1(1), SEED, torch.arange(1000), lesson, clues(lesson), **USUAL)
    assert torch.equal(found, stood(A1(1), SEED, torch.arange(1000), lesson, **USUAL) == 12)
    assert found.float().mean() > 0.1


# --- trials ---


def test_a_sequence_is_right_within_the_tolerance_only():
    """A net without hidden units, whose output is f(b) whatever it sees: 0.0999 is right, 0.1001 is not."""
    net = guess.Topology(0, output_bias=True, output_loop=False, direct=False)
    _, sets = easy()
    outputs = torch.tensor([0.0999, 0.1001, 0.95])
    theta = torch.log(outputs / (1 - outputs))[None]
    given = answers(net, theta, sets[0])
    torch.testing.assert_close(given, outputs.expand_as(given))
    low = sets[0].targets == 0
    near = (given - sets[0].targets[:, None]).abs() < trials.COMMON["tolerance"]
    assert near[low].tolist() == [[True, False, False]] * 6
    assert near[~low].tolist() == [[False, False, True]] * 6


def test_lessons_are_as_printed():
    setting = trials.complete({"task": "parity", "net": "A2", "budget": 1})
    shown = trials.sequences(SEED, torch.arange(20), setting, 0, 100)
    assert (setting["lessons"], setting["tests"], setting["span"]) == (100, 100, 100.0)
    assert (shown.classes.sum(0) == 50).all()
    assert (int(shown.lengths.min()), int(shown.lengths.max())) == (500, 600)
    assert set(shown.inputs.unique().tolist()) == {-1.0, 0.0, 1.0}  # 0 after a sequence's end
    assert lessons(shown, 0, setting["low"], setting["high"]).targets.unique().tolist() == [0.0, 1.0]
    assert isinstance(trials.net(setting), guess.Topology)


@pytest.mark.parametrize("row", ["2-sequence, A2", "latch, 3 weights"])
def test_noise_has_the_printed_variance(row):
    setting = trials.complete({**chapter.ROWS[row][0], "budget": 1})
    shown = trials.sequences(SEED, torch.arange(30), setting, 0, 100)
    after = shown.inputs[:, 1:500, 0]
    variance = float(after.var())
    assert abs(variance - 0.2) < 4 * 0.2 * (2 / after.numel()) ** 0.5
    assert abs(variance - 0.2**2) > 0.1  # as a standard deviation of 0.2 would have it


def test_training_and_test_sets_share_no_sequence():
    setting, _ = easy()
    both = trials.sequences(SEED, torch.tensor([3]), {**setting, "shortest": 60, "longest": 60}, 0, 40)
    outside = both.inputs[0::2, :, 0, 0]  # of Tomita 1, all members of one length are the same
    assert len(torch.unique(outside, dim=0)) == 20


def test_a_trial_alone_is_the_trial_among_others():
    together = trials.trials(SEED, torch.arange(5), EASY)
    alone = trials.trials(SEED, torch.tensor([3]), EASY)
    for name, outcome in together.items():
        assert outcome[3] == alone[name][0], name


def test_with_one_set_for_all_trials_differ_in_their_guesses_alone():
    own, shared = (trials.trials(SEED, torch.arange(8), {**EASY, "set": s}) for s in (None, 0))
    assert own["guesses"][0] == shared["guesses"][0]
    assert len(shared["guesses"].unique()) > 4
    setting = trials.complete({**EASY, "set": 0})
    first = trials.sequences(SEED, torch.tensor([0]), setting, 0, 12)
    lesson = lessons(first, 0, 0.0, 1.0)
    for trial, guesses in enumerate(shared["guesses"].tolist()):
        assert right(A1(1), trial, torch.tensor([guesses - 1]), lesson).all()


def test_outcomes_that_are_not_wanted_are_not_computed(monkeypatch):
    every = trials.trials(SEED, torch.arange(3), EASY)
    assert set(every) == set(trials.OUTCOMES)
    monkeypatch.delattr(trials, "examined")
    some = trials.trials(SEED, torch.arange(3), EASY, ("solved", "presentations"))
    assert set(some) == {"solved", "presentations"}
    monkeypatch.delattr(trials, "presentations")
    some |= trials.trials(SEED, torch.arange(3), EASY, ("guesses",))
    assert all(torch.equal(outcome, every[name]) for name, outcome in some.items())
    with pytest.raises(ValueError, match="wanted has speed: guesses, solved"):
        trials.trials(SEED, torch.arange(1), EASY, ("guesses", "speed"))


def test_what_is_found_is_examined_in_double_precision():
    outcome, (setting, sets) = trials.trials(SEED, torch.arange(6), EASY), easy()
    tests = trials.sequences(SEED, torch.arange(6), setting, 12, 20)
    for trial, lesson in enumerate(sets):
        last = torch.tensor([trial * GUESSES + int(outcome["guesses"][trial]) - 1])
        theta = guess.weights(A1(1), SEED, last)
        assert theta.dtype == torch.float64
        error = (answers(A1(1), theta, lesson)[:, 0] - lesson.targets).abs()
        again = (answers(A1(1), theta, lessons(tests, trial, 0.0, 1.0))[:, 0] - tests.classes[:, trial]).abs()
        assert bool(outcome["confirmed"][trial]) == bool((error < 0.1).all())
        assert float(outcome["worst"][trial]) == pytest.approx(float(error.max()), abs=1e-7)
        assert int(outcome["right"][trial]) == int((again < 0.1).sum())
        assert float(outcome["error"][trial]) == pytest.approx(float(again.mean()), abs=1e-7)


def test_the_late_reading_adds_one_step_without_input():
    setting = trials.complete({**EASY, "late": True})
    usual = trials.sequences(SEED, torch.arange(3), {**setting, "late": False}, 0, 4)
    late = trials.sequences(SEED, torch.arange(3), setting, 0, 4)
    torch.testing.assert_close(late.inputs[:, :-1], usual.inputs)
    assert (late.inputs[:, -1] == 0).all()
    torch.testing.assert_close(late.lengths, usual.lengths + 1)


def test_inputs_may_be_coded_as_0_and_1():
    setting = trials.complete({**EASY, "zero": 0.0})
    coded = trials.sequences(SEED, torch.arange(3), setting, 0, 4)
    usual = trials.sequences(SEED, torch.arange(3), {**setting, "zero": -1.0}, 0, 4)
    assert coded.inputs.unique().tolist() == [0.0, 1.0]
    torch.testing.assert_close(coded.inputs, (usual.inputs == 1).to(coded.inputs))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "adding"}, "task is 'adding': one of latch, two_sequence, parity, tomita is needed"),
        ({"net": "A3"}, "net is 'A3': one of A1, n = 1"),
        ({"order": "backwards"}, "order is 'backwards': one of hidden first"),
        ({"speed": 1}, "setting speed: "),
        ({"budget": 0}, "budget is 0: between 1 and"),
        ({"tolerance": 0.0}, "tolerance is 0.0: a positive number"),
        ({"net": "one tanh unit", "direct": False}, "direct is set: 'one tanh unit' has no such choice"),
        ({"negatives": "far"}, "negatives is 'far'"),
        ({"language": 8}, "8"),
        ({"span": -1.0}, "span is -1.0"),
    ],
)
def test_bad_settings_are_named(changed, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        trials.trials(SEED, torch.arange(1), {**EASY, **changed})


def test_trials_have_numbers_below_2_to_the_31():
    _, sets = easy()
    with pytest.raises(ValueError, match="trial is 2147483648"):
        search(A1(1), SEED, 2**31, sets[0], budget=1)


def test_every_reading_is_another_setting():
    for row in chapter.ROWS:
        tried = [
            tuple(sorted(trials.complete({**setting, "budget": 1}).items(), key=lambda item: item[0]))
            for listed in (contest.CONVENTIONS, contest.THREE, contest.GRAMMARS, contest.LARGEST)
            for of, _, setting in listed
            if of == row
        ]
        assert len(set(map(repr, tried))) == len(tried)


def test_parity_is_beyond_a1_if_all_units_are_updated_at_once():
    """The state that must flip with each 1 then needs two steps to go round."""
    setting = trials.complete({"task": "parity", "net": "A1, n = 1", "budget": 1, **SHORT})
    shown = trials.sequences(SEED, torch.arange(1), setting, 0, 12)
    lesson, candidates = lessons(shown, 0, 0.0, 1.0), torch.arange(40_000)
    both = {
        order: int(
            (
                stood(replace(A1(1), order=order), SEED, candidates, lesson, span=100.0, tolerance=0.1) == 12
            ).sum()
        )
        for order in ("hidden first", "synchronous")
    }
    assert both["hidden first"] > 0
    assert both["synchronous"] == 0


def test_a_found_net_is_replayed_by_its_number(monkeypatch, tmp_path):
    work = experiments.find("random_search/table")
    outcome = experiments.recompute(work, work.recipe, [0, 1])
    for name, stored in outcome.items():
        assert (stored == experiments.read("random_search/table")[name][:2]).all(), name
    assert outcome["confirmed"].all()


def test_all_claims_of_the_chapter_are_settled():
    settled = claims.settle("random_search")
    assert len(settled) == 27
    assert not [one.claim.id for one in settled if one.verdict == "open"]
