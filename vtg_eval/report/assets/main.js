// The address has the chosen sample and the filters; then the page is drawn.

function addressOf(id) {
  const values = new URLSearchParams({ sample: id });
  for (const [name, value] of Object.entries(chosen)) if (value !== "") values.set(name, value);
  return values.toString();
}

function writeAddress() {
  if (!settled) return;
  const id = current < 0 ? "" : PAGE.samples[current].id;
  try {
    history.replaceState(null, "", `#${addressOf(id)}`);
  } catch {
    // a browser may refuse too many changes in a short time; the next choice writes it again
  }
}

// Follow an address; the browser handles one that only names a section.
function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  if (!values.has("sample") && !Object.keys(PLAIN).some((name) => values.has(name))) return false;
  setFilters(Object.fromEntries(values));
  const linked = PAGE.samples.findIndex((sample) => sample.id === values.get("sample"));
  if (linked >= 0) current = linked;
  refresh();
  if (linked >= 0 && current !== linked) {
    // the filters exclude the linked sample: clear them
    setFilters({});
    current = linked;
    refresh();
  }
  return true;
}

let settled = false; // whether the first sample is chosen, so that later choices are the user's

drawHead();
drawScores();
drawProtocols();
drawFailures();
drawGroups();
drawProbes();
drawPlots();
drawFacts();
drawFilters();
drawList();
if (readAddress()) byId("samples").scrollIntoView();
else refresh();
settled = true;
window.addEventListener("hashchange", () => {
  if (readAddress()) byId("samples").scrollIntoView();
});
