"use strict";

const WAIT = 200; // Milliseconds after the last key before an answer is asked for.
const SHOWN_UNSURE = 5;
const FIGURES = {
  sentences: ["Sentences", (x) => x.toLocaleString("en")],
  exact: ["Exactly right", (x, all) => percent(x / all.sentences)],
  chrf: ["chrF", (x) => x.toFixed(1)],
  bleu: ["BLEU", (x) => x.toFixed(1)],
  cer: ["Character error rate", (x) => percent(x)],
  loss: ["Loss, nats per unit", (x) => x.toFixed(3)],
  perplexity: ["Perplexity", (x) => x.toFixed(2)],
};

const $ = (id) => document.getElementById(id);
let state; // What /api/runs gave.
let timer, asking; // The question that waits, and the one that is asked.
let seed = 0;

/** An element with attributes, and texts or elements in it. */
function make(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

function percent(x) {
  if (x > 0 && x < 0.001) return "< 0.1 %";
  if (x > 0.999 && x < 1) return "> 99.9 %";
  return (100 * x).toFixed(x < 0.1 || (x > 0.99 && x < 1) ? 1 : 0) + " %"; // Not 100 if it is less.
}

/** How many characters a reader sees: an emoji or a syllable of Devanagari is one. */
const length = (text) => [...new Intl.Segmenter().segment(text)].length;

/** A unit in quotes, isolated: what is written from right to left leaves the rest in its order. */
const quoted = (unit) => `“\u2068${unit}\u2069”`;

const run = () => state.runs[$("run").selectedIndex];

/** Asks the server; its errors, and its silence, become an Error with one line. */
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer; is decode.py --web still running?");
  }
  const values = await response.json().catch(() => ({ error: "The server's answer is not JSON." }));
  if (!response.ok) throw new Error(values.error);
  return values;
}

function question() {
  const values = { text: $("text").value, run: run().name, attention: run().attention };
  const temperature = Number($("temperature").value);
  if (temperature > 0) return { ...values, sample: true, temperature, seed };
  const beam = Number($("beam").value);
  const n_best = Math.min(beam, state.limits.n_best);
  return { ...values, beam, n_best, length_penalty: Number($("length_penalty").value) };
}

async function answer() {
  clearTimeout(timer);
  asking?.abort();
  if (!state || !$("text").value.trim()) {
    $("answer-part").hidden = true;
    return;
  }
  const mine = (asking = new AbortController());
  $("answer").classList.add("stale");
  try {
    const body = JSON.stringify(question());
    const headers = { "content-type": "application/json" };
    const options = { method: "POST", body, headers, signal: mine.signal };
    const found = await ask("api/translate", options);
    $("error").textContent = "";
    show(found.answers[0]);
  } catch (error) {
    if (error.name !== "AbortError") $("error").textContent = error.message;
  }
}

function show(found) {
  $("answer-part").hidden = false;
  $("answer").classList.remove("stale");
  const units = unitsOf(found);
  $("answer").replaceChildren(...marked(units, found.text));
  const unsure = units.filter(([, p]) => p < state.confidence.sure);
  const least = [...unsure].sort((a, b) => a[1] - b[1]).slice(0, SHOWN_UNSURE);
  const named = unsure.filter((unit) => least.includes(unit));
  $("unsure").textContent = !named.length ? "" :
    "Least sure: " + named.map(([unit, p]) => `${quoted(unit.trim() || "space")} ${percent(p)}`).join(", ");
  $("warnings").replaceChildren(...found.warnings.map((warning) => make("li", {}, warning)));
  const known = run().examples.find(([source]) => source === found.source);
  $("reference").textContent = known ? `Reference: ${known[1]}` : "";
  showOthers(found.n_best);
  showAttention(found);
}

/** The units of an answer with their probabilities, without its end. */
function unitsOf(found) {
  const units = found.tokens.map((unit, i) => [unit, Math.exp(found.log_probs[i])]);
  return units.filter(([unit]) => unit !== run().end);
}

