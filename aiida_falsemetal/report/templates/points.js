// The marks of the figures: what they say, which one is meant by a click, and which one is chosen.
const SVG = "http://www.w3.org/2000/svg";
const draw = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const REACH = 14; // pixels of the screen between a pointer and the mark that it means

const titles = new Map(); // of marks that are elements of their own
for (const point of document.querySelectorAll("a.pt")) {
  const title = point.querySelector("title");
  point.setAttribute("aria-label", title.textContent);
  titles.set(point, title.textContent);
  title.remove();
}

// Marks of one figure, in its own units: {i, x, y, title}.
const marksOf = (svg) => {
  const marks = [];
  for (const point of svg.querySelectorAll("a.pt")) {
    const [x, y] = point.dataset.at.split(" ").map(Number);
    marks.push({ i: indices().get(point.getAttribute("href").slice(7)), x, y, title: titles.get(point) });
  }
  for (const path of svg.querySelectorAll("path.pts")) {
    const names = path.dataset.frames.split(" ");
    const places = path.getAttribute("d").matchAll(/M(-?[\d.]+) (-?[\d.]+)/g);
    for (const [, x, y] of places) marks.push({ i: indices().get(names.shift()), x: Number(x), y: Number(y) });
  }
  return marks;
};
const drawings = [...document.querySelectorAll("figure svg")]
  .filter((svg) => svg.querySelector("a.pt, path.pts"))
  .map((svg) => ({ svg, marks: later(() => marksOf(svg)), rings: [] }));

const nearest = (drawing, event) => {
  const matrix = drawing.svg.getScreenCTM();
  if (!matrix) return null;
  const pointer = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  let best = null, least = (REACH / matrix.a) ** 2;
  for (const mark of drawing.marks()) {
    const distance = (mark.x - pointer.x) ** 2 + (mark.y - pointer.y) ** 2;
    if (distance <= least) [best, least] = [mark, distance];
  }
  return best;
};

const tipText = (i) => {
  const drop = at("expected_drop", i);
  const gap = at("gap", i);
  return [
    `${shown(at("interface", i))} × ${shown(at("mlip", i))}, seed ${shown(at("seed", i))}`,
    `step ${shown(at("step", i))}, ${number(at("time_ps", i))} ps`,
    `|M_z|/(ε₀A) ${number(drop === null ? null : Math.abs(drop))} V, QE drop ${number(at("drop", i))} V`,
    gap === null
      ? `no gap: exit code ${shown(at("exit_code", i))} ${at("exit_message", i) ?? ""}`.trimEnd()
      : `gap ${number(gap)} eV${at("metallic", i) ? ", metallic" : ""}`,
    `pw.x pk ${shown(at("pw_pk", i))}, GapWorkChain pk ${shown(at("gap_pk", i))}, pair pk ${shown(at("pair_pk", i))}`,
  ].join("\n");
};

const tip = byId("tip");
const showTip = (mark, event) => {
  tip.textContent = mark.title ?? tipText(mark.i);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const below = event.clientY + 14;
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4)) + "px";
  tip.style.top = Math.max(4, below + box.height > innerHeight ? event.clientY - box.height - 14 : below) + "px";
};

for (const drawing of drawings) {
  const { svg } = drawing;
  let under = null;
  svg.addEventListener("pointermove", (event) => {
    const mark = event.pointerType === "touch" ? null : nearest(drawing, event);
    svg.style.cursor = mark ? "pointer" : "";
    if (mark === under) return;
    under = mark;
    if (mark) showTip(mark, event);
    else tip.hidden = true;
  });
  svg.addEventListener("pointerleave", () => { under = null; tip.hidden = true; });
  svg.addEventListener("click", (event) => {
    const link = event.target.closest("a.pt");
    if (link && (event.ctrlKey || event.metaKey || event.shiftKey)) return; // a new tab, as of any link
    // Without a place, as from a keyboard or a screen reader, the link itself is meant.
    const named = link && event.detail === 0 ? { i: indices().get(link.getAttribute("href").slice(7)) } : null;
    const mark = named ?? nearest(drawing, event);
    if (link) event.preventDefault();
    if (!mark) return;
    tip.hidden = true;
    choose(mark.i, { from: svg });
  });
}

// A ring around every mark of the frame, or none.
const ring = (i) => {
  for (const drawing of drawings) {
    drawing.rings.splice(0).forEach((node) => node.remove());
    if (i === null) continue;
    for (const mark of drawing.marks().filter((mark) => mark.i === i)) {
      const node = draw("circle", { class: "ring", cx: mark.x, cy: mark.y, r: 9.5, "aria-hidden": "true" });
      drawing.rings.push(node);
      drawing.svg.append(node);
    }
  }
};
