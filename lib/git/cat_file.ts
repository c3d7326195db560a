import { ByteReader } from "./byte_reader.ts";
import { encodePieces, lines } from "../core/encode_pieces.ts";
import type { Git } from "./git.ts";

/** Git's answer about an object. */
export interface ObjectAnswer {
  /** As it was asked for. */
  readonly name: string;
  /** `<id> <type> <bytes>`, or `<name> missing`. */
  readonly header: string;
  /** At the first byte of the object, all of which must be read before the next answer is requested. */
  readonly reader: ByteReader;
}

/**
 * Yields git's answer about each object, in the order of their names. Source: `git help cat-file`, batch output.
 *
 * @param action completes "Cannot …" in errors
 */
export async function* askForObjects(
  git: Git,
  names: readonly string[],
  action: string,
): AsyncGenerator<ObjectAnswer> {
  if (names.length === 0) return;
  const process = git.start(["cat-file", "--batch", "--buffer"], {
    action,
    stdin: encodePieces(lines(names)),
    isAlone: true,
  });
  const reader = new ByteReader(process.stdout, async (error) => {
    const exit = await process.exit;
    return exit.code === 0 ? error : git.error(action, exit);
  });
  try {
    for (const name of names) {
      const header = await reader.readLine();
      if (header === undefined) throw git.error(action, await process.exit);
      yield { name, header, reader };
      // Only an object ends with a line break of its own.
      if (header !== `${name} missing`) await reader.readLine();
    }
    // A caller that stops early would make git fail.
    for await (const _rest of reader.readAll());
  } finally {
    await reader.cancel();
  }
  const exit = await process.exit;
  if (exit.code !== 0) throw git.error(action, exit);
}
