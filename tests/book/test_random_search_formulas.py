"""The formulas of random search's live figure: sequences, guesses and finds are lltd's."""

from functools import cache

import pytest
import torch
from conftest import ROOT
from guessed_nets import COUNT, FIRST, NET, SEED, drawn, ends, ids, stood, weights

from lltd.kernels import guess

FIGURE = "random_search"
FORMULAS = ROOT / "book" / "_static" / "random_search_formulas.js"


@cache
def fallen_in_python():
    """Where 400 guesses of trial 9 fall."""
    return stood(weights(9, 400), 9).tolist()


def fallen(evaluate, text):
    """The same by the page's formulas, or by others, given as their text."""
    js = """text => {
        const own = { philox: lltd.philox };
        new Function("lltd", text)(own);
        const { sequences, guessed, stood } = own.randomSearch;
        const of = sequences(9);
        return Array.from({length: 400}, (_, c) => stood(guessed(9, c), of));
    }"""
    return evaluate(js, text)


class TestFormulas:
    """The page's numbers are lltd's."""

    @pytest.mark.parametrize("trial", [0, 7])
    def test_sequences_are_the_same_to_the_bit(self, formulas, trial):
        js = """trial => {
            const of = lltd.randomSearch.sequences(trial);
            return Array.from({length: 200}, (_, k) => [of(k).inputs, of(k).target]);
        }"""
        inputs, lengths, classes = drawn(trial)
        ours = [
            [x[:n].tolist(), c] for x, n, c in zip(inputs, lengths.tolist(), classes.tolist(), strict=True)
        ]
        assert formulas(js, trial) == ours

    @pytest.mark.parametrize("trial", [0, 1, 12345])
    def test_weights_are_the_same_to_the_bit(self, formulas, trial):
        js = "trial => Array.from({length: 500}, (_, c) => lltd.randomSearch.guessed(trial, c))"
        assert formulas(js, trial) == weights(trial, 500).T.tolist()

    def test_units_go_the_same_way(self, formulas):
        inputs = drawn(0)[0][:1, :40]
        theta = torch.cat((weights(0, 50), weights(0, FIRST)[:, -1:]), dim=1)
        js = """([all, inputs]) => all.map(w => lltd.randomSearch.course(w, inputs, 40).map(({o}) => o))"""
        page = torch.tensor(formulas(js, [theta.T.tolist(), inputs[0].tolist()]), dtype=torch.float64)
        ours = [ends(theta, inputs, torch.tensor([t]))[0] for t in range(1, 41)]
        torch.testing.assert_close(page.T, torch.stack(ours), rtol=0, atol=1e-9)

    def test_each_guess_falls_at_the_same_sequence(self, formulas):
        ours = fallen_in_python()
        assert fallen(formulas, FORMULAS.read_text()) == ours and len(set(ours)) >= 4

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("+ oo * o", ""),
            ("+ hh * h", ""),
            ("oh * h);", "oh * (1 - h));"),
            ("sum ^ bit", "sum | bit"),
            ("u[0] *", "u[1] *"),
            ("TOLERANCE = 0.1", "TOLERANCE = 0.9"),
            ("trial * 2 ** 32", "trial * 2 ** 31"),
        ],
    )
    def test_a_wrong_formula_would_be_noticed(self, formulas, right, wrong):
        text = FORMULAS.read_text()
        assert right in text
        assert fallen(formulas, text.replace(right, wrong)) != fallen_in_python()

    @pytest.mark.parametrize("trial", [9, 30])
    def test_search_finds_the_guess_that_the_kernel_finds(self, formulas, trial):
        js = """trial => {
            const { sequences, guessed, stood, tested } = lltd.randomSearch;
            const of = sequences(trial);
            for (let c = 0; ; c++)
                if (stood(guessed(trial, c), of) === 100) return [c, ...Object.values(tested(guessed(trial, c), of))];
        }"""
        found, right, error = formulas(js, trial)
        inputs, lengths, classes = drawn(trial)
        kept = ids(trial, found + 1)
        for k in range(COUNT):
            output = guess.guess(NET, SEED, kept, inputs[k : k + 1], lengths[k : k + 1])[0]
            kept = kept[(output - classes[k]).abs() < 0.1]
        assert kept.tolist() == [trial * 2**32 + found]  # the first one
        errors = (guess.guess(NET, SEED, kept, inputs, lengths)[:, 0] - classes).abs()[COUNT:]
        assert right == int((errors < 0.1).sum()) == COUNT
        assert error == pytest.approx(errors.mean().item(), rel=1e-6)

    @pytest.mark.parametrize("span", [10, 100, 1000])
    def test_nets_of_a_slice_are_the_same(self, formulas, span):
        js = """([w, span, places]) => {
            const { moved, place, stood, sequences } = lltd.randomSearch;
            const of = sequences(0);
            const nets = places.map(([i, j]) => moved(w, [2, 6], [place(i), place(j)], span));
            return [nets, nets.map(net => stood(net, of))];
        }"""
        found = weights(0, FIRST)[:, -1]
        places = [[i, j] for i in range(0, 101, 20) for j in range(0, 101, 20)]
        nets, counts = formulas(js, [found.tolist(), span, places])
        theta = found[:, None].repeat(1, len(places))
        theta[[2, 6]] = (span * (torch.tensor(places).T.double() / 50 - 1)).float().double()
        assert nets == theta.T.tolist()
        assert counts == stood(theta, 0).tolist()
        assert span != 100 or len(set(counts)) > 1

    def test_a_slice_is_computed_whole_and_each_net_once(self, formulas):
        order = formulas("[...lltd.randomSearch.refinement()]")
        assert len(order) == 101**2 == len({(i, j) for i, j, _ in order})
        sizes = [size for *_, size in order]
        assert sizes == sorted(sizes, reverse=True) and set(sizes) == {8, 4, 2, 1}
        covered = {(i + a, j + b) for i, j, size in order if size == 8 for a in range(8) for b in range(8)}
        assert {(i, j) for i, j, _ in order} <= covered
