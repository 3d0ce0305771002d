// The data of the frames, unpacked when they are first asked for, and numbers as text.python writes them.
const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);
const later = (make) => { let made; return () => (made ??= make()); };

const facts = read("facts");
const data = later(() => read("data"));

const column = (packed) => {
  if (Array.isArray(packed)) return (i) => packed[i];
  return packed.words ? (i) => packed.words[packed.at[i]] : () => packed.same;
};
const columns = later(() => {
  const { keys, columns: packed } = data().frames;
  return new Map((keys ?? []).map((key, place) => [key, column(packed[place])]));
});
const at = (key, i) => {
  const rows = data().frames.rows;
  return (rows ? rows[i][key] : columns().get(key)?.(i)) ?? null;
};
const frame = (i) => data().frames.rows?.[i] ?? Object.fromEntries([...columns()].map(([key, get]) => [key, get(i)]));
const stateOf = column(facts.states);
const indices = later(() => new Map(facts.names.map((name, i) => [name, i])));
const ofPair = later(() => {
  const found = new Map();
  facts.names.forEach((_, i) => {
    const pair = at("pair_pk", i);
    if (!found.has(pair)) found.set(pair, []);
    found.get(pair).push(i);
  });
  return found;
});

// The document as it is in results.json, with the frames that the page has.
const unpacked = () => ({ ...data(), frames: facts.names.map((_, i) => frame(i)) });

const MISSING = "–";
const minus = (text) => text.replaceAll("-", "−");
const fixed = (value, digits) => {
  const text = value.toFixed(digits);
  // A number that lies half-way, exactly, goes to the even digit, as in Python. JavaScript takes the larger one.
  const scaled = Math.abs(value) * 10 ** digits;
  const tie = Number.isInteger(value * 2 ** (digits + 1)) && scaled % 1 === 0.5;
  if (!tie || Math.floor(scaled) % 2) return text;
  return (Math.sign(value) * Math.floor(scaled) / 10 ** digits).toFixed(digits);
};
const number = (value, digits = 2) => {
  if (value === null || value === undefined) return MISSING;
  const text = fixed(value, digits);
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
};
const significant = (value, digits = 2) => {
  if (value === null || value === undefined) return MISSING;
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  const short = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < digits) return minus(short(value.toFixed(Math.max(0, digits - 1 - exponent))));
  const size = String(Math.abs(exponent)).padStart(2, "0");
  return minus(`${short(mantissa)}e${exponent < 0 ? "-" : "+"}${size}`);
};
const shown = (value) => (value === null || value === undefined ? MISSING : String(value));
const yesNo = (value) => (value === null || value === undefined ? MISSING : value ? "yes" : "no");
const cellText = ({ key, kind, digits }, i) => {
  const value = at(key, i);
  if (kind === "message") return value || facts.notes[stateOf(i)] || "";
  if (kind === "number") return number(value, digits);
  if (kind === "significant") return significant(value, digits);
  if (kind === "milli") return number(value === null ? null : 1e3 * value, digits);
  return kind === "truth" ? yesNo(value) : shown(value);
};

// Little-endian integers of 2 or 4 bytes from base64.
const integers = (text, size) => {
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0)), numbers = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / size }, (_, n) =>
    (size === 2 ? numbers.getInt16(2 * n, true) : numbers.getInt32(4 * n, true)));
};

// Elements are made of nodes and text, never of strings that a browser would read as markup.
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
// "M_z" and "E_F" as they are printed.
const subscripts = (text) => text.split(/([ME]_[zF])/).flatMap((part) =>
  /^[ME]_[zF]$/.test(part) ? [part[0], make("sub", {}, part[2])] : part ? [part] : []);
