// The first screen, and the front: chart, legend, table.
function showAnswer() {
  const one = run().answer;
  at("title").textContent = one.title;
  at("verdict").className = "verdict " + one.outcome.replaceAll(" ", "-");
  at("verdict-line").textContent = one.verdict;
  at("verdict-others").replaceChildren(...one.others.map((line) => make("li", line)));
  at("beside").hidden = !one.others.length;
  at("take").replaceChildren(make("code", one.take), ": " + one.why + ".");
  at("next").replaceChildren(...one.next.map(command));
  at("photos").replaceChildren(...one.photos.map((photo) => {
    const item = make("li"), picture = make("img");
    picture.src = photo.src;
    picture.alt = "";
    picture.width = picture.height = 72;
    item.append(picture, make("span", photo.label));
    return item;
  }));
  at("data-line").textContent = one.data;
  at("alarms").replaceChildren(...one.alarms.map((line) => make("li", line)));
}

// The knee of a front with a target lies within it; where nothing does, the nearest is marked.
const kneeName = (row) => row.within === false ? "nearest" : "knee";

function rowsOf(one) {
  const members = one.rows.map((row) => ({ ...row, kind: row.front ? "member" : "dominated" }));
  const baselines = one.baselines.map((row) => ({ ...row, kind: "baseline", shared: null, size: "" }));
  return [...members.filter((row) => row.front), ...baselines, ...members.filter((row) => !row.front)];
}

function showTable(one) {
  const trained = Boolean(one.trained || one.baselines.length);
  const columns = [["network"], ...(one.size ? [["size (" + one.size + ")"]] : []), ["accuracy, " + one.shared, "number"],
    ...(one.alike ? [["alike"]] : []),
    ...(trained ? [["accuracy, trained (test)", "number"]] : []), ...one.columns.map((name) => [name, "number"])];
  const shown = rowsOf(one);
  const lines = table(at("table"), columns, shown.map((row) => ["", ...(one.size ? [row.size] : []), share(row.shared),
    ...(one.alike ? [row.alike || ""] : []),
    ...(trained ? [share(row.trained)] : []), ...row.costs.map(amount)]));
  at("table").prepend(make("caption", "The networks of the front", "unseen"));
  let folded = 0;
  lines.forEach((line, i) => {
    const row = shown[i], name = line.firstChild;
    line.classList.add(row.kind);
    if (row.kind === "baseline") { name.append(row.name + " ", make("span", "baseline", "badge faint")); return; }
    const pick = make("button", row.name, "link");
    pick.type = "button";
    name.append(pick);
    if (row.within) name.append(" ", make("span", "\u2713 within", "badge"));
    if (row.knee) name.append(" ", make("span", "\u25c6 " + kneeName(row), "badge knee"));
    line.dataset.name = row.name;
    line.addEventListener("click", () => choose(row.name));
    if (row.kind === "dominated") { folded += 1; line.hidden = state.folded; }
  });
  at("fold").hidden = !folded;
  at("fold").textContent = `${state.folded ? "Show" : "Hide"} ${folded} dominated network${folded === 1 ? "" : "s"}`;
  at("fold").setAttribute("aria-expanded", String(!state.folded));
  at("fold").onclick = () => { state.folded = !state.folded; showTable(scored()); mark(); };
}

async function showFront() {
  const one = scored();
  buttons(at("origins"), run().scored.map((s) => s.origin), state.scored, (n) => { Object.assign(state, { scored: n, axis: 0, pair: null }); pickFirst(); showFront(); showBlocks(); });
  buttons(at("axes"), one.charts.map((c) => c.title), state.axis, (n) => { state.axis = n; showFront(); });
  at("front-note").textContent = (one.target ? one.target + " " : "") + one.note + " Click a point, or a name in the table.";
  at("legend").replaceChildren(...one.legend.map((entry) => {
    const item = make("li"), sign = make("i", undefined, "sign " + entry.mark);
    sign.setAttribute("aria-hidden", "true");
    item.append(sign, entry.text);
    return item;
  }));
  showTable(one);
  mark();
  if (!one.charts.length) return;
  const view = await draw("front-chart", one.charts[state.axis].spec);
  if (!view) return;
  view.addEventListener("click", (event, item) => { if (item && item.datum && item.datum.name) choose(item.datum.name); });
  mark();
}

function mark() {
  for (const row of at("table").tBodies[0].rows) {
    const mine = row.dataset.name === state.network, pick = row.querySelector("button");
    row.classList.toggle("chosen", mine);
    if (pick) pick.setAttribute("aria-pressed", String(mine));
  }
  if (views["front-chart"]) views["front-chart"].signal("chosen", state.network).runAsync();
}

function pickFirst() { choose(scored().first); }
