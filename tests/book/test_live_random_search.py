"""The live figure of random search: what it shows is what lltd computes, and anybody can work it."""

import re
from itertools import pairwise

import pytest
import torch
from conftest import HEIGHT, PHONE, fact, run_in_python
from guessed_nets import COUNT, FIRST, stood, weights

FIGURE = "random_search"
WEIGHTS = ("h from x", "h from 1", "h from o", "h from h", "o from x", "o from o", "o from h")


def press(page, name):
    page.get_by_role("button", name=name, exact=True).press("Enter")


def wait(page, state):
    page.wait_for_selector(f".live-figure[{state}]", timeout=120_000)


def search(page, name="Guess"):
    press(page, name)
    wait(page, "data-state=resting")


def point(page):
    return page.get_by_role("slider", name="net in the slice")


def colours(page, places):
    """The slice's colours at columns and rows, as [r, g, b]."""
    return page.locator(".live-figure image").evaluate(
        """async (image, places) => {
            const picture = new Image();
            picture.src = image.getAttribute("href");
            await picture.decode();
            const pen = Object.assign(document.createElement("canvas"), {width: 101, height: 101}).getContext("2d");
            pen.drawImage(picture, 0, 0);
            return places.map(([i, j]) => [...pen.getImageData(i, 100 - j, 1, 1).data].slice(0, 3));
        }""",
        places,
    )


class TestReading:
    """What is shown, and how it is worked."""

    def test_one_press_finds_the_net_and_the_next_goes_on(self, reader):
        page = reader()
        assert fact(page, "guesses") == "0" and fact(page, "mean") == "none yet"
        search(page)
        assert fact(page, "guesses") == f"{FIRST:,}" and fact(page, "stands") == "100 of 100"
        assert fact(page, "test").startswith("100 right, error 0.000")
        assert fact(page, "id").replace("\n", "") == f"0 · 232 + {FIRST - 1}"
        shown = weights(0, FIRST)[:, -1].tolist()
        spoken = ", ".join(f"{of} {w:.1f}" for of, w in zip(WEIGHTS, shown, strict=True)).replace("-", "−")
        assert (
            page.locator(".live-figure svg")
            .nth(2)
            .get_attribute("aria-label")
            .endswith(f"Weights: {spoken}.")
        )
        search(page, "Next training set")
        assert (
            page.locator(".live-where").inner_text() == f"training set 1, found after {fact(page, 'guesses')}"
        )
        assert fact(page, "mean").endswith("(2 sets)") and page.locator(".search-wait").count() == 2

    def test_again_finds_the_same_and_counts_it_once(self, reader):
        page = reader()
        assert page.get_by_role("button", name="Again").is_disabled()
        search(page)
        search(page, "Again")
        assert fact(page, "guesses") == f"{FIRST:,}" and fact(page, "mean") == f"{FIRST:,} (1 set)"

    def test_search_pauses_and_goes_on(self, reader):
        page = reader(reduced_motion="no-preference")
        press(page, "Guess")
        page.wait_for_function("parseInt(document.querySelector('[data-fact=guesses]').textContent) > 5")
        press(page, "Pause")
        rest = int(fact(page, "guesses"))
        assert rest < FIRST and fact(page, "id").replace("\n", "") == f"0 · 232 + {rest - 1}"
        page.wait_for_timeout(300)
        assert int(fact(page, "guesses")) == rest
        search(page, "Go on")
        assert fact(page, "guesses") == f"{FIRST:,}"

    def test_ten_trials_give_their_mean(self, reader):
        page = reader()
        search(page, "Ten trials")
        where = page.locator(".live-where").inner_text()
        mean = re.fullmatch(r"training set 9, found after [\d,]+, mean of these ten ([\d,]+)", where)[1]
        assert fact(page, "mean") == f"{mean} (10 sets)"
        assert page.locator(".search-wait").count() == 10

    def test_slice_has_the_colours_of_its_nets(self, reader):
        page = reader()
        search(page)
        page.locator(".live-figure image").scroll_into_view_if_needed()
        wait(page, "data-slice=done")
        places = [[i, j] for i in range(0, 101, 10) for j in range(0, 101, 10)]
        theta = weights(0, FIRST)[:, -1:].repeat(1, len(places))
        theta[[0, 2]] = 2.0 * torch.tensor(places).T.double() - 100
        counts = stood(theta, 0).tolist()
        shown = colours(page, places)
        assert {count for count in counts} >= {0, 1, COUNT}
        lit = [252, 253, 191]
        assert [colour == lit for colour in shown] == [count == COUNT for count in counts]
        by_count = {}
        for colour, count in zip(shown, counts, strict=True):
            assert by_count.setdefault(count, colour) == colour
        brightness = [sum(by_count[count]) for count in sorted(by_count)]
        assert brightness == sorted(brightness)
        share = float(fact(page, "lit").split()[0])
        assert share == pytest.approx(100 * counts.count(COUNT) / len(counts), abs=5)

    def test_arrow_keys_take_nets_of_the_slice(self, reader):
        page = reader()
        point(page).focus()
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("ArrowUp")
        first = weights(0, 1)[:, 0]
        across, up = (round(first[p].item() / 2) * 2 for p in (0, 2))
        words = point(page).get_attribute("aria-valuetext").replace("−", "-")
        assert fact(page, "id") == "your own"
        moved = [float(number) for number in re.findall(r"from \w (-?[\d.]+)", words)]
        assert moved[0] % 2 == 0 and abs(moved[0] - across) <= 4 and abs(moved[1] - up - 10) <= 4
        first[[0, 2]] = torch.tensor(moved).double()
        assert words.endswith(f"stands {stood(first[:, None], 0).item()} of 100")

    def test_click_takes_the_net_under_the_pointer(self, reader):
        page = reader()
        search(page)
        image = page.locator(".live-figure image")
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        page.mouse.click(box["x"] + box["width"] * 90.5 / 101, box["y"] + box["height"] * 90.5 / 101)
        assert "h from x 80.0, h from o −80.0" in point(page).get_attribute("aria-valuetext")
        assert fact(page, "stands") != "100 of 100" and fact(page, "test") == "not tried"
        assert page.locator(".search-ring").get_attribute("visibility") == "visible"

    def test_any_two_different_weights_make_a_slice(self, reader):
        page = reader()
        across, up = (page.get_by_label(f"weight {side}", exact=True) for side in ("across", "up"))
        up.select_option(label="h from x")  # which was across
        assert [one.evaluate("s => s.selectedOptions[0].text") for one in (across, up)] == [
            "h from o",
            "h from x",
        ]
        page.get_by_label("range", exact=True).select_option(label="±10")
        assert page.locator(".live-figure svg").last.locator("text", has_text="−10").count() == 2
        page.locator(".live-figure image").scroll_into_view_if_needed()
        wait(page, "data-slice=done")

    def test_python_on_the_page_gives_the_net_shown(self, reader):
        page = reader()
        page.locator(".live-figure summary").click()
        code = page.locator(".live-figure pre")
        for act, lines in (
            (lambda: None, 1),
            (lambda: search(page), 2),
            (lambda: point(page).press("ArrowDown"), 2),
        ):
            act()
            promised, printed = run_in_python(code.inner_text())
            assert promised == printed and len(printed) == lines

    def test_narrow_and_wide_draw_without_fault(self, reader):
        page = reader(viewport={"width": PHONE, "height": HEIGHT})
        search(page)
        drawn = page.locator(".live-figure svg :is(path, rect, circle, text)").evaluate_all(
            "all => all.map(p => p.outerHTML)"
        )
        assert drawn and not any("NaN" in one or "Infinity" in one for one in drawn)


