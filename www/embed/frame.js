// The widget alone in a frame, for places that allow no scripts of others: frame.html?controls=gpu,seq&theme=dark#scenario
import "./widget.js";

const wanted = new URLSearchParams(location.search);
const widget = document.createElement("plimsoll-widget");
for (const name of ["controls", "theme", "chart"]) {
  if (wanted.has(name)) widget.setAttribute(name, wanted.get(name));
}
if (wanted.get("theme") === "light" || wanted.get("theme") === "dark") {
  document.querySelector('meta[name="color-scheme"]').content = wanted.get("theme");
}

const fromAddress = () => widget.setAttribute("scenario", location.hash.slice(1));
fromAddress();
addEventListener("hashchange", fromAddress);
document.body.append(widget);
widget.start();

// The host's script, if there is one, makes the frame as tall as this.
const size = new ResizeObserver(() => {
  parent.postMessage({ plimsoll: { height: Math.ceil(widget.getBoundingClientRect().height) } }, "*");
});
size.observe(widget);
