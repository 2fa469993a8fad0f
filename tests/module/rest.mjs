// Loads the module without its rest and says what is answered, before and after the rest is loaded.
import { pathToFileURL } from "node:url";

const module = await import(pathToFileURL(`${process.argv[2]}/node.js`));
await module.default({ rest: false });

const unsloth = { stack: "unsloth" };
const tried = (call, ...given) => {
  try {
    call(...given);
    return "answered";
  } catch (error) {
    return error instanceof module.PlimsollError ? error.kind : String(error);
  }
};
const all = () =>
  [
    tried(module.estimate, {}),
    tried(module.estimate, unsloth),
    tried(module.advise, {}),
    tried(module.solve, {}, "seq"),
    // It begins anew after each of these.
    tried(module.estimate, {}),
  ].join(" ");

console.log(all());
await module.loadRest();
console.log(all());
