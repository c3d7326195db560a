import * as z from "zod";
import { CleanString } from "../core/clean_string.ts";

/** Another program's change of a release's files, as records keep it. */
export const RecordedWriter = z.object({
  /** The revision of the change: a commit. */
  revision: CleanString,
  author: CleanString,
  subject: CleanString,
  /** The revision that the manifest describes. The change did not update the manifest. */
  described: CleanString,
});
export type RecordedWriter = Readonly<z.infer<typeof RecordedWriter>>;

/** Returns the sentence that names the program whose change of a release's files was accepted. */
export function otherWriterText({ revision, author, subject, described }: RecordedWriter): string {
  return `not published by model-sync: commit ${revision.slice(0, 12)} ("${subject}", by ${author}) ` +
    `changed the files of ${described.slice(0, 12)}`;
}
