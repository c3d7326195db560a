import { dirname } from "node:path";
import { writeZip } from "../archive/zip_writer.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import { formatManifest } from "../release/format_manifest.ts";
import {
  createManifest,
  type Manifest,
  MANIFEST_NAME,
  releaseFile,
  totalBytes,
} from "../release/manifest.ts";
import type { ModelSet } from "../release/model_set.ts";
import { SIGNATURE_NAME } from "../release/registry_file.ts";
import { expiryOf, type Seal } from "../signing/seal.ts";

/** The folder of the models in an archive, which clients look for. On the disk, it may have another name. */
const FOLDER = "models";

/** A written archive of models. */
export interface ModelArchive {
  readonly bytes: number;
  readonly manifest: Manifest;
}

/**
 * Writes a model set into a ZIP: `models/…`, and `model-sync.json` and `model.sig` beside it. The manifest describes the
 * bytes that were written. Needs read and write permission.
 *
 * @throws {FailedError} code `MODELS_CHANGING` if a model has changed since the set was checked
 */
export async function writeModelArchive(
  context: Context,
  set: ModelSet,
  path: string,
  details: Pick<Manifest, "sequence" | "withdrawals"> & {
    readonly origin: Omit<Manifest["origin"], "folder">;
    readonly seal?: Seal | undefined;
  },
): Promise<ModelArchive> {
  context.fs.mkdirSync(dirname(path), { recursive: true });
  const total = totalBytes(set.files);
  let manifest: Manifest | undefined;
  const inputs = set.files.map((file) => ({ path: `${FOLDER}/${file.path}`, location: file.location }));
  const { bytes } = await writeZip(context, path, inputs, {
    onBytes: (doneBytes) => context.log.progress("archiving", doneBytes, total),
    trailer: async (digests) => {
      const now = context.clock.now();
      manifest = await createManifest(
        digests.map(({ path, ...digest }) => releaseFile(path.slice(FOLDER.length + 1), digest)),
        {
          sequence: details.sequence,
          createdAt: isoSeconds(now),
          ...expiryOf(details.seal, now),
          origin: { ...details.origin, host: context.host, folder: FOLDER },
          withdrawals: details.withdrawals,
        },
      );
      if (manifest.digest !== set.digest) throw changed(set.dir, path);
      const text = formatManifest(manifest);
      const signature = await details.seal?.signer?.sign(manifest, text, FOLDER);
      return [
        { path: MANIFEST_NAME, text },
        ...(signature === undefined ? [] : [{ path: SIGNATURE_NAME, text: signature }]),
      ];
    },
  });
  if (manifest === undefined) throw new TypeError("an archive without its manifest");
  return { bytes, manifest };
}

function changed(dir: string, path: string): FailedError {
  return new FailedError(`Cannot put ${dir} into ${path}: a model changed while it was read`, {
    code: "MODELS_CHANGING",
    hint: "wait until the training has finished and run again",
  });
}
