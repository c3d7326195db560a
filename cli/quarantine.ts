import { liftFromQuarantine, quarantineRelease } from "../lib/pipeline/quarantine_release.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { withdrawnWords } from "../lib/release/withdrawals.ts";
import { readPointer } from "../lib/store/pointers.ts";
import {
  type QuarantineEntry,
  readQuarantine,
  upToSequence,
  withoutWithdrawn,
} from "../lib/store/quarantine.ts";
import { findStore } from "../lib/store/store.ts";
import { type KnownWithdrawal, listWithdrawn } from "../lib/store/withdrawals.ts";
import { narrowToReading, narrowToReporting, openExistingStore, type Session } from "./_session.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Output } from "./_output.ts";
import { noteLines } from "./_table.ts";
import { type Options, textOption } from "./_declaration.ts";
import { NO_OPERANDS, oneOperand } from "./_arguments.ts";

const ADD_OPTIONS = {
  reason: textOption({ group: "Options", placeholder: "TEXT", brief: "Reason that the list shows" }),
} satisfies Options;

type AddFlags = CommandFlags<typeof ADD_OPTIONS>;

const RELEASE_BRIEF = "Its sequence number, its digest or the digest's beginning";

export const program: Program = {
  name: "quarantine",
  commands: {
    list: command({
      summary: "List quarantined releases with their reasons",
      options: {},
      operands: NO_OPERANDS,
      examples: [["List the quarantined releases", "model-sync quarantine list"]],
      run: (session) => Promise.resolve(list(session)),
    }),
    add: command({
      summary: "Quarantine a release",
      options: ADD_OPTIONS,
      operands: oneOperand("RELEASE", RELEASE_BRIEF, { completion: "releases" }),
      examples: [
        [
          "Keep a release from being pulled again",
          "model-sync quarantine add 3f2a9c --reason 'wrong labels'",
        ],
      ],
      run: (session, flags, release) => add(session, release, flags),
    }),
    lift: command({
      summary: "Release from quarantine",
      options: {},
      operands: oneOperand("RELEASE", RELEASE_BRIEF, { completion: "quarantined" }),
      examples: [["Let pulls activate a release again", "model-sync quarantine lift 3f2a9c"]],
      run: (session, _flags, release) => lift(session, release),
    }),
  },
};

function list(session: Session): void {
  const { context, output, location } = session;
  narrowToReading(session);
  const store = findStore(context.fs, location, context.log);
  const entries = store === undefined ? [] : readQuarantine(store);
  const withdrawn = store === undefined ? [] : listWithdrawn(store);
  output.answer({ quarantine: entries, withdrawn }, () => listLines(output, entries, withdrawn));
}

function listLines(
  output: Output,
  entries: readonly QuarantineEntry[],
  withdrawn: readonly KnownWithdrawal[],
): string[] {
  if (entries.length === 0 && withdrawn.length === 0) return ["no release is quarantined"];
  const shown = withoutWithdrawn(entries, withdrawn);
  const areLaterAllowed = shown.some((entry) => upToSequence(entry) !== "");
  return [
    ...shown.flatMap((entry) => [
      `${output.paint("bold", shortDigest(entry.digest))}${upToSequence(entry)}  since ${entry.at}`,
      ...noteLines(output, entry.reason),
    ]),
    ...withdrawn.map((entry) =>
      `${output.paint("bold", shortDigest(entry.digest))}  withdrawn by its publisher ${
        withdrawnWords(entry)
      }`
    ),
    ...(areLaterAllowed
      ? [output.paint("dim", "a later publish of the same files has a higher sequence: pulls accept it")]
      : []),
  ];
}

async function add(session: Session, typed: string, { reason }: AddFlags): Promise<void> {
  const { output } = session;
  narrowToReporting(session);
  const store = openExistingStore(session);
  const { release, outcome, runId } = await quarantineRelease(session, store, typed, reason);
  output.result({ outcome, release, runId }, () => [
    `${output.paint("green", "✓")} release ${shortDigest(release)} is quarantined: pulls refuse it`,
    ...(readPointer(store, "current") === release
      ? ["  it stays active; roll back from it with: model-sync rollback"]
      : []),
  ]);
}

async function lift(session: Session, typed: string): Promise<void> {
  const { output } = session;
  narrowToReporting(session);
  const store = openExistingStore(session);
  const { release, outcome, runId } = await liftFromQuarantine(session, store, typed);
  output.result({ outcome, release, runId }, () => [
    `${output.paint("green", "✓")} release ${shortDigest(release)} may be activated again`,
  ]);
}

if (import.meta.main) await main(program);
