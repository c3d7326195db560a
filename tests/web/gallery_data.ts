import type { NodeView, StateKind } from "../../web/fleet/node_view.ts";

/** The time at which the gallery's pages are rendered. */
export const NOW = new Date("2026-11-29T08:31:08Z");

/** Returns the time a number of minutes before {@link NOW}; after it for negative numbers. */
export function minutesAgo(minutes: number): string {
  return new Date(NOW.getTime() - minutes * 60_000).toISOString();
}

export function digestOf(start: string): `sha256:${string}` {
  return `sha256:${start.padEnd(64, "0")}`;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  g: "activated",
  q: "unchanged",
  b: "failed",
  w: "rolled-back",
  c: "running",
};

/** Runs from letters: `g` good, `q` quiet, `b` bad, `w` warn, `c` calm. */
export function runsOf(letters: string): { readonly outcome: string }[] {
  return Array.from(letters, (letter) => ({ outcome: OUTCOMES[letter] ?? "a-later-outcome" }));
}

/** A row of the gallery's fleet. */
export interface SampleNode {
  readonly name: string;
  readonly where: string;
  readonly state: StateKind;
  readonly label?: string;
  readonly tone?: "bad" | "warn";
  readonly sequence?: number;
  readonly digest: string;
  readonly behind?: string;
  readonly runs: string;
  readonly last: string;
  readonly ago: number;
  readonly next: number | null;
}

export const NODES: readonly SampleNode[] = [
  {
    name: "bot-paris",
    where: "client · git",
    state: "up",
    label: "rolled back",
    tone: "bad",
    sequence: 41,
    digest: "c571816245a5",
    behind: "1 release behind",
    runs: "gqgqgqggqgqgqgqgqgqgqgqgqgqgqw",
    last: "rolled-back",
    ago: 120,
    next: -1289,
  },
  {
    name: "api-render",
    where: "huggingface_client",
    state: "late",
    sequence: 42,
    digest: "af9620290d58",
    runs: "gggggggqggggggggbgggggggggqggg",
    last: "activated",
    ago: 420,
    next: 31,
  },
  {
    name: "db-backup",
    where: "client · git",
    state: "down",
    sequence: 39,
    digest: "119620290d58",
    behind: "3 releases behind",
    runs: "ggggggqggggggbbbbbbbbbbbbbbbbb",
    last: "failed",
    ago: 3_000,
    next: null,
  },
  {
    name: "bot-lyon",
    where: "client · git",
    state: "canary",
    label: "canary, 38 min left",
    sequence: 42,
    digest: "af9620290d58",
    runs: "gqgqgqgqgqgqwqgqgqgqgqgqgqgqgc",
    last: "activated",
    ago: 22,
    next: -38,
  },
  {
    name: "gpu-worker",
    where: "runpod_client",
    state: "paused",
    label: "paused until Monday",
    sequence: 40,
    digest: "898fd8a7a0d2",
    behind: "2 releases behind",
    runs: "ggggggggggggggbbgggggggggqqqqq",
    last: "activated",
    ago: 4_320,
    next: null,
  },
  {
    name: "bot-frankfurt",
    where: "client · git",
    state: "up",
    sequence: 42,
    digest: "af9620290d58",
    runs: "gqgqgqgqgqgqgqgqgqgqgqgqgqgqgq",
    last: "unchanged",
    ago: 4,
    next: -1289,
  },
  {
    name: "new-in-town",
    where: "client · git",
    state: "up",
    sequence: 42,
    digest: "af9620290d58",
    runs: "g",
    last: "activated",
    ago: 1,
    next: -11,
  },
  {
    name: "not-yet",
    where: "token created",
    state: "never-reported",
    digest: "",
    runs: "",
    last: "",
    ago: 0,
    next: null,
  },
  {
    name: `a-node-with-a-very-long-name-${"of-many-words-".repeat(6)}end\u202esirap\u0007`,
    where: "client · git · huggingface_client · artifact_client · references",
    state: "late",
    digest: "af9620290d58",
    runs: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    last: "an-outcome-of-a-later-version-that-is-long",
    ago: 60 * 24 * 400,
    next: -60 * 24 * 90,
  },
];

export const PUBLISHER: SampleNode = {
  name: "train-1",
  where: "publisher · git, Hugging Face",
  state: "up",
  sequence: 42,
  digest: "af9620290d58",
  runs: "ggggggggggggggggggggggggwggggg",
  last: "published",
  ago: 504,
  next: -936,
};

export const TROUBLES: readonly { readonly node: string; readonly trouble: NodeView["troubles"][number] }[] =
  [
    {
      node: "bot-paris",
      trouble: {
        tone: "bad",
        kind: "rolled-back",
        label: "rolled back",
        title: "rolled back to release 41",
        text:
          "The canary of release 42 failed: win_rate 0.41, 25.5 % below its baseline of 0.55. Release 42 is quarantined there.",
        at: minutesAgo(120),
        command: "model-sync rollback --to 42",
      },
    },
    {
      node: "db-backup",
      trouble: {
        tone: "bad",
        kind: "down",
        label: "down",
        title: "stopped reporting",
        text: "The last report came two days ago. A report was due every 5 minutes.",
        at: minutesAgo(3_000),
      },
    },
    {
      node: "api-render",
      trouble: {
        tone: "warn",
        kind: "late",
        label: "late",
        title: "is late",
        text: "The pull of 08:00 did not start. The last report came at 07:54, release 42 is active.",
        at: minutesAgo(31),
        command: "systemctl status model-sync",
      },
    },
  ];