class TestMotion:
    def test_first_guesses_can_be_followed_and_then_come_faster(self, reader):
        page = reader(reduced_motion="no-preference")
        page.evaluate(
            """() => {
                window.seen = [];
                const at = document.querySelector("[data-fact=guesses]");
                new MutationObserver(() => seen.push(parseInt(at.textContent.replace(",", ""))))
                    .observe(at, {childList: true});
            }"""
        )
        search(page)
        seen = page.evaluate("seen")
        steps = [after - before for before, after in pairwise(seen)]
        assert seen == sorted(seen) and seen[-1] == FIRST and max(steps[:10]) <= 3 and max(steps) > 10

    def test_without_motion_only_the_result_is_drawn(self, reader):
        page = reader()
        page.evaluate(
            """() => {
                window.changes = 0;
                new MutationObserver(() => changes++).observe(
                    document.querySelector(".search-dots"), {attributes: true});
            }"""
        )
        search(page)
        assert page.evaluate("changes") <= 3

    def test_screen_reader_hears_the_outcome_and_not_the_guesses(self, reader):
        page = reader(reduced_motion="no-preference")
        press(page, "Guess")
        page.wait_for_timeout(1500)
        assert page.locator("[role=status]").inner_text() == ""
        wait(page, "data-state=resting")
        page.wait_for_function("document.querySelector('[role=status]').textContent !== ''")
        assert (
            page.locator("[role=status]")
            .inner_text()
            .startswith(
                f"training set 0, found after {FIRST:,}. The net stands 100 of 100; on the test set: 100 right"
            )
        )

    def test_page_answers_while_it_computes(self, reader):
        """No frame takes long, whether nets are guessed or a slice is computed."""
        page = reader(reduced_motion="no-preference")
        page.evaluate(
            """() => {
                window.long = [];
                const own = requestAnimationFrame;
                window.requestAnimationFrame = work => own(now => {
                    const start = performance.now();
                    work(now);
                    long.push(performance.now() - start);
                });
            }"""
        )
        page.locator(".live-figure image").scroll_into_view_if_needed()
        search(page)
        page.wait_for_timeout(1500)
        spent = sorted(page.evaluate("long"))
        assert spent[len(spent) // 2] < 20
