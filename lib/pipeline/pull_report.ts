import type { Source } from "../carriers/carrier.ts";
import { filesOf } from "../release/file_list.ts";
import type { Carrier, Digest, Manifest } from "../release/manifest.ts";
import { readPointer } from "../store/pointers.ts";
import type { RecordedWriter } from "../store/recorded_writer.ts";
import type { Store } from "../store/store.ts";
import type { RunReport } from "./run_report.ts";

export interface PullReport extends RunReport {
  readonly outcome: "activated" | "unchanged";
  readonly carrier: Carrier;
  /** The carrier's revision of the release; missing if the carrier was unreachable and none is on record. */
  readonly revision?: string;
  /** Why the pull could not check for a newer release. */
  readonly unreached?: string;
  readonly release: Digest;
  readonly sequence: number;
  readonly files: number;
  readonly bytes: number;
  readonly changed: number;
  /** Bytes that were written into the store. Files that it held already are linked. */
  readonly writtenBytes: number;
  readonly modelsDir: string;
}

/** Returns the report of a pull. */
export function pullReport(
  store: Store,
  source: Source,
  revision: string | undefined,
  manifest: Manifest,
  { otherWriter, signer, ...result }: Pick<PullReport, "outcome" | "changed" | "writtenBytes"> & {
    readonly otherWriter?: RecordedWriter | undefined;
    readonly signer?: string | undefined;
  },
): PullReport {
  const previous = readPointer(store, "previous");
  const files = filesOf(manifest);
  return {
    ...result,
    carrier: source.carrier,
    ...(revision === undefined ? {} : { revision }),
    release: manifest.digest,
    ...(previous === undefined ? {} : { previous }),
    ...(otherWriter === undefined ? {} : { otherWriter }),
    ...(signer === undefined ? {} : { signer }),
    sequence: manifest.sequence,
    files: files.count,
    bytes: files.bytes,
    modelsDir: store.modelsDir,
  };
}
