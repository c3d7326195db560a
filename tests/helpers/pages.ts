import { join } from "node:path";
import { PROJECT } from "./run_cli.ts";

/** A fenced block of a page. */
export interface Block {
  /** What follows the opening fence: `sh trainer`. */
  readonly kind: string;
  /** Without the indentation of the fence. */
  readonly text: string;
}

/** A page of the documentation. */
export class Page {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];

  constructor(path: string) {
    this.path = path;
    this.text = Deno.readTextFileSync(join(PROJECT, path));
    this.blocks = Array.from(
      this.text.matchAll(/^( *)```(\S.*)\n([^]*?)^ *```$/gm),
      ([, indent = "", kind = "", text = ""]) => ({
        kind,
        text: text.replaceAll(`\n${indent}`, "\n").slice(indent.length),
      }),
    );
  }

  /** Returns the text of the first block of a kind. */
  block(kind: string): string {
    const found = this.blocks.find((block) => block.kind === kind);
    if (found === undefined) throw new Error(`${this.path} has no block of the kind ${kind}`);
    return found.text;
  }

  /** Returns the rows of the first table below a heading, as cells. */
  tableBelow(heading: string): string[][] {
    const section = this.text.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
    const [table = ""] = /^\|.*\n(?:\|.*\n)+/m.exec(section) ?? [];
    return table.trimEnd().split("\n").slice(2).map((row) =>
      row.split("|").slice(1, -1).map((cell) => cell.trim())
    );
  }

  /** Returns the anchors of the headings by GitHub's rules. */
  anchors(): string[] {
    const prose = this.text.replaceAll(/^ *```[^]*?^ *```$/gm, "");
    return Array.from(
      prose.matchAll(/^#+ (.*)$/gm),
      ([, heading = ""]) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-"),
    );
  }
}

export const README = new Page("README.md");

const GUIDES_FOLDER = ".github/guides";

export const GUIDES: readonly Page[] = Array.from(
  Deno.readDirSync(join(PROJECT, GUIDES_FOLDER)),
  ({ name }) => name,
).sort().map((name) => new Page(`${GUIDES_FOLDER}/${name}`));

/** Returns a guide by its file name. */
export function guide(name: string): Page {
  const found = GUIDES.find(({ path }) => path === `${GUIDES_FOLDER}/${name}`);
  if (found === undefined) throw new Error(`there is no guide ${name}`);
  return found;
}

/** README, guides and the pages for contributors. */
export const PAGES: readonly Page[] = [
  README,
  ...GUIDES,
  new Page(".github/ARCHITECTURE.md"),
  new Page(".github/CONTRIBUTING.md"),
  new Page(".github/SECURITY.md"),
];
