"""The live figure of the memory cell: sequences, states and errors are lltd's, and anybody can work it."""

from functools import cache

import pytest
import torch
from conftest import DESK, HEIGHT, PHONE, fact, run_in_python

from lltd.analysis import carousel, fading, state_drift
from lltd.kernels import lstm96
from lltd.systems import hand_set_cell, recurrent_net

FIGURE = "lstm"
FIRST = 2  # the sequence that is shown first
BIASES = (-9.0, -6.0, -3.0, -1.0, 0.0, 3.0)


def tape(run, length=1000):
    """Inputs (T, 2, 1) and the target of a trial's sequence 0, by lltd."""
    ids = torch.tensor([run])
    drawn = lstm96.sequences(lstm96.Task(length=length), 1, ids, 0 * ids)
    return drawn.inputs[-int(drawn.lengths) :], drawn.targets.item()


@cache
def carried(run, beta):
    """States and both gates of the cell on its sequence, and its errors with the cut and without: (T,) each."""
    inputs, _ = tape(run)
    W = hand_set_cell.weights(1, torch.tensor([run]), beta)
    steps = carousel.unfold(W, inputs, 1, 1)
    ways = [carousel.ways(W, step) for step in steps]
    e = torch.tensor([[0.0], [0.0], [1.0]], dtype=W.dtype)
    back = (carousel.errors(ways, e, truncated=cut).s[:, 0, 0] for cut in (True, False))
    y_in, y_out = torch.stack([step.memory.y[:2, 0] for step in steps], 1)
    return torch.stack([step.memory.s[0, 0, 0] for step in steps]), y_in, y_out, *back


class TestFormulas:
    """The page's numbers are lltd's."""

    @pytest.mark.parametrize("length", [20, 100, 1000])
    def test_sequences_are_the_same_to_the_bit(self, formulas, length):
        js = """([ids, T]) => ids.map(id => {
            const { inputs, marked, target } = lltd.lstm.tape(1, id, T);
            return [inputs, target, marked.map(i => inputs[i][1])];
        })"""
        runs = [*range(12), 12345]
        for run, (inputs, target, markers) in zip(runs, formulas(js, [runs, length]), strict=True):
            ours, wanted = tape(run, length)
            assert inputs == ours[:, :, 0].tolist() and target == pytest.approx(wanted, abs=1e-15)
            assert markers == [1, 1]

    def test_a_first_pair_that_is_marked_is_neutral(self, formulas):
        js = "ids => ids.filter(id => lltd.lstm.tape(1, id, 1000).marked.includes(0))"
        found = formulas(js, list(range(200)))
        assert found  # one in ten
        for run in found:
            assert tape(run)[0][0].flatten().tolist() == [0.0, 1.0]

    def test_weights_are_the_same(self, formulas):
        for run, beta in ((0, -6.0), (FIRST, 1.5), (77, 0.0)):
            page = formulas("([id, bias]) => lltd.lstm.weights(1, id, bias)", [run, beta])
            ours = hand_set_cell.weights(1, torch.tensor([run]), beta)[..., 0]
            torch.testing.assert_close(torch.tensor(page, dtype=ours.dtype), ours, rtol=0, atol=1e-16)

    @pytest.mark.parametrize("beta", BIASES)
    def test_states_gates_and_errors_are_the_same(self, formulas, beta):
        js = """([id, bias]) => {
            const steps = lltd.lstm.run(lltd.lstm.weights(1, id, bias), lltd.lstm.tape(1, id, 1000).inputs);
            return ["s", "yIn", "yOut"].map(name => steps.map(step => step[name]))
                .concat([true, false].map(cut => lltd.lstm.errors(steps, cut)));
        }"""
        for run in (FIRST, 33):
            page = torch.tensor(formulas(js, [run, beta]), dtype=torch.float64)
            ours = torch.stack(carried(run, beta))
            torch.testing.assert_close(page[:3], ours[:3], rtol=1e-12, atol=1e-12)
            # h' = (1 - h²) / 2 has lost its digits where h is nearly 1: what is left of it is rounding.
            torch.testing.assert_close(page[3:], ours[3:], rtol=1e-9, atol=1e-15)
            assert (page[3] == page[3, 0]).all()  # level, to the last bit

    @pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
    def test_errors_of_the_elman_net_are_the_same(self, formulas, gain):
        js = "([k, gain]) => lltd.lstm.faded(lltd.lstm.elman(1, k, gain), lltd.lstm.tape(1, 2, 1000).inputs)"
        inputs, _ = tape(FIRST)
        seen = torch.cat((inputs[:, :, 0], torch.ones(len(inputs), 1)), 1)
        for number in range(4):
            W = recurrent_net.init(1, number, 8, 3, gain)
            a = recurrent_net.unfold(W, torch.zeros(8, dtype=W.dtype), seen)
            ours = fading.decades(W, a, unit=0).tolist()
            assert formulas(js, [number, gain]) == pytest.approx(ours, abs=1e-6)

    def test_drift_is_that_of_the_theorem(self, formulas):
        for beta in BIASES:
            page = formulas("bias => lltd.lstm.drift(bias, 1000)", beta)
            assert page == pytest.approx(state_drift.drift(beta, 0.5, 0.0, 1000).deviation, rel=1e-12)


