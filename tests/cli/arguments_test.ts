import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { parseArguments } from "../../cli/_arguments.ts";
import { type Options, repeatableOption, switchOption } from "../../cli/_declaration.ts";
import { UsageError } from "../../lib/core/errors.ts";

const FACTS = { group: "Options", brief: "" } as const;
const OPTIONS = {
  dryRun: repeated("n"),
  quiet: repeated("q"),
  modelsDir: { ...repeatableOption({ ...FACTS, placeholder: "DIR" }), short: "m" },
  json: repeated(),
} satisfies Options;

/** A switch, of which only the first use is read. */
function repeated(short?: string) {
  return switchOption({ ...FACTS, ...(short === undefined ? {} : { short }) });
}

/** What the parser of Node says, in the form of ours; `undefined` where ours refuses the command line. */
function asNode(args: string[]): { readonly dirs: readonly string[]; readonly words: readonly string[] } {
  const { tokens } = parseArgs({
    args,
    options: {
      dryRun: { type: "boolean", short: "n" },
      "dry-run": { type: "boolean" },
      quiet: { type: "boolean", short: "q" },
      modelsDir: { type: "string", short: "m" },
      "models-dir": { type: "string" },
      json: { type: "boolean" },
    },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const dirs = tokens.flatMap((token) =>
    token.kind === "option" && /^models-?dir$/i.test(token.name) ? token.value ?? [] : []
  );
  return { dirs, words: tokens.flatMap((token) => token.kind === "positional" ? token.value : []) };
}

Deno.test("a command line is split as Node's parser splits it", () => {
  const word = fc.oneof(
    fc.constantFrom("-n", "-q", "-nq", "-m", "-mx", "-qmx", "--models-dir", "--modelsDir", "--models-dir="),
    fc.constantFrom("--modelsDir=a=b", "--dry-run", "--json", "--json=true", "--", "-", "", "a", "ä b"),
  );
  let compared = 0;
  fc.assert(fc.property(fc.array(word, { maxLength: 6 }), (args) => {
    let words: readonly string[] = [];
    const operands = { usage: "", brief: "", parse: (all: readonly string[]) => void (words = all) };
    try {
      const { flags } = parseArguments({ options: OPTIONS, operands }, args);
      assert.deepEqual({ dirs: flags.modelsDir ?? [], words }, asNode(args));
      compared++;
    } catch (error) {
      // A switch that is given twice, or an option in the place of a value.
      assert.ok(error instanceof UsageError, String(error));
    }
  }));
  assert.ok(compared > 20, "most command lines are accepted");
});
