import type { RecordedWriter } from "../lib/store/recorded_writer.ts";

/** Whose files a release holds, where another program changed them. */
export function otherWriterText({ revision, author, subject, described }: RecordedWriter): string {
  return `not published by model-sync: commit ${revision.slice(0, 12)} ("${subject}", by ${author}) ` +
    `changed the files of ${described.slice(0, 12)}`;
}
