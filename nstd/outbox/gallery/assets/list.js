// The list: as many cards as have been scrolled to, kept as they are while entries come and go.

const STEP = 60;

const list = {
  shown: [], // the entries that the filter lets through
  most: STEP, // how many of them have cards
  cards: new Map(), // by place
};

function showList(filter) {
  list.shown = filtered(data.entries, filter);
  showCards();
  showEmpty(filter);
  showSummary(filter);
}

function showCards() {
  const entries = list.shown.slice(0, list.most);
  const cards = new Map(entries.map((entry) => [entry.url, cardOf(entry)]));
  arrangeChildren(byId("list"), [...cards.values()].map((each) => each.node));
  list.cards = cards;
  byId("more").hidden = list.shown.length <= list.most;
}

/** The card that is there already, if it still tells the same. */
function cardOf(entry) {
  const known = list.cards.get(entry.url);
  return known?.stamp === entry.stamp ? known : { stamp: entry.stamp, node: card(entry) };
}

function showMore() {
  list.most += STEP;
  showCards();
}

function showEmpty(filter) {
  const box = byId("empty");
  box.hidden = list.shown.length > 0;
  byId("filter").hidden = !data.entries.length && !FILTERS.some((name) => filter[name]);
  if (box.hidden) return;
  if (!data.isWhole) box.replaceChildren(make("p", {}, "Loading …"));
  else if (data.entries.length) box.replaceChildren(make("h3", {}, "Nothing matches"), make("p", {}, "Other words, another style or other dates may."));
  else box.replaceChildren(...welcome());
}

function welcome() {
  return [
    make("h3", {}, "No pictures yet"),
    make("p", {}, "Put a content picture, a style picture and this into the inbox, or let ",
      make("code", {}, "nstd submit beach.jpg starry.jpg"), " do it:"),
    make("pre", {}, make("code", {}, "content: beach.jpg\nstyle: starry.jpg")),
    make("p", {}, "The result appears here by itself."),
  ];
}

function showSummary(filter) {
  const count = (state) => data.entries.filter((entry) => outcome(entry) === state).length;
  const words = [];
  if (FILTERS.some((name) => filter[name])) words.push(`${WHOLE.format(list.shown.length)} of ${WHOLE.format(data.entries.length)} shown`);
  else if (data.entries.length) {
    words.push(...finishedWords(data.entries.filter((entry) => entry.state === "finished")));
    for (const state of ["failed", "cancelled"]) if (count(state)) words.push(`${WHOLE.format(count(state))} ${state}`);
  }
  if (!data.isWhole && data.told.total > data.entries.length) words.push(`reading ${WHOLE.format(data.told.total)} …`);
  const text = words.join(" · ");
  if (byId("summary").textContent !== text) byId("summary").textContent = text;
}

/** `3 pictures`, `1 film`; what there is none of is left out, unless there is nothing. */
function finishedWords(entries) {
  const films = entries.filter((entry) => entry.film).length, pictures = entries.length - films;
  return [
    (pictures || !films) && counted(pictures, "picture", "pictures"),
    films && counted(films, "film", "films"),
  ].filter(Boolean);
}

// Arrows move between cards

function moveInList(key, link) {
  const links = [...byId("list").querySelectorAll("a")];
  const at = links.indexOf(link);
  const target = { ArrowRight: links[at + 1], ArrowLeft: links[at - 1], Home: links[0], End: links.at(-1) }[key] ??
    (key === "ArrowDown" || key === "ArrowUp" ? nearestInRow(links, link, key === "ArrowDown" ? 1 : -1) : null);
  target?.focus();
  return Boolean(target);
}

/** The card above or below, at about the same place. */
function nearestInRow(links, link, direction) {
  const here = link.getBoundingClientRect();
  const middle = here.left + here.width / 2;
  let best = null, distance = Infinity;
  for (const other of links) {
    const there = other.getBoundingClientRect();
    const down = (there.top - here.top) * direction;
    if (down < 8 || down > 3 * here.height) continue;
    const away = Math.abs(there.left + there.width / 2 - middle) + down * 2;
    if (away < distance) [best, distance] = [other, away];
  }
  return best;
}
