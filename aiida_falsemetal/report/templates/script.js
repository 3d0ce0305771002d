// Last: what needs a script appears, and the frame that the address names is shown.
for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;

if (table) {
  const rows = table.tBodies[0].rows;
  if (rows.length > facts.rows) refresh();
  else { for (const row of rows) withButton(row); tell(); }
  byId("save").addEventListener("click", () => {
    const blob = new Blob([JSON.stringify(unpacked())], { type: "application/json" });
    const link = make("a", { href: URL.createObjectURL(blob), download: facts.every ? "frames-of-the-page.json" : "results.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
byId("licence")?.addEventListener("click", () => {
  const text = byId("licence-text");
  text.textContent = read("viewer").licence;
  text.hidden = !text.hidden;
});
fromAddress();
