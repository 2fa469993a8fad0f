// Runs a wasm32-wasip1 program that needs no more than a clock and a console: node benches/wasi.mjs PROGRAM.wasm
// Its clock is the time that was computed, so that it hardly matters what else the machine does. (node:wasi of Node 20
// does not survive a memory that grows.)
import { readFileSync, writeSync } from "node:fs";

let memory;
const view = () => new DataView(memory.buffer);
const ok = () => 0;

const calls = {
  clock_time_get(_clock, _precision, place) {
    const { user, system } = process.cpuUsage();
    view().setBigUint64(place, BigInt(user + system) * 1000n, true);
    return 0;
  },
  fd_write(file, pieces, count, place) {
    let written = 0;
    for (let i = 0; i < count; i++) {
      const [begin, length] = [0, 4].map((at) => view().getUint32(pieces + 8 * i + at, true));
      written += writeSync(file, new Uint8Array(memory.buffer, begin, length));
    }
    view().setUint32(place, written, true);
    return 0;
  },
  environ_sizes_get(count, bytes) {
    view().setUint32(count, 0, true);
    view().setUint32(bytes, 0, true);
    return 0;
  },
  proc_exit: (code) => process.exit(code),
};

const wasi = new Proxy(calls, { get: (own, name) => own[name] ?? ok });
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { wasi_snapshot_preview1: wasi });
memory = instance.exports.memory;
instance.exports._start();
