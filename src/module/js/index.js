// The module's face: starts the wasm, loads the catalogs, and makes an Error of what is thrown.
import start, * as wasm from "./plimsoll.js";

const CATALOGS = {
  models: () => import("./catalogs/models.js"),
  gpus: () => import("./catalogs/gpus.js"),
  variants: () => import("./catalogs/variants.js"),
  prices: () => import("./catalogs/prices.js"),
};

export class PlimsollError extends Error {
  constructor({ kind, message, problems }) {
    super(message);
    this.name = "PlimsollError";
    this.kind = kind;
    this.problems = problems;
    this.field = problems[0]?.field ?? null;
  }
}

const failed = (field, problem) =>
  new PlimsollError({ kind: "invalid", message: `${field}: ${problem}`, problems: [{ field, problem }] });

let started;
const catalogs = new Map();
const supplied = new Map();

async function supply(name) {
  if (!Object.hasOwn(CATALOGS, name)) {
    throw failed("catalog", `'${name}' is no catalog; there are ${Object.keys(CATALOGS).join(", ")}`);
  }
  const rows = await CATALOGS[name]();
  await started;
  supplyCatalog(name, rows.default);
}

// The wasm is divided: the first part has what the second uses among its exports, the name of one of them is that of the
// pair, and the second part puts its functions into the first one's table.
let whole = false;
async function bring(source) {
  const pair = Object.keys(await started).find((name) => name.startsWith("$$"));
  if (pair) {
    source = await (source ?? new URL("./plimsoll_rest.wasm", import.meta.url));
    if (typeof source === "string" || source instanceof URL || source instanceof Request) source = await fetch(source);
    if (source instanceof Response) {
      if (!source.ok) throw new Error(`${source.url}: ${source.status}`);
      source = await source.arrayBuffer();
    }
    const second = await WebAssembly.compile(source);
    new WebAssembly.Instance(second, { [pair]: wasm.initSync() });
  }
  whole = true;
}

// Where the first part would call the second it stops in the middle: it begins anew, with the catalogs that it had.
function stopped() {
  wasm.__wbg_reset_state();
  for (const [name, json] of supplied) wasm.supplyCatalog(name, json);
  const message = "this takes the rest of the module: await loadRest() first";
  return new PlimsollError({ kind: "not_loaded", message, problems: [] });
}

let rest;
export function loadRest(source) {
  rest ??= bring(source).catch((problem) => {
    rest = undefined;
    throw problem;
  });
  return rest;
}

export default async function init({ wasm: source, rest: more = true, catalogs: wanted = Object.keys(CATALOGS) } = {}) {
  started ??= start(source && { module_or_path: source });
  for (const name of wanted) {
    if (!catalogs.has(name)) catalogs.set(name, supply(name));
  }
  try {
    await Promise.all([started, more && loadRest(more === true ? undefined : more), ...wanted.map((name) => catalogs.get(name))]);
  } catch (problem) {
    // What did not come is asked for again the next time.
    catalogs.clear();
    started = rest = undefined;
    throw problem;
  }
}

// A link, or the JSON of an object; as in JSON, what is undefined is left out.
function text(given) {
  if (typeof given === "string") return given.trim();
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    throw failed("scenario", "give a link, or an object with the fields of a scenario");
  }
  try {
    return JSON.stringify(given, (_, value) => (typeof value === "bigint" ? Number(value) : value));
  } catch (problem) {
    throw failed("scenario", problem.message);
  }
}

const guarded =
  (call) =>
  (...given) => {
    try {
      return call(...given);
    } catch (thrown) {
      if (thrown instanceof WebAssembly.RuntimeError && !whole) throw stopped();
      throw thrown?.problems && !(thrown instanceof Error) ? new PlimsollError(thrown) : thrown;
    }
  };

const ofScenario = (call) => guarded((scenario, ...more) => call(text(scenario), ...more));

export const estimate = ofScenario(wasm.estimate);
export const advise = ofScenario(wasm.advise);
export const solve = ofScenario(wasm.solve);
export const toUrl = ofScenario(wasm.toUrl);
export const view = ofScenario(wasm.view);
export const variants = ofScenario(wasm.variants);
export const controls = ofScenario(wasm.controls);
export const change = ofScenario(wasm.change);
export const allControls = guarded(wasm.allControls);
export const parseUrl = guarded(wasm.parseUrl);
export const models = guarded(wasm.models);
export const gpus = guarded(wasm.gpus);
export const version = guarded(wasm.version);
export const supplyCatalog = guarded((name, json) => {
  wasm.supplyCatalog(name, json);
  supplied.set(name, json);
});
