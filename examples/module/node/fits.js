// node fits.js
import init, { estimate, PlimsollError, solve } from "plimsoll";

await init();

const run = { model: "Qwen/Qwen3-8B", method: "qlora", gpu: "rtx-4090", seq: 2048 };
const { verdict, reserved_bytes } = estimate(run);
console.log(`${run.model} on ${run.gpu}: ${verdict}, ${(reserved_bytes / 2 ** 30).toFixed(1)} GiB reserved`);

const [longest] = solve(run, "seq").largest;
console.log(`longest sequence that fits: ${longest.value} tokens`);

try {
  estimate({ ...run, sqe: 4096 });
} catch (error) {
  if (!(error instanceof PlimsollError)) throw error;
  console.log(`${error.field}: ${error.problems[0].problem}`);
}
