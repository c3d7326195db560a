import * as z from "zod";

/** Asks how files are uploaded. */
export const Preupload = z.object({
  files: z.array(z.object({ path: z.string(), size: z.number(), sample: z.string() })).max(100),
});
/** Announces LFS objects. */
export const Batch = z.object({
  operation: z.literal("upload"),
  transfers: z.array(z.string()),
  hash_algo: z.literal("sha_256"),
  objects: z.array(z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().positive() })).max(
    100,
  ),
});
/** A line of a commit. */
export const CommitLine = z.discriminatedUnion("key", [
  z.object({
    key: z.literal("header"),
    value: z.object({ summary: z.string(), parentCommit: z.string().optional() }),
  }),
  z.object({
    key: z.literal("file"),
    value: z.object({ path: z.string(), content: z.string(), encoding: z.literal("base64") }),
  }),
  z.object({
    key: z.literal("lfsFile"),
    value: z.object({ path: z.string(), algo: z.literal("sha256"), oid: z.string(), size: z.number() }),
  }),
  z.object({ key: z.literal("deletedFile"), value: z.object({ path: z.string() }) }),
]);
/** Creates a repository. */
export const Created = z.object({
  type: z.literal("model"),
  name: z.string(),
  organization: z.string(),
  visibility: z.enum(["public", "private"]).optional(),
});
/** Ends the upload of an LFS object in parts. */
export const Completed = z.object({
  oid: z.string(),
  parts: z.array(z.object({ partNumber: z.number(), etag: z.string().min(1) })),
});

/** Returns a refusal as the hub words it. */
export function failure(status: number, code: string | undefined, message = code ?? "refused"): Response {
  const headers = { "x-error-message": message, ...(code === undefined ? {} : { "x-error-code": code }) };
  return Response.json({ error: message }, { status, headers });
}
