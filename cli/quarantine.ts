import { buildCommand, buildRouteMap } from "@stricli/core";
import { isoSeconds } from "../lib/core/clock.ts";
import { type Digest, Digest as DigestSchema, shortDigest } from "../lib/release/manifest.ts";
import { matchDigest } from "../lib/release/match_digest.ts";
import { readPointer } from "../lib/store/pointers.ts";
import {
  addQuarantine,
  liftQuarantine,
  type QuarantineEntry,
  readQuarantine,
} from "../lib/store/quarantine.ts";
import { findRelease, listReleaseNames } from "../lib/store/releases.ts";
import { findStore, type Store } from "../lib/store/store.ts";
import { narrowToReporting, openExistingStore, type Session } from "./_session.ts";
import { defineGroup, type Invocation, main, type Program, withSession } from "./_command.ts";
import { COMMON_ALIASES, COMMON_FLAGS, type CommonFlags, textFlag } from "./_options.ts";
import type { Output } from "./_output.ts";
import { runRecorded } from "./_run.ts";
import { SUMMARIES } from "./_help.ts";

interface AddFlags extends CommonFlags {
  readonly reason?: string;
}

const RELEASE = {
  kind: "tuple",
  parameters: [{
    brief: "its digest, or the beginning of it",
    placeholder: "release",
    parse: String,
  }],
} as const;

export const program: Program = defineGroup(
  "quarantine",
  buildRouteMap({
    docs: { brief: SUMMARIES.quarantine },
    routes: {
      list: buildCommand<CommonFlags, [], Invocation>({
        docs: { brief: "List quarantined releases with their reasons" },
        parameters: { flags: COMMON_FLAGS, aliases: COMMON_ALIASES },
        func: withSession((session) => Promise.resolve(list(session))),
      }),
      add: buildCommand<AddFlags, [string], Invocation>({
        docs: { brief: "Quarantine a release" },
        parameters: {
          flags: { ...COMMON_FLAGS, reason: textFlag("reason that the list shows") },
          aliases: COMMON_ALIASES,
          positional: RELEASE,
        },
        func: withSession((session, flags, release) => add(session, release, flags)),
      }),
      lift: buildCommand<CommonFlags, [string], Invocation>({
        docs: { brief: "Release from quarantine" },
        parameters: { flags: COMMON_FLAGS, aliases: COMMON_ALIASES, positional: RELEASE },
        func: withSession((session, _flags, release) => lift(session, release)),
      }),
    },
  }),
);

function list({ context, output, location }: Session): void {
  const store = findStore(context.fs, location, context.log);
  const entries = store === undefined ? [] : readQuarantine(store);
  output.answer({ quarantine: entries }, () => listLines(output, entries));
}

function listLines(output: Output, entries: readonly QuarantineEntry[]): string[] {
  if (entries.length === 0) return ["no release is quarantined"];
  return entries.map(({ digest, sequence, at, reason }) => {
    const upTo = sequence === EVERY_SEQUENCE ? "" : ` up to sequence ${sequence}`;
    return `${output.paint("bold", shortDigest(digest))}${upTo}  since ${at}: ${reason}`;
  });
}

async function add(session: Session, typed: string, flags: AddFlags): Promise<void> {
  const { context, output } = session;
  narrowToReporting(session);
  const store = openExistingStore(session);
  const report = await runRecorded(session, store, "quarantine", () => {
    const { digest, sequence } = findForbidden(store, typed);
    addQuarantine(store, {
      digest,
      sequence,
      reason: flags.reason ?? "an operator forbids it",
      at: isoSeconds(context.clock.now()),
    });
    return Promise.resolve({ outcome: "quarantined" as const, release: digest });
  });
  const { release, outcome, runId } = report;
  output.result({ outcome, release, runId }, () => [
    `${output.paint("green", "✓")} release ${shortDigest(release)} is quarantined: no pull brings it back`,
    ...(readPointer(store, "current") === release
      ? ["  it is the active one and stays so; leave it with: model-sync rollback"]
      : []),
  ]);
}

async function lift(session: Session, typed: string): Promise<void> {
  const { output } = session;
  narrowToReporting(session);
  const store = openExistingStore(session);
  const report = await runRecorded(session, store, "quarantine", () => {
    const digests = readQuarantine(store).map(({ digest }) => digest);
    const digest = matchDigest(typed, digests, "lift the quarantine of", "the quarantine");
    liftQuarantine(store, digest);
    return Promise.resolve({ outcome: "lifted" as const, release: digest });
  });
  const { release, outcome, runId } = report;
  output.result({ outcome, release, runId }, () => [
    `${output.paint("green", "✓")} release ${shortDigest(release)} may be activated again`,
  ]);
}

/** Of a release that the store does not hold no sequence is known: it is forbidden under every one. */
const EVERY_SEQUENCE = Number.MAX_SAFE_INTEGER;

/** A release of the store, by the beginning of its digest; any other one by the whole of it. */
function findForbidden(store: Store, typed: string): { digest: Digest; sequence: number } {
  const whole = DigestSchema.safeParse(typed.startsWith("sha256:") ? typed : `sha256:${typed}`);
  const digest = whole.success
    ? whole.data
    : matchDigest(typed, listReleaseNames(store), "quarantine", "the store");
  const stored = findRelease(store, digest);
  const before = readQuarantine(store).find((entry) => entry.digest === digest);
  return { digest, sequence: stored?.manifest.sequence ?? before?.sequence ?? EVERY_SEQUENCE };
}

if (import.meta.main) await main(program);
