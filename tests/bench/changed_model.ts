import { dirname, join } from "node:path";
import { safetensorsBytes, safetensorsHeader } from "../helpers/model_files.ts";
import { writeRandomFile } from "./model_writer.ts";
import { MIB } from "./units.ts";
import type { Workbench } from "./workbench.ts";

/** The tensors of the file, all of one size. Two of them are 3 % of it. */
const TENSORS = 67;

/** A large safetensors file of which little changes. */
export class ChangedModel {
  readonly path: string;
  readonly #bench: Workbench;
  readonly #tensorBytes: number;

  /** @param bytes about the size of the file */
  constructor(bench: Workbench, path: string, bytes: number) {
    this.path = path;
    this.#bench = bench;
    this.#tensorBytes = Math.floor(bytes / TENSORS);
  }

  /** The size of the file. */
  get bytes(): number {
    return Deno.statSync(this.path).size;
  }

  /** Writes its first version. */
  async write(): Promise<void> {
    Deno.mkdirSync(dirname(this.path), { recursive: true });
    const head = this.#header();
    await writeRandomFile(this.path, TENSORS * this.#tensorBytes, this.#bench.signal, { head });
  }

  /** Replaces the values of two tensors. */
  async changeInPlace(): Promise<void> {
    const values = join(this.#bench.dir, "values");
    await writeRandomFile(values, this.#tensorBytes, this.#bench.signal);
    for (const tensor of [20, 50]) {
      const start = this.#header().length + tensor * this.#tensorBytes;
      await this.#bench.shell(
        this.#bench.dir,
        `dd if=values of='${this.path}' bs=1M oflag=seek_bytes seek=${start} conv=notrunc status=none`,
      );
    }
    Deno.removeSync(values);
  }

  /** Writes 1 MiB into its header. */
  async growHeader(): Promise<void> {
    const random = crypto.getRandomValues(new Uint8Array(48 * 1024));
    const metadata = `${random}`.padEnd(MIB, `${random}`).slice(0, MIB);
    const old = `${this.path}.old`;
    Deno.renameSync(this.path, old);
    Deno.writeFileSync(this.path, this.#header(metadata));
    await this.#bench.shell(
      this.#bench.dir,
      `tail -c +${this.#header().length + 1} '${old}' >> '${this.path}'`,
    );
    Deno.removeSync(old);
  }

  /** Returns the bytes that rsync sends both ways to bring an older version up to date. */
  async rsync(older: string): Promise<number> {
    const copy = join(this.#bench.dir, "copy");
    Deno.copyFileSync(older, copy);
    const options = ["--stats", "--no-whole-file", "--ignore-times"];
    const { stdout } = await this.#bench.run(this.#bench.dir, ["rsync", ...options, this.path, copy]);
    Deno.removeSync(copy);
    const both = stdout.matchAll(/^Total bytes (?:sent|received): ([\d,.]+)$/gm);
    return Array.from(both, ([, bytes = ""]) => Number(bytes.replaceAll(/[,.]/g, "")))
      .reduce((sum, bytes) => sum + bytes, 0);
  }

  #header(metadata = ""): Uint8Array {
    const bytes = this.#tensorBytes;
    const tensors = Array.from(
      { length: TENSORS },
      (_, index) => [`layer.${index}.weight`, ["U8", [bytes], bytes]] as const,
    );
    return safetensorsBytes(safetensorsHeader(Object.fromEntries(tensors), { metadata }), 0);
  }
}

/** Returns the size of the newest manifest that a machine has pulled: each lists more chunks than the one before. */
export function newestManifestBytes(machine: string): number {
  const releases = join(machine, ".model-sync/releases");
  const names = Array.from(Deno.readDirSync(releases), ({ name }) => name).filter((name) =>
    name.endsWith(".json")
  );
  return Math.max(...names.map((name) => Deno.statSync(join(releases, name)).size));
}
