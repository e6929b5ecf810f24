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
