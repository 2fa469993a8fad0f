// A badge for README files, made here: an SVG that needs nothing from anywhere.

const HEIGHT = 20;
const TONES = { fits: "#0b6e47", tight: "#855300", exceeds: "#b1271b" };

// About as wide as Verdana at 11 pixels; `textLength` takes up the rest.
const width = (text) => Math.round([...text].reduce((sum, letter) => sum + (/[ .·ijltfrI]/.test(letter) ? 4.2 : /[A-Zmw0-9]/.test(letter) ? 7.4 : 6.4), 0));

const escaped = (text) => text.replace(/[<>&"]/g, (mark) => `&#${mark.charCodeAt(0)};`);

/** The badge of a view, as SVG text. */
export function badge({ badge: words, estimate }) {
  const text = escaped(words);
  const right = width(words) + 14;
  const left = 74;
  const tone = TONES[estimate.verdict] ?? "#52606d";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="${HEIGHT}" role="img" aria-label="${text}">
<title>${text}</title>
<clipPath id="r"><rect width="${left + right}" height="${HEIGHT}" rx="4"/></clipPath>
<g clip-path="url(#r)"><rect width="${left}" height="${HEIGHT}" fill="#15202b"/><rect x="${left}" width="${right}" height="${HEIGHT}" fill="${tone}"/></g>
<g fill="none" stroke="#7cc0f2" stroke-width="1.6"><circle cx="12" cy="10" r="4.6"/><path d="M4.5 10h15"/></g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">
<text x="24" y="14" textLength="44">plimsoll</text>
<text x="${left + 7}" y="14" textLength="${right - 14}">${text}</text>
</g>
</svg>
`;
}
