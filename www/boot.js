// Starts the page. A file of its own, so that a content security policy without inline scripts holds.
import init from "./app.js";

init().catch((problem) => {
  document.getElementById("start-problem")?.removeAttribute("hidden");
  throw problem;
});
