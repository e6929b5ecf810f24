// What every part of the page uses: its data, charts, tables, buttons, commands.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const options = { actions: { export: true, source: false, compiled: false, editor: false }, renderer: "svg", mode: "vega-lite" };
const state = { run: 0, scored: 0, axis: 0, network: "", policy: 0, edge: 0, pair: null, folded: true };
const views = {};

function make(tag, text, kind) {
  const found = document.createElement(tag);
  if (text !== undefined) found.textContent = text;
  if (kind) found.className = kind;
  return found;
}

// Where there is little room: legends in fewer columns, no names at marks.
function fitted(spec, width) {
  if (width >= 560) return spec;
  const bare = spec.layer ? { ...spec, layer: spec.layer.filter((one) => !String(one.name).startsWith("labels")) } : spec;
  return JSON.parse(JSON.stringify(bare), (key, value) =>
    key === "legend" && value && value.columns ? { ...value, columns: Math.max(1, Math.floor(value.columns / 2)) } : value);
}

// One view per place; a newer drawing of the same place wins.
async function draw(place, spec) {
  const box = typeof place === "string" ? at(place) : place;
  const turn = (box.turn = (box.turn || 0) + 1);
  const result = await vegaEmbed(box, fitted(spec, box.clientWidth), options);
  if (box.turn !== turn) { result.finalize(); return null; }
  const menu = box.querySelector("summary"), drawing = box.querySelector("svg.marks");
  if (menu) { menu.title = "Save this chart"; menu.setAttribute("aria-label", "Save this chart"); }
  if (drawing && !drawing.getAttribute("aria-label")) drawing.setAttribute("aria-label", spec.description || "chart");
  if (box.id) views[box.id] = result.view;
  return result.view;
}

const pause = () => new Promise((go) => setTimeout(go, 0));
const run = () => data.runs[state.run];
const scored = () => run().scored[state.scored];
const share = (value) => value === null || value === undefined ? "" : (100 * value).toFixed(2) + " %";
const amount = (value) => value === null || value === undefined ? "" :
  Number.isInteger(value) ? value.toLocaleString("en-US") : value.toPrecision(4);

function buttons(box, names, chosen, pick) {
  box.replaceChildren(...names.map((name, number) => {
    const button = make("button", name);
    button.type = "button";
    button.setAttribute("aria-pressed", String(number === chosen));
    button.addEventListener("click", () => pick(number));
    return button;
  }));
  box.hidden = names.length < 2;
}

function command(text) {
  const box = make("div", undefined, "command"), shown = make("pre", text), copy = make("button", "Copy");
  shown.tabIndex = 0;
  copy.type = "button";
  copy.setAttribute("aria-label", "Copy: " + text.slice(0, 80));
  copy.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); copy.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(shown); copy.textContent = "Selected"; }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  box.append(shown, copy);
  return box;
}

// A table with headers for each column, and for each row in its first cell.
function table(box, columns, rows) {
  const head = make("tr");
  head.append(...columns.map(([name, kind]) => {
    const cell = make("th", name, kind);
    cell.scope = "col";
    return cell;
  }));
  const top = make("thead"), body = make("tbody");
  top.append(head);
  body.append(...rows.map((cells) => {
    const row = make("tr");
    row.append(...cells.map((text, i) => {
      const cell = make(i ? "td" : "th", text, columns[i][1]);
      if (!i) cell.scope = "row";
      return cell;
    }));
    return row;
  }));
  box.replaceChildren(top, body);
  return [...body.children];
}

// A box that a wide table scrolls in; the keyboard reaches it.
function scrolls(box, name) {
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", name);
}
