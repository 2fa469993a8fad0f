// What one copies into one's own page.

const escaped = (text) => text.replace(/[&<>"]/g, (mark) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[mark]);

// What is at its default is not said.
const options = ({ controls, theme, chart }) => ({
  ...(controls.length > 0 && { controls: controls.join(",") }),
  ...(theme !== "auto" && { theme }),
  ...(!chart && { chart: "off" }),
});

/** The custom element, with a link inside for readers without scripts. */
export function element(site, view, wanted) {
  const attributes = Object.entries({ scenario: view.link, ...options(wanted) });
  const written = attributes.map(([name, value]) => ` ${name}="${escaped(value)}"`).join("");
  const link = `<a href="${escaped(`${site}#${view.link}`)}">${escaped(`${view.run}: ${view.badge}`)}</a>`;
  return `<script type="module" src="${escaped(site)}embed/widget.js"></script>\n<plimsoll-widget${written}>${link}</plimsoll-widget>\n`;
}

/** The frame, with the script that sizes it; both work without the script. */
export function frame(site, view, wanted, height) {
  const query = new URLSearchParams(options(wanted)).toString();
  const address = `${site}embed/frame.html${query && `?${query}`}#${view.link}`;
  return `<iframe src="${escaped(address)}" title="GPU memory of ${escaped(view.run)}" width="100%" height="${height}" loading="lazy" frameborder="0"></iframe>\n<script type="module" src="${escaped(site)}embed/host.js"></script>\n`;
}

/** A badge that links to the answer; the picture is a file beside the text. */
export function markdown(site, view) {
  return `[![${view.badge.replace(/[[\]]/g, "")}](plimsoll.svg)](${site}#${view.link})\n`;
}
