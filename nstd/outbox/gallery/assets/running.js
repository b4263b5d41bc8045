// What runs and what waits. Elements stay, and take on what changed; a preview is swapped when it
// has been decoded, so that nothing flickers.

const STALE = 30_000;

const running = { nodes: new Map(), written: 0, heard: Date.now() };

function showNow() {
  const told = data.now ?? { running: [], waiting: [], counts: { running: 0, waiting: 0 } };
  if (told.written !== running.written) Object.assign(running, { written: told.written, heard: Date.now() });
  const nodes = told.running.map((job) => runningNode(job));
  for (const id of running.nodes.keys()) {
    if (!told.running.some((job) => job.id === id)) running.nodes.delete(id);
  }
  arrangeChildren(byId("running"), nodes);
  showWaiting(told);
  showStale(told);
  showNotes(told.notes ?? []);
  byId("now").hidden = !nodes.length && !told.counts.waiting && byId("stale").hidden && byId("notes").hidden;
}

function runningNode(job) {
  let parts = running.nodes.get(job.id);
  if (!parts) {
    parts = newNode(job);
    running.nodes.set(job.id, parts);
  }
  const share = Math.round(100 * (job.fraction ?? 0));
  parts.bar.value = share;
  parts.words.textContent = progressWords(job, share);
  swap(parts, job);
  return parts.node;
}

function newNode(job) {
  const image = make("img", { alt: `Preview of ${job.name}`, hidden: true });
  const bar = make("progress", { max: 100, value: 0, "aria-label": `Progress of ${job.name}` });
  const words = make("span", { class: "small" });
  const style = make("span", { class: "small" }, [listed(job.styles.map(bare)), job.batch?.name].filter(Boolean).join(" · "));
  const node = make("li", {}, make("div", { class: "frame" }, image),
    make("div", { class: "caption" }, make("div", { class: "words" }, make("span", { class: "name" }, job.name), style, bar, words)));
  return { node, image, bar, words, preview: "" };
}

function progressWords(job, share) {
  const eta = typeof job.eta === "number" && job.eta >= 1 ? `${seconds(job.eta)} left` : "";
  return [`${share} %`, eta, job.device].filter(Boolean).join(" · ");
}

/** Show the new preview once it is decoded; one that was torn away is left for the next. */
async function swap(parts, job) {
  if (!job.preview || parts.preview === job.preview) return;
  parts.preview = job.preview;
  const next = new Image();
  next.src = `./${FOLDER}/now/${job.preview}`;
  try {
    await next.decode();
  } catch {
    return;
  }
  if (parts.preview !== job.preview) return;
  next.alt = parts.image.alt;
  parts.image.replaceWith(next);
  parts.image = next;
}

function showWaiting(told) {
  const { waiting } = told.counts;
  const box = byId("waiting");
  box.hidden = !waiting;
  const names = told.waiting.map((job) => `${job.name}${job.held ?? ""}`).join("\n");
  if (!waiting || (box.dataset.names === names && box.dataset.count === String(waiting))) return;
  Object.assign(box.dataset, { names, count: waiting });
  const more = waiting - told.waiting.length;
  byId("waiting-count").textContent = counted(waiting, "job waits", "jobs wait");
  byId("waiting-list").replaceChildren(
    ...told.waiting.map((job) => make("li", {}, job.name,
      make("span", { class: "small" }, ` ${listed(job.styles.map(bare))}${job.held ? ", held" : ""}`))),
    ...(more > 0 ? [make("li", {}, `and ${WHOLE.format(more)} more`)] : []));
}

/** Files of the inbox that become no job as they are. */
function showNotes(notes) {
  const box = byId("notes");
  const words = notes.map((note) => (note.since ? `${note.text} (since ${MOMENT.format(note.since)})` : note.text));
  const lines = words.join("\n");
  if (box.dataset.lines !== lines) box.replaceChildren(...words.map((line) => make("li", {}, line)));
  box.dataset.lines = lines;
  box.hidden = !notes.length;
}

/** Why no job is started, and until when. */
function startWords(starts) {
  if (!starts) return "";
  const until = starts.until ? ` until ${MOMENT.format(starts.until)}` : "";
  const why = starts.cause === "schedule" ? "outside of its hours" : starts.cause === "start" ? "it has just been started" : ["paused", starts.reason].filter(Boolean).join(": ");
  return `No job is started${until} (${why}).`;
}

function showStale(told) {
  const silence = Date.now() - running.heard;
  const words = told.running.length && silence > STALE
    ? `No news for ${seconds(silence / 1000)}: the daemon may have ended.`
    : [startWords(told.starts), told.paused ? `No new jobs are taken in: ${told.paused}` : ""].filter(Boolean).join(" ");
  const box = byId("stale");
  if (box.textContent !== words) box.textContent = words;
  box.hidden = !words;
}
