// Starts the page. A file of its own, so that a content security policy without inline scripts holds.
import { keep, second, started } from "./second.js";

// Kept for use without a network, once there is nothing better to do. Where that cannot be, the page works all the same.
addEventListener("load", () => navigator.serviceWorker?.register("./sw.js").catch(() => {}));

// The dialog for other people's pages is loaded when it is asked for.
addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-embed]");
  if (button) import("./embed/dialog.js").then((dialog) => dialog.open()).catch(() => (button.textContent = "No network"));
});

// The panel for a model of one's own is a program beside the page, loaded when it is first asked for.
let own;
addEventListener("own-model", () => {
  own ??= import("./own.js").then((panel) => panel.default());
  keep("./own.js", "./own_bg.wasm", "./own.css");
});

// The second part of the program comes when a panel of it comes near the screen, or when one begins to do something here.
const near = new IntersectionObserver((places) => places.some((place) => place.isIntersecting) && second(), {
  rootMargin: "200px",
});
customElements.define(
  "second-part",
  class extends HTMLElement {
    connectedCallback() {
      near.observe(this);
    }
    disconnectedCallback() {
      near.unobserve(this);
    }
  },
);
const BEGINS = ["pointerdown", "pointermove", "wheel", "scroll", "touchstart", "keydown", "input", "beforeprint"];
const begin = () => {
  BEGINS.forEach((kind) => removeEventListener(kind, begin));
  second();
};
BEGINS.forEach((kind) => addEventListener(kind, begin, { passive: true }));

started.catch((problem) => {
  document.getElementById("start-problem")?.removeAttribute("hidden");
  throw problem;
});