/** The answer, its units coloured by what the model was sure of. */
function marked(units, text) {
  const joined = units.map(([unit]) => unit).join(run().joiner);
  let left = joined.length - text.length; // White space that the answer begins without.
  return units.flatMap(([unit, p], i) => {
    const between = i && run().joiner ? [run().joiner] : [];
    const shown = unit.slice(Math.max(left, 0));
    left -= unit.length;
    const kind = p >= state.confidence.sure ? "" : p >= state.confidence.unsure ? " doubtful" : " unsure";
    const title = `${quoted(shown)} ${percent(p)}`;
    return [...between, make("span", { class: "unit" + kind, title }, shown)];
  });
}

function showOthers(hypotheses) {
  $("others-part").hidden = hypotheses.length < 2;
  const items = hypotheses.map((hypothesis) => {
    const p = Math.exp(hypothesis.score);
    const bar = make("span");
    bar.style.width = `${100 * p}%`;
    return make("li", {},
      make("span", { dir: "auto", lang: "und" }, hypothesis.text + (hypothesis.complete ? "" : " …")),
      make("span", { class: "probability quiet" },
        make("span", { class: "bar", "aria-hidden": "true" }, bar), percent(p)));
  });
  $("others").replaceChildren(...items);
}

function showAttention(found) {
  const part = $("attention");
  part.removeAttribute("dir");
  if (!run().attention) {
    part.replaceChildren(make("p", { class: "quiet" },
      "This model has no attention: the decoder sees the source as one vector."));
    return;
  }
  if (!found.attention) return part.replaceChildren();
  const { source, weights } = found.attention;
  // A mark stands on a circle of dots, not on what is beside it.
  const visible = (unit) => unit.replaceAll(/\p{Zs}/gu, "·").replace(/^\p{M}/u, "◌$&") || "·";
  const name = (unit) => make("bdi", {}, visible(unit));
  const cell = (weight, i, j) => {
    const td = make("td", { title: `${visible(found.tokens[i])} ← ${visible(source[j])}: ${percent(weight)}` });
    td.append(make("span", { class: "weight" }, percent(weight)));
    td.style.background = `rgba(var(--heat), ${weight})`;
    return td;
  };
  const head = make("tr", {}, make("td"), ...source.map((unit) =>
    make("th", { scope: "col", class: length(unit.trim()) > 2 ? "long" : "" }, name(unit))));
  const rows = weights.map((row, i) => make("tr", {},
    make("th", { scope: "row" }, name(found.tokens[i])), ...row.map((w, j) => cell(w, i, j))));
  // The browser finds it by the first letter; the part scrolls from where the source begins.
  part.dir = getComputedStyle($("text")).direction;
  part.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

function showRun() {
  const about = run();
  $("facts").replaceChildren(...about.facts.flatMap(([name, text]) =>
    [make("dt", {}, name), make("dd", {}, text)]));
  const figures = Object.entries(FIGURES).filter(([name]) => name in about.evaluation);
  $("evaluation-part").hidden = !figures.length;
  $("evaluation").replaceChildren(...figures.flatMap(([name, [title, spelled]]) =>
    [make("dt", {}, title), make("dd", {}, spelled(about.evaluation[name], about.evaluation))]));
  $("examples-part").hidden = !about.examples.length;
  $("examples").replaceChildren(...about.examples.map(([source]) => {
    const button = make("button", { type: "button", dir: "auto" }, source);
    button.addEventListener("click", () => { $("text").value = source; answer(); });
    return make("li", {}, button);
  }));
  $("card-part").hidden = !about.card;
  $("card").innerHTML = about.card; // The server has left no HTML of the card's own in it.
  showCurve(about.curve);
  $("curl").textContent =
    `curl -d '{"text": "${(about.examples[0]?.[0] ?? "Go.").replaceAll(/['"\\]/g, "")}"}' ` +
    new URL("api/translate", location.href).href;
}

/** Loss by epoch, as an SVG. */
function showCurve(curve) {
  const points = [["loss", 1, "training"], ["val", 2, "validation"]].map(([name, column, title]) =>
    ({ name, title, at: curve.filter((row) => row[0] !== null && row[column] !== null)
      .map((row) => [row[0], row[column]]) })).filter(({ at }) => at.length);
  $("curve-part").hidden = !points.length;
  if (!points.length) return;
  const all = points.flatMap(({ at }) => at);
  const last = Math.max(...all.map(([x]) => x)), first = Math.min(...all.map(([x]) => x));
  const most = Math.max(...all.map(([, y]) => y));
  const W = Math.min($("curve").clientWidth || 520, 520); // One unit is a pixel, on any screen.
  const [H, L, B, T] = [220, 44, 28, 12];
  const x = (epoch) => L + (W - L - 84) * (last > first ? (epoch - first) / (last - first) : 0.5);
  const y = (loss) => H - B - (H - B - T) * (most > 0 ? loss / most : 0);
  const draw = (name, attributes, ...content) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...content);
    return element;
  };
  const shown = points.map(({ title, at }) => `${title} ${at.at(-1)[1].toFixed(3)}`).join(", ");
  const svg = draw("svg", { viewBox: `0 0 ${W} ${H}`, role: "img",
    "aria-label": `Loss by epoch; at the end ${shown}` });
  for (const part of [0, 0.5, 1]) {
    const height = y(most * part);
    svg.append(draw("line", { class: "axis", x1: L, x2: W - 84, y1: height, y2: height }),
      draw("text", { x: L - 6, y: height + 4, "text-anchor": "end" }, (most * part).toPrecision(2)));
  }
  for (const epoch of new Set([first, last]))
    svg.append(draw("text", { x: x(epoch), y: H - 8, "text-anchor": "middle" }, `${epoch}`));
  let free = -Infinity; // Labels may not stand on each other.
  for (const { name, title, at } of points.sort((a, b) => b.at.at(-1)[1] - a.at.at(-1)[1])) {
    const path = at.map(([epoch, loss]) => `${x(epoch).toFixed(1)},${y(loss).toFixed(1)}`);
    free = Math.max(free + 14, y(at.at(-1)[1]) + 4);
    svg.append(draw("polyline", { class: name, points: path.join(" ") }),
      draw("text", { class: name, x: x(at.at(-1)[0]) + 8, y: free }, title));
    if (at.length === 1)
      svg.append(draw("circle", { class: name, r: 3, cx: x(at[0][0]), cy: y(at[0][1]) }));
  }
  $("curve-part").firstElementChild.textContent = "Loss by epoch, nats per unit";
  $("curve").replaceChildren(svg);
}

