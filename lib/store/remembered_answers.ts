import { z } from "zod";
import { PRIVATE_MODE } from "../core/files.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Secret } from "../core/secret.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

/** The file in the store. */
export const ANSWERS_NAME = "answers.json";

/** One a source; whoever has more changes the configuration every day. */
const ANSWERS_MAX = 50;

const Answer = z.object({ etag: z.string(), caller: z.string(), value: z.unknown() });
const ANSWERS = new RebuiltFile(ANSWERS_NAME, z.record(z.string(), Answer), {
  mode: PRIVATE_MODE,
  isIndented: true,
});

/** An answer of an API, with the name by which the API is asked whether it still holds. */
export interface RememberedAnswer {
  readonly etag: string;
  /** As JSON keeps it; whoever reads it checks it. */
  readonly value: unknown;
}

/**
 * What an API answered last, so that an unchanged one costs a single conditional request. A name of an answer is worth
 * nothing to another caller, so the caller is part of it: as a hash, because the store holds no secrets.
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

/** The next question is asked without condition. */
export function forgetAnswer(store: Store, question: string): void {
  const { [question]: old, ...others } = ANSWERS.find(store) ?? {};
  if (old !== undefined) ANSWERS.replace(store, others);
}

async function hashOf(question: string, token: Secret): Promise<string> {
  return (await sha256Hex(`${question}\n${token.reveal()}`)).slice(0, 32);
}
