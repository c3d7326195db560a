import { join } from "node:path";
import { sourceLine } from "../../cli/_source_line.ts";
import { sha256Hex } from "../../lib/core/hash.ts";

/** The folders of the program's code. */
const ROOMS = ["cli", "lib", "web"];

/** Returns a text that is another one after a change of the source, or with another Deno. */
export async function programStamp(clone: string, denoVersion: string): Promise<string> {
  const paths = ["deno.json", "deno.lock"];
  const visit = (folder: string) => {
    for (const { name, isDirectory, isFile } of Deno.readDirSync(join(clone, folder))) {
      if (isDirectory) visit(`${folder}/${name}`);
      else if (isFile) paths.push(`${folder}/${name}`);
    }
  };
  for (const room of ROOMS) visit(room);
  const lines = paths.sort().map((path) => sourceLine(`${clone}/`, path));
  return (await sha256Hex([denoVersion, clone, ...lines].join("\n"))).slice(0, 12);
}
