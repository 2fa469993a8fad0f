// <plimsoll-widget scenario="model=…&gpu=…" controls="gpu,seq" theme="auto" chart="on" page="https://…/">
// The answer of Plimsoll in other people's pages. All that it shows lies in a shadow tree with styles of its own; the
// wasm is loaded when the first widget comes near the screen, once for all of them.
import { sheet } from "./style.js";
import { darkAround, onScheme } from "./scheme.js";
import { answered, broken, loading, variantRow } from "./render.js";

const ATTRIBUTES = ["scenario", "controls", "theme", "chart", "page"];

let module;
function plimsoll() {
  // A failure is not kept: the next widget, or the next change, tries again.
  module ??= import("./index.js").then(async (loaded) => {
    await loaded.default({ catalogs: ["models", "gpus", "variants"], rest: false });
    return loaded;
  });
  module.catch(() => (module = undefined));
  return module;
}

// What a call gives; most need only what the module begins with.
async function given(loaded, call) {
  try {
    return call();
  } catch (problem) {
    if (problem.kind !== "not_loaded") throw problem;
    await loaded.loadRest();
    return call();
  }
}

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      target.start();
    }
  },
  { rootMargin: "400px" },
);

export class PlimsollWidget extends HTMLElement {
  static observedAttributes = ATTRIBUTES;

  #root;
  #link = null;
  #view = null;
  #started = false;
  #turn = 0;
  #forget;

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: "open", delegatesFocus: true });
    shadow.adoptedStyleSheets = [sheet()];
    this.#root = document.createElement("div");
    this.#root.className = "root";
    this.#root.setAttribute("role", "group");
    this.#root.setAttribute("aria-label", "GPU memory of a fine-tuning run");
    shadow.append(this.#root);
  }

  connectedCallback() {
    this.#forget = onScheme(() => this.#paint());
    this.#paint();
    if (!this.#started) {
      this.#root.replaceChildren(loading());
      near.observe(this);
    }
  }

  disconnectedCallback() {
    near.unobserve(this);
    this.#forget?.();
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === "scenario") this.#link = null;
    if (name === "theme") this.#paint();
    else if (this.#started) this.#show();
  }

  /** The scenario on show, as the part of a link behind its `#`. */
  get scenario() {
    return this.#link ?? this.getAttribute("scenario") ?? "";
  }

  set scenario(link) {
    this.setAttribute("scenario", link);
  }

  /** The estimate on show; null while there is none. */
  get estimate() {
    return this.#view?.estimate ?? null;
  }

  /** Shows the answer now, near the screen or not. */
  start() {
    near.unobserve(this);
    if (this.#started) return;
    this.#started = true;
    this.#show();
  }

  /** The page that shows everything: this script's own site, unless the attribute names another. */
  get #page() {
    const page = this.getAttribute("page");
    if (page) return page;
    const site = new URL("../", import.meta.url);
    return import.meta.url.includes("/embed/widget.js") ? site.href : null;
  }

  #paint() {
    const theme = this.getAttribute("theme");
    const chosen = theme === "light" || theme === "dark" ? theme : null;
    const around = getComputedStyle(this).colorScheme === "normal" && darkAround(this) ? "dark" : null;
    this.#root.dataset.theme = chosen ?? around ?? "auto";
  }

  async #show() {
    const turn = ++this.#turn;
    this.#root.setAttribute("aria-busy", "true");
    try {
      const loaded = await plimsoll();
      if (turn === this.#turn) this.#answer(loaded, turn);
    } catch (problem) {
      if (turn === this.#turn) this.#fail([{ field: "widget", problem: couldNotStart(problem) }]);
    }
  }

  async #answer(loaded, turn) {
    try {
      const { scenario, problems, notices } = await given(loaded, () => loaded.parseUrl(this.scenario));
      if (problems.length > 0) return this.#fail(problems);
      const names = this.getAttribute("controls") ?? "";
      const [controls, unknown] = await given(loaded, () => loaded.controls(scenario, names));
      const view = await given(loaded, () => loaded.view(scenario));
      if (turn !== this.#turn) return;
      this.#view = view;
      this.#link = this.#view.link;
      const chart = this.getAttribute("chart") !== "off";
      const variants = chart ? loaded.variants(scenario) : [];
      const change = (control, value) => this.#change(loaded, control, value);
      const told = [...unknown.map(({ problem }) => `controls: ${problem}`), ...notices];
      const focus = this.shadowRoot.activeElement?.name;
      this.#root.replaceChildren(...answered(this.#view, { controls, variants, notices: told, page: this.#page, change }));
      this.#root.setAttribute("aria-label", `GPU memory: ${this.#view.run}`);
      this.#root.removeAttribute("aria-busy");
      if (focus) this.shadowRoot.querySelector(`[name="${focus}"]`)?.focus();
      this.#fire("plimsoll-estimate", { scenario: this.#link, estimate: this.#view.estimate });
      this.#compare(loaded, variants, turn);
    } catch (problem) {
      if (turn !== this.#turn) return;
      this.#fail(problem.problems?.length ? problem.problems : [{ field: null, problem: problem.message }]);
    }
  }

  // The other formats one by one, so that the host page is never held up for long.
  async #compare(loaded, variants, turn) {
    const rows = [];
    for (const [i, variant] of variants.entries()) {
      await new Promise((resolve) => setTimeout(resolve));
      if (turn !== this.#turn || !this.isConnected) return;
      try {
        rows[i] = { variant, view: variant.own ? this.#view : await given(loaded, () => loaded.view(variant.link)) };
      } catch (problem) {
        rows[i] = { variant, reason: problem.problems?.[0]?.problem ?? problem.message.replace("not modelled: ", "") };
      }
    }
    if (turn !== this.#turn) return;
    const body = this.#root.querySelector("tbody");
    body?.replaceChildren(...rows.map((row) => variantRow(row, rows)));
    this.#root.dataset.compared = String(rows.length);
  }

  #change(loaded, control, value) {
    try {
      this.#link = loaded.change(this.scenario, control, value);
      this.#show();
    } catch (problem) {
      const [first] = problem.problems ?? [];
      this.#root.querySelector(`[name="${control}"]`)?.setAttribute("aria-invalid", "true");
      const place = this.#root.querySelector(`[id="${control}-problem"]`);
      if (place) place.textContent = first?.problem ?? problem.message;
      this.#fire("plimsoll-error", { problems: problem.problems ?? [] });
    }
  }

  #fail(problems) {
    this.#view = null;
    this.#root.replaceChildren(broken(problems, this.scenario, this.#page));
    this.#root.removeAttribute("aria-busy");
    this.#fire("plimsoll-error", { problems });
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

function couldNotStart(problem) {
  const policy = /wasm|WebAssembly|unsafe-eval/i.test(String(problem));
  return policy
    ? "this page's Content-Security-Policy does not let WebAssembly run: script-src needs 'wasm-unsafe-eval'"
    : `could not be loaded (${problem?.message ?? problem})`;
}

if (!customElements.get("plimsoll-widget")) customElements.define("plimsoll-widget", PlimsollWidget);
