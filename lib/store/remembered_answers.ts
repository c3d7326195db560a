import { join } from "node:path";
import { z } from "zod";
import { PRIVATE_MODE, replaceFile } from "../core/files.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Secret } from "../core/secret.ts";
import { readState } from "./state_entries.ts";
import type { Store } from "./store.ts";

/** The file in the store. */
export const ANSWERS_NAME = "answers.json";

/** One a source; whoever has more changes the configuration every day. */
const ANSWERS_MAX = 50;

const Answer = z.object({ etag: z.string(), caller: z.string(), value: z.unknown() });
const Answers = z.record(z.string(), Answer);

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
  const answer = read(store)[question];
  return answer?.caller === await hashOf(question, token) ? answer : undefined;
}

export async function rememberAnswer(
  store: Store,
  question: string,
  token: Secret,
  answer: RememberedAnswer,
): Promise<void> {
  const { [question]: _old, ...others } = read(store);
  const kept = Object.entries(others).slice(-(ANSWERS_MAX - 1));
  const caller = await hashOf(question, token);
  write(store, { ...Object.fromEntries(kept), [question]: { ...answer, caller } });
}

/** The next question is asked without condition. */
export function forgetAnswer(store: Store, question: string): void {
  const { [question]: old, ...others } = read(store);
  if (old !== undefined) write(store, others);
}

async function hashOf(question: string, token: Secret): Promise<string> {
  return (await sha256Hex(`${question}\n${token.reveal()}`)).slice(0, 32);
}

function write(store: Store, answers: z.infer<typeof Answers>): void {
  replaceFile(
    store.fs,
    join(store.root, ANSWERS_NAME),
    `${JSON.stringify(answers, undefined, 2)}\n`,
    PRIVATE_MODE,
  );
}

function read(store: Store): z.infer<typeof Answers> {
  return readState(store, ANSWERS_NAME, Answers) ?? {};
}
