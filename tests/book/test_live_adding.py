"""The live figure of waiting for a run: law and trials are lltd's, and anybody can work it."""

from functools import cache

import numpy as np
import pytest
import torch
from conftest import DESK, HEIGHT, PHONE, ROOT, fact, run_in_python

from lltd import philox
from lltd.analysis import runs_of_success
from lltd.chapters.adding import BUDGETS, PRINTED

FIGURE = "adding"
FORMULAS = ROOT / "book" / "_static" / "adding_formulas.js"
SEED, CUT = 1996, 2_000_000
LAWS = ((0.99, 300), (0.9975, 2000), (0.9999, 2000), (0.9, 1), (0.995, 50))
FIRST = (0.9975, 2000)  # p and run that are shown first


@cache
def right(trial, p):
    """Which sequences of a trial are right, one by one, with a miss behind each drawn number."""
    blocks = int(0.3 * CUT * (1 - p)) + 100  # a fifth more than it takes
    u = philox.uniform(SEED, trial, torch.arange(blocks), philox.Purpose.TASK).T.flatten().numpy()
    streaks = np.floor(np.log(u) / np.log(p)).astype(int)
    misses = (streaks + 1).cumsum() - 1
    assert misses[-1] >= CUT
    found = np.ones(CUT, dtype=bool)
    found[misses[misses < CUT]] = False
    return found


@cache
def wait(trial, p, run):
    """How many sequences until so many in a row have been right, by looking at each; None if they are cut."""
    found = right(trial, p)
    number = np.arange(1, CUT + 1, dtype=np.int32)
    latest = np.maximum.accumulate(np.where(found, 0, number))  # miss, by its number
    done = number[number - latest == run]
    return int(done[0]) if done.size else None


def waits_on_page(evaluate, text, law):
    """Waits of ten trials by the page's formulas, or by others, given as their text."""
    js = """([text, p, run]) => {
        const own = { philox: lltd.philox };
        new Function("lltd", text)(own);
        return Array.from({length: 10}, (_, id) => own.adding.trial(id, p, run)).map(one => one.cut ? null : one.wait);
    }"""
    return evaluate(js, [text, *law])


class TestFormulas:
    """The page's numbers are lltd's."""

    def test_expected_wait_is_the_same(self, formulas):
        for p in (0.99, 0.995, 0.9975, 0.9999):
            for run in (1, 50, 700, 2000):
                ours = float(runs_of_success.expected_wait(p, run))
                assert formulas("([p, run]) => lltd.adding.expected(p, run)", [p, run]) == pytest.approx(
                    ours, rel=1e-12
                )

    @pytest.mark.parametrize(("p", "run"), LAWS)
    def test_law_is_the_same_from_the_first_sequence_on(self, formulas, p, run):
        page = formulas("([p, run]) => [...lltd.adding.waiting(p, run, 20000)]", [p, run])
        np.testing.assert_allclose(page, 1 - runs_of_success.finished(20_000, p, run), rtol=0, atol=1e-12)

    def test_law_that_ends_before_the_run_is_certain(self, formulas):
        assert formulas("[...lltd.adding.waiting(0.99, 5, 4)]") == [1] * 5

    @pytest.mark.parametrize("law", [*LAWS, (0.995, 2000)])
    def test_trials_end_where_each_sequence_is_looked_at(self, formulas, law):
        page = waits_on_page(formulas, FORMULAS.read_text(), law)
        assert page == [wait(trial, *law) for trial in range(10)]
        assert law != (0.995, 2000) or 0 < page.count(None) < 10  # some are cut

    @pytest.mark.parametrize(
        ("of", "other"),
        [
            ("streaks.at(-1) + 1", "streaks.at(-1)"),
            ("streak >= end", "streak > end + 300"),
            ("Math.floor(logarithm", "Math.ceil(logarithm"),
            ("Math.log(p)", "(p - 1) * 1.01"),
            ("known.length / 4,", "1 + known.length / 4,"),
            ("Purpose.TASK", "Purpose.NOISE"),
            ("SEED = 1996", "SEED = 1997"),
            ("CUT = 2_000_000", "CUT = 20_000"),
        ],
    )
    def test_a_wrong_formula_would_be_noticed(self, formulas, of, other):
        text = FORMULAS.read_text()
        assert text.count(of) == 1
        ours = [wait(trial, *FIRST) for trial in range(10)]
        assert waits_on_page(formulas, text.replace(of, other), FIRST) != ours

    def test_trials_follow_the_law(self, formulas):
        js = "([p, run]) => Array.from({length: 3000}, (_, id) => lltd.adding.trial(id, p, run).wait)"
        for p, run in ((0.99, 200), (0.9, 10)):
            waits = np.array(formulas(js, [p, run]))
            expected = runs_of_success.expected_wait(p, run)
            assert abs(waits.mean() - expected) < 4 * waits.std() / np.sqrt(len(waits))
            for n in (run, 2 * run, 5 * run):
                share = runs_of_success.finished(n, p, run)[-1]
                assert (waits <= n).mean() == pytest.approx(share, abs=0.035)  # some four standard errors

    def test_of_many_streaks_the_longest_are_kept(self, formulas):
        js = "([streaks, columns]) => lltd.adding.longest(streaks, columns)"
        assert formulas(js, [[3, 0, 5], 1000]) == [[0, 3], [4, 0], [5, 5]]  # all, and where they begin
        rng = np.random.default_rng(0)
        streaks = rng.geometric(0.01, 5000).tolist()
        kept = formulas(js, [streaks, 100])
        assert 90 <= len(kept) <= 101 and max(length for _, length in kept) == max(streaks)
        begins = np.cumsum([0, *(np.array(streaks) + 1)])[:-1].tolist()
        assert {tuple(one) for one in kept} <= set(zip(begins, streaks, strict=True))

    def test_numbers_are_those_of_the_chapter(self, formulas):
        assert formulas("lltd.adding.CUT") == CUT == BUDGETS[100]


