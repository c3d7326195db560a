import { formatAge } from "../../lib/core/format.ts";
import { homeFolder, isBelowHome } from "../../lib/core/home_folder.ts";
import { oneLine } from "../../lib/core/quote.ts";
import { EXIT, type ExitCode } from "../../lib/core/errors.ts";
import { type Digest, type Manifest, shortDigest } from "../../lib/release/manifest.ts";
import { findWithdrawn } from "../../lib/release/withdrawals.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { shortRunId } from "../../lib/status/select_runs.ts";
import { readHistory } from "../../lib/store/history.ts";
import { readQuarantine } from "../../lib/store/quarantine.ts";
import { findRelease, listReleaseNames, releaseDir } from "../../lib/store/releases.ts";
import { findStore, type Store } from "../../lib/store/store.ts";
import { withdrawalsInForce } from "../../lib/store/withdrawals.ts";
import { ifFound } from "../../lib/core/files.ts";
import { command } from "../_command.ts";
import type { MachineList } from "../_declaration.ts";
import type { Session } from "../_session.ts";
import type { World } from "../_world.ts";
import { COMMON_OPTIONS } from "../_options.ts";
import { optionName } from "../_help.ts";
import { oneOperand } from "../_arguments.ts";

/** A value with what a shell shows beside it. */
type Value = readonly [value: string, description: string];

/** A manifest may have megabytes; a person chooses among the newest releases. */
const RELEASES_MAX = 50;
/** A person waits for the completion. */
const TIME_MAX_MS = 1000;

const LISTS: Readonly<Record<MachineList, (session: Session, store: Store) => readonly Value[]>> = {
  releases: (session, store) => namedReleases(session, store, () => true),
  replacements: (session, store) => {
    const active = readPointer(store, "current");
    const withdrawals = withdrawalsInForce(store);
    const isActivated = (digest: Digest) =>
      digest !== active && findWithdrawn(withdrawals, digest) === undefined;
    return namedReleases(session, store, isActivated);
  },
  compared: (session, store) => [
    ["active", "the active release"],
    ["previous", "the release that a rollback activates"],
    ["remote", "the newest release at the source"],
    ...namedReleases(session, store, () => true),
  ],
  quarantined: (_session, store) =>
    readQuarantine(store).slice(-RELEASES_MAX).map(({ digest, reason }) => [shortDigest(digest), reason]),
  runs: (_session, store) =>
    readHistory(store, RELEASES_MAX).map(({ runId, command, outcome, startedAt }) => [
      shortRunId(runId),
      `${command} ${outcome} ${startedAt}`,
    ]),
};

const COMMAND = command({
  summary: "List values for the completion of a command line",
  options: {},
  operands: oneOperand("LIST", "The list"),
  examples: [],
  run: list,
});

/**
 * Prints the values of a list, one a line, with a description behind a tab. It writes nothing, needs no network, and on
 * any problem prints nothing: an error would appear in the line that is being typed.
 *
 * @param words the list, and the words of the command line that is completed
 */
export async function listValues(world: World, [name = "", ...words]: readonly string[]): Promise<ExitCode> {
  const variables = world.variables();
  const stderr = { writeSync: (bytes: Uint8Array) => bytes.length, isTerminal: () => false };
  try {
    const args = [name, ...placeOptions(words, variables)];
    await COMMAND.parse(args)({ ...world, stderr, variables: () => variables }, "");
  } catch {
    // The command line is not finished, so it need not make sense.
  }
  return EXIT.done;
}

/** Options that say which store a command line is about. */
const PLACE_OPTIONS: readonly string[] =
  (["config", "modelsDir", "stateDir"] satisfies (keyof typeof COMMON_OPTIONS)[])
    .map(optionName);

/** Returns the options of an unfinished command line that name the store. */
function placeOptions(words: readonly string[], env: Readonly<Record<string, string>>): string[] {
  // bash makes a word of its own of each "=".
  const typed = words.filter((word) => word !== "=");
  return typed.flatMap((word, index) => {
    const [name = "", ...inline] = word.split("=");
    const value = inline.length > 0 ? inline.join("=") : typed[index + 1];
    return PLACE_OPTIONS.includes(name) && value !== undefined ? [`${name}=${asShellReads(value, env)}`] : [];
  });
}

/** Returns a word without quotes and with the home folder for `~`, which shells pass on as they were typed. */
function asShellReads(word: string, variables: Readonly<Record<string, string>>): string {
  const plain = word.replaceAll(/\\(.)|["']/g, "$1");
  const home = homeFolder({ get: (name) => variables[name], toObject: () => variables });
  return home !== undefined && isBelowHome(plain) ? home + plain.slice(1) : plain;
}

function list(session: Session, _flags: unknown, name: string): Promise<void> {
  const { context, location, output } = session;
  const store = findStore(context.fs, location);
  const values = store === undefined || !isList(name) ? [] : LISTS[name](session, store);
  const lines = values.map(([value, description]) => `${value}\t${oneLine(description)}`);
  if (lines.length > 0) output.text(lines.join("\n"));
  return Promise.resolve();
}

function isList(name: string): name is MachineList {
  return Object.hasOwn(LISTS, name);
}

/** Returns the digests of the wanted releases, and those sequences that name one release. */
function namedReleases(
  session: Session,
  store: Store,
  isWanted: (digest: Digest) => boolean,
): readonly Value[] {
  const known = newestReleases(session, store);
  const releases = known.filter(({ digest }) => isWanted(digest));
  const sequences = known.map(({ sequence }) => sequence);
  const isUnique = (sequence: number) => sequences.indexOf(sequence) === sequences.lastIndexOf(sequence);
  return [
    ...digests(session, store, releases),
    ...releases.filter(({ sequence }) => isUnique(sequence)).map(({ sequence, digest }): Value => [
      String(sequence),
      `release ${shortDigest(digest)}`,
    ]),
  ];
}

function digests({ context }: Session, store: Store, releases: readonly Manifest[]): Value[] {
  const [active, previous] = [readPointer(store, "current"), readPointer(store, "previous")];
  const now = context.clock.now().getTime();
  return releases.map(({ digest, sequence, createdAt }) => {
    const state = digest === active ? ", active" : digest === previous ? ", previous" : "";
    const age = formatAge(now - Date.parse(createdAt));
    return [shortDigest(digest), `sequence ${sequence}, ${age}${state}`];
  });
}

/** Returns the manifests of the releases that were installed last, by sequence. Returns fewer when time runs out. */
function newestReleases({ context: { clock } }: Session, store: Store): Manifest[] {
  const started = clock.monotonicMs();
  const installed = listReleaseNames(store).map((digest) => ({
    digest,
    at: ifFound(() => store.fs.statSync(releaseDir(store, digest)))?.mtime?.getTime() ?? 0,
  })).sort((a, b) => b.at - a.at).slice(0, RELEASES_MAX);
  const manifests: Manifest[] = [];
  for (const { digest } of installed) {
    if (clock.monotonicMs() - started > TIME_MAX_MS) break;
    const release = findRelease(store, digest);
    if (release !== undefined) manifests.push(release.manifest);
  }
  return manifests.sort((a, b) => b.sequence - a.sequence);
}
