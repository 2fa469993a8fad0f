import init, { estimate } from "plimsoll";

await init({ catalogs: ["models", "gpus"] });
const { verdict, headroom_bytes } = estimate("model=Qwen/Qwen3-8B&gpu=rtx-4090");
document.querySelector("#answer").textContent = `${verdict}, ${(headroom_bytes / 2 ** 30).toFixed(1)} GiB to spare`;
