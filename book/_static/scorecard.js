// Filters the scorecard's claims in the page. Without it every claim is shown and there is no form.
(() => {
  const form = document.querySelector(".scorecard-filter");
  if (!form) return;
  const count = document.querySelector(".scorecard-count");
  const tables = [...document.querySelectorAll(".scorecard-claims")];
  const claims = tables.flatMap((table) => [...table.tBodies]).map((body) => ({
    body,
    text: body.textContent.toLowerCase(),
  }));

  function show() {
    const chosen = Object.fromEntries(new FormData(form));
    const sought = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { body, text } of claims) {
      const fits =
        ["source", "chapter", "verdict"].every((key) => !chosen[key] || body.dataset[key] === chosen[key]) &&
        sought.every((word) => text.includes(word));
      body.hidden = !fits;
      shown += fits;
    }
    for (const table of tables) {
      const empty = [...table.tBodies].every((body) => body.hidden);
      (table.closest("section") ?? table).hidden = empty;
    }
    count.textContent = `${shown} of ${claims.length} claims shown`;
  }

  // A link to a claim must find it, whatever was filtered before.
  function reveal() {
    const body = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!body?.dataset.verdict) return;
    if (body.hidden) form.reset();
    show();
    body.querySelector("details")?.setAttribute("open", "");
    body.scrollIntoView();
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show)); // the fields are emptied after the event
  addEventListener("hashchange", reveal);
  form.hidden = false;
  show();
  reveal();
})();
