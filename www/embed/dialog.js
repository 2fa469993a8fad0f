// The page's dialog for those who want the answer in pages of their own; loaded when it is asked for.
import { badge } from "./badge.js";
import init, { allControls, view as viewOf } from "./index.js";
import { h } from "./render.js";
import * as snippet from "./snippet.js";
import "./widget.js";

const SITE = new URL("../", import.meta.url).href;
const KINDS = { element: "Custom element", frame: "Frame, without scripts", badge: "Markdown badge" };

const CSS = `
:host { color: var(--ink); font: 15px/1.45 var(--sans); }
*, *::before, *::after { box-sizing: border-box; }
dialog { width: min(1080px, calc(100vw - 24px)); max-height: calc(100dvh - 24px); padding: 0; border: 1px solid var(--line); border-radius: 14px; background: var(--paper); color: inherit; }
dialog::backdrop { background: rgb(8 14 20 / 0.5); }
.desk { display: grid; grid-template-columns: 300px minmax(0, 1fr); gap: 20px; padding: 20px; }
header { display: flex; align-items: center; justify-content: space-between; padding: 14px 20px; border-bottom: 1px solid var(--line); background: var(--panel); }
h2 { margin: 0; font-size: 18px; }
fieldset { margin: 0 0 14px; padding: 0; border: 0; }
legend { padding: 0 0 5px; font-size: 13px; font-weight: 650; }
label { display: flex; align-items: center; gap: 8px; padding: 3px 0; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 10px; font-size: 14px; }
input { accent-color: var(--accent); width: 16px; height: 16px; margin: 0; }
button, .button { display: inline-flex; align-items: center; height: 36px; padding: 0 14px; border: 1px solid var(--strong-line); border-radius: 8px; background: var(--panel); color: inherit; font: inherit; text-decoration: none; cursor: pointer; }
[hidden] { display: none !important; }
button.main { border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; }
button.close { width: 36px; padding: 0; justify-content: center; border-color: transparent; font-size: 20px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.preview { min-height: 150px; }
.preview img { display: block; margin: 40px auto; }
textarea { display: block; width: 100%; margin: 14px 0 10px; padding: 10px 12px; border: 1px solid var(--line); border-radius: 8px; background: var(--well); color: inherit; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; resize: vertical; }
.actions { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; }
.note { color: var(--soft); font-size: 12.5px; margin: 8px 0 0; }
@media (max-width: 760px) { .desk { grid-template-columns: minmax(0, 1fr); } }
`;

let shown;

/** Opens the dialog for the scenario in the address. */
export async function open() {
  await init({ catalogs: ["models", "gpus", "variants"] });
  shown ??= build();
  shown.show(location.hash.slice(1));
}

function build() {
  const host = h("div");
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  shadow.adoptedStyleSheets = [sheet];

  const radio = (name, value, label, checked) => h("label", {}, h("input", { type: "radio", name, value, checked }), label);
  const kinds = Object.entries(KINDS).map(([value, label], i) => radio("kind", value, label, i === 0));
  const controls = allControls().map(({ value, label }) =>
    h("label", {}, h("input", { type: "checkbox", name: "controls", value, checked: value === "gpu" || value === "seq" }), label),
  );
  const themes = [["auto", "as the page around it"], ["light", "light"], ["dark", "dark"]];
  const form = h(
    "form",
    { input: () => update() },
    h("fieldset", {}, h("legend", {}, "As"), kinds),
    h("fieldset", {}, h("legend", {}, "What readers can change"), h("div.two", {}, controls)),
    h("fieldset", {}, h("legend", {}, "Colours"), themes.map(([value, label], i) => radio("theme", value, label, i === 0))),
    h("fieldset", {}, h("label", {}, h("input", { type: "checkbox", name: "chart", checked: true }), "Memory by quantization")),
  );
  const preview = h("div.preview");
  const code = h("textarea", { readonly: true, rows: 7, spellcheck: "false", "aria-label": "What to copy" });
  const copy = h("button.main", { type: "button", click: () => copied() }, "Copy");
  const file = h("a.button", { download: "plimsoll.svg", hidden: true }, "Save the picture");
  const told = h("span", { role: "status" });
  const note = h("p.note");
  const dialog = h(
    "dialog",
    { "aria-labelledby": "title" },
    h("header", {}, h("h2", { id: "title" }, "Embed this answer"), h("button.close", { type: "button", "aria-label": "Close", click: () => dialog.close() }, "×")),
    h("div.desk", {}, form, h("div", {}, preview, code, h("div.actions", {}, copy, file, told), note)),
  );
  shadow.append(dialog);
  document.body.append(host);

  let view;
  let widget;
  function update() {
    const data = new FormData(form);
    const wanted = { controls: data.getAll("controls"), theme: data.get("theme"), chart: data.has("chart") };
    const kind = data.get("kind");
    told.textContent = "";
    file.hidden = kind !== "badge";
    for (const field of form.querySelectorAll("fieldset:not(:first-of-type)")) field.disabled = kind === "badge";
    if (kind === "badge") return drawBadge();
    if (!preview.contains(widget)) {
      widget = h("plimsoll-widget");
      preview.replaceChildren(widget);
    }
    widget.setAttribute("scenario", view.link);
    widget.setAttribute("controls", wanted.controls.join(","));
    widget.setAttribute("theme", wanted.theme);
    widget.setAttribute("chart", wanted.chart ? "on" : "off");
    widget.start();
    const height = Math.max(320, Math.ceil(widget.offsetHeight / 10) * 10);
    code.value = kind === "element" ? snippet.element(SITE, view, wanted) : snippet.frame(SITE, view, wanted, height);
    note.textContent =
      kind === "element"
        ? "A page with a Content-Security-Policy must allow this site in script-src and connect-src, and 'wasm-unsafe-eval' in script-src."
        : "The script sizes the frame to its content; without it the frame keeps its height and scrolls.";
  }

  function drawBadge() {
    const picture = `data:image/svg+xml,${encodeURIComponent(badge(view))}`;
    preview.replaceChildren(h("img", { src: picture, alt: view.badge }));
    file.href = picture;
    code.value = snippet.markdown(SITE, view);
    note.textContent = "Save the picture beside your text; it was made here and needs nothing from this site.";
  }

  async function copied() {
    try {
      await navigator.clipboard.writeText(code.value);
      told.textContent = "Copied";
    } catch {
      code.select();
      told.textContent = "Press Ctrl-C or ⌘C";
    }
  }

  return {
    show(link) {
      try {
        view = viewOf(link);
      } catch (problem) {
        // What cannot be embedded is shown as the widget would show it.
        preview.replaceChildren(h("plimsoll-widget", { scenario: link }));
        code.value = "";
        note.textContent = problem.message;
        dialog.showModal();
        return;
      }
      dialog.showModal();
      update();
    },
  };
}
