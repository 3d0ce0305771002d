// The chosen frame: one for the whole page, named by the address, marked in every figure, described in the panel.
let chosen = null;
let opener = null;
const panel = byId("panel");
const FRAME = /^#frame-(.+)$/;

const withUnit = (value, unit) => (value === MISSING ? value : `${value} ${unit}`);
const edgeText = (row, key) => {
  const value = row[key] ?? null;
  if (value === null) return MISSING;
  const parts = [`${number(value)} eV`];
  if ((row.fermi ?? null) !== null) parts.push(`${number(value - row.fermi)} eV from E_F`);
  if ((row[`${key}_z`] ?? null) !== null) parts.push(`centre at z = ${number(row[`${key}_z`], 1)} Å`);
  return parts.join("; ");
};
const metallicText = (row) => {
  if ((row.metallic ?? null) === null) return MISSING;
  const moved = (row.witness ?? null) === null ? "" : `, ${significant(row.witness)} electrons left the lowest N/2 states`;
  return `${yesNo(row.metallic)}: gap ${number(row.gap)} eV${moved}`;
};
const numbersOf = (row, i) => [
  ["gap", withUnit(number(row.gap), "eV")],
  ["metallic", metallicText(row)],
  ["VBM", edgeText(row, "vbm")],
  ["CBM", edgeText(row, "cbm")],
  ["E_F", withUnit(number(row.fermi), "eV")],
  ["M_z", withUnit(number(row.Mz), "e Å, screened point charges")],
  ["M_z/A", withUnit(number((row.Mz_per_area ?? null) === null ? null : 1e3 * row.Mz_per_area), "10⁻³ e/Å")],
  ["expected drop", withUnit(number(row.expected_drop), "V")],
  ["QE drop", withUnit(number(row.drop), "V")],
  ["tilt of the bands", withUnit(number(row.tilt, 3), "eV/Å")],
  ["functional", shown(row.functional)],
  ["stratum", shown(row.stratum)],
  ["probability", significant(row.probability, 3)],
  ["pw.x attempt", shown(row.attempt)],
  ["SCF iterations", shown(row.scf_iterations)],
  ["wall time", withUnit(number(row.wall_seconds, 0), "s")],
  ["exit code", `${shown(row.exit_code)}${row.exit_message ? `: ${row.exit_message}` : ""}${facts.notes[stateOf(i)] ? ` (${facts.notes[stateOf(i)]})` : ""}`],
  ["property", row.property_message || MISSING],
  ["pks", `pair ${shown(row.pair_pk)}, GapWorkChain ${shown(row.gap_pk)}, pw.x ${shown(row.pw_pk)}, result ${shown(row.result_pk)}`],
];
const ALWAYS = new Set(["gap", "metallic", "exit code", "pks"]);

const structureNote = (structure, planes) => {
  const sides = structure.cell.map((vector) => number(lengthOf(vector), 1)).join(" × ");
  const said = planes.length ? ` Planes: ${planes.map(([, , name]) => name).join(" and ")}, centres of the states at the band edges.` : "";
  return `${formulaOf(structure)}, ${structure.species.length} atoms, cell ${sides} Å, z upward.${said} Drag to turn, wheel or pinch to zoom.`;
};
const noStructure = (row) => {
  const { wanted, held: amount } = held().packed;
  if (!amount) return "This page holds no structures.";
  const way = `falsemetal why ${shown(row.gap_pk)} names its node, and verdi data core.structure export NODE writes it`;
  return `The structure of this frame is not in the page, which holds ${amount} of ${wanted}: ${way}.`;
};
const planesOf = (row, structure) => {
  const [low, high] = heightsOf(structure);
  return [["vbm", "VBM"], ["cbm", "CBM"]].filter(([key]) => (row[`${key}_z`] ?? null) !== null)
    .map(([key, name]) => [0.5 * (low + high) + row[`${key}_z`], colour(`--${key}`), name]);
};
const fillStructure = (row) => {
  const structure = structureOf(row.gap_pk), box = byId("panel-view");
  delete box.dataset.atoms;
  box.hidden = byId("panel-tools").hidden = !structure || !hasWebgl();
  if (!structure) return noStructure(row);
  const planes = planesOf(row, structure);
  const note = structureNote(structure, planes);
  if (!hasWebgl()) return `${formulaOf(structure)}, ${structure.species.length} atoms. The structure is not drawn: this browser has no WebGL, or has it switched off.`;
  box.setAttribute("aria-label", `Structure in 3D: ${note}`);
  showStructure(structure, planes);
  return note;
};
const fillLayers = (row) => {
  const found = layersOf(row.gap_pk);
  if (!found) return [];
  const key = (css, ...said) => make("span", { class: `key ${css}` }, ...said);
  const caption = make("p", {}, "Band edges by layer: ", key("cbm", "local CBM"), ", ", key("vbm", "local VBM"), ". Dots: the film’s own edges, at the centre of their states.");
  return [make("figure", {}, layersFigure(found, row), caption)];
};
const fill = (i) => {
  const row = frame(i), pair = ofPair().get(at("pair_pk", i)), place = pair.indexOf(i);
  byId("panel-title").replaceChildren(`${shown(row.interface)} × ${shown(row.mlip)}, seed ${shown(row.seed)}, step ${shown(row.step)}`);
  byId("panel-place").textContent = `frame ${place + 1} of ${pair.length} of this pair, ${number(row.time_ps)} ps`;
  byId("panel-back").disabled = place === 0;
  byId("panel-on").disabled = place === pair.length - 1;
  byId("panel-numbers").replaceChildren(...numbersOf(row, i)
    .filter(([name, value]) => value !== MISSING || ALWAYS.has(name))
    .map(([name, value]) => make("div", {}, make("dt", {}, ...subscripts(name)), make("dd", {}, ...subscripts(value)))));
  byId("panel-layers").replaceChildren(...fillLayers(row));
  const pk = row.result_pk ?? row.gap_pk;
  byId("panel-why").textContent = `falsemetal why ${shown(row.gap_pk ?? pk)}`;
  byId("panel-copied").textContent = "";
  panel.scrollTop = 0;
  panel.dataset.pk = shown(row.gap_pk);
  byId("panel-note").textContent = fillStructure(row);
};

