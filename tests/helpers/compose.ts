import { join } from "node:path";
import { load, YAML11_SCHEMA } from "js-yaml";
import * as z from "zod";
import { PROJECT } from "./run_cli.ts";

/** The folder of the containers' files. */
export const DOCKER = join(PROJECT, "configs/docker");

const ComposeService = z.object({
  profiles: z.array(z.string()),
  command: z.array(z.string()).optional(),
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
  user: z.string().optional(),
  restart: z.string(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()),
  hostname: z.string().optional(),
  stop_grace_period: z.string().optional(),
  healthcheck: z.object({ test: z.tuple([z.literal("CMD")], z.string()) }),
});
export type ComposeService = z.infer<typeof ComposeService>;

/** Returns the compose file as an object, with its merge keys resolved. */
export function readCompose(): unknown {
  const text = Deno.readTextFileSync(join(DOCKER, "docker-compose.yml"));
  return load(text, { schema: YAML11_SCHEMA });
}

/** Returns the services of the compose file by name. */
export function composeServices(): Readonly<Record<string, ComposeService>> {
  return z.object({ services: z.record(z.string(), ComposeService) }).parse(readCompose()).services;
}

/** A stage of the Dockerfile. */
export interface Stage {
  readonly name: string;
  /** The image or the stage that it begins with. */
  readonly base: string;
  /** Its instructions, one a line: continued lines are joined. */
  readonly lines: readonly string[];
}

/** Returns the stages of the Dockerfile. */
export function dockerStages(): Stage[] {
  const text = Deno.readTextFileSync(join(DOCKER, "Dockerfile")).replace(/^#.*\n/gm, "").replace(
    /\\\n\s*/g,
    "",
  );
  return text.split(/^FROM /m).slice(1).map((part) => {
    const [head = "", ...lines] = part.split("\n").filter((line) => line !== "");
    const [, base = "", name = ""] = /^(?:--platform=\S+ )?(\S+) AS (\S+)$/.exec(head) ?? [];
    return { name, base, lines };
  });
}

/** Returns the arguments of a stage's instruction in JSON form, its own or of the stage that it begins with. */
export function stageArguments(target: string, instruction: "ENTRYPOINT" | "CMD"): string[] {
  const stage = dockerStages().find(({ name }) => name === target);
  if (stage === undefined) return [];
  const line = stage.lines.findLast((line) => line.startsWith(`${instruction} `));
  if (line === undefined) return stageArguments(stage.base, instruction);
  return z.array(z.string()).parse(JSON.parse(line.slice(instruction.length)));
}
