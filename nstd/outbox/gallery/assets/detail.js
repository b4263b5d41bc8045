// One result or failure, with all that is known of it.

const detail = { id: null };

async function showDetail(id) {
  const entry = data.entries.find((each) => each.id === id);
  const box = byId("detail");
  if (!entry) {
    detail.id = null;
    box.replaceChildren(...missing());
    return;
  }
  if (detail.id === id) return;
  detail.id = id;
  const found = await loadDetail(entry);
  if (address().get("job") !== id) return; // somebody went on meanwhile
  box.replaceChildren(...detailParts(entry, found ?? {}));
  document.title = `${entry.name} – ${document.body.dataset.title}`;
  byId("detail-title").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function missing() {
  const words = data.isWhole ? "There is no such result here; it may have been moved." : "Loading …";
  return [make("h2", { id: "detail-title", tabindex: -1 }, words), make("p", {}, backLink())];
}

function backLink() {
  return make("a", { href: lastList, class: "back" }, "All results");
}

function detailParts(entry, found) {
  return [
    pathBar(entry),
    make("header", {},
      make("h2", { id: "detail-title", tabindex: -1 }, entry.name),
      make("p", { class: "small" }, subtitle(entry)),
      entry.batch && make("p", { class: "small" }, make("a", { href: batchAddress(entry.batch.id) },
        `${entry.batch.name}: ${memberWords(entry.batch)}`))),
    make("div", { class: "columns" },
      make("div", { class: "pictures" }, entry.state === "failed" ? failure(entry, found) : comparison(entry),
        ingredients(entry, found), notesPart(found), lossPart(entry, found)),
      make("div", { class: "facts" }, recipe(found), facts(entry, found), files(entry, found))),
  ];
}

function subtitle(entry) {
  const made = entry.content && `${bare(entry.content)} in the style of ${styleWords(entry)}`;
  return [made, MOMENT.format(entry.when)].filter(Boolean).join(" · ");
}

function neighbours(entry) {
  const entries = list.shown.some((each) => each.url === entry.url) ? list.shown : data.entries;
  const at = entries.findIndex((each) => each.url === entry.url);
  return [entries[at - 1], entries[at + 1]];
}

function pathBar(entry) {
  const [newer, older] = neighbours(entry);
  const step = (to, words, key) => to
    ? make("a", { href: jobAddress(to), class: "step", "data-key": key, "aria-label": `${words}: ${to.name}`, title: `${words}: ${to.name}` }, key === "ArrowLeft" ? "←" : "→")
    : make("span", { class: "step off", "aria-hidden": "true" }, key === "ArrowLeft" ? "←" : "→");
  return make("nav", { class: "path", "aria-label": "Results" }, backLink(),
    make("span", { class: "steps" }, step(newer, "Newer", "ArrowLeft"), step(older, "Older", "ArrowRight")));
}

function comparison(entry) {
  const content = view(entry, "content");
  const result = view(entry, "result") || wholePicture(entry);
  const alt = described(entry);
  if (!result) return make("p", { class: "notice" }, "A browser does not show this format; the file is named beside.");
  const moving = entry.film?.moving ? filmComparison(entry) : null;
  const shown = moving ? moving[0] : content
    ? slider({ src: content, alt: `Content: ${bare(entry.content)}` }, { src: result, alt })
    : make("img", { src: result, alt, class: "alone" });
  const figure = make("figure", { class: "main" }, shown, moving?.[1], entry.film && wholeFilm(entry));
  if (entry.width && entry.height) {
    figure.style.setProperty("--ratio", (entry.width / entry.height).toFixed(4));
    figure.style.setProperty("--most", `${2 * entry.width}px`); // beyond that there are only blocks
  }
  return figure;
}

function failure(entry, found) {
  return make("div", { class: "failure", role: "group", "aria-label": `Why it ${outcome(entry) === "failed" ? "failed" : "ended"}` },
    make("strong", {}, entry.code.replaceAll("_", " ") || "failed"),
    make("p", { class: "message" }, found.message ?? entry.message),
    (found.hint ?? entry.hint) && make("p", { class: "hint" }, found.hint ?? entry.hint),
    found.detail && make("details", {}, make("summary", {}, "Technical detail"), make("pre", {}, found.detail)));
}

/** The pictures that went in: of styles with their shares, and with where they apply. */
function ingredients(entry, found) {
  const told = found.inputs?.styles ?? [];
  const figures = entry.styles.flatMap((style, index) => styleFigures(entry, style, index, told[index] ?? {}));
  const init = found.inputs?.init;
  const given = found.inputs?.content ?? {};
  const content = ingredient(pictureOf(entry, "content", given), "Content", entry.content, []);
  const start = init && ingredient(pictureOf(entry, "init", init), "Start", init.file ?? "", []);
  return entry.content ? make("div", { class: "ingredients" }, content, start, figures) : null;
}

function styleFigures(entry, style, index, told) {
  const { weight, scale, region, mask } = told;
  const number = entry.styles.length > 1 ? ` ${index + 1}` : "";
  const extra = [weight !== undefined && weight !== 1 && `weight ${weight}`, scale !== undefined && scale !== 1 && `scale ${scale}`];
  const part = (role, words, given) => given
    ? [ingredient(pictureOf(entry, `${role}-${index + 1}`, given), `${words}${number}`, given.file ?? "", [])] : [];
  return [
    ingredient(pictureOf(entry, `style-${index + 1}`, told), `Style${number}`, style, extra),
    ...part("region", "Region", region), ...part("mask", "Mask", mask),
  ];
}

/** The small picture, or the copy that a failed job has kept. */
function pictureOf(entry, name, given) {
  const copy = entry.state === "failed" ? given.copy?.split("/").pop() : "";
  const kept = copy && SHOWN_BY_BROWSERS.test(copy) ? `./${entry.url}/inputs/${encodeURIComponent(copy)}` : "";
  return view(entry, name) || kept;
}

function ingredient(address, role, name, extra) {
  return make("figure", {},
    address ? make("img", { src: address, alt: `${role}: ${bare(name)}`, loading: "lazy" }) : make("div", { class: "nothing", "aria-hidden": "true" }),
    make("figcaption", {}, make("b", {}, role), " ", name, ...extra.filter(Boolean).map((word) => make("span", { class: "small" }, word))));
}

/** What was odd about a picture or about the work, as the record says it. */
function notesPart(found) {
  if (!found.notes?.length) return null;
  return make("section", {}, make("h3", {}, "Notes"), make("ul", {}, found.notes.map((note) => make("li", {}, note))));
}

function lossPart(entry, found) {
  const drawn = found.losses && curve(found.losses, entry.film ? "frames" : "steps");
  return drawn ? make("section", {}, make("h3", {}, "Losses"), drawn) : null;
}

function recipe(found) {
  if (!found.sidecar) return null;
  const button = make("button", { type: "button", class: "copy" }, "Copy as sidecar");
  button.addEventListener("click", () => copy(found.sidecar, button));
  return make("section", {}, make("div", { class: "headed" }, make("h3", {}, "Recipe"), button),
    make("pre", { class: "recipe", tabindex: 0, "aria-label": "Recipe" }, make("code", {}, found.sidecar)));
}

async function copy(text, button) {
  const words = await copied(text) ? "Copied" : "Press Ctrl+C";
  button.textContent = words;
  speak(words === "Copied" ? "The sidecar is in the clipboard" : words);
  setTimeout(() => { button.textContent = "Copy as sidecar"; }, 2000);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedByHand(text);
  }
}

