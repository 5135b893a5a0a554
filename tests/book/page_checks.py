"""What a page of the book must not do. Each check looks at one open page and returns what it finds wrong."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AT_HOME = ("file", "data", "blob", "about")
MAIN = "main#main-content"
ID = re.compile(r"""\b(?:id|name)=["']([^"']+)["']""")


def outside_requests(requests: list[str]) -> list[str]:
    """Requests that leave the folder of the book."""
    return [address for address in requests if urlsplit(address).scheme not in AT_HOME]


def undrawn_maths(page: Page) -> list[str]:
    """Formulas of the source without a picture, formulas that MathJax marks as wrong, TeX shown as text."""
    return page.evaluate(
        r"""(main) => {
            const root = document.querySelector(main);
            const found = [];
            for (const formula of root.querySelectorAll(".math"))
                if (!formula.querySelector("mjx-container svg"))
                    found.push("not drawn: " + formula.textContent);
            for (const wrong of root.querySelectorAll("mjx-merror, [data-mml-node='merror']"))
                found.push("wrong: " + wrong.textContent);
            const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) {
                const node = texts.currentNode;
                if (node.parentElement.closest("pre, code, script, style, mjx-container")) continue;
                if (/\$[^$]*\$|\\\(|\\\[|\\begin\{/.test(node.data))
                    found.push("left as TeX: " + node.data.trim());
            }
            return found;
        }""",
        MAIN,
    )


def barriers(page: Page, contrast: bool = True) -> list[str]:
    """What axe finds that keeps a reader out, of any weight.

    Contrast takes most of the time; a second look at the same colours may leave it out.
    Without preload: axe would fetch the style sheets once more, which a browser refuses to a file:// page.
    """
    options = {"resultTypes": ["violations"], "preload": False}
    if not contrast:
        options["rules"] = {"color-contrast": {"enabled": False}}
    answer = Axe().run(page, options=options).response
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for rule in answer["violations"]
        for node in rule["nodes"]
    ]


def sideways(page: Page) -> list[str]:
    """Elements that make the page itself scroll sideways, widest first; empty where it does not."""
    return page.evaluate(
        """() => {
            const wide = document.documentElement.clientWidth;
            if (Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) <= wide) return [];
            return [...document.body.querySelectorAll("*")]
                .map(element => [element.getBoundingClientRect().right, element])
                .filter(([right, element]) => right > wide && element.checkVisibility({visibilityProperty: true}))
                .sort(([a], [b]) => b - a)
                .slice(0, 5)
                .map(([right, element]) => `${Math.round(right)} px: ${element.outerHTML.slice(0, 120)}`);
        }"""
    )


def illegible_figures(page: Page) -> list[str]:
    """Figures that did not load, are hidden, shrunk below the width they were drawn for, or cut off.

    A figure may be wider than the window where a box around it scrolls.
    """
    return page.evaluate(
        """(main) => {
            const edge = document.documentElement.clientWidth;
            const scrolls = (box) =>
                box !== null
                && (box.scrollWidth > box.clientWidth && /auto|scroll/.test(getComputedStyle(box).overflowX)
                    || scrolls(box.parentElement));
            const found = [];
            for (const figure of document.querySelectorAll(main + " img")) {
                const name = figure.getAttribute("src").split("/").pop();
                const box = figure.getBoundingClientRect();
                const given = figure.style.width || figure.getAttribute("width");
                const intended = parseFloat(given) || figure.naturalWidth;
                if (!figure.complete || !figure.naturalWidth) found.push(name + ": not loaded");
                else if (!figure.checkVisibility({visibilityProperty: true, opacityProperty: true}))
                    found.push(name + ": hidden");
                else if (box.width < 0.95 * intended)
                    found.push(`${name}: ${Math.round(box.width)} px wide, drawn for ${intended}`);
                else if (box.right > edge + 1 && !scrolls(figure.parentElement))
                    found.push(name + ": cut off");
            }
            return found;
        }""",
        MAIN,
    )


def unspoken_figures(page: Page) -> list[str]:
    """Figures without a description in words: none, or no more than a file's name."""
    figures = page.eval_on_selector_all(f"{MAIN} img", "all => all.map(i => [i.alt, i.getAttribute('src')])")
    return [source for alt, source in figures if len(alt.split()) < 3]


def broken_links(page: Page) -> list[str]:
    """Links to a file that is not there, or to a place that the file does not have."""
    found = []
    for address in set(page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")):
        parts = urlsplit(address)
        if parts.scheme != "file":
            continue
        file, place = Path(unquote(parts.path)), unquote(parts.fragment)
        if not file.is_file():
            found.append(f"no such file: {address}")
        elif place and place not in ID.findall(file.read_text(encoding="utf8")):
            found.append(f"no such place: {address}")
    return sorted(found)


def missing_in_footer(page: Page, *facts: str) -> list[str]:
    """Those of the facts that the page's footer does not name."""
    footer = " ".join(page.locator("footer").all_inner_texts())
    return [fact for fact in facts if fact not in footer]
