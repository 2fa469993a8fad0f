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

/** What every function throws where it has no result. */
export class PlimsollError extends Error {
  constructor(failure: Failure);
  /** Are fields to blame, or is a sound run not modelled yet? */
  readonly kind: Kind;
  /** The first field to blame, named as in links; null where none is. */
  readonly field: string | null;
  /** Every field to blame, each with what would be accepted. */
  readonly problems: FieldError[];
}

export interface InitOptions {
  /** The wasm, where it does not lie beside the module: its address, its bytes, or it compiled. */
  wasm?: InitInput | Promise<InitInput>;
  /** The catalogs to load; all of them unless said otherwise. `[]` loads none: supply your own rows. */
  catalogs?: CatalogName[];
}

/** Loads the wasm and the catalogs, once; to be awaited before anything else is called. */
export default function init(options?: InitOptions): Promise<void>;
