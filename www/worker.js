// Does the page's longer work on a thread of its own: the same program, which sees that there is no window.
import "./second.js";
