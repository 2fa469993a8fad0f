// The module as the site serves it; a copy of the package in any folder does as well.
const { default: init, estimate } = await import(new URL("../embed/index.js", document.baseURI));

await init({ catalogs: ["models", "gpus"] });
const { verdict, headroom_bytes } = estimate("model=Qwen/Qwen3-8B&gpu=rtx-4090");
document.querySelector("#answer").textContent = `${verdict}, ${(headroom_bytes / 2 ** 30).toFixed(1)} GiB to spare`;
