// What is shown stands behind the # of the address, so that it can be sent and gone back to:
// `#job=ID`, `#batch=ID`, or the filter, `#q=beach&status=failed`.

const FILTERS = ["q", "folder", "style", "status", "from", "to"];

function address() {
  return new URLSearchParams(location.hash.slice(1));
}

function jobAddress(entry) {
  return `#job=${encodeURIComponent(entry.id)}`;
}

function batchAddress(id) {
  return `#batch=${encodeURIComponent(id)}`;
}

/** The address of the list under `filter`. */
function listAddress(filter) {
  const said = new URLSearchParams();
  for (const name of FILTERS) if (filter[name]) said.set(name, filter[name]);
  return `#${said}`;
}
