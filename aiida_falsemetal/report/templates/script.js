"use strict";
// Comfort only: without scripts the page shows the same numbers, and browsers show the titles of points themselves.
(() => {
  const tip = document.getElementById("tip");
  for (const point of document.querySelectorAll("a.pt")) {
    const title = point.querySelector("title");
    point.setAttribute("aria-label", title.textContent);
    const text = title.textContent;
    title.remove();
    point.addEventListener("pointerenter", (event) => {
      tip.textContent = text;
      tip.hidden = false;
      const box = tip.getBoundingClientRect();
      tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4)) + "px";
      tip.style.top = Math.max(4, event.clientY + 14 + box.height > innerHeight ? event.clientY - box.height - 14 : event.clientY + 14) + "px";
    });
    point.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  const table = document.getElementById("frame-table");
  if (!table) return;
  const body = table.tBodies[0];
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    let visible = 0;
    for (const row of body.rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      visible += row.hidden ? 0 : 1;
    }
    shown.textContent = wanted ? `${visible} of ${body.rows.length}` : "";
  });
  // A link to a row that the filter hides would lead nowhere.
  addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.hidden) { filter.value = ""; filter.dispatchEvent(new Event("input")); row.scrollIntoView(); }
  });

  const key = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const value = Number(text.replace("\u2212", "-"));
    return text === "" || text === "–" ? null : Number.isNaN(value) ? text : value;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b));
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => (down && a !== null && b !== null ? compare(b, a) : compare(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
  });

  document.getElementById("save").addEventListener("click", () => {
    const blob = new Blob([document.getElementById("data").textContent], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "results.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });
})();
