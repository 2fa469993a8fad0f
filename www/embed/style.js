// The widget's styles: one sheet, shared by all. Made by script, so that a host's style-src need not know it.

const CSS = `
:host { display: block; }
:host([hidden]) { display: none; }

/* Nothing of the host page comes in but its colour scheme and what it says by custom properties. */
.root {
  all: initial;
  color-scheme: inherit;
  display: block;
  box-sizing: border-box;
  container-type: inline-size;
  padding: var(--plimsoll-padding, 18px 20px 12px);
  border: 1px solid var(--line);
  border-radius: var(--plimsoll-radius, 12px);
  background: var(--panel);
  color: var(--ink);
  font: var(--plimsoll-font-size, 15px)/1.45 var(--plimsoll-font, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif);
  font-variant-numeric: tabular-nums;
  text-align: start;

  --panel: var(--plimsoll-background, light-dark(#ffffff, #141d26));
  --ink: var(--plimsoll-color, light-dark(#15202b, #e7eef4));
  --soft: var(--plimsoll-muted, light-dark(#52606d, #9fafbd));
  --line: var(--plimsoll-border, light-dark(#d5dce3, #2b3946));
  --well: var(--plimsoll-well, light-dark(#eef2f5, #1e2a36));
  --accent: var(--plimsoll-accent, light-dark(#0a5c99, #7cc0f2));
  --fits: var(--plimsoll-fits, light-dark(#0b6e47, #62d3a4));
  --tight: var(--plimsoll-tight, light-dark(#855300, #f2bd55));
  --exceeds: var(--plimsoll-exceeds, light-dark(#b1271b, #ff9387));
}
.root[data-theme="light"] { color-scheme: light; }
.root[data-theme="dark"] { color-scheme: dark; }

*, *::before, *::after { box-sizing: border-box; }
p, ul, table { margin: 0; padding: 0; }
ul { list-style: none; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.run { color: var(--soft); font-size: 0.84em; margin-bottom: 8px; }

.verdict { display: grid; grid-template-columns: auto minmax(0, 1fr); column-gap: 12px; align-items: center; --tone: var(--soft); }
.verdict.fits { --tone: var(--fits); }
.verdict.tight { --tone: var(--tight); }
.verdict.exceeds, .verdict.refused { --tone: var(--exceeds); }
.sign { grid-row: 1 / span 2; display: grid; place-items: center; width: 2.5em; height: 2.5em; border-radius: 50%; background: var(--tone); color: var(--panel); font-size: 1.05em; font-weight: 700; }
.head { color: var(--tone); font-size: 1.4em; font-weight: 700; line-height: 1.2; letter-spacing: -0.01em; text-wrap: balance; }
.body { font-size: 0.97em; }

.gauge { position: relative; padding-top: 26px; margin-top: 10px; }
.trough { position: relative; display: flex; height: 28px; border-radius: 3px; background: var(--well); overflow: hidden; }
.trough > span { flex: none; height: 100%; box-shadow: inset -1px 0 var(--panel); }
.trough > .part-cache { height: 34%; align-self: center; }
.trough > .whisker { box-shadow: none; position: absolute; top: 50%; height: 9px; margin-top: -5px; border: solid var(--ink); border-width: 0 1.5px; }
.whisker::before { content: ""; position: absolute; inset: 4px 0 auto; border-top: 1.5px solid var(--ink); }
.beyond { position: absolute; top: 26px; right: 0; height: 28px; background: var(--exceeds); opacity: 0.14; border-radius: 0 3px 3px 0; }
.load-line { position: absolute; top: 8px; height: 50px; border-left: 2px solid var(--ink); }
.load-line::before { content: ""; position: absolute; left: -8px; top: -6px; width: 14px; height: 14px; box-sizing: border-box; border: 2px solid var(--ink); border-radius: 50%; background: linear-gradient(var(--ink), var(--ink)) center / 100% 2px no-repeat; }
.load-line span { position: absolute; left: 13px; top: -9px; font-size: 0.8em; font-weight: 600; white-space: nowrap; }
.load-line.left span { left: auto; right: 15px; }

.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin-top: 12px; font-size: 0.82em; color: var(--soft); }
.legend b { color: var(--ink); font-weight: 600; }
.legend i { display: inline-block; width: 0.75em; height: 0.75em; margin-right: 0.45em; border-radius: 2px; }

.notices { margin-top: 10px; padding: 8px 12px; border-left: 3px solid var(--tight); background: var(--well); font-size: 0.85em; overflow-wrap: anywhere; }

.controls { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(13em, 100%), 1fr)); gap: 10px 14px; margin-top: 16px; }
.field { display: flex; flex-direction: column; gap: 3px; min-width: 0; }
label { font-size: 0.84em; font-weight: 600; }
select, input { width: 100%; min-height: 38px; padding: 5px 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); color: inherit; font: inherit; }
select:hover, input:hover { border-color: var(--soft); }
input[aria-invalid] { border-color: var(--exceeds); }
.problem { color: var(--exceeds); font-size: 0.8em; }
.problem:empty { display: none; }

table { width: 100%; margin-top: 18px; border-collapse: collapse; font-size: 0.86em; }
caption { text-align: start; font-weight: 650; font-size: 1.06em; padding-bottom: 6px; }
th, td { padding: 3px 0; height: 25px; vertical-align: middle; text-align: start; font-weight: inherit; }
th { width: 1%; padding: 0 12px 0 8px; white-space: nowrap; }
.own { background: var(--well); }
.own th, .own .value { font-weight: 650; }
td .trough { height: 15px; background: none; border-radius: 0; }
.trough > .limit { position: absolute; top: 0; width: 0; box-shadow: 0 0 0 1px var(--ink); }
.value { width: 1%; padding: 0 8px 0 12px; white-space: nowrap; text-align: end; }
.value.exceeds { color: var(--exceeds); font-weight: 650; }
.reason { padding-right: 8px; color: var(--soft); font-size: 0.93em; line-height: 1.25; }

.foot { display: flex; justify-content: space-between; align-items: center; gap: 12px; margin-top: 14px; padding-top: 9px; border-top: 1px solid var(--line); font-size: 0.84em; }
.brand { display: inline-flex; align-items: center; gap: 6px; color: var(--soft); font-weight: 650; }
.mark { width: 1.5em; height: 1.5em; fill: none; stroke: var(--accent); stroke-width: 3.4; }
a { color: var(--accent); text-underline-offset: 2px; }

.broken .body { margin-top: 3px; overflow-wrap: anywhere; }
.broken .body b { font-weight: 650; }

.loading { min-height: 190px; display: grid; gap: 14px; align-content: start; }
.loading div { border-radius: 6px; background: var(--well); }
.line { width: 55%; height: 14px; } .big { width: 80%; height: 38px; } .loading .bar { height: 28px; margin-top: 14px; }

@container (max-width: 420px) {
  .head { font-size: 1.2em; }
  th { padding-right: 8px; }
}

.part-weights { background: light-dark(#0072b2, #3f9edb); }
.part-quant-state { background: light-dark(#56b4e9, #a3dbf8); }
.part-adapters { background: light-dark(#009e73, #2cc497); }
.part-gradients { background: light-dark(#e8cf3a, #f1e06f); }
.part-optimizer-states { background: light-dark(#e69f00, #f0ae2e); }
.part-activations { background: light-dark(#8a4f99, #b583c4); }
.part-recomputed { background: light-dark(#cc79a7, #e3a6c8); }
.part-logits-loss { background: light-dark(#d55e00, #ef7f3a); }
.part-temporaries { background: light-dark(#66747f, #93a3b0); }
.part-workspace { background: light-dark(#83909b, #788997); }
.part-inputs { background: light-dark(#9ca8b1, #657685); }
.part-buffers { background: light-dark(#b1bac2, #566776); }
.part-other { background: light-dark(#c0c8cf, #4a5a68); }
.part-gaps { background: light-dark(#a9b7c2, #5a6c79); }
.part-context { background: light-dark(#7d8b97, #8495a3); }
.part-cache { background: light-dark(#c9d5de, #364857); }

@media (forced-colors: active) {
  .trough, .legend i, .sign { forced-color-adjust: none; }
  .root { border-color: CanvasText; }
}
@media print { .controls, .foot a { display: none; } }
`;

let made;

/** The sheet, made when it is first needed. */
export function sheet() {
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(CSS);
  }
  return made;
}
