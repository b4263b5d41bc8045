// The losses, as curves over the steps, on a logarithmic scale.

const HEIGHT = 240;
let WIDTH = 640; // about as wide as it is shown: its letters shrink and grow with it
const EDGE = { left: 46, right: 12, top: 12, bottom: 26 };
const NOT_LOSSES = new Set(["step", "level", "seconds"]);
const DECADES = 4; // below the largest value; what is lower has no weight

function lossNames(losses) {
  const names = Object.keys(losses).filter((name) => !NOT_LOSSES.has(name));
  return names.filter((name) => losses[name].some((value) => value > 0));
}

function curve(losses, unit = "steps") {
  const names = lossNames(losses);
  const steps = losses.step ?? [];
  if (!names.length || steps.length < 2) return null;
  WIDTH = Math.max(300, Math.min(640, document.documentElement.clientWidth - 32));
  const scale = scales(steps, names.flatMap((name) => losses[name]));
  const picture = draw("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "curve", "aria-label": curveWords(losses, names, unit),
  }, ...grid(scale, unit.slice(0, -1)), ...levels(losses, scale),
    ...names.map((name, index) => line(losses, name, index, scale)));
  return make("div", {}, picture, legend(losses, names));
}

function scales(steps, values) {
  const positive = values.filter((value) => value > 0);
  const top = Math.log10(Math.max(...positive));
  const bottom = Math.max(Math.log10(Math.min(...positive)), top - DECADES);
  const room = Math.max(top - bottom, 0.1);
  const [first, last] = [steps[0], steps.at(-1)];
  return {
    first, last, top, bottom,
    x: (step) => EDGE.left + (step - first) / Math.max(last - first, 1) * (WIDTH - EDGE.left - EDGE.right),
    y: (value) => {
      const share = (top - Math.max(Math.log10(Math.max(value, 1e-300)), bottom)) / room;
      return EDGE.top + share * (HEIGHT - EDGE.top - EDGE.bottom);
    },
  };
}

function grid(scale, unit) {
  const lines = [];
  for (let power = Math.ceil(scale.bottom); power <= scale.top; power++) {
    const y = scale.y(10 ** power);
    lines.push(draw("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y, y2: y, class: "grid" }));
    lines.push(draw("text", { x: EDGE.left - 8, y: y + 4, class: "label end" }, power < -3 ? `1e${power}` : figure(10 ** power)));
  }
  const foot = HEIGHT - 8;
  lines.push(draw("text", { x: EDGE.left, y: foot, class: "label" }, `${unit} ${WHOLE.format(scale.first)}`));
  lines.push(draw("text", { x: WIDTH - EDGE.right, y: foot, class: "label end" }, WHOLE.format(scale.last)));
  return lines;
}

/** A mark where the picture grew to its next size. */
function levels(losses, scale) {
  const marks = [];
  (losses.level ?? []).forEach((level, index) => {
    if (index === 0 || level === losses.level[index - 1]) return;
    const x = scale.x(losses.step[index]);
    marks.push(draw("line", { x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom, class: "level" }));
    marks.push(draw("text", { x: x + 5, y: HEIGHT - EDGE.bottom - 6, class: "label" }, `level ${level}`));
  });
  return marks;
}

function line(losses, name, index, scale) {
  const points = losses[name].map((value, at) =>
    value === null ? "" : `${scale.x(losses.step[at]).toFixed(1)},${scale.y(value).toFixed(1)}`);
  return draw("polyline", { points: points.filter(Boolean).join(" "), class: `loss loss-${Math.min(index, 5)}` });
}

function lastOf(values) {
  return values.findLast((value) => value !== null);
}

function legend(losses, names) {
  return make("ul", { class: "legend", role: "list" }, names.map((name, index) =>
    make("li", {}, make("span", { class: `swatch loss-${Math.min(index, 5)}`, "aria-hidden": "true" }),
      `${name} ${figure(lastOf(losses[name]))}`)));
}

function curveWords(losses, names, unit) {
  const ends = names.map((name) => {
    const first = losses[name].find((value) => value !== null);
    return `${name} from ${figure(first)} to ${figure(lastOf(losses[name]))}`;
  });
  return `Losses over ${WHOLE.format(losses.step.at(-1))} ${unit}: ${ends.join(", ")}`;
}
