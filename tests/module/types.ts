// Compiled, never run: what is right must compile, and what is wrong must not.
import init, { advise, estimate, gpus, loadRest, models, parseUrl, PlimsollError, solve, toUrl, version } from "plimsoll";
import type { Advice, Category, Estimate, Scenario, ScenarioInput, Verdict, WeightFormat } from "plimsoll";

await init();
await init({ wasm: new URL("https://example.org/plimsoll_bg.wasm"), catalogs: ["models", "gpus"] });
await init({ rest: false });
await loadRest();
await init({ rest: fetch("plimsoll_rest.wasm") });
// @ts-expect-error the rest is no number
await init({ rest: 1 });
// @ts-expect-error there is no such catalog
await init({ catalogs: ["prizes"] });

const run: ScenarioInput = { model: "Qwen/Qwen3-8B", method: "lora", weights: "bf16", lora: { rank: 8 }, gpu: null };
const own: ScenarioInput = { model: { model_type: "llama", hidden_size: 4096 }, gpu: undefined };
// @ts-expect-error a weight format that there is not
const wrong: ScenarioInput = { weights: "nf5" };
// @ts-expect-error a misspelt field
const misspelt: ScenarioInput = { bacth: 2 };
// @ts-expect-error the rank belongs into lora
const misplaced: ScenarioInput = { rank: 8 };

const answer: Estimate = estimate(run);
estimate("#model=Qwen/Qwen3-8B");
estimate(own);
// @ts-expect-error no scenario
estimate();
// @ts-expect-error not a scenario
estimate(17);

const verdict: Verdict | null = answer.verdict;
const room: number | null = answer.headroom_bytes;
const weights: number | undefined = answer.breakdown.weights;
const high: number = answer.process_bytes.high;
const named: [Category, number][] = Object.entries(answer.breakdown) as [Category, number][];
// @ts-expect-error there may be no card
const surely: number = answer.capacity_bytes;

const advice: Advice = advise(run, true);
const remedied: Scenario | undefined = advice.remedy?.scenario;
const saves: number | undefined = advice.levers[0]?.effect?.saves_bytes;
if (remedied) estimate(remedied);

const longest: number | null | undefined = solve(run, "seq").largest?.[0]?.value;
// @ts-expect-error a question that there is not
solve(run, "width");

const formats: WeightFormat = parseUrl("#v=1").scenario.weights;
const link: string = toUrl(run, "https://example.org/");
const names: string[] = [...models().map((model) => model.id), ...gpus().map((gpu) => gpu.id), version()];

try {
  estimate("seq=0");
} catch (error) {
  if (error instanceof PlimsollError) {
    const field: string | null = error.field;
    const kind: "invalid" | "not_modelled" | "not_loaded" = error.kind;
    const problems: string[] = error.problems.map(({ field, problem }) => `${field}: ${problem}`);
    console.log(field, kind, problems);
  }
}
console.log(verdict, room, weights, high, named, surely, saves, longest, formats, link, names, wrong, misspelt, misplaced);
