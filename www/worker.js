// Does the page's longer work on a thread of its own: the same module, which sees that there is no window.
import init from "./app.js";

init();
