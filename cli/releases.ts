import { ModelSyncError } from "../lib/core/errors.ts";
import { formatAge, formatBytes, plural } from "../lib/core/format.ts";
import { compareRemote, type RemoteLag } from "../lib/pipeline/compare_remote.ts";
import {
  isQuarantined,
  type RemoteWithdrawals,
  remoteWithdrawals,
} from "../lib/pipeline/remote_withdrawals.ts";
import { signaturePolicy } from "../lib/pipeline/configured_signing.ts";
import type { RemoteRelease } from "../lib/pipeline/read_remote.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { withdrawnWords } from "../lib/release/withdrawals.ts";
import { type KnownRelease, knownReleases } from "../lib/status/known_releases.ts";
import type { ReleaseState } from "../lib/status/release_state.ts";
import { findStore, type Store } from "../lib/store/store.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { type Options, switchOption } from "./_declaration.ts";
import { limitOption } from "./_options.ts";
import { SUMMARIES } from "./_help.ts";
import type { Output, Style } from "./_output.ts";
import { carrierOf, lookUp, narrowToRemotes, type RemoteRole, remoteRoles } from "./_remote.ts";
import { fromText } from "./_runs.ts";
import { narrowToReading, type Session } from "./_session.ts";
import { type Column, tableLines } from "./_table.ts";

/** The number of releases that fits on a screen. */
const RELEASES_SHOWN = 20;

const OPTIONS = {
  remote: switchOption({
    group: "Options",
    brief: "Also look up the newest release of each source",
  }),
  limit: limitOption("releases", RELEASES_SHOWN),
} satisfies Options;

type ReleasesFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "releases",
  command: command({
    summary: SUMMARIES.releases,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["List the releases of this machine", "model-sync releases"],
      ["Show how far this machine is behind", "model-sync releases --remote"],
      [
        "Print the digests of quarantined releases",
        "model-sync releases --json | jq -r '.releases[] | select(.quarantine).digest'",
      ],
    ],
    run,
  }),
};

/** The newest release of a source, and how this machine relates to it. */
interface FoundRelease extends RemoteWithdrawals {
  readonly found: RemoteRelease;
  readonly lag: RemoteLag;
  readonly here: KnownRelease | undefined;
  readonly isQuarantinedHere: boolean;
}

/** The newest release of a role's source, or why it is not known. */
type LookedUp =
  & { readonly role: RemoteRole }
  & (
    | FoundRelease
    | { readonly failure: ModelSyncError }
  );

async function run(session: Session, flags: ReleasesFlags): Promise<void> {
  const { context, output, location } = session;
  const roles = flags.remote === true ? remoteRoles(session) : [];
  if (roles.length === 0) narrowToReading(session);
  else narrowToRemotes(session, roles);
  const store = findStore(context.fs, location, context.log);
  const releases = store === undefined ? [] : knownReleases(store);
  const remotes: LookedUp[] = [];
  for (const role of roles) remotes.push(await lookUpRole(session, store, role, releases));
  const limit = flags.limit ?? RELEASES_SHOWN;
  const shown = limit === 0 ? releases : releases.slice(0, limit);
  const json = { releases: shown, hasMore: shown.length < releases.length };
  output.answer(flags.remote === true ? { ...json, remotes: remotes.map(remoteJson) } : json, () => [
    ...releaseLines(output, shown, context.clock.now()),
    ...(shown.length < releases.length
      ? [output.paint("dim", "  older releases are not shown: --limit 0 shows all")]
      : []),
    ...(flags.remote === true ? remoteLines(session, remotes) : []),
  ]);
  // The releases that this machine knows are shown although the source is unreachable.
  for (const one of remotes) if ("failure" in one) throw one.failure;
}

async function lookUpRole(
  session: Session,
  store: Store | undefined,
  role: RemoteRole,
  releases: readonly KnownRelease[],
): Promise<LookedUp> {
  const { context, settings } = session;
  try {
    const found = await lookUp(session, store, role);
    const here = hereOf(releases, role);
    const isQuarantinedHere = store !== undefined && isQuarantined(store, found);
    return {
      role,
      found,
      here,
      isQuarantinedHere,
      lag: compareRemote(found, here),
      ...await remoteWithdrawals(context, store, found, () => signaturePolicy(context, settings.signing)),
    };
  } catch (failure) {
    if (!(failure instanceof ModelSyncError) || context.signal.aborted) throw failure;
    return { role, failure };
  }
}

/** Returns the active release, or on a machine without one the newest that it published to the role's source. */
function hereOf(releases: readonly KnownRelease[], role: RemoteRole): KnownRelease | undefined {
  return releases.find(isActive) ??
    releases.find(({ state, carrier }) => state === "published" && carrier === carrierOf(role));
}

function isActive({ state }: KnownRelease): boolean {
  return state === "active" || state === "in canary";
}

