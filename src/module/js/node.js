// The same in Node, which reads the wasm from the disk.
import { readFile } from "node:fs/promises";
import init from "./index.js";

export * from "./index.js";

export default ({ wasm = readFile(new URL("./plimsoll_bg.wasm", import.meta.url)), ...options } = {}) =>
  init({ wasm, ...options });
