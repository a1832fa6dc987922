// The address says which sample is chosen and how the list is filtered; then the page is drawn.

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
    // a browser may refuse after too many in a short time; the next choice says it again
  }
}

// Follow an address; one that only names a section is left to the browser.
function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  if (!values.has("sample") && !Object.keys(PLAIN).some((name) => values.has(name))) return false;
  setFilters(Object.fromEntries(values));
  const wanted = PAGE.samples.findIndex((sample) => sample.id === values.get("sample"));
  if (wanted >= 0) current = wanted;
  refresh();
  if (wanted >= 0 && current !== wanted) {
    // the filters leave it out: the link means the sample
    setFilters({});
    current = wanted;
    refresh();
  }
  return true;
}

let settled = false; // whether what is chosen was chosen by someone

drawHead();
drawScores();
drawProtocols();
drawFailures();
drawGroups();
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
