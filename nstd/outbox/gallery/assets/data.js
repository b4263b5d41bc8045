"use strict";
// What the files in the gallery's folder say. They are scripts, as a page on a disk may read no
// other data; each calls one function of `nstd`.

const FOLDER = document.body.dataset.folder;

const nstd = {
  list: (told) => { data.told = told; },
  page: (number, entries) => { data.arrived = { number, entries }; },
  job: (detail) => { data.details.set(detail.id, detail); },
  now: (told) => { data.now = told; },
};

const data = {
  told: { total: 0, pages: [] },
  pages: new Map(), // number -> { rev, entries }
  details: new Map(), // by id
  entries: [], // of all pages, the newest first
  isWhole: false, // whether all pages have been read
  now: null,
  revision: null, // of the list that was read last
};

/** A script that is not there: nothing has written it yet, or it was replaced meanwhile. */
class MissingError extends Error {}

function ignoreMissing(error) {
  if (!(error instanceof MissingError)) throw error;
}

/** Run the script at `address`, below the gallery's folder. */
function load(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `./${FOLDER}/${address}`;
    script.onload = () => { script.remove(); resolve(); };
    script.onerror = () => { script.remove(); reject(new MissingError(address)); };
    document.head.append(script);
  });
}

/** Read the list, then the pages that are new or have changed; `tell` hears of progress. */
async function loadEntries(revision, tell) {
  await load(`list.js?v=${encodeURIComponent(revision)}`);
  data.revision = revision;
  const named = new Set(data.told.pages.map((page) => page.n));
  for (const number of data.pages.keys()) if (!named.has(number)) data.pages.delete(number);
  for (const page of [...data.told.pages].reverse()) {
    if (data.pages.get(page.n)?.rev === page.rev) continue;
    await loadPage(page);
    if (data.pages.size !== 1) continue;
    arrange(); // the newest are shown at once, the others together
    tell();
  }
  data.isWhole = true;
  arrange();
  tell();
}

/** A page that was replaced or removed meanwhile comes with the next list. */
async function loadPage(page) {
  try {
    await load(`pages/${page.n}.js?v=${page.rev}`);
    data.pages.set(page.n, { rev: page.rev, entries: data.arrived.entries });
  } catch (error) {
    ignoreMissing(error);
    data.pages.delete(page.n);
  }
}

/** All entries, the newest first; of several at one place the last one counts. */
function arrange() {
  const places = new Map();
  for (const number of [...data.pages.keys()].sort((a, b) => a - b)) {
    for (const entry of data.pages.get(number).entries) places.set(entry.url, entry);
  }
  data.entries = [...places.values()].sort((a, b) => b.when - a.when);
}

/** What else there is to know of an entry; null where that is lost. */
async function loadDetail(entry) {
  if (!data.details.has(entry.id)) {
    try {
      await load(`jobs/${encodeURIComponent(entry.id)}.js?v=${entry.when}`);
    } catch (error) {
      ignoreMissing(error);
      return null;
    }
  }
  return data.details.get(entry.id) ?? null;
}

async function loadNow() {
  await load(`now.js?t=${Date.now()}`);
}
