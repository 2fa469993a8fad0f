export default {
  // The wasm is found by its place beside the module, which bundling for development would move.
  optimizeDeps: { exclude: ["plimsoll"] },
};
