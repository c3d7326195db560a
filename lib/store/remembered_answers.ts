import * as z from "zod";
import { PRIVATE_MODE } from "../core/files.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Secret } from "../core/secret.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

/** Each source has one answer. Only a configuration that changes every day fills the file; the oldest go. */
const ANSWERS_MAX = 50;

const Answer = z.object({ etag: z.string(), caller: z.string(), value: z.unknown() });
const ANSWERS = new RebuiltFile("answers.json", z.record(z.string(), Answer), {
  mode: PRIVATE_MODE,
  isIndented: true,
});

/** A response of an API, with the ETag for the next conditional request. */
export interface RememberedAnswer {
  readonly etag: string;
  /** As parsed from JSON. The reader validates it. */
  readonly value: unknown;
}

/**
 * Returns the last response to a request, so that an unchanged one costs a single conditional request. An ETag is only
 * valid for the token that it was sent to. The entry names the token by a hash, because the store holds no secrets.
 */
export async function findAnswer(
  store: Store,
  question: string,
  token: Secret,
): Promise<RememberedAnswer | undefined> {
  const answer = ANSWERS.find(store)?.[question];
  return answer?.caller === await hashOf(question, token) ? answer : undefined;
}

export async function rememberAnswer(
  store: Store,
  question: string,
  token: Secret,
  answer: RememberedAnswer,
): Promise<void> {
  const { [question]: _old, ...others } = ANSWERS.find(store) ?? {};
  const kept = Object.entries(others).slice(-(ANSWERS_MAX - 1));
  const caller = await hashOf(question, token);
  ANSWERS.replace(store, { ...Object.fromEntries(kept), [question]: { ...answer, caller } });
}

/** Forgets a response: the next request is sent without a condition. */
export function forgetAnswer(store: Store, question: string): void {
  const { [question]: old, ...others } = ANSWERS.find(store) ?? {};
  if (old !== undefined) ANSWERS.replace(store, others);
}

async function hashOf(question: string, token: Secret): Promise<string> {
  return (await sha256Hex(`${question}\n${token.reveal()}`)).slice(0, 32);
}
