// The same in Node, which reads the wasm from the disk.
import { readFile } from "node:fs/promises";
import init, { loadRest as load } from "./index.js";

export * from "./index.js";

const read = (name) => readFile(new URL(name, import.meta.url));

export const loadRest = (rest = read("./plimsoll_rest.wasm")) => load(rest);

export default ({ wasm = read("./plimsoll_bg.wasm"), rest = true, ...options } = {}) =>
  init({ wasm, rest: rest === true ? read("./plimsoll_rest.wasm") : rest, ...options });
