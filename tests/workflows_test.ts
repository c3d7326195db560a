import assert from "node:assert/strict";
import { join } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";
import { PROJECT } from "./helpers/run_cli.ts";

const FOLDER = join(PROJECT, ".github/workflows");

const Workflow = z.object({
  permissions: z.record(z.string(), z.string()),
  jobs: z.record(
    z.string(),
    z.object({
      "timeout-minutes": z.number(),
      steps: z.array(z.object({ uses: z.string().optional(), run: z.string().optional() })),
    }),
  ),
});

const WORKFLOWS = Array.from(Deno.readDirSync(FOLDER), ({ name }) => ({
  name,
  text: Deno.readTextFileSync(join(FOLDER, name)),
}));

Deno.test("every workflow may read and no more, ends some time, and pins what it uses by commit", () => {
  assert.ok(WORKFLOWS.length >= 2);
  for (const { name, text } of WORKFLOWS) {
    const { permissions, jobs } = Workflow.parse(load(text));
    assert.deepEqual(permissions, { contents: "read" }, name);
    for (const { steps } of Object.values(jobs)) {
      for (const { uses } of steps) {
        if (uses !== undefined) assert.match(uses, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/, `${name}: ${uses}`);
      }
    }
  }
});

Deno.test("the examples run commands that there are, each under its own permission set", () => {
  const examples = {
    "model_pipeline.yml": ["train", "hf-upload", "redeploy"],
    "references_sync.yml": ["references-sync"],
  };
  for (const [example, wanted] of Object.entries(examples)) {
    const text = WORKFLOWS.find(({ name }) => name === example)?.text ?? "";
    const commands = Array.from(text.matchAll(/-P=([\w-]+) model-sync-program\/cli\/(\w+)\.ts/g));
    assert.deepEqual(commands.map(([, set]) => set), wanted);
    for (const [, set, script] of commands) {
      assert.equal(script, set?.replaceAll("-", "_"));
      assert.ok(Deno.statSync(join(PROJECT, `cli/${script}.ts`)).isFile);
    }
  }
});
