import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { load } from "js-yaml";
import * as z from "zod";
import { SUMMARIES } from "../../cli/_help.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { composeServices, DOCKER, dockerStages, readCompose, stageArguments } from "../helpers/compose.ts";
import { PROJECT, runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const read = (path: string) => Deno.readTextFileSync(join(PROJECT, path));

const SERVICES = composeServices();

/** The part of the files below that names services and mounts. */
const Provisioned = {
  source: z.object({ datasources: z.tuple([z.object({ url: z.string() })]) }),
  dashboards: z.object({ providers: z.tuple([z.object({ options: z.object({ path: z.string() }) })]) }),
  prometheus: z.object({
    scrape_configs: z.array(z.object({
      static_configs: z.array(z.object({ targets: z.array(z.string()) })).default([]),
      dns_sd_configs: z.array(z.object({ names: z.array(z.string()), port: z.number() })).default([]),
    })),
  }),
};

/** The services whose images the Dockerfile builds. */
const BUILT = Object.entries(SERVICES).filter(([, { build }]) => build !== undefined);

/** Commands of the compose plugin, or of the older program, where one of them is here. */
const COMPOSE = [["docker", "compose"], ["docker-compose"]].find(([program = "", ...args]) => {
  try {
    return new Deno.Command(program, { args: [...args, "version"], stdin: "null" }).outputSync().success;
  } catch {
    return false;
  }
});

Deno.test("the compose file is valid by the Compose specification's schema", () => {
  const schema = JSON.parse(read("tests/configs/compose_spec/compose-spec.json"));
  // It names its version of JSON schema by an address that ajv does not know.
  const validate = new Ajv({ strict: false, allErrors: true }).compile({ ...schema, $schema: undefined });
  assert.ok(validate(readCompose()), JSON.stringify(validate.errors, undefined, 2));
});

Deno.test({
  name: `compose resolves the file${COMPOSE === undefined ? " (skipped: no docker compose here)" : ""}`,
  ignore: COMPOSE === undefined,
  fn() {
    using dir = tempDir();
    const file = join(dir.path, "docker-compose.yml");
    Deno.copyFileSync(join(DOCKER, "docker-compose.yml"), file);
    writeFiles(dir.path, { ".env": "MODEL_SYNC_RELOAD_SECRET=from-env-file\nRUNPOD_API_KEY=rpa_test\n" });
    const [program = "", ...args] = COMPOSE ?? [];
    const { success, stdout, stderr } = new Deno.Command(program, {
      args: [
        ...args,
        "-f",
        file,
        "--profile",
        "paper",
        "--profile",
        "live",
        "--profile",
        "references",
        "config",
      ],
      cwd: dir.path,
      stdin: "null",
    }).outputSync();
    const text = new TextDecoder().decode(stdout);
    assert.ok(success, new TextDecoder().decode(stderr));
    for (const name of Object.keys(SERVICES)) assert.match(text, new RegExp(`^  ${name}:$`, "m"));
    assert.match(text, /MODEL_SYNC_RELOAD_SECRET: from-env-file/);
  },
});

Deno.test("the command lines of the compose file and of its guide start existing services of their profile", () => {
  const texts = [read("configs/docker/docker-compose.yml"), read(".github/guides/containers.md")];
  const lines = texts.flatMap((text) => [...text.matchAll(/docker compose --profile (\w+) up -d (.+)$/gm)]);
  assert.ok(lines.length >= 6);
  for (const [line, profile = "", names = ""] of lines) {
    for (const name of names.trim().split(" ")) {
      assert.ok(SERVICES[name]?.profiles.includes(profile), `${line}: ${name}`);
    }
  }
  const seed = "bot-paper model-sync-runpod dashboard api prometheus grafana";
  assert.ok(lines.some(([, profile, names]) => profile === "paper" && names === seed));
  assert.ok(
    lines.some(([, profile, names]) => profile === "live" && names === seed.replace("paper", "live")),
  );
});

Deno.test("every container has a read-only root and no privileges, restarts, is checked, and is published to this machine only", () => {
  for (const [name, service] of Object.entries(SERVICES)) {
    const { read_only, cap_drop, security_opt, restart, ports } = service;
    assert.deepEqual(
      [read_only, cap_drop, security_opt, restart],
      [true, ["ALL"], ["no-new-privileges:true"], "unless-stopped"],
      name,
    );
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
  }
  for (const [name, { user, healthcheck }] of BUILT) {
    assert.equal(user, "10001:10001", name);
    assert.match(healthcheck.test.join(" "), /^CMD curl .* http:\/\/127\.0\.0\.1:\d+\/healthz$/, name);
  }
});

Deno.test("model-sync's services run existing commands and options, and have time to stop", async () => {
  using dir = tempDir();
  for (const [name, { build, command = [], stop_grace_period = "" }] of BUILT) {
    if (build?.target !== "model-sync") continue;
    const [subcommand = ""] = command;
    assert.ok(Object.hasOwn(SUMMARIES, subcommand), name);
    const { stdout } = await runCli(subcommand, ["--help"], { cwd: dir.path });
    for (const option of command.filter((arg) => arg.startsWith("--"))) {
      assert.match(stdout, new RegExp(`${option}\\b`));
    }
    const [, seconds = "0"] = /^(\d+)s$/.exec(stop_grace_period) ?? [];
    assert.ok(Number(seconds) > ModelSync.parse({}).stop_timeout_sec, name);
  }
});

Deno.test("the images are built with the README's version of Deno, do not run as root, and begin with the entrypoint", () => {
  const stages = dockerStages();
  const [, version = "none"] = /deno@(\d+\.\d+\.\d+)/.exec(read("README.md")) ?? [];
  const text = read("configs/docker/Dockerfile");
  const versions = Array.from(text.matchAll(/denoland\/deno:\w+-(\S+)/g), ([, found]) => found);
  assert.deepEqual(versions, [version, version]);
  for (const target of new Set([...BUILT.map(([, { build }]) => build?.target ?? ""), "worker"])) {
    const stage = stages.find(({ name }) => name === target);
    assert.ok(stage !== undefined, target);
    const lines = [...stages.find(({ name }) => name === stage.base)?.lines ?? [], ...stage.lines];
    assert.equal(lines.findLast((line) => line.startsWith("USER ")), "USER 10001:10001", target);
    assert.equal(stageArguments(target, "ENTRYPOINT")[0], "entrypoint");
  }
  // What `docker build` builds without a target.
  assert.equal(stages.at(-1)?.name, "model-sync");
  for (const target of ["model-sync", "worker"]) {
    const [command = ""] = stageArguments(target, "CMD");
    assert.ok(Object.hasOwn(SUMMARIES, command), command);
  }
});

Deno.test({
  name: "the build compiles for the architecture of the image, and names one that it cannot build for",
  ignore: Deno.build.os === "windows",
  fn() {
    const stage = dockerStages().find(({ name }) => name === "executable");
    const script = stage?.lines.find((line) => line.startsWith("RUN "))?.slice("RUN ".length);
    assert.ok(script !== undefined);
    const build = (architecture: string) => {
      const { code, stdout, stderr } = new Deno.Command("sh", {
        args: ["-c", `deno() { echo "$*"; }; ${script}`],
        env: { TARGETARCH: architecture },
        stdin: "null",
      }).outputSync();
      return [code, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)];
    };
    assert.deepEqual(build("amd64"), [0, "task compile --target linux-x64 --output dist/model-sync\n"]);
    assert.deepEqual(build("arm64"), [0, "task compile --target linux-arm64 --output dist/model-sync\n"]);
    assert.deepEqual(build("riscv64"), [1, "model-sync has no executable for the architecture 'riscv64'\n"]);
  },
});

