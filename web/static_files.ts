/** A file that browsers load beside a page. */
export interface StaticFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  /** The same for the same bytes: addresses hold it, so that browsers may keep the file for a year. */
  readonly version: string;
}

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** The stylesheet, the script and what else stands in `static/`, by name. They are read once, when the dashboard starts. */
export const staticFiles: ReadonlyMap<string, StaticFile> = await readStaticFiles();

/** Returns the address of a static file with its version; `undefined` where there is none of this name. */
export function staticAddress(name: string): string | undefined {
  const file = staticFiles.get(name);
  return file === undefined ? undefined : `/static/${name}?v=${file.version}`;
}

async function readStaticFiles(): Promise<ReadonlyMap<string, StaticFile>> {
  const folder = new URL("./static/", import.meta.url);
  const files = new Map<string, StaticFile>();
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const contentType = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (!isFile || contentType === undefined) continue;
    const bytes = await Deno.readFile(new URL(name, folder));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    files.set(name, { bytes, contentType, version: hash.toHex().slice(0, 12) });
  }
  return files;
}
