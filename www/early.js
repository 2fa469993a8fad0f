// Runs before anything is painted, so that nothing changes afterwards: the colours that were chosen here earlier, and
// whether the address asks for a run of its own, to which the answer in the document is none.
try {
  const theme = localStorage.getItem("plimsoll-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // No storage in this frame: the system's colours.
}
if (location.hash.length > 1) document.documentElement.className = "run-asked";