/** Browsers keep the clipboard from pages that came by plain http; this way is left. */
function copiedByHand(text) {
  const field = make("textarea", { class: "unseen", "aria-hidden": "true" });
  const before = document.activeElement;
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus();
  return done;
}

function facts(entry, found) {
  const rows = [
    [{ failed: "Failed", cancelled: "Cancelled" }[outcome(entry)] ?? "Made", MOMENT.format(entry.when)],
    ["Time", seconds(entry.seconds)],
    ["", phases(found.seconds)],
    ["Device", [entry.device, found.device_name].filter(Boolean).join(" · ")],
    ["Size", entry.width && `${entry.width} × ${entry.height}`],
    ["Film", entry.film && filmWords(entry.film)],
    ["Network", networkWords(found.network)],
    ["Steps", found.steps && [WHOLE.format(found.steps), { plateau: "until nothing changed", budget: "until the time was over" }[found.stopped]].filter(Boolean).join(", ")],
    ["Seed", found.seed],
    ["Memory", bytes(found.peak_memory?.device ?? found.peak_memory?.process)],
    ["Attempt", (found.attempt ?? found.attempts) > 1 && (found.attempt ?? found.attempts)],
    ["Backend", entry.backend],
    ["nstd", found.versions?.nstd],
    ["Job", entry.id],
  ];
  const said = rows.filter(([, value]) => value || value === 0);
  return make("section", {}, make("h3", {}, "Facts"),
    make("dl", {}, said.map(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))])));
}

function networkWords(network) {
  return network && [network.name, network.precision].filter((word) => typeof word === "string").join(", ");
}

function phases(spent) {
  const least = Math.max(0.05, (spent?.total ?? 0) / 50);
  const told = Object.entries(spent ?? {}).filter(([name, value]) => value >= least && !["total", "backend"].includes(name));
  return told.map(([name, value]) => `${name === "queued" ? "waited" : name} ${seconds(value)}`).join(", ");
}

function files(entry, found) {
  const link = (file, words) => make("li", {}, make("a", { href: `./${entry.url}/${file}`, target: "_blank", rel: "noopener" }, words));
  const stem = entry.record.replace(/\.json$/, "");
  const isFailed = entry.state === "failed";
  return make("section", {}, make("h3", {}, "Files"), make("ul", { class: "files", role: "list" },
    entry.file && link(entry.file, entry.film ? "Film" : "Picture in full size"),
    entry.film && link("sheet.png", "Sheet of frames"),
    entry.film && link(`${stem}.frames.csv`, "Table of frames"),
    link(entry.record, isFailed ? "Reason" : "Record"),
    found.source && link(found.source, "Sidecar"),
    link(found.log ?? `${stem}.log`, "Log")),
    make("p", { class: "small at" }, entry.at));
}
