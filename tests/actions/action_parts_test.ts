import assert from "node:assert/strict";
import { join } from "node:path";
import { markerOf, writeComment } from "../../.github/actions/model-sync/comment.ts";
import { outputsOf, parseFailure, parsePrinted, problemOf } from "../../.github/actions/model-sync/result.ts";
import { denoArguments } from "../../.github/actions/model-sync/run_command.ts";
import { renderSummary, SUMMARY_CHARS_MAX } from "../../.github/actions/model-sync/summary.ts";
import { splitWords } from "../../.github/actions/model-sync/words.ts";
import {
  commandLine,
  outputLines,
  secretValues,
} from "../../.github/actions/model-sync/workflow_commands.ts";
import { GitHubPullsServer, lostAnswer } from "../../fakes/github_pulls_server.ts";
import { TOKEN } from "../../fakes/github_server.ts";
import { Secret } from "../../lib/core/secret.ts";
import { GitHubClient } from "../../lib/github/github_client.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("the input args has the words of a shell, and nothing in it is expanded or run", () => {
  const words = {
    "--dry-run": ["--dry-run"],
    "  --a \n\t--b  ": ["--a", "--b"],
    "'one word' two": ["one word", "two"],
    '--message="a \\"b\\" c"': ['--message=a "b" c'],
    "''": [""],
    "a\\ b": ["a b"],
    '"C:\\models"': ["C:\\models"],
    "$(id) `id` $HOME *.ts ;rm&|<>": ["$(id)", "`id`", "$HOME", "*.ts", ";rm&|<>"],
    "é'ü'\"ß\"": ["éüß"],
    "": [],
  };
  for (const [text, wanted] of Object.entries(words)) assert.deepEqual(splitWords(text), wanted, text);
  for (const text of ["'open", 'a "open', "end\\"]) {
    assert.throws(() => splitWords(text), { code: "WORDS_INVALID" }, text);
  }
});

Deno.test("each command runs with the options of its task, under its own permission set", () => {
  const root = (path: string) => join(PROJECT, path);
  assert.deepEqual(denoArguments("hf-upload", ["--json"]), [
    "run",
    "--config",
    root("deno.json"),
    "-q",
    "--no-prompt",
    "--v8-flags=--optimize-for-size,--min-semi-space-size=2,--max-semi-space-size=2",
    "-P=hf-upload",
    root("cli/hf_upload.ts"),
    "--json",
  ]);
  for (const name of ["publish", "pull", "references-sync", "train", "redeploy", "doctor"]) {
    assert.ok(denoArguments(name, []).includes(`-P=${name}`));
  }
  // Tasks that are no commands, and names that an object has without a task.
  for (const name of ["test", "check", "model-sync", "", "constructor", "publish --help", "publish; id"]) {
    assert.throws(() => denoArguments(name, []), { code: "COMMAND_UNKNOWN" }, name);
  }
  assert.throws(() => denoArguments("publihs", []), /did you mean "publish"\?/);
});

Deno.test("messages and outputs for the runner hold no command and no output of their own", () => {
  assert.equal(
    commandLine("error", "50% of\n::warning::x", "a:b,c"),
    "::error title=a%3Ab%2Cc::50%25 of%0A::warning::x",
  );
  assert.equal(outputLines("release", "a\nsequence=7", "end-1"), "release<<end-1\na\nsequence=7\nend-1\n");
});

Deno.test("values of variables for secrets are masked, names of variables are not", () => {
  const variables = {
    HF_TOKEN: "hf_12345678",
    RENDER_DEPLOY_HOOK: "https://deploy.example/s3cret",
    SMTP_PASSWORD: "correct horse",
    GITHUB_APP_PRIVATE_KEY: "-----BEGIN-----\nabcdef\n",
    MODEL_SYNC_TOKEN_ENV: "MODELS_TOKEN",
    GITHUB_APP_PRIVATE_KEY_PATH: "/run/secrets/key.pem",
    SHORT_TOKEN: "a",
    PATH: "/usr/bin:/usr/local/bin",
  };
  const { HF_TOKEN, RENDER_DEPLOY_HOOK, SMTP_PASSWORD, GITHUB_APP_PRIVATE_KEY } = variables;
  assert.deepEqual(secretValues(variables), [
    HF_TOKEN,
    RENDER_DEPLOY_HOOK,
    SMTP_PASSWORD,
    GITHUB_APP_PRIVATE_KEY,
  ]);
});

Deno.test("a summary shows facts, changes and warnings, and keeps hostile text inside its blocks", () => {
  const printed = JSON.stringify({
    dryRun: true,
    carrier: "git",
    bytes: 2048,
    release: "a|b`c",
    changes: { added: ["new.onnx", "```\n# <b>heading</b>"], modified: ["rf.bin"], removed: ["@team/old"] },
    warnings: ["one ```` two"],
  });
  const summary = renderSummary("publish", { exitCode: 0, ...parsePrinted(printed), failure: undefined });
  assert.deepEqual(summary.split("\n"), [
    "### ✓ model-sync publish (dry run)",
    "",
    "| | |",
    "| --- | --- |",
    "| carrier | `git` |",
    "| bytes | 2.0 KiB |",
    "| release | `a¦b'c` |",
    "",
    "````diff",
    "+ new.onnx",
    "+ ``` # <b>heading</b>",
    "! rf.bin",
    "- @team/old",
    "````",
    "",
    "Warnings:",
    "",
    "`````text",
    "one ```` two",
    "`````",
    "",
  ]);
});

