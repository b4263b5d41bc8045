// Which entries are shown.

const filterForm = byId("filter");

function readFilter() {
  const said = new FormData(filterForm);
  return Object.fromEntries(FILTERS.map((name) => [name, String(said.get(name) ?? "").trim()]));
}

function showFilter(filter) {
  for (const name of FILTERS) {
    const field = filterForm.elements[name];
    const value = filter[name] ?? "";
    if (["folder", "style"].includes(name) && value && ![...field.options].some((option) => option.value === value)) {
      field.append(make("option", { value }, name === "style" ? bare(value) : `${value}/`));
    }
    if (document.activeElement !== field) field.value = value;
  }
  byId("clear").hidden = !FILTERS.some((name) => filter[name]);
}

/** The text that a search looks through; made once for each entry. */
function haystack(entry) {
  entry.text ??= [
    entry.name, entry.at, entry.content, ...entry.styles, entry.code, entry.message, entry.hint,
    entry.backend, entry.device, entry.batch?.name, entry.id,
  ].filter(Boolean).join("\n").toLowerCase();
  return entry.text;
}

function startOfDay(day, later = 0) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).getTime();
}

function filtered(entries, filter) {
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  const from = filter.from ? startOfDay(filter.from) : -Infinity;
  const until = filter.to ? startOfDay(filter.to, 1) : Infinity;
  return entries.filter((entry) =>
    (!filter.status || outcome(entry) === filter.status) &&
    (!filter.style || entry.styles.includes(filter.style)) &&
    (!filter.folder || `${folderOf(entry)}/`.startsWith(`${filter.folder}/`)) &&
    entry.when >= from && entry.when < until &&
    words.every((word) => haystack(entry).includes(word)));
}

/** The folder of the inbox that an entry comes from; "" for the top. */
function folderOf(entry) {
  const parts = entry.at.split("/").slice(entry.state === "failed" ? 1 : 0, entry.batch ? -2 : -1);
  return parts.join("/");
}

/** Offer every folder that there is, and those that it lies in. */
function offerFolders(entries) {
  const folders = new Set();
  for (const entry of entries) {
    const parts = folderOf(entry).split("/").filter(Boolean);
    parts.forEach((_, number) => folders.add(parts.slice(0, number + 1).join("/")));
  }
  const select = filterForm.elements.folder;
  const chosen = select.value;
  const options = [...folders].sort().map((folder) => make("option", { value: folder }, `${folder}/`));
  select.replaceChildren(make("option", { value: "" }, "All folders"), ...options);
  select.value = chosen;
  select.closest("label").hidden = !folders.size;
}

/** Offer every style that there is, those that are used most first. */
function offerStyles(entries) {
  const counts = new Map();
  for (const entry of entries) {
    for (const style of new Set(entry.styles)) counts.set(style, (counts.get(style) ?? 0) + 1);
  }
  const select = filterForm.elements.style;
  const chosen = select.value;
  const styles = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const options = styles.map(([style, count]) =>
    make("option", { value: style }, `${bare(style)} (${WHOLE.format(count)})`));
  select.replaceChildren(make("option", { value: "" }, "All styles"), ...options);
  select.value = chosen;
}
