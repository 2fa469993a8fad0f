// Light or dark, where the host page does not say so by CSS's color-scheme.

const listeners = new Set();
const tell = () => listeners.forEach((listener) => listener());
let watching = false;

function watch() {
  if (watching) return;
  watching = true;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  // Documentation sites change a class or an attribute up there.
  const observer = new MutationObserver(tell);
  for (const element of [document.documentElement, document.body]) {
    if (element) observer.observe(element, { attributes: true });
  }
}

/** Calls when the host page may have changed its colours; returns what ends that. */
export function onScheme(listener) {
  watch();
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Is what stands behind an element dark? */
export function darkAround(element) {
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
    const [red, green, blue, alpha = 1] = channels(getComputedStyle(at).backgroundColor);
    // Luminance by the weights of sRGB.
    if (alpha > 0.5) return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 110;
  }
  return false;
}

function channels(colour) {
  const rgb = /^rgba?\((.*)\)$/.exec(colour);
  return rgb ? rgb[1].split(/[ ,/]+/).map(Number) : [255, 255, 255, 0];
}
