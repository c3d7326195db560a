import { RequestSecret, type Secret } from "../core/secret.ts";

/** Shorter parts of an address are words, as `deploy` in `/v1/deploy/…`, which an answer may well use. */
const SECRET_PART_CHARS_MIN = 8;

/**
 * What of an address that is a secret an answer may repeat, longest first: all of it, or the part that is the secret.
 * Deploy hooks and chat webhooks have such addresses: whoever knows one may use it.
 */
export function urlSecrets({ href, pathname, searchParams }: URL): Secret[] {
  const parts = [...pathname.split("/"), ...searchParams.values()]
    .filter((part) => part.length >= SECRET_PART_CHARS_MIN);
  return [href, pathname, ...parts]
    .filter((text) => text !== "/")
    .sort((a, b) => b.length - a.length)
    .map((text) => new RequestSecret(text));
}
