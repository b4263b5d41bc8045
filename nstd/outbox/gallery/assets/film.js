// A film: the content and the result on top of each other, both moving, with a range that divides
// them. The content follows the result, so that both show the same moment.

const APART = 0.06; // seconds that the two may be apart

function movingPicture(entry, name, words) {
  const film = make("video", {
    class: name === "content" ? "before" : "after", src: `./${entry.url}/preview/${name}.mp4`,
    poster: view(entry, name), loop: true, playsinline: true, preload: "auto", "aria-label": words,
  });
  film.muted = true;
  return film;
}

function filmComparison(entry) {
  const before = movingPicture(entry, "content", `Content: ${bare(entry.content)}`);
  const after = movingPicture(entry, "result", described(entry));
  follow(before, after);
  const box = divided(before, after);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play(after);
  return [box, controls(after)];
}

function play(film) {
  film.play().catch(() => {}); // a browser may refuse: the button is left
}

function follow(before, after) {
  const align = () => {
    if (Math.abs(before.currentTime - after.currentTime) > APART) before.currentTime = after.currentTime;
  };
  after.addEventListener("play", () => { align(); play(before); });
  after.addEventListener("pause", () => { before.pause(); align(); });
  after.addEventListener("timeupdate", align);
  after.addEventListener("seeked", align);
}

function controls(film) {
  const button = make("button", { type: "button", class: "play" });
  const place = make("input", { type: "range", class: "place", min: 0, max: 1000, value: 0, "aria-label": "Place in the film" });
  const time = make("span", { class: "small time" });
  const say = () => {
    button.textContent = film.paused ? "Play" : "Pause";
    const length = film.duration || 0;
    place.value = length ? Math.round(1000 * film.currentTime / length) : 0;
    time.textContent = `${film.currentTime.toFixed(1)} / ${length.toFixed(1)} s`;
  };
  button.addEventListener("click", () => (film.paused ? play(film) : film.pause()));
  place.addEventListener("input", () => { film.currentTime = place.value / 1000 * (film.duration || 0); });
  for (const event of ["play", "pause", "timeupdate", "loadedmetadata", "seeked"]) film.addEventListener(event, say);
  say();
  return make("div", { class: "controls" }, button, place, time);
}

/** The film itself, in its own size and with its sound, where a browser plays its format. */
function wholeFilm(entry) {
  if (!/\.(mp4|webm)$/i.test(entry.file ?? "")) return null;
  const words = entry.film.sound ? "The film itself, with sound" : "The film itself";
  return make("details", { class: "whole" }, make("summary", {}, words),
    make("video", { src: `./${entry.url}/${entry.file}`, controls: true, loop: true, playsinline: true, preload: "none", poster: view(entry, "result"), "aria-label": described(entry) }));
}

function filmWords(film) {
  const rate = film.rate ? `${Number(film.rate.toFixed(2))} a second` : "";
  return [counted(film.frames, "frame", "frames"), seconds(film.seconds), rate].filter(Boolean).join(", ");
}
