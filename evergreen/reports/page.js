"use strict";
// Links within the page: a frame with srcdoc would load its parent's address instead.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(link.getAttribute("href").slice(1));
  if (!target) return;
  event.preventDefault();
  for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  target.scrollIntoView({ block: "start" });
});

function key(cell) {
  const given = cell.dataset.v;
  const words = cell.textContent.trim();
  const value = Number(given ?? words.replaceAll(",", "").replace("−", "-").replace(/ ?%$/, ""));
  return words === "" ? null : Number.isNaN(value) ? words.toLowerCase() : value;
}

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === typeof b) return a < b ? -1 : Number(a > b);
  return typeof a === "number" ? -1 : 1;
}

function sort(table, column, header) {
  const up = header.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [key(row.cells[column]), row]);
  rows.sort((a, b) => (up ? compare(a[0], b[0]) : compare(b[0], a[0])));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...rows.map((pair) => pair[1]));
}

for (const table of document.querySelectorAll(".table > table")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, column, header));
    header.append(button);
  });
  if (table.dataset.filter === undefined) continue;
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = `Filter ${table.tBodies[0].rows.length} rows`;
  field.setAttribute("aria-label", field.placeholder);
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  table.parentElement.before(field);
}

// A report in a frame tells how high it is, so that the page that holds it need not scroll twice.
addEventListener("message", (event) => {
  for (const frame of document.querySelectorAll("iframe")) {
    if (frame.contentWindow !== event.source) continue;
    const height = Number(event.data && event.data.evergreenHeight);
    if (height > 0) frame.style.height = `${Math.min(Math.ceil(height), 20000)}px`;
  }
});
if (parent !== self) {
  const tell = () =>
    parent.postMessage({ evergreenHeight: document.body.getBoundingClientRect().height }, "*");
  addEventListener("load", tell);
  new ResizeObserver(tell).observe(document.body);
}