def number(words):
    return int(words.replace(",", ""))


def slide(page, p=None, run=None):
    """Move the sliders: p by where it stands, minus the logarithm of 1 - p."""
    for name, value in (("probability", p), ("right in a row", run)):
        if value is not None:
            page.get_by_role("slider", name=name).fill(str(value))


def draw(page, name, times=1):
    for _ in range(times):
        page.get_by_role("button", name=name).press("Enter")


def of_class(page, kind):
    return page.locator(f".live-adding .adding-{kind}").get_attribute("d")


class TestReading:
    """What is shown, and how it is worked."""

    def test_first_view_is_one_trial_whose_wait_is_most_of_the_printed_number(self, reader):
        page, expected = reader(), float(runs_of_success.expected_wait(*FIRST))
        assert fact(page, "expected") == f"{expected:,.0f}"
        assert fact(page, "part") == f"{100 * expected / PRINTED[100]:.2g} %" and expected > PRINTED[100] / 2
        assert fact(page, "wrong") == f"{2560 * (1 - FIRST[0]):.1f}"
        assert number(fact(page, "wait")) == number(fact(page, "mean")) == wait(0, *FIRST)
        assert f"{PRINTED[100]:,}" in page.locator(".live-figure").inner_text()
        assert f"waiting: {fact(page, 'part')}" in page.locator(".live-panels").inner_text()

    def test_streak_climbs_to_the_goal_once_and_falls_at_each_miss(self, reader):
        page = reader()
        for trial in range(3):
            teeth = [one.split("L") for one in of_class(page, "streak")[1:].split("M")]
            tops = [float(top.split(",")[1]) for _, top, _ in teeth]
            goal = float(of_class(page, "goal").split(",")[1].split("L")[0])
            assert min(tops) == tops[-1] == goal and tops.count(goal) == 1  # upwards is less
            misses = (~right(trial, FIRST[0])[: wait(trial, *FIRST)]).sum()
            assert number(fact(page, "misses")) == misses >= len(tops) - 1 > 0.5 * min(misses, 200)
            draw(page, "Draw a trial")

    def test_ten_trials_have_the_mean_of_their_waits(self, reader):
        page = reader()
        draw(page, "Draw ten")
        waits = [wait(trial, *FIRST) for trial in range(11)]
        assert number(fact(page, "mean")) == pytest.approx(np.mean(waits), abs=0.5)
        assert number(fact(page, "wait")) == waits[-1]
        assert of_class(page, "wait").count("M") == 11
        assert page.locator(".live-where").inner_text() == "trial 10; 11 so far"
        draw(page, "Draw ten", 5)
        assert page.locator(".live-where").inner_text() == "trial 49; 50, the most"
        draw(page, "Start over")
        assert number(fact(page, "mean")) == waits[0]

    def test_misses_and_longer_runs_lengthen_the_wait_of_the_same_trials(self, reader):
        page, expected, own = reader(), [], []
        draw(page, "Draw ten")
        for p, run in ((4, 50), (4, 2000), (3, 2000), (2.7, 2000), (2.6, 2000)):
            slide(page, p, run)
            expected.append(number(fact(page, "expected")))
            own.append(number(fact(page, "mean")))
        assert expected == sorted(expected) and own == sorted(own) and expected[-1] > 10 * expected[1]

    def test_trials_without_a_run_are_cut_and_told_as_such(self, reader):
        page = reader()
        draw(page, "Draw ten")
        slide(page, 2.3)
        waits = [wait(trial, 0.995, 2000) for trial in range(11)]
        cut = waits.count(None)
        assert cut and page.locator(".live-where").inner_text() == f"trial 10; 11 so far, {cut} cut"
        assert fact(page, "mean").startswith("at least ") and fact(page, "part").endswith(" times")
        assert fact(page, "wait") == (f"cut at {CUT:,}" if waits[-1] is None else f"{waits[-1]:,}")
        assert "expected: beyond" in page.locator(".live-panels").inner_text()
        height = float(of_class(page, "share").split(",")[-1])
        zero = float(of_class(page, "zero").split(",")[-1])
        assert height < zero - 5  # some still wait at the end

    def test_python_on_the_page_gives_the_trial_shown(self, reader):
        page = reader()
        page.locator(".live-figure summary").click()
        for p, run, name in (
            (2.6, 2000, None),
            (3.35, 1250, "Draw ten"),
            (2, 2000, "Draw a trial"),
            (2, 0, None),
        ):
            slide(page, p, run)
            if name:
                draw(page, name)
            promised, printed = run_in_python(page.locator(".live-figure pre").inner_text())
            assert promised == printed and len(printed) == 2

    def test_extreme_settings_can_be_drawn(self, reader):
        page = reader()
        for p in (2, 4):
            for run in (0, 50, 2000):
                slide(page, p, run)
                drawn = page.locator(".live-figure svg :is(path, circle, text)").evaluate_all(
                    "all => all.map(p => p.outerHTML)"
                )
                assert drawn and not any("NaN" in one or "Infinity" in one for one in drawn)

    def test_turning_a_phone_keeps_the_trials(self, reader):
        page = reader()
        draw(page, "Draw ten")
        before = [fact(page, name) for name in ("expected", "wait", "misses", "mean")]
        for width, units in ((PHONE, 340), (DESK, 640)):
            page.set_viewport_size({"width": width, "height": HEIGHT})
            page.wait_for_function(
                f"document.querySelector('.live-panels svg').viewBox.baseVal.width === {units}"
            )
            assert [fact(page, name) for name in ("expected", "wait", "misses", "mean")] == before
            assert of_class(page, "wait").count("M") == 11

    def test_streak_grows_before_the_eyes_unless_less_motion_is_asked_for(self, reader):
        js = "document.querySelector('.live-panels clipPath rect').width.baseVal.value / 582"
        still, moving = reader(), reader(reduced_motion="no-preference")
        assert still.evaluate(js) == moving.evaluate(js) == 1
        draw(still, "Draw a trial")
        assert still.evaluate(js) == 1
        begun = moving.evaluate(
            f"() => {{ document.querySelector('.live-buttons button').click(); return {js}; }}"
        )
        assert begun == 0 and number(fact(moving, "wait")) == wait(1, *FIRST)  # told at once
        moving.wait_for_function(f"{js} > 0 && {js} < 1")
        moving.wait_for_function(f"{js} === 1")

    def test_screen_reader_hears_the_outcome_once_it_has_come_to_rest(self, reader):
        page = reader()
        assert page.locator("[role=status]").inner_text() == ""
        for p in (2.8, 2.7, 2.5):
            slide(page, p)
        page.wait_for_function("document.querySelector('[role=status]').textContent !== ''")
        said = page.locator("[role=status]").inner_text()
        assert said.startswith(
            f"Expected are {fact(page, 'expected')} sequences, {fact(page, 'part')} of the"
        )
        assert f"This trial: {fact(page, 'wait')}." in said
