import assert from "node:assert/strict";
import { join } from "node:path";
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";
import { load } from "js-yaml";
import * as z from "zod";
import { findEntry } from "../../lib/core/files.ts";
import { PROJECT } from "./run_cli.ts";

/** The action as the examples name it. Its readers replace OWNER and COMMIT. */
export const ACTION = "OWNER/model-sync/.github/actions/model-sync@COMMIT";

const ACTION_PATH = join(PROJECT, ".github/actions/model-sync");

/** Whether this machine has the programs of GitHub's runner that the examples use. */
export const HAS_RUNNER_PROGRAMS = Deno.build.os !== "windows" &&
  ["bash", "python3"].every((program) =>
    new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync().success
  );
/** For the name of a test. */
export const WITHOUT_PROGRAMS = HAS_RUNNER_PROGRAMS ? "" : " (no bash or python3 here)";

/** Returns the text of an example workflow. */
export function readExample(name: string): string {
  return Deno.readTextFileSync(join(PROJECT, ".github/workflows/examples", name));
}

const Text = z.union([z.string(), z.boolean(), z.number()]).transform(String);
const Variables = z.record(z.string(), Text);

const Step = z.object({
  id: z.string().optional(),
  name: z.string().optional(),
  if: Text.optional(),
  uses: z.string().optional(),
  run: z.string().optional(),
  shell: z.string().optional(),
  env: Variables.default({}),
  with: Variables.default({}),
  "working-directory": z.string().optional(),
});

type Step = z.infer<typeof Step>;

const Job = z.object({ env: Variables.default({}), steps: z.array(Step).default([]) });
const Workflow = z.object({ env: Variables.default({}), jobs: z.record(z.string(), Job) });

const Action = z.object({
  inputs: z.record(z.string(), z.object({ default: z.string().optional() })),
  outputs: z.record(z.string(), z.object({ value: z.string() })),
  runs: z.object({ steps: z.array(Step) }),
});

/** The values of expressions by context: `{ vars: { HF_REPO_ID: "you/models" } }`. */
export type Contexts = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface RunnerOptions {
  /** The folder of the repository that has the workflow. */
  readonly workspace: string;
  /** A folder for the runner's own files. */
  readonly temp: string;
  readonly contexts: Contexts;
  /** Variables of the machine. */
  readonly env: Readonly<Record<string, string>>;
}

/** An action of another author that a job used, with its inputs. */
export interface UsedAction {
  readonly uses: string;
  readonly with: Readonly<Record<string, string>>;
}

/** The result of a job. */
export interface JobResult {
  readonly outcome: "success" | "failure";
  /** What the steps printed, in order. */
  readonly log: string;
  /** The job summary. */
  readonly summary: string;
  readonly used: readonly UsedAction[];
  /** The outputs of the job's steps by their ids or names. */
  readonly outputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The exit codes of the steps with a script, in order. */
  readonly codes: readonly number[];
}

/**
 * Runs the steps of a job as GitHub's runner does: their scripts as written, in its shells, with its files and variables.
 * Expressions are evaluated by GitHub's own library. The action of this repository runs step by step; the actions of other
 * authors are only noted.
 */
export async function runJob(workflow: string, name: string, options: RunnerOptions): Promise<JobResult> {
  const { env, jobs } = Workflow.parse(load(workflow));
  const job = jobs[name];
  assert.ok(job !== undefined, name);
  const runner = new Runner(options);
  const workflowEnv = runner.expandAll(env, {});
  const jobEnv = { ...workflowEnv, ...runner.expandAll(job.env, { env: workflowEnv }) };
  await runner.runSteps(job.steps, jobEnv, {});
  return runner.result();
}

