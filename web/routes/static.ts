import { Hono } from "hono";
import type { App, AppEnv } from "./dashboard.ts";
import { FailedError } from "../../lib/core/errors.ts";
import { SOURCE_ROOT } from "../../lib/core/source_root.ts";
import { faviconState, faviconSvg } from "../components/favicon.ts";

/** Caching of addresses that contain the version of the file. */
const FOR_EVER = "public, max-age=31536000, immutable";
const AN_HOUR = "public, max-age=3600";

/** Routes of static files: the stylesheet, the script and the favicon. */
export function staticRoutes(): App {
  return new Hono<AppEnv>()
    .get("/static/:name", (context) => {
      const file = staticFiles.get(context.req.param("name"));
      if (file === undefined) return context.notFound();
      const isVersioned = context.req.query("v") === file.version;
      return context.body(file.bytes, 200, {
        "content-type": file.contentType,
        "cache-control": isVersioned ? FOR_EVER : AN_HOUR,
      });
    })
    .get(
      "/favicon.svg",
      (context) =>
        context.body(faviconSvg(faviconState(context.req.query("state"))), 200, {
          "content-type": "image/svg+xml",
          "cache-control": AN_HOUR,
        }),
    )
    // Browsers without support for SVG icons request this address.
    .get("/favicon.ico", (context) => context.redirect("/favicon.svg", 308))
    .get("/robots.txt", (context) => context.text("User-agent: *\nDisallow: /\n"));
}

/** A static file. */
export interface StaticFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  /** A hash of the content. Addresses contain it, so that browsers may cache the file for a year. */
  readonly version: string;
}

/** The files in `static/`. Their names, because a folder of a package registry cannot be listed. */
const FILES = [
  { name: "islands.js", contentType: "text/javascript; charset=utf-8" },
  { name: "style.css", contentType: "text/css; charset=utf-8" },
] as const;

/** The files in `static/` by name. They are read once, when the dashboard starts. */
export const staticFiles: ReadonlyMap<string, StaticFile> = await readStaticFiles();

/** Returns the address of a static file with its version; `undefined` if there is no such file. */
export function staticAddress(name: string): string | undefined {
  const file = staticFiles.get(name);
  return file === undefined ? undefined : `/static/${name}?v=${file.version}`;
}

async function readStaticFiles(): Promise<ReadonlyMap<string, StaticFile>> {
  const files = FILES.map(async ({ name, contentType }) => {
    const bytes = await readCode(new URL(`web/static/${name}`, SOURCE_ROOT));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [name, { bytes, contentType, version: hash.toHex().slice(0, 12) }] as const;
  });
  return new Map(await Promise.all(files));
}

/** Reads a file that is part of the program: from its folder, or from the package registry that the program runs from. */
async function readCode(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol === "file:") return await Deno.readFile(url);
  const response = await fetch(url);
  if (response.ok) return await response.bytes();
  await response.body?.cancel();
  throw new FailedError(`Cannot read ${url}: the registry answered ${response.status}`, {
    code: "STATIC_FILE",
    hint: "start the dashboard again later, or install model-sync from a clone",
  });
}
