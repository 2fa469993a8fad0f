// Starts the program, and loads its second part when it is first needed. The build divides the program in two: the first
// part has what the second one uses among its exports, the name of one of them is that of the pair, and the second part
// puts its functions into the first one's table.
import init, { secondPart } from "./app.js";

export const started = init();

async function bring() {
  const first = await started;
  const pair = Object.keys(first).find((name) => name.startsWith("$$"));
  // While one works on it the program is in one piece.
  if (!pair) return;
  const file = await fetch(new URL("./app_later.wasm", import.meta.url));
  if (!file.ok) throw new Error(`app_later.wasm: ${file.status}`);
  await WebAssembly.instantiate(await file.arrayBuffer(), { [pair]: first });
  keep("./app_later.wasm");
}

// For use without a network.
export function keep(...files) {
  globalThis.navigator?.serviceWorker?.ready
    .then(({ active }) => files.forEach((file) => active.postMessage(file)))
    .catch(() => {});
}

let part;
export function second() {
  part ??= bring().then(
    () => secondPart(true),
    () => {
      part = undefined;
      secondPart(false);
    },
  );
  return part;
}

addEventListener("second-part", second);
