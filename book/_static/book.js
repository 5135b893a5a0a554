// What the theme leaves out for readers who use a keyboard or a screen reader.
(() => {
  // Boxes that book.css lets scroll sideways; the theme sees to code and tables itself.
  const BOXES = "#main-content div.cell_output, #main-content mjx-container[display='true']";

  const nameTheSidebar = () => {
    const sidebar = document.getElementById("pst-primary-sidebar");
    sidebar?.setAttribute("role", "complementary");
    sidebar?.setAttribute("aria-label", "The book");
  };

  // The bibliography is a list whose entries carry a role that has been withdrawn from the standard.
  const nameTheEntries = () => {
    for (const entry of document.querySelectorAll(".citation-list > .citation")) entry.setAttribute("role", "listitem");
  };

  // A box that scrolls must be reachable with the tab key, and no other box should be.
  const giveTabStops = () => {
    for (const box of document.querySelectorAll(BOXES)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };

  nameTheSidebar();
  nameTheEntries();
  window.addEventListener("resize", giveTabStops);
  window.addEventListener("load", () => {
    giveTabStops();
    window.MathJax?.startup?.promise.then(giveTabStops); // formulas get their width when they are drawn
  });
})();
