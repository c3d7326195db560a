import { z } from "zod";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { findUtf8 } from "../core/files.ts";
import { parseJson } from "../core/parse_json.ts";
import { TAKE_VARIABLE } from "./worker_api.ts";

/** Where RunPod's own worker finds the job to try, in the folder that it runs in. */
const FILE = "test_input.json";

/** RunPod takes no larger job (its documentation of `/run`). */
const BYTES_MAX = 10 * 1024 * 1024;

const TestInput = z.looseObject({ input: z.unknown() });

/**
 * Returns the job in `test_input.json`, as RunPod's own worker does away from RunPod; `undefined` on RunPod, and where
 * there is no such file. Needs read permission.
 *
 * @throws {UsageError} code `TEST_INPUT_INVALID`
 */
export function findTestInput(
  { env, fs, log }: Pick<Context, "env" | "fs" | "log">,
): { readonly input?: unknown } | undefined {
  if ((env.get(TAKE_VARIABLE) ?? "") !== "") return undefined;
  const text = findUtf8(fs, FILE, BYTES_MAX);
  if (text === undefined) return undefined;
  log.info(`${TAKE_VARIABLE} is not set: doing the job in ${FILE}`);
  const job = TestInput.safeParse(parseJson(text.replace(/^\ufeff/, "")));
  if (job.success && job.data.input !== undefined) return job.data;
  throw new UsageError(`Cannot do the job in ${FILE}: it is not a JSON object with an input`, {
    code: "TEST_INPUT_INVALID",
    hint: 'write {"input": {…}} into it, as for --test-input',
  });
}
