// A form drawn from the data contract, and the answer in the order it should be read.
// A patient's values and the key stay in the document: never in the address, in storage, in a log.

const FIRST = ["product", "disease", "age"];
const GROUPS = ["inflammation", "tumour", "blood counts", "organ function", "patient", "treatment"];
const NODAL = ["mtv", "spd", "largest_lesion", "bulky_disease"];
const BURDEN = {
  LBCL: NODAL, PMBCL: NODAL, FL: NODAL, MCL: NODAL, MZL: NODAL, CLL_SLL: NODAL,
  B_ALL: ["marrow_blast", "blasts_blood"],
  MM: ["marrow_plasma_cell", "involved_flc", "m_protein"],
};
const MEASURES = [...NODAL, ...BURDEN.B_ALL, ...BURDEN.MM];
const STATUS = {
  ok: "An estimate is possible",
  caution: "An estimate is possible, with caution",
  insufficient_data: "No estimate: not enough data",
  out_of_scope: "No estimate: outside what the evidence covers",
};
const COMPARED = { above: "Above", near: "The interval holds", below: "Below" };

const byId = (id) => document.getElementById(id);
const form = byId("form");
let predictors = new Map();
/** What products are called, by name. */
let short = {};
/** The body whose answer is shown, to tell when the form has moved on from it. */
let assessed = null;

/** A node of "tag.class" with attributes (plain objects) and children (all else). */
function build(space, kind, parts) {
  const [tag, ...styles] = kind.split(".");
  const node = document.createElementNS(`http://www.w3.org/${space}`, tag);
  if (styles.length) node.setAttribute("class", styles.join(" "));
  for (const part of parts.flat()) {
    if (part?.constructor === Object) {
      for (const [name, value] of Object.entries(part)) node.setAttribute(name, value);
    } else node.append(part ?? "");
  }
  return node;
}

const make = (kind, ...parts) => build("1999/xhtml", kind, parts);
const draw = (kind, ...parts) => build("2000/svg", kind, parts);

const list = (items) => make("ul", items.map((item) => make("li", item)));
const more = (title, ...parts) => make("details", make("summary", title), ...parts);
const section = (title, ...parts) => make("section", make("h3", title), ...parts);
const fieldset = (title, parts) => make("fieldset", make("legend", title), ...parts);

