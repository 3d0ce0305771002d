"use strict";
// Hands out the numbers and texts that the page holds. Without scripts its buttons stay hidden.
(() => {
  const numbers = async (id) => {
    const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  // The same as csv_text in publication/numbers.py: the part first, units in the heading, empty for what is not known.
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    const text = value === true ? "True" : value === false ? "False" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (found) => {
    const lines = [["part", ...found.columns.map((column) => (column.unit ? `${column.name} (${column.unit})` : column.name))]];
    for (const part of found.parts) {
      const columns = found.columns.map((column) => part.values[column.name]);
      const length = Math.max(0, ...Object.values(part.values).map((values) => values.length));
      for (let index = 0; index < length; index += 1) {
        lines.push([part.name, ...columns.map((values) => (values ? values[index] : null))]);
      }
    }
    return lines.map((line) => line.map(cell).join(",") + "\n").join("");
  };
  const save = (name, text, type) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  for (const button of document.querySelectorAll("button.numbers")) {
    button.hidden = typeof DecompressionStream === "undefined";
    button.addEventListener("click", async () => {
      const text = await numbers(button.dataset.from);
      const isCsv = button.dataset.name.endsWith(".csv");
      save(button.dataset.name, isCsv ? csv(JSON.parse(text)) : text, isCsv ? "text/csv" : "application/json");
    });
  }

  const copied = document.getElementById("copied");
  // Where the clipboard is refused, as in some browsers for local files, the text is shown and marked instead.
  const mark = (shown) => {
    const folded = shown.closest("details");
    if (folded) folded.open = true;
    const range = document.createRange();
    range.selectNodeContents(shown);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    shown.focus();
    return "marked below: press Ctrl+C";
  };
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const shown = document.getElementById(button.dataset.copy);
      const paragraphs = [...shown.querySelectorAll("p")].map((paragraph) => paragraph.textContent);
      try {
        await navigator.clipboard.writeText(paragraphs.length ? paragraphs.join("\n\n") + "\n" : shown.textContent);
        copied.textContent = "copied";
      } catch {
        copied.textContent = mark(shown);
      }
    });
  }
})();
