// One result or failure in the list.

const SHOWN_BY_BROWSERS = /\.(png|jpe?g|webp|gif)$/i;

/** The address of a small picture, or "" where there is none. */
function view(entry, name) {
  return entry.views.includes(name) ? `./${entry.url}/preview/${name}.webp` : "";
}

/** The picture itself, where a browser shows its format. */
function wholePicture(entry) {
  return entry.file && SHOWN_BY_BROWSERS.test(entry.file) ? `./${entry.url}/${entry.file}` : "";
}

function thumbnail(entry) {
  return view(entry, "thumb") || wholePicture(entry) || view(entry, "content");
}

/** Width by height, within what a row of pictures can hold. */
function ratio(entry) {
  const own = entry.width && entry.height ? entry.width / entry.height : 4 / 3;
  return Math.min(Math.max(own, 0.5), 2.6);
}

function card(entry) {
  const isFailed = entry.state === "failed";
  const item = make("li", { class: isFailed ? "card failed" : "card" },
    make("a", { href: jobAddress(entry), "data-url": entry.url }, picture(entry), caption(entry)));
  item.style.setProperty("--ratio", ratio(entry).toFixed(3));
  return item;
}

function picture(entry) {
  const address = thumbnail(entry);
  const frame = make("div", { class: "frame" });
  if (address) {
    const alt = entry.state === "failed" ? "" : described(entry);
    frame.append(make("img", { src: address, alt, loading: "lazy", decoding: "async" }));
  }
  if (entry.state === "failed") frame.append(reason(entry));
  return frame;
}

function reason(entry) {
  return make("div", { class: "why" },
    make("strong", {}, entry.code.replaceAll("_", " ") || "failed"),
    make("span", { class: "message" }, entry.message),
    entry.hint && make("span", { class: "hint" }, entry.hint));
}

function caption(entry) {
  const said = [styleWords(entry), DAY.format(entry.when)];
  const strip = view(entry, "strip");
  return make("div", { class: "caption" },
    make("div", { class: "words" },
      make("span", { class: "name" }, entry.name),
      make("span", { class: "small" }, said.filter(Boolean).join(" · ")),
      entry.film && make("span", { class: "small" }, `Film: ${filmWords(entry.film)}`),
      entry.batch && make("span", { class: "small" }, `${entry.batch.name}, ${memberWords(entry.batch)}`)),
    strip && make("img", {
      class: "strip", src: strip, loading: "lazy", decoding: "async",
      alt: `from ${bare(entry.content)} and ${styleWords(entry)}`,
    }));
}
