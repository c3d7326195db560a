import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { programEntries } from "./install/program_packages.ts";
import { type UserPackage, userPackages } from "./install/user_packages.ts";

/**
 * Writes the licences of the packages that users get, in executables and in images: `deno task build-licences`.
 */

/** The file with the licences, in the project's folder. */
export const LICENCES_FILE = "THIRD_PARTY_LICENCES.txt";

const HEADER = `Licences of the packages that model-sync contains
=================================================

The executables also contain Deno (MIT licence, https://github.com/denoland/deno) with its own dependencies.
This file is generated: deno task build-licences
`;

const PackageJson = z.object({
  license: z.string(),
  author: z.union([z.string(), z.object({ name: z.string() })]).optional(),
});

/** The licence of a package. */
export interface PackageLicence {
  /** `zod 4.6.7`. */
  readonly title: string;
  /** Its SPDX expression. */
  readonly licence: string;
  readonly text: string;
}

/**
 * Returns the licences of packages. Needs read permission for Deno's cache.
 *
 * @throws {TypeError} for a package that is not in the cache
 */
export function packageLicences(packages: readonly UserPackage[]): PackageLicence[] {
  return packages.map((one) => {
    const { license, author } = PackageJson.parse(JSON.parse(readPackageFile(one, "package.json")));
    const by = typeof author === "string" ? author : author?.name;
    const file = licenceFile(one);
    const text = file === undefined
      ? `The package has no licence text. Its package.json says: ${license}${
        by === undefined ? "" : `, by ${by}`
      }.`
      : readPackageFile(one, file);
    return { title: `${one.name} ${one.version}`, licence: license, text: normalized(text) };
  });
}

function licenceFile(one: UserPackage): string | undefined {
  const names = Array.from(Deno.readDirSync(folderOf(one)), ({ name }) => name).sort();
  return names.find((name) => /^licen[cs]e/i.test(name));
}

function readPackageFile(one: UserPackage, name: string): string {
  return Deno.readTextFileSync(join(folderOf(one), name));
}

function folderOf({ name, version, localPath }: UserPackage): string {
  if (localPath !== undefined) return localPath;
  throw new TypeError(`${name} ${version} is not in Deno's cache: run deno cache cli/main.ts`);
}

/** Packages of one author differ in spaces and line ends only. */
function normalized(text: string): string {
  const lines = text.replaceAll("\r\n", "\n").split("\n").map((line) => line.trimEnd());
  return lines.join("\n").trim();
}

/** Returns the content of the file: each text once, with the packages that have it. */
export function renderLicences(licences: readonly PackageLicence[]): string {
  const byText = Map.groupBy(licences, ({ licence, text }) => `${licence}\n\n${text}`);
  const sections = Array.from(byText, ([text, packages]) => {
    const titles = packages.map(({ title }) => title).join("\n");
    return `${"-".repeat(80)}\n${titles}\n\nLicence: ${text}\n`;
  });
  return [HEADER, ...sections].join("\n");
}

/** Returns the packages of users. */
export async function programPackages(project: string): Promise<UserPackage[]> {
  return userPackages(await Promise.all(programEntries(project).map(moduleInfo)));
}

async function moduleInfo(entry: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", ...entry],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new TypeError(`deno info failed: ${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) {
  const project = fileURLToPath(new URL("..", import.meta.url));
  const text = renderLicences(packageLicences(await programPackages(project)));
  Deno.writeTextFileSync(join(project, LICENCES_FILE), text);
}
