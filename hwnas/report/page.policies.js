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
      scrolls(box, "Drawing of the network it would be");
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