function remoteJson(one: LookedUp): Record<string, unknown> {
  const { role } = one;
  if ("failure" in one) {
    const { code, message, hint = null, exitCode } = one.failure;
    return { role, error: { code, message, hint, exitCode } };
  }
  const { carrier, revision, digest, sequence, createdAt, signer } = one.found;
  const { lag, withdrawal, activeWithdrawal } = one;
  return {
    role,
    carrier,
    revision,
    digest,
    sequence,
    createdAt,
    signer,
    ...lag,
    withdrawal,
    activeWithdrawal,
    error: null,
  };
}

const COLUMNS: readonly Column[] = [
  { heading: "SEQUENCE", align: "end" },
  { heading: "RELEASE" },
  { heading: "STATE" },
  { heading: "WHEN", leftOut: 1 },
  { heading: "SIZE", align: "end", leftOut: 3 },
  { heading: "FROM", leftOut: 2 },
];

const STYLES: Readonly<Partial<Record<ReleaseState, Style>>> = {
  "active": "green",
  "in canary": "cyan",
  "withdrawn": "red",
  "quarantined": "yellow",
  "damaged": "red",
  "removed": "dim",
};

function releaseLines(output: Output, releases: readonly KnownRelease[], now: Date): string[] {
  if (releases.length === 0) return ["no release is known on this machine yet"];
  const rows = releases.map(
    ({ digest, sequence, state, at, createdAt, carrier, revision, bytes, quarantine, withdrawal }) => {
      const time = at ?? createdAt;
      const style = STYLES[state];
      return {
        cells: [
          sequence === null ? "–" : String(sequence),
          shortDigest(digest),
          style === undefined ? state : { text: state, style },
          ageText(time, now),
          bytes === null ? "–" : formatBytes(bytes),
          carrier === null ? "–" : fromText(carrier, revision ?? undefined),
        ],
        notes: [
          ...(withdrawal === null ? [] : [`withdrawn ${withdrawnWords(withdrawal)}`]),
          ...(quarantine === null ? [] : [`quarantined at ${quarantine.at}: ${quarantine.reason}`]),
        ],
      };
    },
  );
  return tableLines(output, COLUMNS, rows);
}

function ageText(time: string | null, now: Date): string {
  const ageMs = now.getTime() - Date.parse(time ?? "");
  return Number.isNaN(ageMs) ? "–" : formatAge(ageMs);
}

function remoteLines(
  { output, settings }: Session,
  remotes: readonly LookedUp[],
): string[] {
  const title = output.paint("bold", "newest at the source");
  if (remotes.length === 0) {
    const why = settings.runpod.trigger_url === undefined
      ? "no source is configured: set repo_url, huggingface.repo_id or artifacts.repository"
      : "a RunPod job has no release before it is trained";
    return [title, `  ${why}`];
  }
  const width = Math.max(...remotes.map(({ role }) => role.length));
  return [
    title,
    ...remotes.flatMap((one) => {
      const role = `  ${one.role.padEnd(width)}  `;
      if ("failure" in one) return [`${role}${output.paint("red", "unknown")}: the error follows`];
      const { found } = one;
      const name = found.digest === null
        ? ""
        : `release ${output.paint("bold", shortDigest(found.digest))} sequence ${found.sequence}, `;
      return [
        `${role}${name}${fromText(found.carrier, found.revision)}`,
        `  ${" ".repeat(width)}  ${lagText(output, one)}`,
        ...withdrawalTexts(output, one).map((text) => `  ${" ".repeat(width)}  ${text}`),
      ];
    }),
  ];
}

function lagText(output: Output, { lag, here, isQuarantinedHere, withdrawal }: FoundRelease): string {
  const refused = withdrawal !== null
    ? "; the newest is withdrawn, so pulls refuse it"
    : isQuarantinedHere
    ? "; the newest is quarantined here, so pulls refuse it"
    : "";
  if (here === undefined) return `no release is active here${refused}`;
  const what = isActive(here) ? "the active release" : "the release published here";
  switch (lag.relation) {
    case "same":
      return output.paint("green", `${what} is the newest${refused}`);
    case "newer":
      return output.paint(
        "yellow",
        lag.sequencesBehind === null
          ? `newer than ${what}${refused}`
          : `${what} is ${plural(lag.sequencesBehind, "sequence")} behind${refused}`,
      );
    case "older":
      return output.paint("yellow", `older than ${what}, sequence ${here.sequence}${refused}`);
    case "unknown":
      return `another one than ${what}${refused}`;
  }
}

/** Returns the line about an active release that its publisher withdrew. */
function withdrawalTexts(output: Output, { activeWithdrawal }: FoundRelease): string[] {
  if (activeWithdrawal === null) return [];
  const { replacedBy } = activeWithdrawal;
  const next = replacedBy === null
    ? "it stays active, because no other release is there to roll back to"
    : `the next pull replaces it by ${shortDigest(replacedBy)}`;
  return [
    output.paint("red", `the active release was withdrawn ${withdrawnWords(activeWithdrawal)}: ${next}`),
  ];
}

if (import.meta.main) await main(program);
