"""A freshly built book and a real browser, and a last word where there is no browser."""

import contextlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = pytest.StashKey[bool]()
PHONE, DESK, HEIGHT = 390, 1280, 844  # window sizes in CSS pixels
PATIENCE = 20_000  # milliseconds to wait for a page, generous because a busy machine is no failure
FOLLOWED = "scheme => [scheme, undefined].includes(document.documentElement.dataset.theme)"  # or has no theme


@dataclass
class Build:
    """A built book: its folder of pages, and what the builder said."""

    html: Path
    returncode: int
    log: str


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Build:
    """The book built from its stored outputs, in a folder of its own and with each warning an error."""
    target = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", ROOT]
    command += ["--path-output", target, "-W", "--keep-going", "-n"]
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    html = target / "_build" / "html"
    assert (html / "index.html").exists(), done.stdout
    return Build(html, done.returncode, done.stdout)


def command_that_brings_a_browser() -> str:
    """Name the one command to type: Debian packages a Chromium, elsewhere Playwright brings its own."""
    try:
        debian = platform.freedesktop_os_release()["ID"] == "debian"
    except OSError:
        debian = False
    return "apt-get install chromium" if debian else f"{sys.executable} -m playwright install chromium"


@pytest.fixture(scope="session")
def browser(request):
    """One Chromium for all pages: this machine's, or Playwright's own. Without one the test is skipped."""
    with sync_playwright() as playwright:
        places = [*map(shutil.which, NAMES), playwright.chromium.executable_path]
        program = next((place for place in places if place and Path(place).exists()), None)
        if program is None:
            request.config.stash[MISSING] = True
            stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            stop(f"no Chromium; `{command_that_brings_a_browser()}` brings one")
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--disable-gpu", "--disable-quic", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def pytest_terminal_summary(terminalreporter, config):
    if config.stash.get(MISSING, False):
        terminalreporter.section("no browser")
        terminalreporter.line("The pages were not looked at: this machine has no Chromium. To bring one:")
        terminalreporter.line(f"    {command_that_brings_a_browser()}")


@dataclass
class Visit:
    """An open page, and what it did while it was open."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    view: tuple[str, int] = ("light", DESK)

    def look(self, scheme: str, width: int) -> None:
        """Look at the page as a reader with this colour scheme and window width does."""
        if (scheme, width) == self.view:
            return
        self.view = scheme, width
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.page.wait_for_function(FOLLOWED, arg=scheme, timeout=PATIENCE)
        self.page.wait_for_timeout(400)  # colours fade for 250 ms, and the theme sets tab stops after 300

    def open(self, address: str) -> None:
        """Load the address and wait until its formulas are drawn."""
        self.page.goto(address, timeout=PATIENCE)
        self.page.wait_for_load_state("load", timeout=PATIENCE)
        self.page.evaluate("window.MathJax?.startup?.promise?.then(() => true)")


def open_page(browser: Browser, address: str) -> Visit:
    """Open the address in a fresh profile, note what it asks for, and keep it from the network."""
    window = {"width": DESK, "height": HEIGHT}
    # Reduced motion keeps live figures still: moving, they take the processor from all that is tested here.
    context = browser.new_context(color_scheme="light", reduced_motion="reduce", viewport=window)
    context.route(re.compile("^https?:"), lambda route: route.abort())
    page = context.new_page()
    visit = Visit(page)
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("websocket", lambda socket: visit.requests.append(socket.url))
    page.on("requestfailed", lambda request: visit.errors.append(f"not loaded: {request.url}"))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda line: visit.errors.append(line.text) if line.type == "error" else None)
    visit.open(address)
    return visit


@pytest.fixture
def visit_text(browser, tmp_path):
    """Opens a page with the given HTML body: a page that is bad in one way, to try the checks on."""
    visits = []

    def visit(body: str, head: str = "") -> Visit:
        file = tmp_path / "page.html"
        file.write_text(
            f"<!doctype html><html lang='en'><head><title>A page</title>{head}</head>"
            f"<body><main id='main-content'><h1>A page</h1>{body}</main></body></html>",
            encoding="utf8",
        )
        visits.append(open_page(browser, file.as_uri()))
        return visits[-1]

    yield visit
    for one in visits:
        one.page.context.close()


LIVE = (
    "latch",
    "cusp",
    "flip_flop",
    "random_search",
    "lstm",
    "adding",
)  # the live figures that need nothing from their page
WORDS = "Here a script draws the figure."
CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_parser", "live_figure"]
html_theme = "sphinx_book_theme"
html_static_path = [{str(ROOT / "book" / "_static")!r}]
html_css_files = ["book.css"]
html_js_files = [["book.js", {{"defer": "defer"}}]]
html_context = {{"default_mode": "auto"}}
html_theme_options = {{"navbar_persistent": []}}
"""


def build(folder: Path, pages: dict[str, str]) -> subprocess.CompletedProcess:
    """Build a small book of such pages with the book's own extension and static files."""
    for name, text in {"conf.py": CONF, **pages}.items():
        (folder / name).write_text(text, encoding="utf8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", folder, folder / "html"]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """A page for each live figure, of its name, one for all, and one, the index, without any."""
    folder = tmp_path_factory.mktemp("live")
    orphan = "---\norphan: true\n---\n# A page\n\n## Live\n"
    block = {name: f"\n```{{live-figure}} {name}\n{WORDS}\n```\n" for name in LIVE}
    pages = {f"{name}.md": orphan + text for name, text in block.items()}
    done = build(folder, {"index.md": "# No figure\n", **pages, "all.md": orphan + "".join(block.values())})
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def figure(request) -> str:
    """Name of the live figure that the module's tests are about: its FIGURE."""
    return request.module.FIGURE


@pytest.fixture
def reader(browser, site, figure):
    """Opens the figure's page as a reader does who has such a browser; still unless motion is asked for."""
    contexts = []

    def open_as(**settings) -> Page:
        settings = {"reduced_motion": "reduce", "viewport": {"width": DESK, "height": HEIGHT}} | settings
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.goto((site / f"{figure}.html").as_uri())
        return page

    yield open_as
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def formulas(browser, site, figure):
    """Evaluates a function of the figure's page on an argument."""
    page = browser.new_page()
    page.goto((site / f"{figure}.html").as_uri())
    yield page.evaluate
    page.close()


def fact(page: Page, name: str) -> str:
    """A number that a live figure shows, by its name."""
    return page.locator(f".live-figure [data-fact={name}]").inner_text()


def run_in_python(code: str) -> tuple[list[str], list[str]]:
    """What a live figure's code promises in its last comments, and what it prints when it is run."""
    printed, default = io.StringIO(), torch.get_default_dtype()
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, {})
    finally:
        torch.set_default_dtype(default)
    promised = [line.removeprefix("# ") for line in code.splitlines() if line.startswith("# ")]
    return promised, printed.getvalue().splitlines()
