// The structure of a frame in 3D. The viewer's code is read and run when the first one is shown.
const NONMETALS = new Set("H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Te I Xe".split(" "));
const RADII = { H: 0.31, B: 0.84, C: 0.76, N: 0.71, O: 0.66, F: 0.57, Si: 1.11, P: 1.07, S: 1.05, Cl: 1.02, Br: 1.2, I: 1.39 };
const COLOURS = { H: "#b9c0c7", O: "#d3382c", C: "#5d646b", N: "#3a5fd0", Cl: "#2f9e44", F: "#5fae3a", Na: "#8a53c6", K: "#7d3fc0" };
const BOND = 1.25; // over the sum of the covalent radii

const held = later(() => {
  const packed = read("structures"), places = new Map();
  for (const group of packed.groups) group.pks.forEach((pk, place) => places.set(pk, { group, place }));
  return { packed, places };
});
const structureOf = (pk) => {
  const found = held().places.get(pk);
  if (!found) return null;
  const { species, cell, positions } = found.group;
  const text = positions[found.place];
  // Six bytes an atom are eight characters; where three numbers did not fit into them, there are twice as many.
  const steps = integers(text, text.length > 12 * species.length ? 4 : 2);
  const value = (place) => held().packed.resolution * steps[place];
  return { species, cell, positions: species.map((_, n) => [value(3 * n), value(3 * n + 1), value(3 * n + 2)]) };
};
const formulaOf = ({ species }) => {
  const counts = new Map();
  for (const one of species) counts.set(one, (counts.get(one) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([name, many]) => `${name}${many > 1 ? many : ""}`).join(" ");
};
const heightsOf = ({ positions }) => positions.reduce(([low, high], [, , z]) => [Math.min(low, z), Math.max(high, z)], [Infinity, -Infinity]);
const lengthOf = (vector) => Math.hypot(...vector);

const hasWebgl = later(() => {
  const canvas = document.createElement("canvas");
  return Boolean(canvas.getContext("webgl2") ?? canvas.getContext("webgl"));
});
const library = later(() => {
  // An inline script, which is all that the page's Content-Security-Policy lets run.
  document.head.append(make("script", {}, read("viewer").code));
  return globalThis.$3Dmol;
});
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const viewer = later(() => {
  const made = library().createViewer(byId("panel-view"), { orthographic: true, antialias: true, backgroundColor: colour("--wash") });
  made.getCanvas().setAttribute("aria-hidden", "true"); // the box around it is named
  return made;
});

const atomsOf = ({ species, positions }) => {
  const atoms = species.map((elem, n) => ({ elem, serial: n, x: positions[n][0], y: positions[n][1], z: positions[n][2], bonds: [], bondOrder: [] }));
  const bonded = atoms.filter(({ elem }) => NONMETALS.has(elem)).sort((a, b) => a.z - b.z);
  bonded.forEach((a, n) => {
    for (const b of bonded.slice(n + 1)) {
      if (b.z - a.z > 3) break;
      const most = BOND * ((RADII[a.elem] ?? 0.8) + (RADII[b.elem] ?? 0.8));
      if ((a.elem === "H" && b.elem === "H") || lengthOf([a.x - b.x, a.y - b.y, a.z - b.z]) > most) continue;
      a.bonds.push(b.serial); a.bondOrder.push(1);
      b.bonds.push(a.serial); b.bondOrder.push(1);
    }
  });
  return atoms;
};
const point = ([x, y, z]) => ({ x, y, z });
const plus = (...vectors) => [0, 1, 2].map((axis) => vectors.reduce((sum, vector) => sum + vector[axis], 0));
const edgesOf = ([a, b, c]) => {
  const none = [0, 0, 0], edges = [];
  for (const [along, one, other] of [[a, b, c], [b, a, c], [c, a, b]]) {
    for (const u of [none, one]) for (const v of [none, other]) edges.push([plus(u, v), plus(u, v, along)]);
  }
  return edges;
};
const addPlane = (where, [a, b], height, tint, name, left) => {
  const low = [0, 0, height], corners = [low, plus(low, a), plus(low, a, b), plus(low, b)].map(point);
  const normal = { x: 0, y: -1, z: 0 }; // towards the first view, so that the light shows the colour
  where.addCustom({ vertexArr: corners, normalArr: corners.map(() => normal), faceArr: [0, 1, 2, 0, 2, 3, 2, 1, 0, 3, 2, 0], color: tint, opacity: 0.3 });
  corners.forEach((corner, n) => where.addLine({ start: corner, end: corners[(n + 1) % 4], color: tint, linewidth: 2 }));
  where.addLabel(name, { position: corners[left ? 3 : 1], fontSize: 13, fontColor: colour("--paper"), backgroundColor: tint, backgroundOpacity: 1, alignment: left ? "centerRight" : "centerLeft", inFront: true });
};

let drawn = null;
const middleOf = (points) => [0, 1, 2].map((axis) => {
  const values = points.map((one) => one[axis]);
  return 0.5 * (Math.min(...values) + Math.max(...values));
});
// Turns z upward, seen a little from above and from the side, and brings the atoms or the whole cell into the view.
const fit = (wholeCell) => {
  const where = viewer(), { positions, cell } = drawn;
  where.setView([0, 0, 0, 0, 0, 0, 0, 1]);
  where.rotate(-82, "x");
  where.rotate(14, "z");
  where.zoomTo(); // everything, with the atoms in the middle
  if (!wholeCell) {
    const middle = middleOf(positions);
    const reach = (points) => Math.max(2, ...points.map((one) => lengthOf(one.map((value, axis) => value - middle[axis]))));
    where.zoom(1.3 * Math.max(1, reach(edgesOf(cell).flat()) / reach(positions)));
  }
  where.render();
};
// Draws a structure with planes [[height, colour, name]]; the view stays where the cell does.
const showStructure = (structure, planes) => {
  const where = viewer();
  where.resize();
  where.setBackgroundColor(colour("--wash"));
  where.removeAllModels();
  where.removeAllShapes();
  where.removeAllLabels();
  const model = where.addModel();
  model.addAtoms(atomsOf(structure));
  const paint = { colorfunc: ({ elem }) => COLOURS[elem] ?? library().elementColors.Jmol[elem] ?? "#c27ba0" };
  model.setStyle({}, { stick: { radius: 0.13, ...paint }, sphere: { scale: 0.23, ...paint } });
  model.setStyle({ predicate: ({ elem }) => !NONMETALS.has(elem) }, { sphere: { scale: 0.6, ...paint } });
  for (const [start, end] of edgesOf(structure.cell)) where.addLine({ start: point(start), end: point(end), color: colour("--soft"), linewidth: 1 });
  // One name to the left, one to the right: the planes may lie close together.
  planes.forEach((plane, n) => addPlane(where, structure.cell, ...plane, n > 0));
  const same = drawn && JSON.stringify(drawn.cell) === JSON.stringify(structure.cell);
  drawn = structure;
  if (same) where.render();
  else fit(false);
  byId("panel-view").dataset.atoms = String(where.selectedAtoms({}).length);
};