const ModuleGraph = z.object({ modules: z.array(z.object({ specifier: z.string() })) });

Deno.test("the build context has every file that the images copy or compile", async () => {
  const kept = read(".dockerignore").split("\n").filter((line) => line.startsWith("!")).map((line) =>
    line.slice(1)
  );
  const isKept = (path: string) => kept.some((one) => path === one || path.startsWith(`${one}/`));
  const entries = ["cli/main.ts", "configs/compile.ts", "configs/docker/placeholder/main.ts"];
  await Promise.all(entries.map(async (entry) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--no-remote", entry],
      cwd: PROJECT,
    }).output();
    const { modules } = ModuleGraph.parse(JSON.parse(new TextDecoder().decode(stdout)));
    const local = modules.flatMap(({ specifier }) =>
      specifier.startsWith("file:") ? [relative(PROJECT, fileURLToPath(specifier))] : []
    ).map((path) => path.replaceAll("\\", "/")).filter((path) =>
      !path.startsWith("..") && !path.includes("node_modules")
    );
    assert.ok(local.includes(entry));
    for (const path of local) {
      assert.ok(isKept(path), `${entry} imports ${path}, which .dockerignore leaves out`);
    }
  }));
  const copied = dockerStages().flatMap(({ lines }) => lines).filter((line) =>
    /^COPY (?!.*--from)/.test(line)
  )
    .map((line) => line.split(" ").filter((word) => !word.startsWith("--"))[1] ?? "").filter((path) =>
      path !== "."
    );
  assert.deepEqual(copied, ["configs/docker/entrypoint.sh", "configs/docker/entrypoint.sh"]);
  for (const path of [...copied, "deno.json", "deno.lock", "web/static"]) assert.ok(isKept(path), path);
  assert.ok(!isKept(".env") && !isKept("configs/docker/.env") && !isKept("models/btc.onnx"));
});

