// The first screen and the front at once; the rest while nobody waits, what is folded when opened.
async function showRun() {
  const one = run();
  buttons(at("runs"), data.runs.map((r) => r.name), state.run, (n) => { state.run = n; begin(); });
  document.title = one.answer.title;
  at("name").textContent = one.name;
  at("sentence").textContent = one.sentence;
  showAnswer();
  table(at("environment"), [["what"], ["value"]], one.environment);
  at("command").replaceChildren(command(one.command || "(the command was not kept)"));
  at("config").textContent = one.config;
  at("notes").replaceChildren(...(one.notes).map((note) => make("li", note)));
  const front = showFront();
  choose(one.answer.take);
  showBlocks();
  await front;
  await pause();
  await showResearch();
}

// Charts need the width of their place, which a closed fold does not have.
async function showResearch() {
  if (!at("research").open) return;
  await showEvolution();
  await pause();
  charts(at("health-charts"), run().health);
  if (data.volume) await draw("volume", data.volume);
}

function begin() {
  Object.assign(state, { scored: run().answer.front, axis: 0, policy: 0, edge: 0, pair: null, folded: true });
  return showRun();
}

at("policy").addEventListener("change", () => { state.policy = Number(at("policy").value); showEvolution(); });
at("research").addEventListener("toggle", showResearch);
at("footer").textContent = `Made by hwnas ${data.version}, ${data.now}. This file needs no network.`;
for (const section of data.sections) {
  const box = make("section"), grid = make("div", undefined, section.charts.length > 1 ? "grid" : "");
  box.append(make("h2", section.title), make("p", section.note, "note"), grid);
  for (const one of section.tables || []) {
    const scroll = make("div", undefined, "scroll"), grid = make("table");
    table(grid, one.columns.map((name, i) => i ? [name, "number"] : [name]), one.rows);
    scroll.append(grid);
    scrolls(scroll, one.title);
    box.append(make("h3", one.title), scroll);
  }
  at("sections").append(box);
  charts(grid, section.charts);
}
at("progress").hidden = !data.volume;
begin();