class Runner {
  readonly #options: RunnerOptions;
  readonly #used: UsedAction[] = [];
  readonly #codes: number[] = [];
  readonly #outputs: Record<string, Record<string, string>> = {};
  #log = "";
  #summary = "";
  #failed = false;
  #count = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    // What denoland/setup-deno leaves.
    const bin = join(options.temp, "bin");
    Deno.mkdirSync(bin, { recursive: true });
    if (findEntry(Deno, join(bin, "deno")) === undefined) {
      Deno.symlinkSync(Deno.execPath(), join(bin, "deno"));
    }
  }

  result(): JobResult {
    return {
      outcome: this.#failed ? "failure" : "success",
      log: this.#log,
      summary: this.#summary,
      used: this.#used,
      outputs: this.#outputs,
      codes: this.#codes,
    };
  }

  /**
   * Runs steps until one fails, and then those that still are due.
   *
   * @param more further contexts: the inputs of an action
   * @param outputs gets the outputs of each step by its id or name
   */
  async runSteps(
    steps: readonly Step[],
    outer: Readonly<Record<string, string>>,
    more: Contexts,
    outputs: Record<string, Record<string, string>> = this.#outputs,
  ): Promise<void> {
    for (const step of steps) {
      const known = Object.entries(outputs).map(([id, values]) => [id, { outputs: values }]);
      const contexts = { env: outer, ...more, steps: Object.fromEntries(known) };
      if (!this.#isDue(step.if ?? "success()", contexts)) continue;
      const env = { ...outer, ...this.expandAll(step.env, contexts) };
      const key = step.id ?? step.name ?? `step ${++this.#count}`;
      if (step.run !== undefined) outputs[key] = await this.#runScript(step, env, { ...contexts, env });
      else if (step.uses === ACTION) {
        outputs[key] = await this.#runAction(this.expandAll(step.with, contexts), env);
      } else {
        this.#used.push({ uses: step.uses ?? "", with: this.expandAll(step.with, { ...contexts, env }) });
      }
    }
  }

  async #runAction(
    given: Readonly<Record<string, string>>,
    env: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> {
    const action = Action.parse(load(Deno.readTextFileSync(join(ACTION_PATH, "action.yml"))));
    for (const name of Object.keys(given)) assert.ok(Object.hasOwn(action.inputs, name), name);
    const defaults = Object.entries(action.inputs).map(([name, { default: text = "" }]) =>
      [name, this.expand(text, {})] as const
    );
    const inputs = { ...Object.fromEntries(defaults), ...given };
    const outputs: Record<string, Record<string, string>> = {};
    await this.runSteps(
      action.runs.steps,
      { ...env, GITHUB_ACTION_PATH: ACTION_PATH },
      { inputs },
      outputs,
    );
    const steps = Object.fromEntries(
      Object.entries(outputs).map(([id, values]) => [id, { outputs: values }]),
    );
    return this.expandAll(
      Object.fromEntries(Object.entries(action.outputs).map(([name, { value }]) => [name, value])),
      { steps },
    );
  }

  async #runScript(
    step: Step,
    env: Readonly<Record<string, string>>,
    contexts: Contexts,
  ): Promise<Record<string, string>> {
    const { workspace, temp } = this.#options;
    const folder = join(temp, `step-${++this.#count}`);
    Deno.mkdirSync(folder, { recursive: true });
    const file = (name: string, text = "") => {
      Deno.writeTextFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const files = { GITHUB_OUTPUT: file("output"), GITHUB_STEP_SUMMARY: file("summary") };
    const script = file("script.sh", this.expand(step.run ?? "", contexts));
    // https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
    const flags = step.shell === "bash" ? ["--noprofile", "--norc", "-eo", "pipefail"] : ["-e"];
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: [...flags, script],
      cwd: join(workspace, this.expand(step["working-directory"] ?? ".", contexts)),
      clearEnv: true,
      env: {
        ...this.#options.env,
        PATH: `${join(temp, "bin")}:${Deno.env.get("PATH") ?? ""}`,
        HOME: temp,
        DENO_DIR: Deno.env.get("DENO_DIR") ?? join(Deno.env.get("HOME") ?? "", ".cache/deno"),
        GITHUB_ACTIONS: "true",
        CI: "true",
        GITHUB_WORKSPACE: workspace,
        RUNNER_TEMP: temp,
        ...files,
        ...env,
      },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    this.#log += decoder.decode(stdout) + decoder.decode(stderr);
    this.#summary += Deno.readTextFileSync(files.GITHUB_STEP_SUMMARY);
    this.#codes.push(code);
    this.#failed ||= code !== 0;
    return parseOutputs(Deno.readTextFileSync(files.GITHUB_OUTPUT));
  }

  #isDue(condition: string, contexts: Contexts): boolean {
    const expression = condition.replace(/^\$\{\{(.*)\}\}$/s, "$1");
    const isOk = !this.#failed;
    const usesStatus = /\b(?:success|failure|cancelled|always)\(\)/.test(expression);
    return (usesStatus || isOk) && this.#evaluate(expression, contexts) === "true";
  }

  /** Replaces the expressions in a text. */
  expand(text: string, contexts: Contexts): string {
    return text.replace(/\$\{\{(.*?)\}\}/gs, (_, expression: string) => this.#evaluate(expression, contexts));
  }

  expandAll(variables: Readonly<Record<string, string>>, contexts: Contexts): Record<string, string> {
    return Object.fromEntries(
      Object.entries(variables).map(([name, text]) => [name, this.expand(text, contexts)]),
    );
  }

  #evaluate(expression: string, contexts: Contexts): string {
    const all = { github: {}, vars: {}, secrets: {}, env: {}, ...this.#options.contexts, ...contexts };
    const failed = this.#failed;
    const status = Object.entries({ success: !failed, failure: failed, cancelled: false, always: true })
      .map(([name, value]) => ({ name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(value) }));
    const { tokens } = new Lexer(expression.trim()).lex();
    const tree = new Parser(tokens, Object.keys(all), status).parse();
    const values: unknown = JSON.parse(JSON.stringify(all), data.reviver);
    assert.ok(values instanceof data.Dictionary);
    return new Evaluator(tree, values, new Map(status.map((call) => [call.name, call]))).evaluate()
      .coerceString();
  }
}

/** Reads a file of GITHUB_OUTPUT: `name=value`, or `name<<DELIMITER`, lines and the delimiter. */
function parseOutputs(text: string): Record<string, string> {
  const outputs: Record<string, string> = {};
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const [line = ""] = lines.slice(at, at + 1);
    const [, name, delimiter] = /^([\w-]+)<<(.+)$/.exec(line) ?? [];
    if (name !== undefined && delimiter !== undefined) {
      const end = lines.indexOf(delimiter, at + 1);
      assert.ok(end > at, `output ${name} has no end`);
      outputs[name] = lines.slice(at + 1, end).join("\n");
      at = end;
    } else if (line !== "") {
      const [, plain = "", value = ""] = /^([\w-]+)=(.*)$/.exec(line) ?? [];
      assert.notEqual(plain, "", `GitHub refuses this line of outputs: ${line}`);
      outputs[plain] = value;
    }
  }
  return outputs;
}
