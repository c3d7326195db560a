import assert from "node:assert/strict";
import { join } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";
import { SUMMARIES } from "../../cli/_summaries.ts";
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

Deno.test("the compose file has seed 1's service, built from a stage that there is", () => {
  const { services } = Compose.parse(load(read("configs/docker/docker-compose.yml")));
  const service = services["model-sync-runpod"];
  assert.ok(service !== undefined);
  assert.deepEqual([service.profiles, service.restart, service.user], [
    ["paper", "live"],
    "unless-stopped",
    "10001",
  ]);
  const [program, command = ""] = service.command;
  assert.deepEqual([program, Object.hasOwn(SUMMARIES, command)], ["model-sync", true]);
  const dockerfile = read(`configs/docker/${service.build.dockerfile}`);
  assert.match(dockerfile, new RegExp(`^FROM \\S+ AS ${service.build.target}$`, "m"));
});

Deno.test("the worker's image is built with the Deno of the README, and runs no root", () => {
  const dockerfile = read("configs/docker/Dockerfile.runpod");
  const [, version = "none"] = /deno@(\d+\.\d+\.\d+) task demo/.exec(read("README.md")) ?? [];
  assert.match(dockerfile, new RegExp(`^FROM denoland/deno:debian-${version} AS build$`, "m"));
  const [, ...stages] = dockerfile.split(/^FROM /m).slice(1);
  assert.equal(stages.length, 2);
  for (const stage of stages) assert.match(stage, /^USER 10001$/m);
  assert.match(stages.at(-1) ?? "", /CMD \["model-sync", "train", "--serve-runpod"\]\s*$/);
});
