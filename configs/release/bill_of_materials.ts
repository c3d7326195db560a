import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import * as z from "zod";

/** The parts of deno.lock, version 5, that name packages. */
const Lock = z.object({
  version: z.literal("5"),
  npm: z.record(
    z.string(),
    z.object({
      integrity: z.string().regex(/^sha512-[A-Za-z\d+/]{86}==$/),
      dependencies: z.array(z.string()).default([]),
      optionalDependencies: z.array(z.string()).default([]),
    }),
  ),
});

export interface BillOptions {
  readonly version: string;
  /** The version of Deno whose runtime is in the executables. */
  readonly denoVersion: string;
  /** The text of the lock file. */
  readonly lock: string;
  /** The packages that the program uses, as `name@version`. Every other one is for tests. */
  readonly used: ReadonlySet<string>;
  /** The licences of packages by `name@version`, as their package.json says. */
  readonly licences: ReadonlyMap<string, string>;
  /** The time of the commit. */
  readonly createdAt: Date;
}

interface LockedPackage {
  readonly key: string;
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  readonly dependencies: readonly string[];
}

/**
 * Returns the software bill of materials of a release: every package of the lock file with its checksum, and Deno. Packages
 * for tests have the scope `excluded`. The same input gives the same document.
 *
 * Its form: CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/
 *
 * @throws {z.ZodError} the lock file has another form
 */
export function billOfMaterials(options: BillOptions): object {
  const { version, denoVersion, lock, createdAt } = options;
  const packages = lockedPackages(lock);
  const refs = refsByName(packages);
  const program = `pkg:generic/model-sync@${version}`;
  const deno = `pkg:github/denoland/deno@v${denoVersion}`;
  const own = packages.filter((one) => options.used.has(idOf(one)));
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(`${version}\n${denoVersion}\n${lock}`)}`,
    version: 1,
    metadata: {
      timestamp: createdAt.toISOString(),
      component: {
        "type": "application",
        "bom-ref": program,
        "name": "model-sync",
        version,
        "purl": program,
        "licenses": [{ license: { id: "MIT" } }],
      },
    },
    components: [
      {
        "type": "platform",
        "bom-ref": deno,
        "name": "deno",
        "version": denoVersion,
        "scope": "required",
        "purl": deno,
        "licenses": [{ license: { id: "MIT" } }],
      },
      ...packages.map((one) => component(one, options)),
    ],
    dependencies: [
      { ref: program, dependsOn: [deno, ...own.map(purlOf)] },
      { ref: deno, dependsOn: [] },
      ...packages.map((one) => ({
        ref: purlOf(one),
        dependsOn: [...new Set(one.dependencies.map((name) => refs(name)))],
      })),
    ],
  };
}

function lockedPackages(text: string): LockedPackage[] {
  const { npm } = Lock.parse(JSON.parse(text));
  return Object.entries(npm).map(([key, { integrity, dependencies, optionalDependencies }]) => {
    // A peer dependency is part of the key: `preact-render-to-string@6.8.2_preact@11.2.0`.
    const [, name, version] = /^((?:@[^@/]+\/)?[^@/]+)@([^_]+)/.exec(key) ?? [];
    if (name === undefined || version === undefined) throw new TypeError(`deno.lock names ${key}`);
    return { key, name, version, integrity, dependencies: [...dependencies, ...optionalDependencies] };
  });
}

/** Returns the reference of a dependency, which the lock file names without a version if there is only one. */
function refsByName(packages: readonly LockedPackage[]): (name: string) => string {
  const byName = new Map(
    packages.flatMap((one) => [[one.name, one], [idOf(one), one], [one.key, one]] as const),
  );
  return (name) => {
    const found = byName.get(name);
    if (found === undefined) throw new TypeError(`deno.lock lacks ${name}, on which another package depends`);
    return purlOf(found);
  };
}

function component(one: LockedPackage, { used, licences }: BillOptions): object {
  const [, group, name = one.name] = /^(@[^/]+)\/(.+)$/.exec(one.name) ?? [];
  const licence = licences.get(idOf(one));
  return {
    "type": "library",
    "bom-ref": purlOf(one),
    ...(group === undefined ? {} : { group }),
    name,
    "version": one.version,
    "scope": used.has(idOf(one)) ? "required" : "excluded",
    "hashes": [{ alg: "SHA-512", content: hexOf(one.integrity) }],
    ...(licence === undefined ? {} : { licenses: [{ expression: licence }] }),
    "purl": purlOf(one),
  };
}

function idOf({ name, version }: Pick<LockedPackage, "name" | "version">): string {
  return `${name}@${version}`;
}

/** Returns the package's address: https://github.com/package-url/purl-spec, where a scope's @ is escaped. */
function purlOf({ name, version }: Pick<LockedPackage, "name" | "version">): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function hexOf(integrity: string): string {
  return Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
}

/** Returns a UUID of a text: version 8 of RFC 9562, which leaves the bits to us. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const variant = (8 + Number.parseInt(hex.charAt(16), 16) % 4).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ]
    .join("-");
}
