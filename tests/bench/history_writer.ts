import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, MANIFEST_NAME, parseManifest } from "../../lib/release/manifest.ts";
import { RELEASE_TRAILER, SEQUENCE_TRAILER } from "../../lib/git/branch.ts";
import { git, gitWithInput } from "../helpers/test_git.ts";

/** The start of the commits' times, a second for each. */
const START_SEC = Date.UTC(2026, 0, 1) / 1000;

/**
 * Adds releases to a registry that has one, each with another content of one file: commits as a publisher makes them,
 * written by `git fast-import`, because 2,000 publishes take half an hour.
 *
 * @param path the file that changes, in the model folder
 */
export async function addReleases(registry: string, count: number, path: string): Promise<void> {
  const text = git(registry, "show", `main:${MANIFEST_NAME}`) + "\n";
  let manifest = await parseManifest(text, registry);
  const commands: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const content = Buffer.from(crypto.getRandomValues(new Uint8Array(4096)));
    const sha256 = createHash("sha256").update(content).digest("hex");
    const files = manifest.files.map((file) =>
      file.path === path ? { path, size: content.length, sha256 } : file
    );
    manifest = await createManifest(files, { ...manifest, sequence: manifest.sequence + 1 });
    const { digest, sequence } = manifest;
    const message = `models\n\n${RELEASE_TRAILER}: ${digest}\n${SEQUENCE_TRAILER}: ${sequence}\n`;
    commands.push(
      line("commit refs/heads/main"),
      line(`committer Ada <ada@example.org> ${START_SEC + sequence} +0000`),
      data(Buffer.from(message)),
      ...index === 0 ? [line("from refs/heads/main^0")] : [],
      line(`M 100644 inline models/${path}`),
      data(content),
      line(`M 100644 inline ${MANIFEST_NAME}`),
      data(Buffer.from(formatManifest(manifest))),
    );
  }
  if (count > 0) {
    await gitWithInput(registry, new Uint8Array(Buffer.concat(commands)), "fast-import", "--quiet");
  }
}

function line(text: string): Buffer {
  return Buffer.from(`${text}\n`);
}

function data(content: Buffer): Buffer {
  return Buffer.concat([line(`data ${content.length}`), content, line("")]);
}
