import type { CatalogName, Failure, FieldError, InitInput, Kind } from "./plimsoll.js";

export type * from "./plimsoll.js";
export {
  advise,
  allControls,
  change,
  controls,
  estimate,
  gpus,
  models,
  parseUrl,
  solve,
  supplyCatalog,
  toUrl,
  variants,
  version,
  view,
} from "./plimsoll.js";

/** An address, a response, or bytes. */
export type RestInput = string | URL | Request | Response | BufferSource;

/**
 * Loads the rest of the wasm, once. Without it a call that takes it throws a `PlimsollError` of the kind `not_loaded`.
 */
export function loadRest(rest?: RestInput | Promise<RestInput>): Promise<void>;

/** What every function throws where it has no result. */
export class PlimsollError extends Error {
  constructor(failure: Failure);
  /** Are fields to blame, is a sound run not modelled yet, or is the rest of the module not loaded? */
  readonly kind: Kind;
  /** The first field to blame, named as in links; null where none is. */
  readonly field: string | null;
  /** Every field to blame, each with what would be accepted. */
  readonly problems: FieldError[];
}

export interface InitOptions {
  /** The wasm, where it does not lie beside the module: its address, its bytes, or it compiled. */
  wasm?: InitInput | Promise<InitInput>;
  /**
   * The rest of the wasm, which is loaded with it: all but what answers usual runs of Llama's kin under Hugging Face's
   * stack, reads links and lists models and cards. `false` leaves it out until `loadRest()`; otherwise where it is, when
   * it does not lie beside the module.
   */
  rest?: boolean | RestInput | Promise<RestInput>;
  /** The catalogs to load; all of them unless said otherwise. `[]` loads none: supply your own rows. */
  catalogs?: CatalogName[];
}

/** Loads the wasm and the catalogs, once; to be awaited before anything else is called. */
export default function init(options?: InitOptions): Promise<void>;
