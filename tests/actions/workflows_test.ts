import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { load } from "js-yaml";
import * as z from "zod";
import { ACTION } from "../helpers/actions_runner.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { HAS_WORKFLOW_SCHEMA, schemaProblems } from "../helpers/workflow_schema.ts";

const Permissions = z.record(z.string(), z.string());

const Step = z.object({
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).default({}),
});

const Job = z.object({
  uses: z.string().optional(),
  "timeout-minutes": z.number().optional(),
  permissions: Permissions.optional(),
  steps: z.array(Step).default([]),
});

const Workflow = z.object({ permissions: Permissions, jobs: z.record(z.string(), Job) });
const Action = z.object({ runs: z.object({ steps: z.array(Step) }) });

interface File {
  readonly path: string;
  readonly text: string;
}

function filesIn(folder: string): File[] {
  return Array.from(Deno.readDirSync(join(PROJECT, folder))).filter(({ isFile }) => isFile).map((
    { name },
  ) => ({
    path: `${folder}/${name}`,
    text: Deno.readTextFileSync(join(PROJECT, folder, name)),
  }));
}

const OWN = filesIn(".github/workflows");
const EXAMPLES = filesIn(".github/workflows/examples");
const ACTION_FILE = ".github/actions/model-sync/action.yml";
const ACTION_TEXT = Deno.readTextFileSync(join(PROJECT, ACTION_FILE));

const GUIDE = Deno.readTextFileSync(join(PROJECT, ".github/guides/github-actions.md"));

/** The steps of every job and of the action. */
const STEPS = [...OWN, ...EXAMPLES].flatMap(({ path, text }) =>
  Object.values(Workflow.parse(load(text)).jobs).flatMap(({ steps }) => steps.map((step) => ({ path, step })))
).concat(Action.parse(load(ACTION_TEXT)).runs.steps.map((step) => ({ path: ACTION_FILE, step })));

Deno.test({
  name: `GitHub's schemas accept every workflow and the action${
    HAS_WORKFLOW_SCHEMA ? "" : " (this Deno does not say where its packages are)"
  }`,
  ignore: !HAS_WORKFLOW_SCHEMA,
  fn() {
    for (const { path, text } of [...OWN, ...EXAMPLES]) {
      assert.deepEqual(schemaProblems("workflow", basename(path), text), [], path);
    }
    assert.deepEqual(schemaProblems("action", "action.yml", ACTION_TEXT), []);
    const [, steps = ""] = /^```yaml workflow\n(.*?)^```$/ms.exec(GUIDE) ?? [];
    const shown = `on: push\njobs:\n  guide:\n    runs-on: ubuntu-24.04\n    steps:\n${
      steps.replace(/^/gm, "      ")
    }`;
    assert.deepEqual(schemaProblems("workflow", "guide.yml", shown), []);
    // The schemas refuse what they should.
    const wrong =
      "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: echo ${{ nothing.there }}\n        uze: 1\n";
    assert.equal(schemaProblems("workflow", "x", wrong).length, 2);
    assert.notEqual(
      schemaProblems("action", "x", "name: x\nruns: { using: composite, steps: [{ run: x }] }\n").length,
      0,
    );
  },
});

/** The jobs that may write, and what. Every other job may only read. */
const WRITES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "references_check.yml": { "pull-requests": "write" },
  "release.yml image": { "packages": "write" },
  "release.yml images": { "attestations": "write", "id-token": "write", "packages": "write" },
  "release.yml release": { "attestations": "write", "contents": "write", "id-token": "write" },
  "release.yml jsr": { "id-token": "write" },
};

Deno.test("workflows may read and no more, but for the jobs in this list, and every job has a time limit", () => {
  for (const { path, text } of [...OWN, ...EXAMPLES]) {
    const { permissions, jobs } = Workflow.parse(load(text));
    const name = basename(path);
    const { contents, ...writes } = permissions;
    assert.deepEqual([contents, writes], ["read", WRITES[name] ?? {}], name);
    for (const [id, job] of Object.entries(jobs)) {
      assert.ok(job.uses !== undefined || job["timeout-minutes"] !== undefined, `${name} ${id}`);
      if (job.permissions === undefined) continue;
      const wanted = WRITES[`${name} ${id}`] ?? {};
      const reads = wanted["contents"] === undefined ? { contents: "read" } : {};
      assert.deepEqual(job.permissions, { ...wanted, ...reads }, `${name} ${id}`);
    }
  }
});

Deno.test("every action of another repository is pinned by its commit, with the version beside it", () => {
  const uses = STEPS.flatMap(({ step }) => step.uses ?? []);
  const text = [...OWN, ...EXAMPLES].map((file) => file.text).join("\n") + ACTION_TEXT;
  const versions = new Map<string, string>();
  for (const name of uses) {
    if (name === ACTION || name.startsWith("./")) continue;
    assert.match(name, /^[\w-]+\/[\w/-]+@[0-9a-f]{40}$/);
    const [, version = ""] = new RegExp(`uses: ${name} # (v\\d+\\.\\d+\\.\\d+)$`, "m").exec(text) ?? [];
    assert.notEqual(version, "", `${name} has no version beside it`);
    const [repository = ""] = name.split("@");
    assert.equal(versions.get(repository) ?? name, name, `${repository} is pinned at two commits`);
    versions.set(repository, name);
  }
  assert.ok(versions.size >= 4);
});

Deno.test("no script contains an expression: values reach scripts as variables, where they cannot become commands", () => {
  for (const { path, step } of STEPS) {
    assert.doesNotMatch(step.run ?? "", /\$\{\{/, path);
    if (step.uses?.startsWith("actions/checkout@")) {
      assert.equal(step.with["persist-credentials"], false, `${path} leaves a token on the disk`);
    }
  }
  for (const { path, text } of [...OWN, ...EXAMPLES]) {
    assert.doesNotMatch(text, /pull_request_target:|workflow_run:/, path);
  }
});

Deno.test("the guide lists every input and output of the action, and every example", () => {
  const { inputs, outputs } = z.object({
    inputs: z.record(z.string(), z.unknown()),
    outputs: z.record(z.string(), z.unknown()),
  }).parse(load(ACTION_TEXT));
  const rows = Array.from(GUIDE.matchAll(/^\| `([\w-]+)` /gm), ([, name]) => name);
  assert.deepEqual(rows, [...Object.keys(inputs), ...Object.keys(outputs)]);
  for (const { path } of EXAMPLES) assert.ok(GUIDE.includes(`../workflows/examples/${basename(path)}`), path);
});

Deno.test("every job that names a Deno uses the one of the README", () => {
  const [, wanted = ""] =
    /npx -y deno@(\d+\.\d+\.\d+)/.exec(Deno.readTextFileSync(join(PROJECT, "README.md"))) ?? [];
  for (const { path, step } of STEPS) {
    const version = step.with["deno-version"];
    if (version === undefined || version === "${{ matrix.deno }}") continue;
    assert.equal(version, wanted, path);
  }
});
