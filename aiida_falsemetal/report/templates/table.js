// The frames table: some hundred rows at a time, sorted and filtered by the data behind them.
const table = byId("frame-table");
const view = { order: null, first: 0, by: null, down: false };
const controls = table && { interface: byId("by-interface"), mlip: byId("by-mlip"), state: byId("by-state"), text: byId("filter") };

const rowTexts = new Map();
const rowText = (i) => {
  if (!rowTexts.has(i)) rowTexts.set(i, facts.columns.map((one) => cellText(one, i)).join(" ").toLowerCase());
  return rowTexts.get(i);
};
const inState = {
  "": () => true,
  metallic: (i) => at("metallic", i) === true,
  open: (i) => at("gap", i) !== null && at("metallic", i) !== true,
  failed: (i) => at("gap", i) === null && (at("exit_code", i) !== null || stateOf(i) === "lost"),
  unfinished: (i) => at("gap", i) === null && at("exit_code", i) === null && stateOf(i) !== "lost",
};
const compare = (a, b) => {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b));
};

const ordered = () => {
  const [name, mlip, state] = [controls.interface.value, controls.mlip.value, controls.state.value];
  const text = controls.text.value.trim().toLowerCase();
  const found = facts.names.map((_, i) => i).filter((i) =>
    (!name || shown(at("interface", i)) === name) && (!mlip || shown(at("mlip", i)) === mlip)
    && inState[state](i) && (!text || rowText(i).includes(text)));
  if (view.by === null) return found;
  const key = facts.columns[view.by].key;
  const of = (i) => { const value = at(key, i); return value === "" ? null : value; };
  // What is missing stays last, whichever way.
  return found.sort((i, j) => {
    const [a, b] = [of(i), of(j)];
    return view.down && a !== null && b !== null ? compare(b, a) : compare(a, b);
  });
};

const cellOf = (one, i) => {
  const text = cellText(one, i);
  if (one.key === "step") return make("th", { scope: "row", class: "n" }, text);
  const mark = one.key === "metallic" && at("metallic", i);
  if (mark) {
    const badge = make("span", { class: "badge metallized" }, make("span", { "aria-hidden": "true" }, "■"), ` ${text}`);
    return make("td", {}, badge);
  }
  return make("td", one.numeric ? { class: "n" } : one.kind === "message" ? { class: "message" } : {}, text);
};
// The step becomes a button, so that a keyboard has a way to every frame.
const withButton = (row) => {
  const head = row.querySelector("th");
  const button = make("button", { type: "button", class: "step", title: "Show this frame" }, ...head.childNodes);
  head.append(button);
  return row;
};
const rowOf = (i) => withButton(make("tr", { id: `frame-${facts.names[i]}` }, ...facts.columns.map((one) => cellOf(one, i))));

const render = () => {
  const body = table.tBodies[0];
  const window_ = view.order.slice(view.first, view.first + facts.rows);
  body.replaceChildren(...window_.map(rowOf));
  mark();
  tell();
};
const tell = () => {
  const [found, all] = [view.order ? view.order.length : facts.names.length, facts.names.length];
  const last = Math.min(view.first + facts.rows, found);
  byId("shown").textContent = found === 0 ? `none of ${all} frames`
    : `rows ${view.first + 1} to ${last} of ${found}${found < all ? ` that match, of ${all} frames` : ""}`;
  byId("page-back").disabled = view.first === 0;
  byId("page-on").disabled = last >= found;
};
const refresh = () => { view.order = ordered(); view.first = 0; render(); };
const turn = (by) => {
  view.order ??= ordered();
  view.first = Math.max(0, Math.min(view.first + by * facts.rows, view.order.length - 1));
  render();
  table.parentNode.scrollTop = 0;
};

// The chosen frame's row, where it is there.
const mark = () => {
  for (const row of table.querySelectorAll("tr[aria-current]")) row.removeAttribute("aria-current");
  const row = chosen === null ? null : byId(`frame-${facts.names[chosen]}`);
  if (row) row.setAttribute("aria-current", "true");
  return row;
};
// Turns to the chosen frame's row and brings it into the table's window, without moving the page.
const revealRow = () => {
  if (!table) return;
  view.order ??= ordered();
  const place = chosen === null ? -1 : view.order.indexOf(chosen);
  if (place >= 0 && (place < view.first || place >= view.first + facts.rows)) {
    view.first = facts.rows * Math.floor(place / facts.rows);
    render();
  }
  const row = mark();
  if (!row) return;
  const box = table.parentNode, head = table.tHead.offsetHeight;
  const [top, bottom] = [row.offsetTop - head, row.offsetTop + row.offsetHeight];
  if (top < box.scrollTop || bottom > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 3;
};

if (table) {
  for (const [control, values] of [[controls.interface, facts.interfaces], [controls.mlip, facts.mlips]]) {
    control.append(...values.map((value) => make("option", { value }, value)));
  }
  for (const control of Object.values(controls)) control.addEventListener("input", refresh);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("page-back").addEventListener("click", () => turn(-1));
  byId("page-on").addEventListener("click", () => turn(1));
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      view.down = head.getAttribute("aria-sort") === "ascending";
      view.by = place;
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      refresh();
    });
  });
  table.tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (!row || String(getSelection())) return;
    choose(indices().get(row.id.slice(6)), { from: event.target.closest("button") ?? row.querySelector("button") });
  });
}
