import { join } from "node:path";
import { neverAborted } from "../../lib/core/context.ts";
import { FailedError, UsageError } from "../../lib/core/errors.ts";
import { hashFile } from "../../lib/core/hash.ts";
import { writeZip } from "../../lib/archive/zip_writer.ts";

/** What becomes the files of a release. */
export interface PackOptions {
  readonly version: string;
  /** The folder of the project. */
  readonly project: string;
  /** The folder of the executables, as `deno task compile --all` names them. */
  readonly executables: string;
  /** The folder of the result. It has to be empty or missing. */
  readonly output: string;
  /** The page of the releases, for the installers. */
  readonly releases: string;
  /** The action in the example workflows: `owner/name/.github/actions/model-sync@commit # v1.2.3`. */
  readonly action: string;
  /** The software bill of materials. */
  readonly bill: object;
  /** The time of every file in the archives, so that the same executables give the same archives. */
  readonly createdAt: Date;
}

/** The licence of the program, and those of the packages in it. */
const LICENCES = ["LICENSE", "THIRD_PARTY_LICENCES.txt"];

/** The file with the checksums of all others, in the format of `sha256sum --check`. */
const CHECKSUMS_FILE = "SHA256SUMS";

const ZIP_CONTEXT = { fs: Deno, signal: neverAborted() };

const EXECUTABLE = /^model-sync-([a-z\d-]+?)(\.exe)?$/;

/** Writes the files of a release, the checksums last. @returns their names */
export async function packRelease(options: PackOptions): Promise<string[]> {
  const { output, version } = options;
  const found = Array.from(Deno.readDirSync(options.executables), ({ name }) => EXECUTABLE.exec(name))
    .filter((match) => match !== null);
  if (found.length === 0) {
    throw new UsageError(`Cannot pack: there is no executable in ${options.executables}`, {
      code: "NO_EXECUTABLE",
      hint: "run deno task compile --all first",
    });
  }
  prepareOutput(output);
  for (const [name, text] of Object.entries(textFiles(options))) {
    Deno.writeTextFileSync(join(output, name), text);
  }
  await packExamples(options);
  for (const [file, target = "", ending] of found) {
    const archive = join(output, `model-sync-${version}-${target}`);
    const location = join(options.executables, file);
    if (ending === undefined) await packTar(options, location, `${archive}.tar.gz`);
    else await packZip(options, location, `${archive}.zip`);
  }
  return await writeChecksums(output);
}

/** Files of an earlier release would get into the checksums. */
function prepareOutput(output: string): void {
  Deno.mkdirSync(output, { recursive: true });
  if ([...Deno.readDirSync(output)].length === 0) return;
  throw new UsageError(`Cannot pack into ${output}: it is not empty`, {
    code: "OUTPUT_NOT_EMPTY",
    hint: "remove it, or name another folder",
  });
}

/** Returns the files that contain an address. */
function textFiles({ project, version, releases, bill }: PackOptions): Record<string, string> {
  const read = (name: string) => Deno.readTextFileSync(join(project, "configs/release", name));
  return {
    "install.sh": replaceOnce(read("install.sh"), "DEFAULT_RELEASES=''", `DEFAULT_RELEASES='${releases}'`),
    "install.ps1": replaceOnce(
      read("install.ps1"),
      "$DefaultReleases = ''",
      `$DefaultReleases = '${releases}'`,
    ),
    [`model-sync-${version}.cdx.json`]: `${JSON.stringify(bill, undefined, 2)}\n`,
  };
}

/** The action as the example workflows name it, and their sentence about it. */
const PLACEHOLDER = "OWNER/model-sync/.github/actions/model-sync@COMMIT";
const INSTRUCTION =
  "# Replace OWNER and COMMIT by the owner of model-sync's repository and the commit of a release. The copies among the\n" +
  "# files of a release have both.\n";

/** Packs the example workflows, with the action's address in place of the words that stand for it. */
async function packExamples({ project, output, version, action }: PackOptions): Promise<void> {
  const folder = join(project, ".github/workflows/examples");
  using scratch = scratchFolder();
  const files = Array.from(Deno.readDirSync(folder), ({ name }) => {
    const text = Deno.readTextFileSync(join(folder, name));
    const location = join(scratch.path, name);
    Deno.writeTextFileSync(location, text.replace(INSTRUCTION, "").replaceAll(PLACEHOLDER, action));
    return { path: `.github/workflows/${name}`, location };
  });
  await writeZip(ZIP_CONTEXT, join(output, `model-sync-${version}-workflows.zip`), files);
}

async function packTar(
  { project, createdAt }: PackOptions,
  executable: string,
  archive: string,
): Promise<void> {
  using scratch = scratchFolder();
  Deno.copyFileSync(executable, join(scratch.path, "model-sync"));
  for (const name of LICENCES) Deno.copyFileSync(join(project, name), join(scratch.path, name));
  // An artifact of GitHub Actions loses the mode of its files.
  Deno.chmodSync(join(scratch.path, "model-sync"), 0o755);
  const { success, stderr } = await new Deno.Command("tar", {
    args: [
      "--create",
      "--format=ustar",
      "--owner=0",
      "--group=0",
      "--numeric-owner",
      `--mtime=@${Math.floor(createdAt.getTime() / 1000)}`,
      "--mode=u=rwX,go=rX",
      // Without a time of its own in the compressed file.
      "--use-compress-program=gzip --no-name --best",
      `--file=${archive}`,
      `--directory=${scratch.path}`,
      ...LICENCES,
      "model-sync",
    ],
    stdin: "null",
    stdout: "null",
  }).output();
  if (success) return;
  const problem = new TextDecoder().decode(stderr);
  throw new FailedError(`Cannot write ${archive}: ${problem}`, {
    code: "TAR_FAILED",
    hint: "GNU tar is needed",
  });
}

async function packZip(
  { project }: PackOptions,
  executable: string,
  archive: string,
): Promise<void> {
  await writeZip(ZIP_CONTEXT, archive, [
    { path: "model-sync.exe", location: executable },
    ...LICENCES.map((name) => ({ path: name, location: join(project, name) })),
  ]);
}

async function writeChecksums(output: string): Promise<string[]> {
  const names = Array.from(Deno.readDirSync(output), ({ name }) => name).sort();
  const lines: string[] = [];
  for (const name of names) {
    const { sha256 } = await hashFile(Deno, join(output, name), { signal: neverAborted() });
    lines.push(`${sha256}  ${name}\n`);
  }
  Deno.writeTextFileSync(join(output, CHECKSUMS_FILE), lines.join(""));
  return [...names, CHECKSUMS_FILE];
}

/** @throws {TypeError} the text does not contain `before` exactly once */
function replaceOnce(text: string, before: string, after: string): string {
  const parts = text.split(`\n${before}\n`);
  if (parts.length !== 2) throw new TypeError(`the line ${before} has to be there once`);
  return parts.join(`\n${after}\n`);
}

function scratchFolder(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "model-sync-release-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}
