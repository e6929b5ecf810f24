"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const options = { actions: { export: true, source: false, compiled: false, editor: false }, renderer: "svg", mode: "vega-lite" };
  const state = { run: 0, scored: 0, axis: 0, network: "", policy: 0, edge: 0, pair: null };
  const views = {};

  function make(tag, text, kind) {
    const found = document.createElement(tag);
    if (text !== undefined) found.textContent = text;
    if (kind) found.className = kind;
    return found;
  }

  // Legends in fewer columns where there is little room.
  function fitted(spec, width) {
    if (width >= 560) return spec;
    return JSON.parse(JSON.stringify(spec), (key, value) =>
      key === "legend" && value && value.columns ? { ...value, columns: Math.max(1, Math.floor(value.columns / 2)) } : value);
  }

  // One view per place; a newer drawing of the same place wins.
  async function draw(place, spec) {
    const box = typeof place === "string" ? at(place) : place;
    const turn = (box.turn = (box.turn || 0) + 1);
    const result = await vegaEmbed(box, fitted(spec, box.clientWidth), options);
    if (box.turn !== turn) { result.finalize(); return null; }
    if (box.id) views[box.id] = result.view;
    return result.view;
  }

  const pause = () => new Promise((go) => setTimeout(go, 0));
  const run = () => data.runs[state.run];
  const scored = () => run().scored[state.scored];
  const share = (value) => (100 * value).toFixed(2) + " %";
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
    const box = make("div", undefined, "command");
    const copy = make("button", "Copy");
    copy.type = "button";
    copy.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text); copy.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(box.firstChild); copy.textContent = "Selected"; }
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
    box.append(make("pre", text), copy);
    return box;
  }

  function table(box, columns, rows) {
    const head = make("tr");
    head.append(...columns.map(([name, kind]) => make("th", name, kind)));
    const top = make("thead"), body = make("tbody");
    top.append(head);
    body.append(...rows.map((cells) => {
      const row = make("tr");
      row.append(...cells.map((text, i) => make("td", text, columns[i][1])));
      return row;
    }));
    box.replaceChildren(top, body);
    return [...body.children];
  }

  // The knee of a front with a target lies within it; where nothing does, the nearest is marked.
  const kneeName = (row) => row.within === false ? "nearest" : "knee";

  async function showFront() {
    const one = scored();
    buttons(at("origins"), run().scored.map((s) => s.origin), state.scored, (n) => { state.scored = n; state.axis = 0; state.pair = null; pickFirst(); showFront(); showBlocks(); });
    buttons(at("axes"), one.charts.map((c) => c.title), state.axis, (n) => { state.axis = n; showFront(); });
    const target = one.target ? one.target + " Within: a tick, a filled point; over: a hollow one. " : "";
    at("front-note").textContent = target + one.note + " Faint: dominated. Click a point or a row.";
    const rows = table(at("table"), [["network"], ...(one.size ? [["size (" + one.size + ")"]] : []), ["accuracy", "number"], ...one.columns.map((c) => [c, "number"])],
      one.rows.map((r) => [r.name + (r.within ? " \u2713" : "") + (r.knee ? "  ◆ " + kneeName(r) : ""), ...(one.size ? [r.size] : []), share(r.accuracy), ...r.costs.map(amount)]));
    rows.forEach((row, i) => {
      const mine = one.rows[i];
      row.dataset.name = mine.name;
      row.tabIndex = 0;
      row.classList.toggle("dominated", !mine.front);
      row.addEventListener("click", () => choose(mine.name));
      row.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(mine.name); } });
    });
    mark();
    if (!one.charts.length) return;
    const view = await draw("front-chart", one.charts[state.axis].spec);
    if (!view) return;
    view.addEventListener("click", (event, item) => { if (item && item.datum && item.datum.name) choose(item.datum.name); });
    mark();
  }

  function mark() {
    for (const row of at("table").tBodies[0].rows) {
      const mine = row.dataset.name === state.network;
      row.classList.toggle("chosen", mine);
      row.setAttribute("aria-selected", String(mine));
    }
    if (views["front-chart"]) views["front-chart"].signal("chosen", state.network).runAsync();
  }

  function pickFirst() { choose(scored().first); }

  function choose(name) {
    state.network = name;
    const one = run().networks[name], row = scored().rows.find((r) => r.name === name);
    at("key").textContent = name;
    const badges = [];
    if (row && row.front) badges.push(make("span", "on the front", "badge"));
    if (row && row.knee) badges.push(make("span", kneeName(row), "badge knee"));
    if (row && row.within === true) badges.push(make("span", "within target", "badge"));
    if (row && row.within === false) badges.push(make("span", "over target", "badge faint"));
    if (row && !row.front) badges.push(make("span", "dominated", "badge faint"));
    at("badges").replaceChildren(...badges);
    // Drawings are made by hwnas, with every label escaped.
    at("cells").replaceChildren(...one.cells.flatMap((cell) => {
      const box = make("div", undefined, "cell");
      box.innerHTML = cell.svg;
      return cell.title ? [make("h3", cell.title), box] : [box];
    }));
    const rows = table(at("metrics"), [["metric"], ["value", "number"], ["unit"], ["from"]], one.metrics.map((m) => {
      const interval = m.low !== undefined && m.low !== null && m.low < m.high ? ` (${amount(m.low)} to ${amount(m.high)})` : "";
      return [m.name, amount(m.value) + interval, m.unit, m.origin];
    }));
    rows.forEach((line, i) => {
      if (!one.metrics[i].receipt) return;
      const details = make("details");
      details.append(make("summary", "receipt"), make("div", one.metrics[i].receipt, "note"));
      line.lastChild.append(details);
    });
    at("commands").replaceChildren(...one.commands.map(command));
    at("genotype").textContent = one.text;
    mark();
  }

  const short = (value) => value >= 1e6 ? (value / 1e6).toPrecision(3) + " M" : value >= 1e3 ? (value / 1e3).toPrecision(3) + " k" : String(value);
  const part = (value) => value === undefined ? "" : (100 * value).toFixed(1) + " %";

  // What stands at one place of a chain: its name, and a bar as long as it is wide inside.
  function blockCell(row) {
    const box = make("div"), bar = make("div", undefined, "width");
    if (row.option === "none") { box.append("absent"); bar.classList.add("absent"); box.append(bar); return box; }
    const fill = make("i");
    fill.style.width = 100 * row.share + "%";
    bar.append(fill);
    const wide = row.option ? `${row.inside} inside (${Math.round(100 * row.share)}\u00a0%)` : `${row.inside} channels`;
    box.append(`${row.kernel}\u00d7${row.kernel}${row.kind ? " " + row.kind : ""}, ${wide}`, bar);
    box.title = row.option || "nothing is decided here";
    return box;
  }

  function showBlocks() {
    const found = run().blocks;
    at("blocks").hidden = !found;
    if (!found) return;
    const pair = state.pair || found.pairs[state.scored];
    ["block-a", "block-b"].forEach((id, side) => {
      at(id).replaceChildren(...Object.keys(found.networks).map((name) => {
        const option = make("option", name);
        option.value = name;
        return option;
      }));
      at(id).value = pair[side];
      at(id).onchange = () => { state.pair = [at("block-a").value, at("block-b").value]; showBlocks(); };
    });
    const two = pair.map((name) => found.networks[name]);
    const timed = two.some((one) => one.rows.some((row) => row.latency !== undefined));
    const differ = two[0].rows.map((row, i) => row.option !== two[1].rows[i].option);
    const count = differ.filter(Boolean).length, decided = two[0].rows.filter((row) => row.option).length;
    at("block-note").textContent = `${count} of ${decided} blocks differ: they are marked. `
      + (two[0].size ? pair.map((name, i) => `${name}: ${two[i].size}. `).join("") : "")
      + "The bar: how wide a block is inside, as a share of the widest that is offered there."
      + (timed ? ` Latency: its share of the network's own, by the table ${found.source}; what is not decided takes the rest.` : "");
    const columns = [["block"], ...pair.map((name) => [name]), ...["first", "second"].map((one) => [`MACs, ${one}`, "number"]), ...(timed ? ["first", "second"].map((one) => [`latency, ${one}`, "number"]) : [])];
    const total = two.map((one) => one.rows.reduce((sum, row) => sum + row.macs, 0));
    const lines = two[0].rows.map((row, i) => [row.name, "", "", ...two.map((one) => short(one.rows[i].macs)), ...(timed ? two.map((one) => part(one.rows[i].latency)) : [])]);
    lines.push(["all", "", "", ...total.map(short), ...(timed ? ["", ""] : [])]);
    table(at("block-table"), columns, lines).slice(0, -1).forEach((line, i) => {
      two.forEach((one, side) => line.children[1 + side].replaceChildren(blockCell(one.rows[i])));
      if (!differ[i]) return;
      line.classList.add("differs");
      line.firstChild.append(" \u2260");
      line.children[1].classList.add("other");
      line.children[2].classList.add("other");
    });
  }

  function tables(policies) {
    const text = atob(policies.tables), [, epochs, edges, ops] = policies.shape;
    return (policy, epoch, edge, op) => text.charCodeAt(((policy * epochs + epoch) * edges + edge) * ops + op) / 255;
  }

  async function showEvolution() {
    const found = run().policies;
    at("evolution").hidden = !found;
    if (!found) return;
    at("policy").replaceChildren(...found.names.map((name, number) => {
      const option = make("option", name);
      option.value = String(number);
      return option;
    }));
    state.policy = Math.min(state.policy, found.names.length - 1);
    at("policy").value = String(state.policy);
    const spec = structuredClone(run().evolution), p = tables(found);
    spec.data.values = found.epochs.flatMap((epoch, t) => found.edges.map((edge, e) => {
      let best = 0;
      found.operations[e].forEach((_, o) => { if (p(state.policy, t, e, o) > p(state.policy, t, e, best)) best = o; });
      return { epoch, edge, number: e, op: found.operations[e][best], p: p(state.policy, t, e, best) };
    }));
    showSnapshots();
    showEdge();
    const view = await draw("heat", spec);
    if (view) view.addEventListener("click", (event, item) => {
      if (item && item.datum && item.datum.number !== undefined) { state.edge = item.datum.number; showEdge(); }
    });
  }

  async function showEdge() {
    const found = run().policies, p = tables(found), e = Math.min(state.edge, found.edges.length - 1);
    at("edge-name").textContent = "Probabilities of the decision: " + found.edges[e];
    const spec = structuredClone(run().probabilities);
    spec.data.values = found.epochs.flatMap((epoch, t) => found.operations[e].map((op, rank) => ({ epoch, op, rank, p: p(state.policy, t, e, rank) })));
    await draw("edge-chart", spec);
  }

  function showSnapshots() {
    const shots = run().policies.snapshots[state.policy], slider = at("snapshot");
    slider.max = String(shots.length - 1);
    slider.value = slider.max;
    slider.oninput = () => {
      const shot = shots[Number(slider.value)];
      at("when").textContent = ` ${shot.epoch} (stage ${shot.stage}): ${shot.key}`;
      slider.setAttribute("aria-valuetext", at("when").textContent);
      at("derived").replaceChildren(...shot.cells.map((number) => {
        const box = make("div", undefined, "cell");
        box.innerHTML = run().policies.drawings[number];
        return box;
      }));
    };
    slider.oninput();
  }

  function charts(box, list) {
    box.replaceChildren();
    for (const one of list) {
      const part = make("div"), chart = make("div", undefined, "chart");
      part.append(make("h3", one.title), chart);
      box.append(part);
      draw(chart, one.spec);
    }
  }

  // The front first: it is there while the rest is still being drawn.
  async function showRun() {
    const one = run();
    buttons(at("runs"), data.runs.map((r) => r.name), state.run, (n) => { Object.assign(state, { run: n, scored: 0, axis: 0, policy: 0, edge: 0, pair: null }); showRun(); });
    document.title = "hwnas report: " + data.runs.map((r) => r.name).join(", ");
    at("name").textContent = one.name;
    at("sentence").textContent = one.sentence;
    table(at("environment"), [["what"], ["value"]], one.environment);
    at("command").replaceChildren(command(one.command || "(the command was not kept)"));
    at("config").textContent = one.config;
    at("notes").replaceChildren(...(one.notes).map((note) => make("li", note)));
    const front = showFront();
    pickFirst();
    showBlocks();
    await front;
    await pause();
    await showEvolution();
    await pause();
    charts(at("health-charts"), one.health);
  }

  at("policy").addEventListener("change", () => { state.policy = Number(at("policy").value); showEvolution(); });
  at("footer").textContent = `Made by hwnas ${data.version}, ${data.now}. This file needs no network.`;
  for (const section of data.sections) {
    const box = make("section"), grid = make("div", undefined, section.charts.length > 1 ? "grid" : "");
    box.append(make("h2", section.title), make("p", section.note, "note"), grid);
    for (const one of section.tables || []) {
      const scroll = make("div", undefined, "scroll"), grid = make("table");
      table(grid, one.columns.map((name, i) => i ? [name, "number"] : [name]), one.rows);
      scroll.append(grid);
      box.append(make("h3", one.title), scroll);
    }
    at("sections").append(box);
    charts(grid, section.charts);
  }
  at("progress").hidden = !data.volume;
  showRun().then(() => { if (data.volume) draw("volume", data.volume); });
})();
