import assert from "node:assert/strict";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const PARTS = ["Zq7FirstHalf", "Zq8OtherHalf"] as const;

/** What copying from a web page, a file with two lines and a shell without quotes make of a token. */
const MALFORMED = ["\n", "\r\n", " ", "\t", "ü", "\u200b"].map((between) => PARTS.join(between));

/** Who uses the variable: a section of the configuration, and the commands that sign in with it. */
interface Use {
  readonly variable: string;
  readonly settings: (origin: string) => string;
  readonly commands: readonly (readonly string[])[];
  /** A password may hold spaces and letters of every alphabet. */
  readonly isPassword?: boolean;
}

const metric = (origin: string) =>
  `{name: sharpe, type: http, url: "${origin}/m", path: value, direction: higher, token_env: T}`;

const USES: readonly Use[] = [
  {
    variable: "GITHUB_TOKEN",
    settings: () => "artifacts: {repository: a/b}",
    commands: [["doctor"], ["artifact-pull"]],
  },
  {
    variable: "HF_TOKEN",
    settings: () => "huggingface: {repo_id: a/b}",
    commands: [["doctor"], ["hf-pull"], ["hf-upload"]],
  },
  {
    variable: "RUNPOD_API_KEY",
    settings: (origin) =>
      `runpod: {trigger_url: "${origin}/v2/e/run", status_url_template: "${origin}/v2/e/status/{id}"}`,
    commands: [["doctor"], ["runpod-pull"]],
  },
  {
    variable: "HORDE_GITHUB_SYNC_GITHUB_TOKEN",
    settings: (origin) => `references: {primary_url: "${origin}"}`,
    commands: [["references-sync"]],
  },
  {
    variable: "T",
    settings: (origin) => `activation: {canary: {metrics: [${metric(origin)}]}}`,
    commands: [["doctor"]],
  },
  {
    variable: "T",
    settings: (origin) => `token_env: T\n  repo_url: "${origin}/a/b.git"`,
    commands: [["doctor"], ["pull"], ["publish", "--skip-training"]],
    isPassword: true,
  },
  {
    variable: "T",
    settings: (origin) => `activation: {reload: [{type: http, url: "${origin}/r", secret_env: T}]}`,
    commands: [["doctor"]],
    isPassword: true,
  },
  {
    variable: "T",
    settings: (origin) => `alerts: {webhook: {url: "${origin}/w", secret_env: T}}`,
    commands: [["doctor"]],
    isPassword: true,
  },
];

for (const { variable, settings, commands, isPassword = false } of USES) {
  for (const [command = "", ...args] of commands) {
    const section = /^\w+/.exec(settings(""))?.[0];
    Deno.test(`${command} refuses a malformed ${variable} of ${section} in one line that does not hold it`, async () => {
      await using server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () => new Response("{}", { status: 401 }),
      );
      const origin = `http://127.0.0.1:${server.addr.port}`;
      using dir = tempDir();
      writeFiles(dir.path, {
        "configs/bot.yaml": `model_sync:\n  ${settings(origin)}\n`,
        "models/rf.bin": "one",
      });
      for (const value of MALFORMED) {
        const { code, stdout, stderr } = await runCli(command, args, {
          cwd: dir.path,
          env: {
            GITHUB_API_URL: origin,
            GITHUB_SERVER_URL: origin,
            HF_ENDPOINT: origin,
            GITHUB_TOKEN: "",
            [variable]: value,
          },
        });
        const said = stdout + stderr;
        for (const part of PARTS) assert.ok(!said.includes(part), said);
        if (isPassword && !/[\r\n\t]/.test(value)) continue;
        // A metric without a value is a warning of doctor's.
        if (command === "doctor") assert.ok(code <= 1, said);
        else assert.equal(code, 3, said);
        const lines = said.split("\n").filter((line) => line.includes(`Cannot use ${variable}: `));
        assert.equal(lines.length, 1, said);
      }
    });
  }
}
