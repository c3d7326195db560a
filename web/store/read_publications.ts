import { keys } from "./keys.ts";
import { Publication } from "./rows.ts";

/** One publisher has up to four carriers; what was published again and again is known by the last times. */
export const PUBLICATIONS_MAX = 20;

/** Returns how a release was published, newest first: at most {@link PUBLICATIONS_MAX}, of the last nodes and carriers by name. */
export async function readPublications(kv: Deno.Kv, digest: string): Promise<Publication[]> {
  const publications: Publication[] = [];
  const options = { reverse: true, limit: PUBLICATIONS_MAX, batchSize: PUBLICATIONS_MAX };
  for await (const { value } of kv.list({ prefix: keys.publications(digest) }, options)) {
    const publication = Publication.safeParse(value);
    if (publication.success) publications.push(publication.data);
  }
  return publications.sort((a, b) => b.at.localeCompare(a.at));
}
