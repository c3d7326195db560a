import { Hono } from "hono";
import type { App, AppEnv } from "./dashboard.ts";
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

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** The files in `static/` by name. They are read once, when the dashboard starts. */
export const staticFiles: ReadonlyMap<string, StaticFile> = await readStaticFiles();

/** Returns the address of a static file with its version; `undefined` if there is no such file. */
export function staticAddress(name: string): string | undefined {
  const file = staticFiles.get(name);
  return file === undefined ? undefined : `/static/${name}?v=${file.version}`;
}

async function readStaticFiles(): Promise<ReadonlyMap<string, StaticFile>> {
  const folder = new URL("../static/", import.meta.url);
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
