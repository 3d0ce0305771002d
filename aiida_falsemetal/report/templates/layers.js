// Band edges by layer of one frame: local VBM and CBM against the height, relative to the Fermi energy.
const layers = later(() => read("layers"));
const layersOf = (pk) => {
  const packed = layers()[pk];
  if (!packed) return null;
  const [first, step, many] = packed.z;
  const scaled = (text) => integers(text, 2).map((value) => (value === -32768 ? null : value / 1000));
  return { z: Array.from({ length: many }, (_, n) => (first + n * step) / 1000), vbm: scaled(packed.vbm), cbm: scaled(packed.cbm) };
};
const roundSteps = (low, high, most) => {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw * (1 - 1e-9));
  const values = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n += 1) values.push(n * step);
  return { values, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
};

const LAYERS = { width: 400, height: 270, left: 58, right: 14, top: 12, bottom: 46 };
// row: the frame's, whose edges and their places are drawn too where they are known.
const layersFigure = ({ z, vbm, cbm }, row) => {
  const { width, height, left, right, top, bottom } = LAYERS;
  const known = [...vbm, ...cbm, 0].filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const margin = 0.07 * (high - low || 1);
  const range = { x: [z[0], z[z.length - 1]], y: [low - margin, high + margin] };
  const px = (value) => left + (value - range.x[0]) / (range.x[1] - range.x[0]) * (width - left - right);
  const py = (value) => height - bottom - (value - range.y[0]) / (range.y[1] - range.y[0]) * (height - top - bottom);
  const across = (value) => [py(value), py(value)];
  const line = (css, [x1, x2], [y1, y2]) => draw("line", { class: css, x1: x1.toFixed(1), x2: x2.toFixed(1), y1: y1.toFixed(1), y2: y2.toFixed(1) });
  const text = (x, y, anchor, ...said) => draw("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor }, ...said);
  const parts = [];
  const [xs, ys] = [roundSteps(...range.x, 7), roundSteps(...range.y, 6)];
  for (const value of xs.values) {
    parts.push(line("grid", [px(value), px(value)], [top, height - bottom]), text(px(value), height - bottom + 18, "middle", number(value, xs.digits)));
  }
  for (const value of ys.values) {
    parts.push(line("grid", [left, width - right], across(value)), text(left - 6, py(value) + 4.5, "end", number(value, ys.digits)));
  }
  parts.push(line("axis", [left, left], [top, height - bottom]), line("axis", [left, width - right], [height - bottom, height - bottom]));
  parts.push(line("fermi", [left, width - right], across(0)), text(width - right - 3, py(0) - 5, "end", "Fermi energy"));
  for (const [css, values] of [["vbm", vbm], ["cbm", cbm]]) {
    let path = "", pen = "M";
    values.forEach((value, n) => {
      if (value === null) { pen = "M"; return; }
      path += `${pen}${px(z[n]).toFixed(1)} ${py(value).toFixed(1)}`;
      pen = "L";
    });
    parts.push(draw("path", { class: css, d: path }));
    const [place, energy] = [row[`${css}_z`], row[css] === null || row.fermi === null ? null : row[css] - row.fermi];
    if (place !== null && place !== undefined && energy !== null) {
      parts.push(draw("circle", { class: `${css} edge`, cx: px(place).toFixed(1), cy: py(energy).toFixed(1), r: 4.5 }));
    }
  }
  parts.push(text((left + width - right) / 2, height - 8, "middle", "z from the film’s middle (Å)"));
  const middle = (top + height - bottom) / 2;
  parts.push(draw("text", { transform: `translate(15 ${middle}) rotate(-90)`, "text-anchor": "middle" }, "energy − E", draw("tspan", { dy: 3, "font-size": "75%" }, "F"), draw("tspan", { dy: -3 }, " (eV)")));
  const extent = (values) => values.filter((value) => value !== null).reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  const said = (name, values) => (values.some((value) => value !== null) ? `${name} from ${extent(values).map((value) => number(value)).join(" to ")} eV` : `no ${name}`);
  const label = `Band edges by layer relative to the Fermi energy: ${said("local VBM", vbm)}, ${said("local CBM", cbm)}.`;
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...parts);
};