/** Numbers among the cells are log-odds. */
function table(caption, heads, rows) {
  const cell = (content, i) => i === 0 ? make("th", { scope: "row" }, content)
    : typeof content === "number" ? make("td.n", signed(content)) : make("td", content);
  // A table wider than the screen scrolls by itself, which the keyboard must reach too.
  return make("div.scroll", { tabindex: 0, role: "region", "aria-label": caption },
    make("table", make("caption", caption),
      make("thead", make("tr", heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", rows.map((row) => make("tr", row.map(cell))))));
}

// Words and numbers

function percent(probability) {
  const value = 100 * probability;
  return value < 1 ? "<1" : value > 95 ? ">95" : value.toFixed(0);
}

const risk = (probability) => `${percent(probability)}\u00a0%`;

/** A range that never breaks across lines. */
function range({ low, high }) {
  const [from, to] = [percent(low), percent(high)];
  return from === to ? risk(low) : `${from}\u00a0to\u00a0${to}\u00a0%`;
}

function signed(logOdds) {
  const digits = Math.abs(logOdds).toFixed(2);
  return Number(digits) === 0 ? digits : (logOdds < 0 ? "−" : "+") + digits;
}

const number = (value, digits = 4) =>
  String(Math.abs(value) < 1000 ? Number(value.toPrecision(digits)) : Math.round(value));
const spaced = (word) => String(word).replace("B_", "B-").replace("L_S", "L/S").replaceAll("_", " ");
const named = (word) => short[word] ?? spaced(word);
const labelOf = (name) => predictors.get(name).label;
const raised = (text) => text.replace(/10\*(\d)/g, (_, power) => `10${"⁰¹²³⁴⁵⁶⁷⁸⁹"[power]}`);

/** UCUM as a clinician writes it. */
function unitWords(unit) {
  const words = {
    a: "years", mo: "months", d: "days", 1: "fraction", Cel: "°C", "[degF]": "°F",
    "[lb_av]": "lb", "[in_i]": "in", "mm[Hg]": "mmHg", "[IU]/L": "IU/L", "{#}/uL": "count/µL",
    "{cells}/uL": "cells/µL",
  };
  return words[unit] ?? raised(unit)
    .replace(/\{(FEU|DDU)\}/, " $1").replace(/\{.*\}/, "").replace(/(^|\/)u(?=[gmLk])/, "$1µ")
    .replace(/m2$/, "m²").replace(/m3$/, "m³");
}

// The form

function drawForm() {
  const others = [...predictors.values()].filter(({ name }) => !FIRST.includes(name));
  const isShown = ({ used_by_model: isUsed }) => isUsed;
  byId("fields").replaceChildren(
    fieldset("Product, disease and age", FIRST.map((name) => field(predictors.get(name)))),
    ...groups(others.filter(isShown)),
    more("More predictors", make("p.hint", "Not in the model; some enter published scores."),
      ...groups(others.filter((described) => !isShown(described)))));
  fitToDisease();
}

function groups(described) {
  return GROUPS.flatMap((group) => {
    const isMeasure = ({ name }) => MEASURES.includes(name);
    const parts = described.filter((one) => one.group === group && !isMeasure(one)).map(field);
    if (group === "tumour" && described.some(isMeasure)) {
      const measures = MEASURES.map((name) => field(predictors.get(name)));
      parts.push(fieldset("Tumour burden", [make("p.hint", { id: "burden" }), ...measures]));
    }
    return parts.length ? [fieldset(group, parts)] : [];
  });
}

/** Show only what applies to the disease; what is hidden is not sent. */
function fitToDisease() {
  const disease = byId("field-disease").value;
  for (const [name, { diseases }] of predictors) {
    byId(`row-${name}`).hidden = diseases.length && !diseases.includes(disease);
  }
  byId("burden").textContent = BURDEN[disease] ? "One is enough: the first one given is used."
    : disease ? "No measure for this disease." : "Choose the disease first.";
}

function field(described) {
  const { name, label, kind, required, note } = described;
  const id = `field-${name}`;
  const aids = { id, "aria-describedby": `${note && `note-${name} `}error-${name}`,
    "aria-required": required };
  const control = kind === "quantity"
    ? [make("input", aids, { inputmode: "decimal" }), units(described)]
    : [make("select.wide", aids, choices(described))];
  return make("div.field", { id: `row-${name}` },
    make("label", { for: id }, label, required ? " (required)" : ""), ...control,
    make("div.error", { id: `error-${name}` }),
    note && make("div.note", { id: `note-${name}` }, note));
}

/** The canonical unit first, because it is the one chosen at the start. */
function units({ name, label, unit, accepted_units: accepted }) {
  // A bare "1" is a unit of its own only where it means a fraction.
  const isRedundant = (code) => ["1", "{ratio}"].includes(code) && accepted[code].factor === 1;
  const others = Object.keys(accepted).filter((code) => code !== unit && !isRedundant(code));
  const options = [unit, ...others].map((code) => make("option", { value: code }, unitWords(code)));
  const [style, tabindex] = others.length ? ["units", 0] : ["units.only", -1];
  return make(`select.${style}`,
    { id: `unit-${name}`, "aria-label": `Unit of ${label}`, tabindex }, options);
}

/** Of diseases the code comes first, in the order of the alphabet: that is what is typed. */
function choices({ name, required, choices: words, labels = {} }) {
  const known = words.filter((word) => word !== "unknown");
  const title = (word) => {
    const both = [spaced(word), labels[word]];
    if (name === "product") both.reverse();
    return labels[word] ? `${both[0]} (${both[1]})` : spaced(word);
  };
  if (name === "disease") {
    known.sort((a, b) => (a === "other") - (b === "other") || a.localeCompare(b));
  }
  return [make("option", { value: "" }, required ? "choose" : "unknown"),
    ...known.map((word) => make("option", { value: word }, title(word)))];
}

let [typed, typedAt] = ["", 0];

/** Browsers take a letter typed twice as "the next one with it": MM would be any disease with M. */
function typeCode(event) {
  const { target, timeStamp, key } = event;
  typed = (timeStamp - typedAt < 1000 ? typed : "") + key.toUpperCase();
  typedAt = timeStamp;
  if (!predictors.get("disease").choices.includes(typed)) return;
  event.preventDefault();
  target.value = typed;
  fitToDisease();
  markIfStale();
}

/** Read the form. What is no number goes out as it is, and the service says what to write. */
function readForm() {
  const body = {};
  for (const [name, { kind }] of predictors) {
    const given = byId(`field-${name}`).value.trim();
    if (byId(`row-${name}`).hidden || !given) continue;
    const value = Number.isFinite(Number(given)) ? Number(given) : given;
    body[name] = kind === "quantity" ? { value, unit: byId(`unit-${name}`).value } : given;
  }
  return JSON.stringify(body);
}

function clearForm() {
  const key = byId("key").value;
  form.reset();
  byId("key").value = key;
  showProblems([]);
  clearAnswer("No patient assessed yet.");
  fitToDisease();
}

async function fillWithExample() {
  const { paths, detail } = await (await ask("docs.json")).json();
  if (!paths) return say(detail);
  const { example } = paths["/v1/assess"].post.requestBody.content["application/json"];
  clearForm();
  for (const [name, given] of Object.entries(example)) {
    byId(`field-${name}`).value = given.value ?? given;
    if (given.unit) byId(`unit-${name}`).value = given.unit;
  }
  fitToDisease();
  say("An invented patient: press Assess.");
}

// Asking the service

const ask = (path, options) => fetch(path, options)
  .catch(() => Response.json({ detail: "the service cannot be reached" }, { status: 503 }));

async function submit(event) {
  event.preventDefault();
  const sent = readForm();
  showProblems([]);
  const headers = { "content-type": "application/json",
    authorization: `Bearer ${encodeURI(byId("key").value.trim())}` };
  byId("submit").disabled = true;
  say("Assessing…");
  const response = await ask("v1/assess", { method: "POST", headers, body: sent });
  const received = await response.json().catch(() => ({}));
  byId("submit").disabled = false;
  const { problems = [], detail = "the service failed" } = received;
  if (received.outcomes) showAnswer(received, sent);
  else showProblems(problems, `Nothing was assessed: ${problems.length ? "please check" : detail}`);
}

/** Say what is wrong beside each field, and in a summary that takes the focus. */
function showProblems(problems, sentence) {
  form.querySelectorAll(".error").forEach((error) => error.replaceChildren());
  form.querySelectorAll("[aria-invalid]").forEach((one) => one.removeAttribute("aria-invalid"));
  const summary = byId("problems");
  summary.hidden = !sentence;
  if (summary.hidden) return;
  clearAnswer("Nothing was assessed.");
  summary.replaceChildren(make("strong", sentence), list(problems.map(showProblem)));
  summary.focus();
}

function showProblem({ field: name, message }) {
  const input = byId(`field-${name}`);
  if (!input) return message;
  const error = byId(`error-${name}`);
  error.append(error.textContent && "; ", message);
  input.setAttribute("aria-invalid", true);
  input.closest("details")?.setAttribute("open", "");
  return make("a", { href: `#field-${name}` }, `${labelOf(name)}: ${message}`);
}

// The answer

/** Said once, or screen readers repeat it. */
function say(sentence) {
  if (byId("live").textContent !== sentence) byId("live").textContent = sentence;
}

function clearAnswer(sentence) {
  assessed = null;
  document.body.classList.remove("stale");
  byId("answer").replaceChildren();
  say(sentence);
}

function showAnswer(answer, sent) {
  const rated = answer.outcomes.filter((outcome) => outcome.risk !== undefined);
  const title = rated.length && rated.length < answer.outcomes.length
    ? "Only one of the two risks can be given" : STATUS[answer.status];
  const parts = rated.length
    ? [patient(answer), risks(answer), comparison(rated), why(rated), notMeasured(answer, true),
      valuesUsed(answer), scores(answer), about(answer, rated)]
    : [answer.status === "insufficient_data" ? notMeasured(answer) : "", about(answer, rated)];
  byId("answer").replaceChildren(status(answer, rated, title), ...parts);
  assessed = sent;
  markIfStale();
  byId("answer-title").scrollIntoView();
  byId("status").focus({ preventScroll: true });
}

/** An answer beside a changed form would be read as the answer to it. */
function markIfStale() {
  if (assessed === null) return;
  const isStale = readForm() !== assessed;
  document.body.classList.toggle("stale", isStale);
  say(isStale ? "The form has changed: this answer belongs to earlier values."
    : "For the values in the form.");
}

function status(answer, rated, title) {
  const isShared = (reason) => answer.outcomes.every((one) => one.reasons.includes(reason));
  const reasons = answer.outcomes.filter((one) => !rated.includes(one)).flatMap((one) =>
    one.reasons.map((reason) => isShared(reason) ? reason : `${one.label}: ${reason}`));
  const cautions = rated.length ? answer.cautions.map(({ text }) => text) : [];
  return make(`section.status.${answer.status}`, make("h3", { id: "status", tabindex: -1 }, title),
    list([...new Set([...reasons, ...cautions])]));
}

function patient(answer) {
  const value = (name) => answer.values_used.find(({ predictor }) => predictor === name).value;
  const time = new Date().toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
  return make("p.hint", `${named(value("product"))} in ${spaced(value("disease"))}, ${time}`);
}

function risks(answer) {
  const cards = answer.outcomes.map((outcome) => make("div.card", make("h4", outcome.label),
    outcome.risk === undefined ? make("p", STATUS[outcome.status]) : estimate(outcome),
    make("details", { open: "" }, make("summary", "Definition"), make("p.hint", outcome.definition))));
  return section("Risk", make("div.pair", cards), together(answer), make("div.statements",
    make("p", answer.low_risk_statement), make("p", answer.uncertainty_statement)));
}

function together({ together: joint }) {
  if (!joint) return "";
  const words = ({ risk: share, interval }) => `${risk(share)} (${range(interval)})`;
  return make("p.compared", make("b", "At least one of the two"), `: ${words(joint.either)}. `,
    make("b", "Both"), `: ${words(joint.both)}. `, make("small", joint.statement));
}

function estimate(outcome) {
  const { interval, base_rate: baseRate } = outcome;
  return [
    make("p.number", make("strong", risk(outcome.risk)), make("span", range(interval)),
      make("small", `${risk(interval.level)} interval`)),
    make("p", outcome.natural_frequency),
    make("p.compared", make("b", COMPARED[outcome.comparison]),
      ` the base rate of ${named(baseRate.product)} in ${spaced(baseRate.disease)}: `,
      `${risk(baseRate.risk)} (${range(baseRate.interval)})`),
    make("p.hint", outcome.comparison_text),
  ];
}

// The comparison: both outcomes on one axis

const at = (share) => `${100 * share}%`;
const stretch = (kind, low, high) => draw(kind, { x: at(low), width: at(high - low) });
const upright = (kind, x) => draw(kind, { x1: at(x), x2: at(x), y1: 0, y2: "100%" });

function comparison(rated) {
  const highest = Math.max(...rated.flatMap(({ interval, base_rate: baseRate }) =>
    [interval.high, baseRate.interval.high]));
  const end = [0.04, 0.08, 0.2, 0.4, 0.6, 0.8].find((limit) => limit >= highest) ?? 1;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    draw("text", { x: at(share), y: 14 }, `${Math.round(100 * share * end)}\u00a0%`));
  return section("Compared with the base rate", make("figure",
    rated.flatMap((outcome) => [make("p", outcome.label), ownRisk(outcome, end)]),
    draw("svg.ticks", { height: 20, "aria-hidden": true }, ticks),
    make("figcaption", "Dot and line: this patient. Upright mark and band: the base rate. "
      + "Each with its interval.")));
}

function ownRisk(outcome, end) {
  const { interval, base_rate: baseRate } = outcome;
  const words = `${outcome.label}: ${COMPARED[outcome.comparison]} the base rate; numbers above`;
  return draw("svg.axis", { height: 36, role: "img", "aria-label": words },
    stretch("rect.whole", 0, 1),
    stretch("rect.band", baseRate.interval.low / end, baseRate.interval.high / end),
    upright("line.rate", baseRate.risk / end),
    stretch("rect.own", interval.low / end, interval.high / end),
    draw("circle", { cx: at(outcome.risk / end), cy: "50%", r: 5.5 }));
}

// Why

function why(rated) {
  const all = rated.flatMap(({ explanation }) => explanation.groups);
  const largest = Math.max(1, ...all.map(({ points }) => Math.abs(points)));
  const [{ explanation }] = rated;
  return section("Why", make("p.hint", "What goes with the risk, not what causes it. ",
    explanation.points_statement, " ", explanation.centile_statement),
  make("div.pair", rated.map((outcome) => reasons(outcome, largest))), ...rated.map((outcome) =>
    more(`${outcome.label} as a table`, contributionTable(outcome))));
}

function reasons({ label, risk: own, explanation }, largest) {
  const { groups, other, percent_at_base: start } = explanation;
  const told = (one) => [raised(one.text), make("small", ` (${inPoints(one.points)})`)];
  return make("div", make("h4", label),
    make("p.hint", `Against ${named(explanation.reference)}: from ${risk(start / 100)} to `
      + `${risk(own)}. ${explanation.starting_point}`),
    list([...explanation.reasons, other].map(told)),
    make("p.ends", ["◄ lower", "typical", "higher ►"].map((word) => make("span", word))),
    make("ul.bars", groups.filter(({ points }) => points).map((one) => bar(one, largest))));
}

const inPoints = (points) => `${points > 0 ? "+" : points < 0 ? "−" : ""}${Math.abs(points)} points`;

function bar({ group, points, predictors: members }, largest) {
  const side = points > 0 ? "higher" : "lower";
  const end = 0.5 + points / largest / 2;
  const names = members.map((name) => predictors.get(name)?.label ?? "Tumour burden");
  return make("li", more([group, " ", make(`span.${side}`,
    `${points > 0 ? "▲" : "▼"} ${inPoints(points)}`)], names.join("; ")),
  draw("svg", { height: 12, "aria-hidden": true }, stretch("rect.track", 0, 1),
    stretch(`rect.${side}`, Math.min(0.5, end), Math.max(0.5, end)), upright("line.middle", 0.5)));
}

function contributionTable({ label: outcome, explanation }) {
  const { contributions, base, total } = explanation;
  const rows = contributions.map(({ label, group, log_odds: added, text }) =>
    [label, group, added, raised(text)]);
  return table(`${outcome}, ${spaced(explanation.scale)}`, ["Predictor", "Group", "Adds", "In words"], [
    ["Starting point", "", base, "the typical patient, not an average risk"],
    ...rows,
    ["Sum", "", total, "this patient"],
  ]);
}

// What it rests on

function notMeasured(answer, isRated) {
  if (!answer.missing.length) return "";
  const assumed = new Set(answer.missing.map((one) => one.assumed));
  const open = answer.outcomes.filter(({ explanation }) => explanation?.range_if_measured.length);
  return section("Not measured", make("p", answer.missing.map(({ label }) => label).join("; ")),
    isRated ? make("p.hint", `Assumed: ${[...assumed].join("; ")}.`) : "",
    open.map(({ label, explanation }) => more(`${label}: what they leave open`,
      list(explanation.range_if_measured.map(({ text }) => raised(text))))));
}

function valuesUsed(answer) {
  const cautionOf = (name) => answer.cautions.filter(({ predictor }) => predictor === name)
    .map(({ text }) => text.replace(/^.*?: /, "")).join("; ");
  const weight = (used) => !!cautionOf(used.predictor) * 4 + used.converted * 2 + used.used_by_model;
  const worstFirst = answer.values_used.toSorted((one, other) => weight(other) - weight(one));
  const rows = worstFirst.map((used) => [
    used.label, make("div", valueWords(used), make("div.flag", cautionOf(used.predictor))),
    used.converted ? `${number(used.sent_value)} ${unitWords(used.sent_unit)}` : "",
    used.counted ? "yes" : used.used_by_model ? "not counted" : "no",
  ]);
  const source = answer.tumour_burden_source;
  return section("Values used", table("Worst first",
    ["Predictor", "Used as, and cautions", "Given as", "In the model"], rows),
  source ? make("p.hint", `Tumour burden was read from: ${labelOf(source)}.`) : "");
}

function valueWords({ value, unit }) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" ? `${number(value)} ${unitWords(unit ?? "")}` : named(value);
}

function scores(answer) {
  const rows = answer.published_scores.map((score) => {
    const { label, value, log2, missing, note } = score;
    if (value === undefined) {
      return [label, "", "", `Not calculated: no ${missing.map(labelOf).join(", ")}.`];
    }
    const cutOff = { true: "beyond", false: "not beyond" }[score.above_cut_off];
    const logarithm = log2 === undefined ? "" : ` (log₂ ${number(log2, 3)})`;
    return [label, number(value, 3) + logarithm, cutOff, note];
  });
  return section("Published scores, not part of the risk",
    table("Built for other questions", ["Score", "Value", "Cut-off", "What it is"], rows));
}

function about(answer, rated) {
  const statements = new Set(answer.outcomes.map(({ model }) => model.statement));
  const models = answer.outcomes.map(({ label, model }) => [
    label, `${model.fitted_on_real_patients}`, `${model.fitted_on_simulated_patients}`,
    `${model.validated_on_real_patients}`, model.version, model.sha256.slice(0, 12),
  ]);
  return section("About", ...[answer.intended_use, ...statements].map((text) => make("p", text)),
    table("Models", ["Outcome", "Fitted on real patients",
    "on simulated patients", "Validated on real patients", "Version", "SHA-256"], models),
  ...rated.map(sources));
}

function sources(outcome) {
  const baseRate = outcome.base_rate;
  const rows = baseRate.sources.map((cohort) => [
    cohort.study, `${cohort.patients ?? ""}`, `${cohort.percent ?? "–"} %`, cohort.grading_scale,
    spaced(cohort.verified), cohort.citation,
  ]);
  return more(`${outcome.label}: sources of the base rate`,
    make("p.hint", `${baseRate.patients} patients; ${baseRate.note}.`),
    table(`Published cohorts, ${outcome.label}`,
      ["Study", "Patients", "Published", "Scale", "In the source", "Citation"], rows));
}

async function start() {
  const response = await ask("v1/predictors");
  if (!response.ok) {
    showProblems([], "The service does not answer: reload.");
    return;
  }
  predictors = new Map((await response.json()).predictors.map((one) => [one.name, one]));
  short = predictors.get("product").labels;
  for (const name of MEASURES) {
    const isMeasured = (disease) => BURDEN[disease].includes(name);
    predictors.get(name).diseases = Object.keys(BURDEN).filter(isMeasured);
  }
  drawForm();
  byId("field-disease").addEventListener("change", fitToDisease);
  byId("field-disease").addEventListener("keydown", typeCode);
  form.addEventListener("submit", submit);
  form.addEventListener("input", markIfStale);
  byId("example").addEventListener("click", fillWithExample);
  byId("clear").addEventListener("click", clearForm);
}

start();
