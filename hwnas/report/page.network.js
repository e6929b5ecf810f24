// One network: its drawing, its numbers, what it takes for what, what to type.
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
    scrolls(box, "Drawing of " + (cell.title || "the network"));
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
  showClasses(one.classes);
  mark();
}

// Rows: the true class; columns: what the network said. The share of a row is its colour.
function showClasses(found) {
  at("classes").hidden = !found;
  if (!found) return;
  at("classes-line").textContent = (found.line ? found.line + ". " : "")
    + (found.counts ? "A row is a true class, a column what the network said; counts of test images." : "");
  const numbered = found.counts ? found.names.map((name) => [name, "number"]) : [];
  const lines = table(at("confusion"), [["true class"], ["right", "number"], ...numbered], found.names.map((name, i) =>
    [name, share(found.accuracy[i]), ...(found.counts ? found.counts[i].map(String) : [])]));
  at("confusion").prepend(make("caption", "Confusion matrix", "unseen"));
  if (!found.counts) return;
  lines.forEach((line, i) => {
    const total = found.counts[i].reduce((sum, count) => sum + count, 0) || 1;
    found.counts[i].forEach((count, j) => {
      const cell = line.children[2 + j], part = count / total;
      // Light enough for dark text at any share.
      cell.style.background = count ? `rgba(${i === j ? "37,99,168" : "194,65,12"},${(0.06 + 0.3 * part).toFixed(3)})` : "";
      if (i === j) cell.classList.add("diagonal");
    });
  });
}
