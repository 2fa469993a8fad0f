/** A scenario of which every field may be left out: it then has the default of its `stack` and `method`. */
export type ScenarioInput = Partial<Omit<Scenario, "lora">> & { lora?: Partial<Lora> };

/** A Hub id of the catalog, or the fields of a `config.json`. */
export type ModelRef = string | { model_type: string; [key: string]: unknown };

/** What can be sought. */
export type SolveQuestion = "seq" | "batch" | "rank" | "model" | "card";

/** The catalogs, which are loaded apart from the module. */
export type CatalogName = "models" | "gpus" | "variants" | "prices";
