// A batch: its members as a grid over what differs between them, and how far the whole is.

/** Every member that is known of: ended ones, and those that run or wait. */
function membersOf(id) {
  const found = new Map();
  for (const state of ["waiting", "running"]) {
    for (const job of data.now?.[state] ?? []) {
      if (job.batch?.id === id) found.set(job.batch.index, { state, job, batch: job.batch });
    }
  }
  for (const entry of [...data.entries].reverse()) { // the newest try of a member counts
    if (entry.batch?.id === id) found.set(entry.batch.index, { state: entry.state, entry, batch: entry.batch });
  }
  return [...found.values()].sort((a, b) => a.batch.index - b.batch.index);
}

function showBatches() {
  const known = new Map();
  for (const entry of data.entries) {
    if (!entry.batch) continue;
    const batch = known.get(entry.batch.id) ?? { ...entry.batch, ended: new Set() };
    batch.ended.add(entry.batch.index);
    known.set(batch.id, batch);
  }
  const chips = [...known.values()].slice(0, 12).map((batch) =>
    make("li", {}, make("a", { href: batchAddress(batch.id) }, batch.name,
      make("span", { class: "small" }, batch.ended.size < batch.of ? ` ${batch.ended.size} of ${batch.of}` : ` ${batch.of}`))));
  byId("batches").hidden = !chips.length;
  byId("batch-list").replaceChildren(...chips);
}

const batchShown = { id: null, told: "" };

function showBatch(id) {
  const members = membersOf(id);
  const told = data.isWhole + JSON.stringify(members.map((m) => [m.state, m.batch.index, m.entry?.stamp, m.job?.preview]));
  if (batchShown.id === id && batchShown.told === told) return;
  const isNew = batchShown.id !== id;
  Object.assign(batchShown, { id, told });
  byId("batch").replaceChildren(...batchParts(members));
  if (!isNew) return;
  document.title = `${members[0]?.batch.name ?? "Batch"} – ${document.body.dataset.title}`;
  byId("batch-title").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function batchParts(members) {
  const back = make("nav", { class: "path", "aria-label": "Results" }, backLink());
  if (!members.length) {
    const words = data.isWhole ? "There is no such batch here." : "Loading …";
    return [back, make("h2", { id: "batch-title", tabindex: -1 }, words)];
  }
  const { name, of } = members[0].batch;
  return [
    back,
    make("header", {}, make("h2", { id: "batch-title", tabindex: -1 }, name), batchProgress(members, of), sheetLink(members, of)),
    ...grids(members),
  ];
}

function batchProgress(members, of) {
  const count = (state) => members.filter((member) => (member.entry ? outcome(member.entry) : member.state) === state).length;
  const said = ["finished", "failed", "cancelled", "running", "waiting"].filter((state) => count(state)).map((state) => `${count(state)} ${state}`);
  const ended = count("finished") + count("failed") + count("cancelled");
  return make("div", { class: "progress" },
    make("progress", { max: of, value: ended, "aria-label": `${ended} of ${of} have ended` }),
    make("span", { class: "small" }, `${ended} of ${of} · ${said.join(", ")}`));
}

/** To the contact sheet, which is drawn when all have ended; it lies beside the folders of the members. */
function sheetLink(members, of) {
  const ended = members.filter(({ entry }) => entry);
  const folder = ended[0]?.entry.url.replace(/^failed\//, "").split("/").slice(0, -1).join("/");
  return ended.length === of && folder && make("p", { class: "files" },
    make("a", { href: `./${folder}/sheet.png`, target: "_blank", rel: "noopener" }, "Contact sheet"));
}

/** What differs: the axes, and the values of each in the order in which they come. */
function axesOf(members) {
  const axes = new Map();
  for (const { batch } of members) {
    for (const [axis, value] of Object.entries(batch.axes)) {
      axes.set(axis, (axes.get(axis) ?? new Set()).add(value));
    }
  }
  return [...axes].filter(([, values]) => values.size > 1).map(([axis, values]) => ({ axis, values: [...values] }));
}

/** A table for each choice of all axes but two. */
function grids(members) {
  const [rows, columns, ...others] = axesOf(members);
  if (!columns) return [make("ul", { class: "cells", role: "list" }, members.map((member) => make("li", {}, cell(member), cellWords(member, rows))))];
  const groups = new Map();
  for (const member of members) {
    const key = others.map(({ axis }) => `${axisName(axis)} ${axisValue(axis, member.batch.axes[axis])}`).join(", ");
    groups.set(key, [...(groups.get(key) ?? []), member]);
  }
  return [...groups].map(([title, group]) => table(title, group, rows, columns));
}

function cellWords(member, axis) {
  const words = axis ? axisValue(axis.axis, member.batch.axes[axis.axis]) : String(member.batch.index + 1);
  return make("span", { class: "small" }, axis ? `${axisName(axis.axis)} ${words}` : words);
}

function table(title, members, rows, columns) {
  const at = (row, column) => members.find(({ batch }) => batch.axes[rows.axis] === row && batch.axes[columns.axis] === column);
  const label = title || `${axisName(rows.axis)} by ${axisName(columns.axis)}`;
  const heads = columns.values.map((value) => make("th", { scope: "col", role: "columnheader" }, axisLabel(columns.axis, value)));
  const box = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, make("table", { role: "table" },
    make("caption", {}, label),
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, make("td", { role: "cell" }), heads)),
    make("tbody", { role: "rowgroup" }, rows.values.map((row) =>
      tableRow(axisLabel(rows.axis, row), columns.values.map((column) => at(row, column)))))));
  box.style.setProperty("--columns", columns.values.length);
  return box;
}

/** The roles are said, for on a phone the parts of a table are shown as blocks. */
function tableRow(label, members) {
  const row = make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader" }, label),
    members.map((member) => make("td", { role: "cell" }, cell(member))));
  const made = members.find((member) => member?.entry?.width && member.entry.height)?.entry;
  if (made) row.style.setProperty("--ratio", (made.width / made.height).toFixed(3)); // of those that are not there, too
  return row;
}

function axisLabel(axis, value) {
  const isPicture = !axis.startsWith("options.");
  return isPicture ? axisValue(axis, value) : [make("span", { class: "small" }, axisName(axis)), " ", axisValue(axis, value)];
}

function cell(member) {
  if (!member) return make("span", { class: "cell none" }, "not yet");
  const { entry, job, state } = member;
  if (!entry) {
    const preview = job.preview && make("img", { src: `./${FOLDER}/now/${job.preview}`, alt: "" });
    return make("span", { class: "cell" }, preview, make("span", { class: "state" }, state));
  }
  const address = thumbnail(entry);
  const link = make("a", { href: jobAddress(entry), class: `cell ${state}` },
    address && make("img", { src: address, alt: state === "failed" ? "" : described(entry), loading: "lazy", decoding: "async" }),
    state === "failed" && make("span", { class: "state" }, entry.code.replaceAll("_", " ") || "failed"));
  if (entry.width && entry.height) link.style.setProperty("--ratio", (entry.width / entry.height).toFixed(3));
  return link;
}
