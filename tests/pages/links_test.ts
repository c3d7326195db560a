import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { GUIDES, PAGES, README } from "../helpers/pages.ts";
import { PROJECT } from "../helpers/run_cli.ts";

/** The targets of links and images in this project, as written. */
function targets(text: string): string[] {
  const prose = text.replaceAll(/^ *```[^]*?^ *```$/gm, "");
  return Array.from(
    prose.matchAll(/\]\((?!https?:)([^)]+)\)|src="(?!https?:)([^"]+)"/g),
    ([, link, image]) => link ?? image ?? "",
  );
}

Deno.test("every link between pages leads to a file, and to a heading where it names one", () => {
  for (const { path, text } of PAGES) {
    for (const target of targets(text)) {
      const [file = "", anchor] = target.split("#");
      const linked = file === "" ? path : normalize(join(dirname(path), file));
      assert.ok(Deno.statSync(join(PROJECT, linked)), `${path}: ${target}`);
      if (anchor === undefined) continue;
      const page = PAGES.find((page) => page.path === linked);
      assert.ok(page?.anchors().includes(anchor), `${path}: no heading for ${target}`);
    }
  }
});

Deno.test("the README links to every guide", () => {
  const linked = targets(README.text);
  assert.deepEqual(GUIDES.map(({ path }) => path).filter((path) => !linked.includes(path)), []);
});

Deno.test("the README fits into 250 lines", () => {
  assert.ok(README.text.trimEnd().split("\n").length <= 250);
});
