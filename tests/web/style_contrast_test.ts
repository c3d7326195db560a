import assert from "node:assert/strict";

/** Pairs of colours that meet on pages, by WCAG 2.2 AA: 4.5:1 for text (1.4.3), 3:1 for marks and borders (1.4.11). */
const TEXT = 4.5;
const MARK = 3;

const STYLE = Deno.readTextFileSync(new URL("../../web/static/style.css", import.meta.url));
const SCHEMES = ["light", "dark"] as const;
type Scheme = (typeof SCHEMES)[number];
type Rgb = readonly [number, number, number];

const TONES = ["good", "warn", "bad", "calm", "quiet"];
const SURFACES = ["paper", "raise", "sunk"];

/** The linear sRGB colours of every token, for each scheme. */
const TOKENS = readTokens();

function readTokens(): ReadonlyMap<string, Readonly<Record<Scheme, Rgb>>> {
  const colour = String.raw`oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)`;
  const declaration = new RegExp(String.raw`--([\w-]+): light-dark\(${colour}, ${colour}\);`, "g");
  return new Map(
    Array.from(STYLE.matchAll(declaration), ([, name = "", ...values]) => {
      const [light = 0, lightChroma = 0, lightHue = 0, dark = 0, darkChroma = 0, darkHue = 0] = values.map(
        Number,
      );
      return [name, {
        light: fromOklch(light / 100, lightChroma, lightHue),
        dark: fromOklch(dark / 100, darkChroma, darkHue),
      }];
    }),
  );
}

/** As https://www.w3.org/TR/css-color-4/#color-conversion-code, clamped to the gamut of screens. */
function fromOklch(lightness: number, chroma: number, hue: number): Rgb {
  const angle = hue * Math.PI / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const cut = (value: number) => Math.min(1, Math.max(0, value));
  return [
    cut(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    cut(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    cut(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string, scheme: Scheme): number {
  const [light = 0, dark = 0] = [one, other].map((name) => {
    const token = TOKENS.get(name);
    assert.ok(token !== undefined, `there is no token --${name}`);
    return luminance(token[scheme]);
  }).sort((left, right) => right - left);
  return (light + 0.05) / (dark + 0.05);
}

function check(front: string, back: string, least: number): void {
  for (const scheme of SCHEMES) {
    const found = contrast(front, back, scheme);
    assert.ok(
      found >= least,
      `${scheme}: --${front} on --${back} is ${found.toFixed(2)}:1, below ${least}:1`,
    );
  }
}

Deno.test("the conversion is right for black, white and an example of the specification", () => {
  assert.equal(luminance(fromOklch(1, 0, 0)).toFixed(3), "1.000");
  assert.equal(luminance(fromOklch(0, 0, 0)).toFixed(3), "0.000");
  // #228b22, the specification's forestgreen: oklch(55.7% 0.1684 142.95).
  const green = fromOklch(0.557, 0.1684, 142.95).map((value) => value.toFixed(2));
  assert.deepEqual(green, ["0.02", "0.26", "0.02"]);
});

Deno.test("every colour of the stylesheet is a token with a light and a dark value", () => {
  const body = STYLE.slice(STYLE.indexOf("}"));
  assert.doesNotMatch(body, /oklch\(|rgba?\(|hsla?\(|#[0-9a-f]{3,8}\b/i);
  assert.equal(TOKENS.size, [...STYLE.matchAll(/light-dark\(/g)].length);
});

Deno.test("text has a contrast of 4.5:1 on every surface and tint", () => {
  const tints = TONES.map((tone) => `${tone}-tint`);
  for (const surface of [...SURFACES, ...tints]) check("ink", surface, TEXT);
  for (const surface of SURFACES) check("ink-2", surface, TEXT);
  for (const tone of TONES) {
    for (const surface of [...SURFACES, `${tone}-tint`]) check(`${tone}-ink`, surface, TEXT);
  }
  for (const fill of ["calm", "bad", "ink"]) check("paper", fill, TEXT);
  check("ink", "band", TEXT);
});

Deno.test("marks, borders of controls and the focus have a contrast of 3:1", () => {
  for (const surface of SURFACES) check("edge", surface, MARK);
  for (const tone of TONES) {
    for (const surface of [...SURFACES, `${tone}-tint`]) check(tone, surface, MARK);
  }
});