Deno.test("containers mount existing files, and Prometheus and Grafana name services with their ports", () => {
  const parse = (path: string) => load(read(`configs/docker/${path}`));
  const mounts = Object.values(SERVICES).flatMap(({ volumes }) => volumes.map((volume) => volume.split(":")));
  for (const [source = ""] of mounts) {
    if (source.startsWith(".")) assert.ok(Deno.statSync(join(DOCKER, source)), source);
  }
  const listens = (address: string) => {
    const [name = "", port = ""] = address.split(":");
    return SERVICES[name]?.command?.some((arg) => arg.endsWith(`0.0.0.0:${port}`));
  };
  const { scrape_configs } = Provisioned.prometheus.parse(parse("prometheus/prometheus.yml"));
  const targets = scrape_configs.flatMap(({ static_configs, dns_sd_configs }) => [
    ...static_configs.flatMap(({ targets }) => targets),
    ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
  ]);
  const { datasources: [{ url }] } = Provisioned.source.parse(
    parse("grafana/provisioning/datasources/prometheus.yml"),
  );
  assert.equal(targets.length, 2);
  for (const address of [...targets, new URL(url).host]) assert.ok(listens(address), address);
  const { providers: [{ options }] } = Provisioned.dashboards.parse(
    parse("grafana/provisioning/dashboards/model-sync.yml"),
  );
  assert.ok(mounts.some(([source, path]) => source === "./grafana/dashboards" && path === options.path));
});

Deno.test("the example configuration is valid, and notifies the hosts of the compose file", async () => {
  using dir = tempDir();
  const text = read("configs/docker/configs/bot.yaml");
  writeFiles(dir.path, { "configs/bot.yaml": text.replaceAll("ENDPOINT_ID", "ep1") });
  const { code, stderr } = await runCli("config", ["check"], { cwd: dir.path });
  assert.equal(code, 0, stderr);
  const hosts = Array.from(text.matchAll(/url: "http:\/\/([\w-]+):8000\/reload"/g), ([, host]) => host);
  assert.deepEqual(hosts, ["bot", "api"]);
  const variables = read("configs/docker/.env.example").split("\n").flatMap((line) =>
    /^(\w+)=$/.exec(line)?.[1] ?? []
  );
  const secrets = [".env", "prometheus/dashboard_token"];
  const { stdout } = new Deno.Command("git", { args: ["-C", DOCKER, "check-ignore", ...secrets] })
    .outputSync();
  assert.deepEqual(new TextDecoder().decode(stdout).trim().split("\n"), secrets);
  const named = [...text.matchAll(/secret_env: (\w+)/g)].map(([, name = ""]) => name);
  for (const name of [...named, "RUNPOD_API_KEY"]) assert.ok(variables.includes(name), name);
});