def words(number, digits):
    return f"{number:.{digits}f}".replace("-", "−")


def of_class(page, kind):
    return page.locator(f".live-lstm .lstm-{kind}").last.get_attribute("d")


class TestReading:
    """What is shown, and how it is worked."""

    def test_first_view_is_a_cell_that_kept_the_sum(self, reader):
        page, (states, _, _, flat, full) = reader(), carried(FIRST, -6.0)
        wanted = 2 * (tape(FIRST)[1] - 0.5)
        assert fact(page, "state") == f"{words(states[-1], 3)}; {words(wanted, 3)}"
        assert abs(states[-1] - wanted) < 0.08
        assert fact(page, "passes") == f"{flat[-1]:.3f}"
        assert fact(page, "cut") == "× 1"
        assert fact(page, "full") == f"× {full[0] / full[-1]:.4f}"
        assert page.locator(".lstm-mark").count() == 2

    def test_opening_the_gate_lets_the_state_drift_and_lowers_the_level(self, reader):
        page, levels, drifts = reader(), [], []
        for beta in BIASES[1:5]:
            page.get_by_label("bias of the input gate").fill(str(beta))
            state, _ = fact(page, "state").split("; ")
            assert state == words(carried(FIRST, beta)[0][-1], 3)
            assert fact(page, "cut") == "× 1"  # level all the same
            drifts.append(float(fact(page, "drift").removeprefix("±")))
            path = of_class(page, "cell")
            heights = {point.split(",")[1] for point in path[1:].split("L")}
            assert len(heights) == 1
            levels.append(float(heights.pop()))
        assert levels == sorted(levels) and levels[-1] > levels[0] + 5  # downwards
        assert drifts == sorted(drifts)

    def test_a_state_beyond_recall_is_told_as_such(self, reader):
        page = reader()
        page.get_by_label("bias of the input gate").fill("3")
        sunk = next(run for run in range(FIRST, FIRST + 12) if carried(run, 3.0)[3][-1] == 0)
        for _ in range(sunk - FIRST):
            page.get_by_role("button", name="New sequence").press("Enter")
        assert fact(page, "passes") == "0" and fact(page, "full") == "nothing to keep"
        assert "NaN" not in page.locator(".live-panels").inner_html()

    def test_elman_net_loses_its_error_whatever_the_sequence(self, reader):
        page = reader()
        for _ in range(4):
            page.get_by_role("button", name="New Elman net").press("Enter")
            page.get_by_role("button", name="New sequence").press("Enter")
            assert int(fact(page, "elman").replace("\n", "").removeprefix("10").replace("−", "-")) < -10
        assert page.locator(".live-where").inner_text().startswith("sequence 6, ")

    def test_python_on_the_page_gives_the_run_shown(self, reader):
        page = reader()
        page.locator(".live-figure summary").click()
        for beta, gain, name in (
            ("-6", "2", None),
            ("-2.5", "0.75", "New sequence"),
            ("0", "2", "New Elman net"),
        ):
            if name:
                page.get_by_role("button", name=name).press("Enter")
            page.get_by_label("bias of the input gate").fill(beta)
            page.get_by_label("gain").fill(gain)
            promised, printed = run_in_python(page.locator(".live-figure pre").inner_text())
            assert len(printed) == 4
            if beta == "0":  # where h is flat only the size of the error is more than rounding
                promised, printed = (lines[:1] + lines[3:] for lines in (promised, printed))
            assert promised == printed

    def test_extreme_settings_can_be_drawn(self, reader):
        page = reader()
        for beta in ("-9", "3"):
            for gain in ("0.5", "3"):
                page.get_by_label("bias of the input gate").fill(beta)
                page.get_by_label("gain").fill(gain)
                drawn = page.locator(".live-figure svg :is(path, circle)").evaluate_all(
                    "all => all.map(p => p.outerHTML)"
                )
                assert drawn and not any("NaN" in one or "Infinity" in one for one in drawn)

    def test_turning_a_phone_keeps_the_run(self, reader):
        page = reader()
        page.get_by_role("button", name="New sequence").press("Enter")
        before = [fact(page, name) for name in ("state", "cut", "full", "elman")]
        for width, units in ((PHONE, 340), (DESK, 640)):
            page.set_viewport_size({"width": width, "height": HEIGHT})
            page.wait_for_function(
                f"document.querySelector('.live-panels svg').viewBox.baseVal.width === {units}"
            )
            assert [fact(page, name) for name in ("state", "cut", "full", "elman")] == before
            assert of_class(page, "elman").count("L") > 1000

    def test_screen_reader_hears_the_outcome_once_it_has_come_to_rest(self, reader):
        page = reader()
        assert page.locator("[role=status]").inner_text() == ""
        for beta in ("-5", "-4", "-3"):
            page.get_by_label("bias of the input gate").fill(beta)
        page.wait_for_function("document.querySelector('[role=status]').textContent !== ''")
        said = page.locator("[role=status]").inner_text()
        assert said.startswith("State and what is wanted: ") and "all of that to step 1" in said
        assert said.endswith("is left.") and f"{carried(FIRST, -3.0)[3][-1]:.3f}" in said
