// What is shown, by the address; and when it is looked for news.

const EVERY = 3000;
let lastList = "#"; // where "All results" leads back to
let lastPlace = 0; // how far the list was scrolled

function currentFilter() {
  const said = address();
  return Object.fromEntries(FILTERS.map((name) => [name, said.get(name) ?? ""]));
}

function render() {
  const said = address();
  const [job, batch] = [said.get("job"), said.get("batch")];
  const was = byId("overview").hidden ? "" : "list";
  if (was && (job || batch)) lastPlace = scrollY;
  byId("overview").hidden = Boolean(job || batch);
  byId("detail").hidden = !job;
  byId("batch").hidden = !batch || Boolean(job);
  if (!job) detail.id = null;
  if (!batch || job) batchShown.id = null;
  if (job) showDetail(job);
  else if (batch) showBatch(batch);
  else renderList(was);
}

function renderList(was) {
  const filter = currentFilter();
  const here = location.hash || "#";
  if (here !== lastList && was) list.most = STEP;
  lastList = here;
  document.title = document.body.dataset.title;
  showFilter(filter);
  showNow();
  showBatches();
  showList(filter);
  if (!was) returnTo();
}

/** Back in the list: at the place, and on the card, that somebody came from. */
function returnTo() {
  scrollTo(0, lastPlace);
  const links = [...byId("list").querySelectorAll("a")];
  links.find((link) => link.getAttribute("href") === cameFrom)?.focus({ preventScroll: true });
}

let cameFrom = "";

function goTo(hash) {
  location.hash = hash;
}

// News

async function look() {
  await loadNow().catch(ignoreMissing);
  const revision = data.now?.revision ?? "";
  if (revision !== data.revision) await loadEntries(revision, update).catch(ignoreMissing);
  if (!byId("batch").hidden) showBatch(batchShown.id);
  else if (!byId("overview").hidden) showNow();
}

/** Show what is new, and leave alone what somebody is reading. */
function update() {
  offerFolders(data.entries);
  offerStyles(data.entries);
  if (byId("detail").hidden || !detail.id) render();
}

async function lookForEver() {
  try {
    await look();
  } finally {
    setTimeout(() => (document.hidden ? awaitReturn() : lookForEver()), EVERY);
  }
}

function awaitReturn() {
  document.addEventListener("visibilitychange", lookForEver, { once: true });
}

// What people do

addEventListener("hashchange", (event) => {
  const before = new URL(event.oldURL).hash;
  if (before.startsWith("#job=")) cameFrom = before;
  render();
});

for (const kind of ["input", "change"]) {
  filterForm.addEventListener(kind, () => location.replace(listAddress(readFilter())));
}
filterForm.addEventListener("submit", (event) => event.preventDefault());
filterForm.addEventListener("reset", (event) => {
  event.preventDefault();
  for (const name of FILTERS) filterForm.elements[name].value = "";
  location.replace("#");
});
const isWide = matchMedia("(min-width: 621px)"); // as in the style
const unfold = () => { byId("narrow").open = isWide.matches || FILTERS.slice(1).some((name) => address().get(name)); };
isWide.addEventListener("change", unfold);
unfold();
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
byId("more").addEventListener("click", showMore);
new IntersectionObserver((seen) => { if (seen.some((each) => each.isIntersecting)) showMore(); }, { rootMargin: "1200px" })
  .observe(byId("more"));

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const isField = event.target.closest("input, select, textarea, pre, .scroll");
  if (event.key === "Escape" && byId("overview").hidden) goTo(lastList);
  else if (isField) return;
  else if (!byId("detail").hidden) byId("detail").querySelector(`a[data-key="${CSS.escape(event.key)}"]`)?.click();
  else if (event.target.matches("#list a") && moveInList(event.key, event.target)) event.preventDefault();
});

render();
lookForEver();
