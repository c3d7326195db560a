import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import {
  type ComposeService,
  composeServices,
  DOCKER,
  dockerStages,
  stageArguments,
} from "../helpers/compose.ts";
import { type Container, hostPrograms, NO_NAMESPACES, startContainer } from "../helpers/container.ts";
import { ReferencesWorld } from "../helpers/references_world.ts";
import { cliArgs, PROJECT } from "../helpers/run_cli.ts";
import { runJson, world } from "../helpers/seed_world.ts";
import { type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

const SERVICES = composeServices();

const SKIPPED = NO_NAMESPACES === undefined ? "" : ` (skipped: ${NO_NAMESPACES})`;

/** Where a service of the compose file runs here. */
interface Host {
  /** A folder of its own for each mount: `/data`, `/app`, `/prometheus`. */
  readonly mounts: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly programs?: Readonly<Record<string, readonly string[]>>;
  /** What the service says when it answers requests. */
  readonly ready: RegExp;
}

/** A service that runs with the command line of the compose file, on free ports and in folders of this machine. */
class RunningService implements AsyncDisposable {
  readonly #container: Container;
  readonly #service: ComposeService;
  readonly #ready: RegExp;
  readonly #port = freePort();
  readonly #mapped: (text: string) => string;

  constructor(name: string, { mounts, env = {}, programs = {}, ready }: Host) {
    const service = SERVICES[name];
    assert.ok(service !== undefined, name);
    this.#service = service;
    this.#ready = ready;
    const inside = new RegExp(`(^|=)(${Object.keys(mounts).join("|")})(?=/|$)`);
    this.#mapped = (text) =>
      text.replace(inside, (_, before, mount) => `${before}${mounts[mount]}`)
        .replace(
          /(^|=|\/\/)(0\.0\.0\.0|127\.0\.0\.1):\d+/,
          (_, before) => `${before}127.0.0.1:${this.#port}`,
        );
    const entrypoint = service.build === undefined
      ? [name]
      : stageArguments(service.build.target, "ENTRYPOINT");
    const args = hostPrograms([...entrypoint, ...service.command ?? []].map(this.#mapped), programs);
    const volumes = Object.values(mounts).filter((path) => !path.startsWith(DOCKER));
    this.#container = startContainer(args, { cwd: mounts["/app"] ?? "/", env, volumes });
  }

  /** Waits until it is ready, and asks as the health check of the compose file does. */
  async becomesHealthy(): Promise<void> {
    await this.#container.until(this.#ready);
    const [, program = "", ...args] = this.#service.healthcheck.test;
    const check = await new Deno.Command(program, { args: args.map(this.#mapped), stdin: "null" }).output();
    assert.ok(check.success, `${new TextDecoder().decode(check.stderr)}\n${this.#container.output()}`);
  }

  async get(path: string): Promise<unknown> {
    return await (await fetch(`http://127.0.0.1:${this.#port}${path}`)).json();
  }

  async stops(): Promise<void> {
    assert.equal(await this.#container.stop(), 0, this.#container.output());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#container[Symbol.asyncDispose]();
  }
}

/** The tests of a process choose their ports themselves, because the compose file does. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Returns the programs for a command of model-sync: this command, from source, under its permission set. */
function commandPrograms(command: string): Record<string, readonly string[]> {
  return { "model-sync": [Deno.execPath(), ...cliArgs(command, [], { entry: "script" })], [command]: [] };
}

/** The bundle of the placeholder, made as the Dockerfile says. */
function placeholderPrograms(dir: TempDir): Record<string, readonly string[]> {
  const bundle = join(dir.path, "placeholder.js");
  const line = dockerStages().find(({ name }) => name === "bundle")?.lines.find((line) =>
    line.startsWith("RUN deno ")
  );
  assert.ok(line !== undefined);
  const args = line.replace("RUN deno ", "").replace("dist/placeholder.js", bundle).split(" ");
  const { success, stderr } = new Deno.Command(Deno.execPath(), { args, cwd: PROJECT, stdin: "null" })
    .outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return { deno: [Deno.execPath()], "/usr/local/lib/placeholder.js": [bundle] };
}

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

Deno.test({
  name:
    `each service of the compose file runs as first process on a read-only root, answers its health check, and ends with 0 on SIGTERM${SKIPPED}`,
  ignore: NO_NAMESPACES !== undefined,
  async fn() {
    using dir = tempDir();
    await using references = new ReferencesWorld({ dir: tempDir() });
    references.primary.lastUpdated = 100;
    const { trainer, bot } = world(dir);
    const { release } = await runJson(trainer, "publish", "--skip-training");
    await runJson(bot, "pull");
    writeFiles(dir.path, {
      "app/configs/bot.yaml": Deno.readTextFileSync(join(DOCKER, "configs/bot.yaml")).replaceAll(
        "ENDPOINT_ID",
        "ep1",
      ),
      "app/.keep": "",
      "tmp/.keep": "",
      "references/.keep": "",
      "prometheus/.keep": "",
    });
    const folder = (name: string) => join(dir.path, name);
    const mounts = { "/data": bot, "/app": folder("app"), "/tmp": folder("tmp") };
    const env = { ...GIT_ENV, MODEL_SYNC_RELOAD_SECRET: SECRET, TMPDIR: folder("tmp") };
    const placeholder = { mounts, env, programs: placeholderPrograms(dir), ready: /listens on/ };
    const hosts: Record<string, Host> = {
      "bot-paper": placeholder,
      "bot-live": placeholder,
      api: placeholder,
      "model-sync-runpod": {
        mounts,
        env: { ...env, RUNPOD_API_KEY: "rpa_test" },
        programs: commandPrograms("daemon"),
        ready: /next runpod_client run at/,
      },
      "model-sync-references": {
        mounts: { ...mounts, "/data": folder("references") },
        env: { ...env, ...references.env },
        programs: commandPrograms("references-sync"),
        ready: /health server listens on/,
      },
      dashboard: {
        mounts,
        env: { ...env, MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse battery staple" },
        programs: commandPrograms("dashboard"),
        ready: /http:\/\/127/,
      },
      prometheus: {
        mounts: { "/prometheus": folder("prometheus"), "/etc/prometheus": join(DOCKER, "prometheus") },
        ready: /Server is ready to receive web requests/,
      },
    };
    // Grafana is in no package of Debian.
    assert.deepEqual([...Object.keys(hosts), "grafana"].sort(), Object.keys(SERVICES).sort());
    await Promise.all(
      Object.entries(hosts).map(async ([name, host]) => {
        await using service = new RunningService(name, host);
        await service.becomesHealthy();
        if (host === placeholder) {
          const { files, loadedAt: _, ...version } = z.record(z.string(), z.unknown()).parse(
            await service.get("/version"),
          );
          assert.deepEqual([version, files], [{ name, release, bytes: 5 }, 2]);
        }
        await service.stops();
      }),
    );
  },
});

/** Leaves an orphan behind, and waits until the first process has no other child than this one. */
const LEAVES_AN_ORPHAN = `
(sh -c 'exit 0' &)
tries=0
while grep -sl "^PPid:.1$" /proc/[0-9]*/status | grep -qv "/$$/"; do
  tries=$((tries + 1))
  [ "$tries" -lt 500 ] || { cat /proc/[0-9]*/status | grep -A1 "^Name"; exit 1; }
done
echo reaped
`;

Deno.test({
  name:
    `the entrypoint reaps what other programs leave behind, and ends with its program's exit code${SKIPPED}`,
  ignore: NO_NAMESPACES !== undefined,
  async fn() {
    const entrypoint = join(DOCKER, "entrypoint.sh");
    const run = async (...args: string[]) => {
      await using container = startContainer([entrypoint, ...args], { cwd: "/", volumes: [] });
      return [await container.code, container.output().trim()];
    };
    assert.deepEqual(await run("sh", "-c", LEAVES_AN_ORPHAN), [0, "reaped"]);
    assert.deepEqual(await run("sh", "-c", "exit 7"), [7, ""]);
    assert.equal((await run("no-such-program"))[0], 127);
  },
});

Deno.test({
  name: "the entrypoint passes its input and signals on, and waits until the program has ended",
  ignore: Deno.build.os === "windows",
  async fn() {
    const script =
      `trap 'echo stopping; exit 3' TERM; read -r word; echo "got $word"; while :; do sleep 0.01; done`;
    const child = new Deno.Command(join(DOCKER, "entrypoint.sh"), {
      args: ["sh", "-c", script],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode("word\n"));
    let said = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said === "got word\n") child.kill("SIGTERM");
    }
    assert.deepEqual([said, (await child.status).code], ["got word\nstopping\n", 3]);
    await input.close().catch(() => {});
  },
});
