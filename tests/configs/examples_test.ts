import assert from "node:assert/strict";
import { join } from "node:path";
import { load } from "js-yaml";
import * as z from "zod";
import { waitForRelease } from "../../lib/redeploy/wait_for_release.ts";
import { Digest } from "../../lib/release/manifest.ts";
import { HubWorld, MODELS } from "../helpers/hub_world.ts";
import { cliArgs, PROJECT, runCli } from "../helpers/run_cli.ts";
import { copyTree, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { machine, publishFrom } from "../helpers/machines.ts";
import { bareRepository } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

const EXAMPLES = join(PROJECT, "configs/examples");
const BACKEND = join(EXAMPLES, "backend");

/** The Python of Debian's packages: another one on the PATH has no FastAPI. */
const PYTHON = ["/usr/bin/python3", "python3"].find((python) =>
  runs(python, "-c", "import fastapi, uvicorn")
);
/** `.ci/run` installs Express into the folder that this variable names. */
const EXPRESS = Deno.env.get("EXPRESS_MODULES");

function runs(program: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** A server that a test started. */
class Server implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;
  /** Where it listens. */
  readonly origin: string;
  /** Its output before it listened. */
  readonly said: string;

  private constructor(
    process: Deno.ChildProcess,
    output: ReadableStreamDefaultReader<string>,
    said: string,
    port: string,
  ) {
    this.#process = process;
    this.#output = output;
    this.said = said;
    this.origin = `http://127.0.0.1:${port}`;
  }

  /** Starts a server, and waits until its output names its port. */
  static async start(cwd: string, command: readonly string[], env: Record<string, string>): Promise<Server> {
    const [program = "", ...args] = command;
    // One stream for both, in their order.
    const process = new Deno.Command("sh", {
      args: ["-c", 'exec 2>&1; exec "$@"', "sh", program, ...args],
      cwd,
      env: { PORT: "0", NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
    }).spawn();
    let said = "";
    const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      said += piece.value;
      const [, port] = /(?:running on|listening on).*?(?::|port )(\d+)/.exec(said) ?? [];
      if (port !== undefined) return new Server(process, reader, said, port);
    }
    const { code } = await process.status;
    throw new Error(`it ended with ${code}:\n${said}`);
  }

  async get(path: string): Promise<unknown> {
    const response = await fetch(`${this.origin}${path}`);
    assert.equal(response.status, 200);
    return await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    // The end of its output shows that no process of it is left.
    for (let piece = await this.#output.read(); !piece.done; piece = await this.#output.read());
    await this.#process.status;
  }
}

/** A folder with the files of the backend, and the programs of the image on its PATH. */
function backendIn(world: HubWorld): { readonly app: string; readonly env: Record<string, string> } {
  const app = join(world.path, "bot");
  for (const { name } of Deno.readDirSync(BACKEND)) Deno.copyFileSync(join(BACKEND, name), join(app, name));
  const bin = join(world.path, "bin");
  const program = [Deno.execPath(), ...cliArgs("", [], {}).slice(0, -1)].map((word) => `'${word}'`).join(" ");
  writeFiles(bin, {
    "model-sync": `#!/bin/sh\nexec ${program} "$@"\n`,
    "uvicorn": `#!/bin/sh\nexec ${PYTHON} -m uvicorn "$@"\n`,
  });
  for (const { name } of [...Deno.readDirSync(bin)]) makeProgram(join(bin, name));
  const env = { PATH: `${bin}:${Deno.env.get("PATH")}`, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" };
  return { app, env };
}

/** The command with which the Dockerfile's image starts. */
function imageCommand(): readonly string[] {
  const [, command = "[]"] = /^CMD (\[.*\])$/m.exec(Deno.readTextFileSync(join(BACKEND, "Dockerfile"))) ?? [];
  return z.array(z.string()).parse(JSON.parse(command));
}

/** The start commands of the platforms. Render runs its own in a shell, Railway without one. */
function platformCommands(): readonly (readonly string[])[] {
  const read = (name: string) => Deno.readTextFileSync(join(BACKEND, name));
  const Render = z.object({ services: z.tuple([z.object({ startCommand: z.string() })]) });
  const Railway = z.object({ deploy: z.object({ startCommand: z.string() }) });
  return [
    ["sh", "-c", Render.parse(load(read("render.yaml"))).services[0].startCommand],
    ["sh", "-c", `exec ${Railway.parse(JSON.parse(read("railway.json"))).deploy.startCommand}`],
  ];
}

Deno.test({
  name:
    "the FastAPI backend reports the pulled release, and starts with the image's models while the hub is away",
  ignore: PYTHON === undefined,
  fn: async () => {
    await using world = new HubWorld();
    const { app, env } = backendIn(world);
    const { release } = await world.json("trainer", "hf-upload");
    const digest = Digest.parse(release);
    {
      await using server = await Server.start(app, imageCommand(), env);
      const verification = {
        url: `${server.origin}/version`,
        token: undefined,
        field: undefined,
        timeoutMs: 10_000,
        pollMs: 10,
        requestTimeoutMs: 5_000,
      };
      await waitForRelease(testContext(), digest, verification);
    }
    // A container of the image has a copy of these files, on a fresh disk. The hub is away.
    const container = join(world.path, "container");
    Deno.mkdirSync(container);
    copyTree(app, container);
    writeFiles(world.path, { "container/.env": "HF_HUB_OFFLINE=1\n" });
    for (const command of platformCommands()) {
      await using server = await Server.start(container, command, env);
      assert.match(server.said, /keeping the active release/);
      assert.deepEqual(await server.get("/version"), {
        release: digest.slice("sha256:".length),
        models: Object.keys(MODELS).sort(),
      });
    }
    // Without any models, the backend must not start.
    Deno.removeSync(join(container, ".model-sync"), { recursive: true });
    Deno.removeSync(join(container, "models"));
    await assert.rejects(
      Server.start(container, imageCommand(), env),
      /ended with [1-9].*no release is active/s,
    );
  },
});

Deno.test({
  name: `the Express backend reports the pulled release${
    EXPRESS === undefined ? " (needs EXPRESS_MODULES)" : ""
  }`,
  ignore: EXPRESS === undefined,
  fn: async () => {
    await using world = new HubWorld();
    const { app, env } = backendIn(world);
    const { release } = await world.json("trainer", "hf-upload");
    const Package = z.object({ scripts: z.object({ start: z.string() }) });
    const { scripts } = Package.parse(JSON.parse(Deno.readTextFileSync(join(app, "package.json"))));
    await using server = await Server.start(app, ["sh", "-c", scripts.start], {
      ...env,
      NODE_PATH: EXPRESS ?? "",
    });
    assert.deepEqual(await server.get("/version"), {
      release: Digest.parse(release).slice("sha256:".length),
      models: Object.keys(MODELS).sort(),
    });
  },
});

Deno.test({
  name: "the Python reload endpoint loads what a pull activates, and accepts signed notifications only",
  ignore: !runs("python3", "--version"),
  fn: async () => {
    using dir = tempDir();
    bareRepository(join(dir.path, "registry.git"));
    const trainer = machine(dir.path, "trainer", join(dir.path, "registry.git"));
    const bot = join(dir.path, "bot");
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    Deno.mkdirSync(bot);
    await using server = await Server.start(bot, ["python3", join(EXAMPLES, "reload/reload_endpoint.py")], {
      RELOAD_SECRET: secret,
    });
    const pull = async (env: Record<string, string>) => {
      writeFiles(bot, {
        "configs/bot.yaml": `model_sync:
  repo_url: ${trainer.registry.repoUrl}
  activation: {reload: [{type: http, url: "${server.origin}/reload", secret_env: RELOAD_SECRET, retries: 0}]}
`,
      });
      return await runCli("pull", ["--json"], { cwd: bot, env });
    };
    writeFiles(trainer.modelsDir, { "a.bin": "one" });
    await publishFrom(testContext(), trainer);
    const first = await pull({ RELOAD_SECRET: secret });
    assert.equal(first.code, 0, first.stderr);
    const { release } = JSON.parse(first.stdout);
    assert.deepEqual(await server.get("/version"), { release: release.slice("sha256:".length) });
    const replayed = await fetch(`${server.origin}/reload`, {
      method: "POST",
      headers: { "webhook-id": "1", "webhook-timestamp": "1614265330", "webhook-signature": "v1,old" },
      body: "{}",
    });
    assert.equal(replayed.status, 401);
    await replayed.body?.cancel();
    writeFiles(trainer.modelsDir, { "a.bin": "two" });
    await publishFrom(testContext(), trainer);
    const wrong = await pull({ RELOAD_SECRET: "another secret" });
    assert.equal(wrong.code, 8, wrong.stderr);
    assert.match(wrong.stderr, /the signature is wrong or too old|401/);
    assert.deepEqual(await server.get("/version"), { release: release.slice("sha256:".length) });
  },
});
