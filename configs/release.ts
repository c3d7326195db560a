/**
 * What a release needs besides its executables. The parts are in `release/`.
 *
 *     deno task release check v0.1.0      whether tag, version and CHANGELOG.md agree
 *     deno task release notes v0.1.0      the notes, from CHANGELOG.md and the commits since the last release
 *     deno task release pack dist out     the files of the release, from the executables in dist
 *
 * `.github/workflows/release.yml` runs all three. CONTRIBUTING explains how to release.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as z from "zod";
import { EXIT, type ExitCode, ModelSyncError, UsageError } from "../lib/core/errors.ts";
import { findText, writeLine } from "../lib/core/files.ts";
import { systemFault } from "../lib/core/system_fault.ts";
import { programEntries, wholeLock } from "./install/program_packages.ts";
import { userPackages } from "./install/user_packages.ts";
import { billOfMaterials } from "./release/bill_of_materials.ts";
import { packRelease } from "./release/pack_release.ts";
import { type Commit, releaseNotes } from "./release/release_notes.ts";
import { changelogSection, versionProblems } from "./release/version_problems.ts";

export const USAGE = `Prepares a release of model-sync.

Usage: deno task release COMMAND

  check [TAG]             Compare the tag, the version in deno.json and CHANGELOG.md
  notes [TAG]             Print the release notes, from CHANGELOG.md and the commits since the last tag
  pack EXECUTABLES DIR    Write the files of the release to DIR: archives, installers, workflows, a software bill of
                          materials and SHA256SUMS. EXECUTABLES is the folder of deno task compile --all
  -h, --help              Print this help

pack takes the address of the repository from GITHUB_SERVER_URL and GITHUB_REPOSITORY, as GitHub Actions sets them.`;

/** What the commands need from outside. */
export interface ReleaseWorld {
  /** The folder of the project. */
  readonly project: string;
  readonly env: { readonly get: (name: string) => string | undefined };
  /** Runs a program in the project. @returns what it prints */
  readonly run: (program: string, args: readonly string[]) => Promise<string>;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

/** Runs a command. @returns the exit code */
export async function release(world: ReleaseWorld, args: readonly string[]): Promise<ExitCode> {
  try {
    const { positionals, values } = parse(args);
    const [command, ...operands] = positionals;
    if (values.help === true || command === undefined) {
      world.print(USAGE);
      return command === undefined && values.help !== true ? EXIT.usage : EXIT.done;
    }
    if (command === "check") return check(world, operands);
    if (command === "notes") return await notes(world, operands);
    if (command === "pack") return await pack(world, operands);
    throw usage(`There is no command ${JSON.stringify(command)}`);
  } catch (error) {
    const fault = systemFault(error, "prepare the release");
    if (!(fault instanceof ModelSyncError)) throw error;
    world.complain(`error: ${fault.message}`);
    if (fault.hint !== undefined) world.complain(`next:  ${fault.hint}`);
    return fault.exitCode;
  }
}

function parse(args: readonly string[]) {
  try {
    const options = { help: { type: "boolean", short: "h" } } as const;
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    if (error instanceof TypeError) throw usage(error.message);
    throw error;
  }
}

function usage(message: string): UsageError {
  return new UsageError(message, { code: "RELEASE_USAGE", hint: "see deno task release --help" });
}

const Package = z.object({ version: z.string() });

function projectVersion({ project }: ReleaseWorld): string {
  return Package.parse(JSON.parse(Deno.readTextFileSync(join(project, "deno.json")))).version;
}

/** The changelog of all versions; more would be a mistake. */
const CHANGELOG_BYTES_MAX = 4 * 1024 * 1024;

function changelogOf({ project }: ReleaseWorld): string {
  return findText(Deno, join(project, "CHANGELOG.md"), CHANGELOG_BYTES_MAX) ?? "";
}

function check(world: ReleaseWorld, [tag, ...more]: readonly string[]): ExitCode {
  if (more.length > 0) throw usage("check takes one tag");
  const version = projectVersion(world);
  const problems = versionProblems({ tag, version, changelog: changelogOf(world) });
  for (const problem of problems) world.complain(`error: ${problem}`);
  if (problems.length > 0) return EXIT.refused;
  world.print(
    `Version ${version} can be released${tag === undefined ? ` as v${version}` : ` with the tag ${tag}`}.`,
  );
  return EXIT.done;
}

async function notes(world: ReleaseWorld, [tag = "HEAD", ...more]: readonly string[]): Promise<ExitCode> {
  if (more.length > 0) throw usage("notes takes one tag");
  const version = projectVersion(world);
  const previous = await previousTag(world, tag);
  world.print(
    releaseNotes({
      version,
      changelog: changelogSection(changelogOf(world), version) ?? "",
      previous,
      commits: await commitsSince(world, previous, tag),
      repository: repositoryOf(world),
    }).trimEnd(),
  );
  return EXIT.done;
}

/**
 * Returns the tag of the version before this one; `undefined` before the first release. The notes of a release also cover
 * its pre-releases.
 */
async function previousTag({ run }: ReleaseWorld, tag: string): Promise<string | undefined> {
  // With the suffix, git sorts v1.0.0-rc.1 before v1.0.0.
  const sorted = [
    "-c",
    "versionsort.suffix=-",
    "tag",
    "--list",
    "v[0-9]*",
    "--merged",
    tag,
    "--sort=-version:refname",
  ];
  const tags = (await run("git", sorted)).split("\n").filter((name) => name !== "");
  const older = tags.slice(tags.indexOf(tag) + 1);
  return older.find((name) => tag.includes("-") || !name.includes("-"));
}

async function commitsSince(
  { run }: ReleaseWorld,
  previous: string | undefined,
  tag: string,
): Promise<Commit[]> {
  const range = previous === undefined ? tag : `${previous}..${tag}`;
  const lines = await run("git", ["log", "--no-merges", "--format=%H %s", range, "--"]);
  return lines.split("\n").filter((line) => line !== "").map((line) => {
    const [id = ""] = line.split(" ", 1);
    return { id, subject: line.slice(id.length + 1) };
  });
}

/** Returns the address of the repository in a workflow; `undefined` elsewhere. */
function repositoryOf({ env }: ReleaseWorld): string | undefined {
  const [server, name] = [env.get("GITHUB_SERVER_URL"), env.get("GITHUB_REPOSITORY")];
  return server === undefined || name === undefined ? undefined : `${server}/${name}`;
}

async function pack(world: ReleaseWorld, operands: readonly string[]): Promise<ExitCode> {
  const [executables, output, ...more] = operands;
  if (executables === undefined || output === undefined || more.length > 0) {
    throw usage("pack takes two folders: of the executables, and for the files of the release");
  }
  const { project, env, run } = world;
  const repository = repositoryOf(world);
  if (repository === undefined) {
    throw new UsageError("Cannot pack: the address of the repository is unknown", {
      code: "REPOSITORY_UNKNOWN",
      hint: "set GITHUB_SERVER_URL=https://github.com and GITHUB_REPOSITORY=OWNER/NAME",
    });
  }
  const version = projectVersion(world);
  const commit = (await run("git", ["rev-parse", "HEAD"])).trim();
  const createdAt = new Date((await run("git", ["log", "-1", "--format=%cI", "HEAD"])).trim());
  const names = await packRelease({
    version,
    project,
    executables,
    output,
    releases: `${repository}/releases`,
    action: `${env.get("GITHUB_REPOSITORY")}/.github/actions/model-sync@${commit} # v${version}`,
    bill: await bill(world, version, createdAt),
    createdAt,
  });
  for (const name of names) world.print(join(output, name));
  return EXIT.done;
}

async function bill({ project, run }: ReleaseWorld, version: string, createdAt: Date): Promise<object> {
  // The licence of a package is in its package.json, which a new machine does not have yet.
  const infos: string[] = [];
  for (const entry of programEntries(project)) {
    await run(Deno.execPath(), ["cache", "--quiet", ...entry]);
    infos.push(await run(Deno.execPath(), ["info", "--json", ...entry]));
  }
  const packages = userPackages(infos);
  const licences = packages.flatMap(({ name, version, localPath }) => {
    const licence = localPath === undefined ? undefined : licenceOf(localPath);
    return licence === undefined ? [] : [[`${name}@${version}`, licence] as const];
  });
  return billOfMaterials({
    version,
    denoVersion: Deno.version.deno,
    lock: wholeLock(project),
    used: new Set(packages.map(({ name, version }) => `${name}@${version}`)),
    licences: new Map(licences),
    createdAt,
  });
}

/** The form of a licence in package.json: https://spdx.dev/learn/handling-license-info/ */
const Licensed = z.object({ license: z.string().regex(/^[A-Za-z\d.+() -]+$/) });

/** The largest package.json has a few kilobytes. */
const PACKAGE_BYTES_MAX = 1024 * 1024;

function licenceOf(folder: string): string | undefined {
  const text = findText(Deno, join(folder, "package.json"), PACKAGE_BYTES_MAX);
  return text === undefined ? undefined : Licensed.safeParse(JSON.parse(text)).data?.license;
}

async function runProgram(project: string, program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: project,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new UsageError(`Cannot run ${program} ${args.join(" ")}: ${decoder.decode(stderr)}`, {
    code: "PROGRAM_FAILED",
    hint: "run this in a clone with all tags: git fetch --tags",
  });
}

if (import.meta.main) {
  const project = fileURLToPath(new URL("..", import.meta.url));
  Deno.exit(
    await release({
      project,
      env: Deno.env,
      run: (program, args) => runProgram(project, program, args),
      print: (text) => writeLine(Deno.stdout, text),
      complain: (text) => writeLine(Deno.stderr, text),
    }, Deno.args),
  );
}
