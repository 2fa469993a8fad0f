// The page hears every answer.
addEventListener("plimsoll-estimate", ({ detail: { estimate } }) => {
  const gib = (estimate.reserved_bytes / 2 ** 30).toFixed(1);
  document.querySelector("#told").textContent = `PyTorch would reserve ${gib} GiB.`;
});
