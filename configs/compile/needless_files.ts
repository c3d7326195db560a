import { basename, join } from "node:path";
import type { UserPackage } from "../install/user_packages.ts";

/** What is loaded at run time. Declarations, source maps, TypeScript sources and documents are not. */
const LOADED = /\.(?:[cm]?js|wasm|json)$/;

/** The one form of ONNX Runtime that `lib/validators/onnx` loads. The package holds four runtimes in eight forms, 138 MB. */
const ONNX_RUNTIME = /^onnxruntime-web\/dist\/(?:ort\.node\.min\.mjs|ort-wasm-simd-threaded\.(?:mjs|wasm))$/;

/** Code that the program does not load, by the beginnings of its paths. */
const UNUSED = [
  "onnxruntime-web/",
  // This form of ONNX Runtime contains them.
  ...["@protobufjs/", "flatbuffers/", "guid-typescript/", "long/", "platform/", "protobufjs/"],
  // Twins for `require`.
  ...["hono/dist/cjs/", "nodemailer/dist/cjs/"],
];

/**
 * Smaller files stay in: together they are about 2 MB, and with them the command line would exceed the 32,767 characters
 * of Windows.
 */
const BYTES_MIN = 16 * 1024;

/** Returns the files and folders of the packages that the program does not need, for `deno compile --exclude`. */
export function needlessFiles(packages: readonly Pick<UserPackage, "name" | "localPath">[]): string[] {
  return packages.flatMap(({ name, localPath }) => {
    // Deno 2.6 does not say where a package is.
    if (localPath === undefined) return [];
    const { isNeeded, needless } = needlessIn(localPath, name);
    return isNeeded
      ? needless.filter(({ bytes }) => bytes >= BYTES_MIN).map(({ path }) => path)
      : [localPath];
  }).sort();
}

interface FolderNeeds {
  readonly bytes: number;
  readonly isNeeded: boolean;
  readonly needless: readonly { readonly path: string; readonly bytes: number }[];
}

/**
 * Returns what a folder holds needlessly: the folder itself, if nothing in it is needed.
 *
 * @param name the folder within the packages, such as `hono/dist`
 */
function needlessIn(path: string, name: string): FolderNeeds {
  const entries = Array.from(Deno.readDirSync(path), (entry) => {
    const [child, childName] = [join(path, entry.name), `${name}/${entry.name}`];
    return entry.isDirectory ? needlessIn(child, childName) : fileNeeds(child, childName);
  });
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  if (entries.every(({ isNeeded }) => !isNeeded)) {
    return { bytes, isNeeded: false, needless: [{ path, bytes }] };
  }
  return { bytes, isNeeded: true, needless: entries.flatMap(({ needless }) => needless) };
}

function fileNeeds(path: string, name: string): FolderNeeds {
  const bytes = Deno.statSync(path).size;
  // Needed if there is something needed beside it: Deno resolves imports with it.
  if (basename(path) === "package.json") return { bytes, isNeeded: false, needless: [] };
  const isNeeded = isLoaded(name);
  return { bytes, isNeeded, needless: isNeeded ? [] : [{ path, bytes }] };
}

/** Returns whether the program loads a file of a package. @param name such as `hono/dist/index.js` */
export function isLoaded(name: string): boolean {
  return ONNX_RUNTIME.test(name) ||
    (LOADED.test(name) && !UNUSED.some((beginning) => name.startsWith(beginning)));
}
