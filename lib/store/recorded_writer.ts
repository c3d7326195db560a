import { z } from "zod";
import { CleanString } from "../core/clean_string.ts";

/** Another program whose change of a release's files was accepted, as records keep it. */
export const RecordedWriter = z.object({
  /** The carrier's name for its change: a commit. */
  revision: CleanString,
  author: CleanString,
  subject: CleanString,
  /** The revision that the manifest describes, which the change left as it was. */
  described: CleanString,
});
export type RecordedWriter = Readonly<z.infer<typeof RecordedWriter>>;

/** Returns the sentence that names the program whose change of a release's files was accepted. */
export function otherWriterText({ revision, author, subject, described }: RecordedWriter): string {
  return `not published by model-sync: commit ${revision.slice(0, 12)} ("${subject}", by ${author}) ` +
    `changed the files of ${described.slice(0, 12)}`;
}
