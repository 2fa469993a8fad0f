// Makes the host page's Plimsoll frames as tall as what is in them. Without this script they keep the height that their
// markup gives, and scroll.
const site = new URL(".", import.meta.url).origin;

addEventListener("message", ({ data, source, origin }) => {
  const height = data?.plimsoll?.height;
  if (origin !== site || !Number.isFinite(height)) return;
  for (const frame of document.querySelectorAll("iframe")) {
    if (frame.contentWindow === source) frame.style.height = `${height}px`;
  }
});