Deno.test("the summary of a failure names the error and the next step; one without JSON shows its text", () => {
  const line =
    '{"code":"SHRINK","message":"Cannot publish: half is gone","hint":"use --allow-shrink","exitCode":5}';
  const failure = parseFailure(line);
  assert.equal(
    renderSummary("publish", { exitCode: 5, ...parsePrinted(""), failure }),
    "### ✗ model-sync publish failed: SHRINK (exit code 5)\n\n```text\nCannot publish: half is gone\n```\n\n" +
      "Next:\n\n```text\nuse --allow-shrink\n```\n",
  );
  assert.deepEqual(
    JSON.parse(outputsOf({ exitCode: 5, ...parsePrinted(""), failure })["json"] ?? ""),
    JSON.parse(line),
  );
  for (const other of ["2026-11-30T00:00:00Z info  x", '{"code":1}', '{"code":"x"', ""]) {
    assert.equal(parseFailure(other), undefined, other);
  }
  const partly = parsePrinted(
    '{"categories":[{"category":"c","status":"failed","error":{"message":"no answer","hint":"wait"}}]}',
  );
  assert.deepEqual(problemOf({ exitCode: 1, ...partly, failure: undefined }), {
    message: "no answer",
    hint: "wait",
  });
  const lists = renderSummary("releases", {
    exitCode: 0,
    ...parsePrinted(JSON.stringify({
      current: { digest: "sha256:ab" },
      releases: [{ digest: "sha256:ab", sequence: 2, state: "ac|tive", quarantine: null, at: null }, {
        digest: "sha256:cd",
        sequence: null,
        state: "previous",
        at: "2026-11-30",
      }],
      unknown: [{ a: 1 }],
    })),
    failure: undefined,
  });
  assert.match(
    lists,
    /\| current \| `sha256:ab` \|\n\nreleases:\n\n\| digest \| sequence \| state \| at \|\n(\| --- ){4}\|\n\| `sha256:ab` \| 2 \| `ac¦tive` \| {2}\|\n/,
  );
  assert.doesNotMatch(lists, /unknown/);
  const help = renderSummary("pull", { exitCode: 0, ...parsePrinted("usage: pull"), failure: undefined });
  assert.match(help, /```text\nusage: pull\n```/);
  const killed = renderSummary("pull", { exitCode: 137, ...parsePrinted(""), failure: undefined });
  assert.match(killed, /failed \(exit code 137\)\n\nThe log of this step says why/);
});

Deno.test("a summary of many long changes stays below GitHub's limit for a comment, and counts the rest", () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => ({
    kind: "modified",
    text: `~ model ${index} ${"x".repeat(900)}`,
  }));
  const warnings = Array.from({ length: 90 }, () => "w".repeat(3_900));
  const fields = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`f${index}`, "v".repeat(900)]));
  const ending = (object: object) => ({
    exitCode: 0,
    ...parsePrinted(JSON.stringify(object)),
    failure: undefined,
  });
  const long = renderSummary(
    "x",
    ending({ ...fields, categories: [{ category: "c", status: "compared", lines }] }),
  );
  assert.ok(long.length <= SUMMARY_CHARS_MAX, String(long.length));
  assert.match(long, /\d{5} more lines: see "Result" in the log of this step\./);
  const whole = renderSummary("x", ending({ ...fields, warnings, categories: [] }));
  assert.match(whole, /^### ✓ model-sync x\n\nThe result is too long for a summary/);
});

Deno.test("the comments of two jobs have two markers, which no name can break out of", () => {
  const marker = markerOf("check --> x", "job", "references-sync");
  assert.match(marker, /^<!-- model-sync [0-9a-f]{16} -->$/);
  assert.notEqual(marker, markerOf("check --> x", "other", "references-sync"));
});

Deno.test("a comment is written once, updated when its text changes, and found again after an answer was lost", async () => {
  const clock = new QuickClock("2026-11-30T00:00:00Z");
  await using github = new GitHubPullsServer(clock, () => undefined);
  const { comments, number } = github.addRepository("you/bot").add({ head: "change" });
  const context = testContext({ clock });
  const client = await GitHubClient.open(context, {
    apiUrl: github.apiUrl,
    serverUrl: "https://github.com",
    token: new Secret(TOKEN),
    // Longer than the pauses that the clock skips.
    timeoutMs: 24 * 3_600_000,
  });
  const marker = markerOf("check", "job", "references-sync");
  const write = (text: string) =>
    writeComment(context, client, { owner: "you", repo: "bot", number, marker, text });
  for (let index = 0; index < 120; index++) {
    comments.push({ id: index + 1_000, author: "reviewer", body: "a comment" });
  }
  github.faults.push(undefined, undefined, lostAnswer);
  assert.equal(await write("one"), "written");
  assert.equal(await write("one\n"), "unchanged");
  assert.equal(await write("two"), "updated");
  assert.equal(await write("x".repeat(70_000)), "updated");
  const own = comments.filter(({ author }) => author !== "reviewer");
  assert.equal(own.length, 1);
  assert.ok((own[0]?.body.length ?? 0) < 65_536);
});
