import type { Carrier } from "../../../lib/release/manifest.ts";
import type { Role } from "../../../lib/config/roles.ts";
import type { Kind } from "./roster.ts";

/** How nodes of a kind work. */
export interface KindFacts {
  readonly role: Role;
  readonly command: string;
  readonly carrier: Carrier | undefined;
  readonly modelsDir: string;
  /** The source of its models, as its log names it. */
  readonly remote: string;
  /** The usual durations of a run with changes and of one without. */
  readonly changedMs: number;
  readonly unchangedMs: number;
}

export const KINDS: Readonly<Record<Kind, KindFacts>> = {
  trainer: {
    role: "publisher",
    command: "publish",
    carrier: "git",
    modelsDir: "/srv/training/models",
    remote: "https://git.example.com/desk/models.git",
    changedMs: 20_000,
    unchangedMs: 6_000,
  },
  bot: {
    role: "client",
    command: "pull",
    carrier: "git",
    modelsDir: "/srv/bot/models",
    remote: "https://git.example.com/desk/models.git",
    changedMs: 9_000,
    unchangedMs: 450,
  },
  backend: {
    role: "huggingface_client",
    command: "hf-pull",
    carrier: "huggingface",
    modelsDir: "/app/models",
    remote: "huggingface.co",
    changedMs: 14_000,
    unchangedMs: 300,
  },
  desk: {
    role: "artifact_client",
    command: "artifact-pull",
    carrier: "github-actions",
    modelsDir: "C:\\TradingDesk\\models",
    remote: "api.github.com",
    changedMs: 11_000,
    unchangedMs: 380,
  },
  gpu: {
    role: "runpod_client",
    command: "runpod-pull",
    carrier: "runpod",
    modelsDir: "/workspace/models",
    remote: "api.runpod.ai",
    changedMs: 26_000,
    unchangedMs: 21_000,
  },
  references: {
    role: "references",
    command: "references-sync",
    carrier: undefined,
    modelsDir: "/srv/ops/models",
    remote: "https://primary.example.com/models",
    changedMs: 16_000,
    unchangedMs: 2_400,
  },
};