const setAddress = (hash, replace) => {
  try {
    history[replace ? "replaceState" : "pushState"](null, "", hash);
  } catch {
    // In a frame without an address of its own there is none to set.
  }
};
// from: what the choice was made on, which stays where it is on the screen and has the focus again afterwards.
const choose = (i, { from = null, address = true, focus = true } = {}) => {
  const wasOpen = chosen !== null, before = from?.getBoundingClientRect().top;
  chosen = i;
  if (!wasOpen) opener = from;
  panel.hidden = false;
  document.body.classList.add("with-panel");
  ring(i);
  revealRow();
  fill(i);
  if (address) setAddress(`#frame-${facts.names[i]}`, wasOpen);
  if (focus && !panel.contains(document.activeElement)) byId("panel-title").focus({ preventScroll: true });
  if (from?.isConnected) scrollBy(0, from.getBoundingClientRect().top - before);
};
const close = () => {
  if (chosen === null) return;
  const last = table && byId(`frame-${facts.names[chosen]}`)?.querySelector("button");
  chosen = null;
  panel.hidden = true;
  document.body.classList.remove("with-panel");
  ring(null);
  if (table) mark();
  setAddress(location.pathname + location.search, true);
  // Back to the row's button, or to that of the frame which was seen last, if a figure cannot take the focus.
  const back = opener?.isConnected && opener.tabIndex >= 0 ? opener : last;
  back?.focus({ preventScroll: true });
};
const step = (by) => {
  const pair = ofPair().get(at("pair_pk", chosen));
  const next = pair[pair.indexOf(chosen) + by];
  if (next !== undefined) choose(next, { focus: false });
};
const fromAddress = () => {
  const found = FRAME.exec(decodeURIComponent(location.hash));
  const i = found ? indices().get(found[1]) : undefined;
  if (i !== undefined && i !== chosen) choose(i, { address: false });
  else if (i === undefined && found === null && chosen !== null && location.hash === "") close();
};

byId("panel-close").addEventListener("click", close);
byId("panel-back").addEventListener("click", () => step(-1));
byId("panel-on").addEventListener("click", () => step(1));
byId("panel-fit").addEventListener("click", () => fit(false));
byId("panel-cell").addEventListener("click", () => fit(true));
byId("panel-copy").addEventListener("click", async () => {
  const text = byId("panel-why").textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(byId("panel-why"));
    done = document.execCommand("copy");
  }
  byId("panel-copied").textContent = done ? "copied" : "select it and copy";
});
document.addEventListener("keydown", (event) => {
  if (chosen === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.key === "Escape") close();
  const elsewhere = event.target.closest?.("input, select, textarea, .scroll:not(:has(tr[aria-current] :focus))");
  if (elsewhere || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  event.preventDefault();
  step(event.key === "ArrowLeft" ? -1 : 1);
});
addEventListener("popstate", fromAddress);
addEventListener("hashchange", fromAddress);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (chosen !== null) fill(chosen); });