function settingsChanged() {
  const drawing = Number($("temperature").value) > 0;
  for (const name of ["beam", "length_penalty", "temperature"])
    $(`${name}-now`).textContent = $(name).value;
  $("beam").disabled = $("length_penalty").disabled = drawing;
  $("again").disabled = !drawing;
  const beam = Number($("beam").value);
  $("settings-now").textContent = drawing ? `drawn at temperature ${$("temperature").value}`
    : beam === 1 ? "greedy" : `beam ${beam}, length penalty ${$("length_penalty").value}`;
}

async function begin() {
  try {
    state = await ask("api/runs");
  } catch (error) {
    $("error").textContent = error.message;
    return;
  }
  $("run").replaceChildren(...state.runs.map(({ name }) => make("option", {}, name)));
  $("beam").max = state.limits.beam;
  $("beam").value = state.defaults.beam;
  $("length_penalty").value = state.defaults.length_penalty;
  const { sure, unsure } = state.confidence;
  $("doubtful-legend").textContent = `below ${percent(sure)}`;
  $("unsure-legend").textContent = `below ${percent(unsure)}`;
  settingsChanged();
  showRun();
  answer();
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); answer(); });
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    answer();
  }
});
$("text").addEventListener("input", () => {
  clearTimeout(timer);
  if ($("typing").checked) timer = setTimeout(answer, WAIT);
});
$("run").addEventListener("change", () => { showRun(); answer(); });
$("again").addEventListener("click", () => { seed += 1; answer(); });
for (const name of ["beam", "length_penalty", "temperature"]) {
  $(name).addEventListener("input", settingsChanged);
  $(name).addEventListener("change", answer);
}
begin();
