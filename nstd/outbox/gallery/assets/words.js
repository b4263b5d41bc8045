// How figures are said.

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });
const WHOLE = new Intl.NumberFormat();

function seconds(value) {
  if (typeof value !== "number") return "";
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 60) return `${Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function bytes(value) {
  if (typeof value !== "number") return "";
  const unit = value >= 2 ** 30 ? ["GiB", 30] : value >= 2 ** 20 ? ["MiB", 20] : ["KiB", 10];
  const amount = value / 2 ** unit[1];
  return `${amount.toFixed(amount < 10 ? 1 : 0)} ${unit[0]}`;
}

function figure(value) {
  if (typeof value !== "number") return "";
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 100000) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** How a job ended: what a person ended has not failed. */
function outcome(entry) {
  return entry.state === "failed" && entry.code === "cancelled" ? "cancelled" : entry.state;
}

function counted(number, one, many) {
  return `${WHOLE.format(number)} ${number === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`. */
function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** A picture's name without its folders and its ending. */
function bare(name) {
  return name.split("/").pop().replace(/\.[A-Za-z0-9]{2,5}$/, "");
}

function styleWords(entry) {
  return listed(entry.styles.map(bare));
}

/** The picture in a sentence, for those who do not see it. */
function described(entry) {
  const made = entry.content ? `: ${bare(entry.content)} in the style of ${styleWords(entry)}` : "";
  return `${entry.name}${made}`;
}

/** Which member of its batch it is; people count from one. */
function memberWords(batch) {
  return `${batch.index + 1} of ${batch.of}`;
}

/** The value of a batch's axis: of a picture its bare name. */
function axisValue(axis, value) {
  if (value === null) return "–";
  return typeof value === "string" && !axis.startsWith("options.") ? bare(value) : String(value);
}

function axisName(axis) {
  return axis.replace(/^options\./, "").replaceAll("_", " ");
}
