import { z } from "zod";

/** Another program whose change of a release's files was accepted, as records keep it. */
export const RecordedWriter = z.object({
  /** The carrier's name for its change: a commit. */
  revision: z.string(),
  author: z.string(),
  subject: z.string(),
  /** The revision that the manifest describes, which the change left as it was. */
  described: z.string(),
});
export type RecordedWriter = Readonly<z.infer<typeof RecordedWriter>>;
