// Calls the module: a line of JSON says what and with what, a line of JSON says what came of it.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const module = await import(pathToFileURL(`${process.argv[2]}/node.js`));
await module.default({ rest: process.argv[3] !== "first" });

function answered(call, given) {
  try {
    return { text: JSON.stringify(module[call](...given), null, 2) };
  } catch (error) {
    if (!(error instanceof module.PlimsollError)) return { thrown: { name: error.name, message: error.message } };
    const { name, kind, message, field, problems } = error;
    return { thrown: { name, kind, message, field, problems } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, given } = JSON.parse(line);
  console.log(JSON.stringify(answered(call, given)));
}
