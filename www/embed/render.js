// What the widget shows, as elements. No markup is parsed and no style attribute is written, so that the strictest host
// lets it be.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, classes and children; functions are listeners. */
export function h(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const drawn = tag === "svg" || tag === "path" || tag === "circle";
  const element = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
  if (classes.length > 0) element.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const GIB = 2 ** 30;
const gib = (bytes) => (bytes >= GIB / 10 ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.ceil(bytes / 2 ** 20)} MiB`);
const share = (bytes, of) => `${((100 * bytes) / of).toFixed(3)}%`;

function placed(element, sizes) {
  for (const [property, value] of Object.entries(sizes)) element.style.setProperty(property, value);
  return element;
}

export function loading() {
  return h("div.loading", { "aria-hidden": "true" }, h("div.line"), h("div.big"), h("div.bar"));
}

const mark = () =>
  h("svg.mark", { viewBox: "0 0 32 32", "aria-hidden": "true" }, h("circle", { cx: 16, cy: 16, r: 10 }), h("path", { d: "M0 16h32" }));

function foot(page, link, words) {
  const name = h("span.brand", {}, mark(), "Plimsoll");
  if (!page) return h("div.foot", {}, name);
  const href = `${page.split("#")[0]}#${link}`;
  return h("div.foot", {}, name, h("a", { href, target: "_blank", rel: "noopener" }, words));
}

const SIGNS = { fits: "✓", tight: "≈", exceeds: "✕", open: "⊖" };

/** The whole answer. */
export function answered(view, { controls, variants, notices, page, change }) {
  const verdict = view.estimate.verdict ?? "open";
  return [
    h("p.run", {}, view.run),
    h(
      `div.verdict.${verdict}`,
      { role: "status", "aria-live": "polite", "aria-atomic": "true" },
      h("span.sign", { "aria-hidden": "true" }, SIGNS[verdict]),
      h("p.head", {}, view.head),
      h("p.body", {}, view.body),
    ),
    gauge(view),
    legend(view),
    notices.length > 0 && h("ul.notices", {}, notices.map((notice) => h("li", {}, notice))),
    controls.length > 0 && h("div.controls", {}, controls.map((control) => field(control, change))),
    variants.length > 0 && chart(variants),
    foot(page, view.link, "Open the full answer"),
  ].filter(Boolean);
}

function gauge(view) {
  const capacity = view.estimate.capacity_bytes ?? 0;
  const end = Math.max(capacity, view.estimate.process_bytes.high, 1) * 1.03;
  const bar = parts(view, end);
  const line = capacity > 0 && [
    placed(h("div.beyond"), { left: share(capacity, end) }),
    placed(
      h(`div.load-line${capacity > end / 2 ? ".left" : ""}`, {}, h("span", {}, `${gib(capacity)} usable`)),
      { left: share(capacity, end) },
    ),
  ];
  return h("div.gauge", { role: "img", "aria-label": view.told }, h("div.trough", {}, bar, whisker(view, end)), line);
}

function parts(view, end) {
  return view.parts.map(({ class: name, label, bytes }) =>
    placed(h(`span.${name.replaceAll(" ", ".")}`, { title: `${label}: ${gib(bytes)}` }), { width: share(bytes, end) }),
  );
}

function whisker({ needed }, end) {
  return placed(h("span.whisker"), { left: share(needed.low, end), width: share(needed.high - needed.low, end) });
}

// What can be seen in the bar; the rest is in the full answer.
function legend(view) {
  const most = Math.max(...view.parts.map(({ bytes }) => bytes));
  const seen = view.parts.filter(({ bytes }) => bytes > most / 60);
  const item = ({ class: name, label, bytes }) =>
    h("li", {}, h(`i.${name.replaceAll(" ", ".")}`, { "aria-hidden": "true" }), `${label} `, h("b", {}, gib(bytes)));
  return h("ul.legend", { "aria-label": "Parts" }, seen.map(item));
}

function field({ name, label, value, choices }, change) {
  const problem = `${name}-problem`;
  const about = { name, id: name, "aria-describedby": problem };
  const input =
    choices.length > 0
      ? h("select", { ...about, change: (event) => change(name, event.target.value) }, options(choices, value))
      : h("input", { ...about, type: "number", min: 1, step: 1, value, change: (event) => change(name, event.target.value) });
  return h("div.field", {}, h("label", { for: name }, label), input, h("small.problem", { id: problem, role: "alert" }));
}

function options(choices, chosen) {
  const option = ({ value, label }) => h("option", { value, selected: value === chosen }, label);
  const groups = Object.entries(Object.groupBy?.(choices, ({ group }) => group) ?? { "": choices });
  return groups.flatMap(([group, members]) =>
    group ? h("optgroup", { label: group }, members.map(option)) : members.map(option),
  );
}

function chart(variants) {
  const waiting = ({ format, own }) =>
    h(`tr${own ? ".own" : ""}`, {}, h("th", { scope: "row" }, format), h("td.bar", {}), h("td.value", {}, "…"));
  return h(
    "table",
    {},
    h("caption", {}, "Memory by quantization"),
    h("tbody", {}, variants.map(waiting)),
  );
}

/** A row of the chart; `rows` decide the scale. */
export function variantRow({ variant, view, reason }, rows) {
  const { format, label, own } = variant;
  const head = h("th", { scope: "row", title: label }, format);
  if (!view) return h("tr.refused", {}, head, h("td.reason", { colspan: 2 }, reason));
  const views = rows.flatMap((row) => row.view ?? []);
  const capacity = view.estimate.capacity_bytes ?? 0;
  const end = Math.max(capacity, ...views.map((other) => other.estimate.process_bytes.high)) * 1.02;
  const verdict = view.estimate.verdict;
  const bar = h("div.trough", { "aria-hidden": "true" }, parts(view, end));
  if (capacity > 0) bar.append(placed(h("span.limit"), { left: share(capacity, end) }));
  const words = { fits: ", fits", tight: ", tight", exceeds: ", does not fit" }[verdict] ?? "";
  return h(
    `tr${own ? ".own" : ""}`,
    { "aria-current": own && "true" },
    head,
    h("td.bar", {}, bar),
    h(`td.value.${verdict ?? "open"}`, {}, gib(view.needed.expected), h("span.unseen", {}, words)),
  );
}

/** What is wrong, where the answer would be. */
export function broken(problems, link, page) {
  const one = ({ field, problem }) => h("li", {}, field && h("b", {}, field), field && " ", problem);
  return h(
    "div.broken",
    {},
    h("div.verdict.refused", { role: "alert" }, h("span.sign", { "aria-hidden": "true" }, "!"), h("p.head", {}, "No answer"), h("ul.body", {}, problems.map(one))),
    foot(page, link, "Open it on the page"),
  );
}
