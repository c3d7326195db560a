import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import { BATCH_CONTENT_TYPE } from "../../lib/wire/event_names.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { activated } from "../helpers/web_events.ts";

/** The runtimes of platforms: this one, and an older one if npm provides it. */
const RUNTIMES: Readonly<Record<string, string | undefined>> = {
  "this Deno": Deno.execPath(),
  "Deno 2.6": olderDeno(),
};

/** The executable itself, because npx does not forward signals. */
function olderDeno(): string | undefined {
  try {
    const args = ["-y", "deno@2.6.8", "eval", "-p", "Deno.execPath()"];
    const { success, stdout } = new Deno.Command("npx", { args, stdin: "null", stderr: "null" }).outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    // No npm here.
    return undefined;
  }
}

const PASSWORD = "correct horse battery staple";

interface Started extends AsyncDisposable {
  readonly origin: string;
  /** Waits for a match in the log. Reject if the program ends before. @returns the match */
  readonly until: (pattern: RegExp) => Promise<string>;
}

/** Starts the entry point as Deno Deploy does: with all permissions, configured only by variables. */
async function start(
  runtime: string,
  dir: TempDir,
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const child = new Deno.Command(runtime, {
    args: [
      "run",
      "--allow-all",
      "--no-check",
      "--config",
      `${PROJECT}deno.json`,
      `${PROJECT}web/main.ts`,
    ],
    cwd: dir.path,
    env: { DENO_DEPLOY: "true", DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}`, NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let log = "";
  let news = Promise.withResolvers<void>();
  let isOver = false;
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      log += text;
      news.resolve();
      news = Promise.withResolvers();
    }
    isOver = true;
    news.resolve();
  })();
  const until = async (pattern: RegExp) => {
    for (;;) {
      const [found] = pattern.exec(log) ?? [];
      if (found !== undefined) return found;
      if (isOver) throw new Error(`it ended: ${log}`);
      await news.promise;
    }
  };
  await until(/Listening on/);
  return {
    origin: `http://127.0.0.1:${port}`,
    until,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await reading;
    },
  };
}

function createToken(runtime: string, file: string, node: string): string {
  const script = `${PROJECT}tests/web/create_token.ts`;
  const { success, stdout, stderr } = new Deno.Command(runtime, {
    args: ["run", "-q", "--allow-all", "--no-check", "--config", `${PROJECT}deno.json`, script, file, node],
    stdin: "null",
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

for (const [name, runtime = ""] of Object.entries(RUNTIMES)) {
  const isHere = runtime !== "";
  Deno.test({
    name: `the entry point of Deno Deploy serves pages and takes reports with ${name}${
      isHere ? "" : " (skipped: it is not here)"
    }`,
    ignore: !isHere || Deno.build.os === "windows",
    async fn() {
      using dir = tempDir();
      const file = join(dir.path, "kv.sqlite3");
      const env = { MODEL_SYNC_DASHBOARD_KV: file, MODEL_SYNC_DASHBOARD_PASSWORD: PASSWORD };
      const secret = createToken(runtime, file, "bot-1");
      await using dashboard = await start(runtime, dir, env);
      const { origin } = dashboard;
      const health = await fetch(`${origin}/healthz`);
      assert.equal(health.status, 200, await health.text());
      const page = await fetch(origin, { redirect: "manual" });
      assert.deepEqual([page.status, page.headers.get("location"), await page.text()], [303, "/sign-in", ""]);
      const posted = await fetch(`${origin}/api/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": BATCH_CONTENT_TYPE },
        body: JSON.stringify([activated("bot-1", 2)]),
      });
      assert.deepEqual([posted.status, await posted.json()], [200, {
        accepted: 1,
        unknownTypes: 0,
        invalid: 0,
      }]);
      const script = await fetch(`${origin}/static/islands.js`);
      assert.match(await script.text(), /EventSource/);
    },
  });
}

Deno.test({
  name:
    "on Deno Deploy without a password, the log and every page name the variable to set, and nothing else is shown",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    const env = { MODEL_SYNC_DASHBOARD_KV: ":memory:" };
    await using dashboard = await start(Deno.execPath(), dir, env);
    assert.match(
      await dashboard.until(/"level":"error".*/),
      /no password is set.*add the environment variable \w+_PASSWORD/,
    );
    const page = await fetch(dashboard.origin);
    assert.equal(page.status, 503);
    assert.match(await page.text(), /MODEL_SYNC_DASHBOARD_PASSWORD/);
  },
});

Deno.test({
  name: "a database that cannot be opened gives 503 with a hint, and the next request tries again",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    const env = { MODEL_SYNC_DASHBOARD_KV: dir.path };
    await using dashboard = await start(Deno.execPath(), dir, env);
    for (let round = 0; round < 2; round++) {
      const page = await fetch(dashboard.origin);
      assert.equal(page.status, 503);
      const lines = (await page.text()).split("\n");
      assert.match(lines[0] ?? "", /it is a folder; name a file in it/);
      assert.match(
        lines[1] ?? "",
        /no password is set.*MODEL_SYNC_DASHBOARD_PASSWORD/,
        "and what else is missing",
      );
    }
  },
});

/** The keys that Deno Deploy reads (documentation of 2026). An unknown key makes it ignore the whole section. */
const DeploySection = z.strictObject({
  install: z.string().optional(),
  build: z.string().optional(),
  predeploy: z.string().optional(),
  buildTimeout: z.string().regex(/^\d+m$/).optional(),
  framework: z.string().optional(),
  runtime: z.strictObject({
    type: z.enum(["dynamic", "static"]),
    entrypoint: z.string(),
    args: z.array(z.string()).optional(),
    cwd: z.string().optional(),
    memoryLimit: z.number().optional(),
  }),
});

Deno.test("the deploy section of deno.json has only known keys, and names existing files", () => {
  const Tasks = z.record(z.string(), z.union([z.string(), z.object({ command: z.string() })]));
  const { deploy, tasks } = z.object({ deploy: DeploySection, tasks: Tasks })
    .parse(JSON.parse(Deno.readTextFileSync(`${PROJECT}deno.json`)));
  assert.ok(Deno.statSync(join(PROJECT, deploy.runtime.entrypoint)).isFile);
  // Without the entry points, or with a task, the platform would download the packages of all commands and tests.
  const build = tasks["build-web"];
  assert.ok(typeof build === "object");
  assert.equal(deploy.build, build.command);
  const [, entries = ""] = /^deno install --entrypoint (.+)$/.exec(deploy.install ?? "") ?? [];
  const [, bundled = ""] = / (\S+)$/.exec(build.command) ?? [];
  assert.deepEqual(entries.split(" "), [deploy.runtime.entrypoint, bundled]);
});
