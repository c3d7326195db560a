import assert from "node:assert/strict";
import { join } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";
import { SUMMARIES } from "../../cli/_help.ts";
import { PROJECT } from "../helpers/run_cli.ts";

const read = (path: string) => Deno.readTextFileSync(join(PROJECT, path));

const Compose = z.object({
  services: z.record(
    z.string(),
    z.object({
      command: z.array(z.string()),
      profiles: z.array(z.string()),
      restart: z.string(),
      user: z.string(),
      build: z.object({ dockerfile: z.string(), target: z.string() }),
    }),
  ),
});

const { services: SERVICES } = Compose.parse(load(read("configs/docker/docker-compose.yml")));

Deno.test("the compose file has the services of the seeds, with existing commands and stages", () => {
  const names = ["model-sync-runpod", "model-sync-references"];
  assert.deepEqual(Object.keys(SERVICES), names);
  assert.deepEqual(names.map((name) => SERVICES[name]?.profiles), [["paper", "live"], ["references"]]);
  for (const service of Object.values(SERVICES)) {
    assert.deepEqual([service.restart, service.user], ["unless-stopped", "10001"]);
    const [program, command = ""] = service.command;
    assert.deepEqual([program, Object.hasOwn(SUMMARIES, command)], ["model-sync", true]);
    const dockerfile = read(`configs/docker/${service.build.dockerfile}`);
    assert.match(dockerfile, new RegExp(`^FROM \\S+ AS ${service.build.target}$`, "m"));
  }
});

Deno.test("the images are built with the README's version of Deno and do not run as root", () => {
  const [, version = "none"] = /deno@(\d+\.\d+\.\d+) task demo/.exec(read("README.md")) ?? [];
  const commands = {
    "Dockerfile.runpod": ["model-sync", "train", "--serve-runpod"],
    "Dockerfile.references": SERVICES["model-sync-references"]?.command,
  };
  for (const [name, command] of Object.entries(commands)) {
    const dockerfile = read(`configs/docker/${name}`);
    assert.match(dockerfile, new RegExp(`^FROM denoland/deno:debian-${version} AS build$`, "m"));
    const [, ...stages] = dockerfile.split(/^FROM /m).slice(1);
    assert.ok(stages.length >= 1);
    for (const stage of stages) assert.match(stage, /^USER 10001$/m);
    const [, started = ""] = /^CMD (.*)\s*$/m.exec(stages.at(-1) ?? "") ?? [];
    assert.deepEqual(JSON.parse(started), command);
  }
});
