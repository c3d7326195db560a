import assert from "node:assert/strict";
import { resolve } from "node:path";
import * as z from "zod";
import { GIT_ENV } from "./test_git.ts";
import { PROJECT } from "./run_cli.ts";

const path = Deno.env.get("MODEL_SYNC_TEST_EXECUTABLE") ?? "";

/** Why tests of the executable cannot run; `undefined` if they can. */
const missing = path === ""
  ? "MODEL_SYNC_TEST_EXECUTABLE does not name an executable of deno task compile"
  : undefined;

/** The executable that `.ci/run` compiles once for all tests of it. */
export const EXECUTABLE = { path: resolve(PROJECT, path), missing };

/** Names a test and ignores it where there is no executable. */
export function withExecutable(name: string): Pick<Deno.TestDefinition, "name" | "ignore"> {
  return missing === undefined ? { name } : { name: `${name} (ignored: ${missing})`, ignore: true };
}

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The variables of the executable, as on a machine without Deno, whose cache it could otherwise use. */
export function programEnv(cwd: string): Record<string, string> {
  return { ...GIT_ENV, NO_COLOR: "1", DENO_DIR: `${cwd}/no-cache`, TMPDIR: cwd };
}

/** Runs the executable, or a copy of it, in a folder. */
export function runProgram(
  cwd: string,
  args: readonly string[],
  { program = EXECUTABLE.path, env = {} }: { program?: string; env?: Readonly<Record<string, string>> } = {},
): ProgramResult {
  const { code, stdout, stderr } = new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { ...programEnv(cwd), ...env },
    stdin: "null",
  }).outputSync();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a command of the executable with `--json`. @returns the object that it prints; fails when the command fails */
export function programJson(cwd: string, ...args: readonly string[]): Record<string, unknown> {
  const { code, stdout, stderr } = runProgram(cwd, [...args, "--json"]);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return z.record(z.string(), z.unknown()).parse(JSON.parse(stdout));
}

/** More than a busy machine needs for one line, and than a minute of a schedule. */
const WAIT_MS = 120_000;

/** A running command of the executable. */
export interface StartedProgram extends AsyncDisposable {
  /** Waits for a line of the standard output or standard error. @returns the match */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends SIGTERM. @returns the exit code */
  stop(): Promise<number>;
}

/** Starts a command that runs until it is stopped. */
export function startProgram(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): StartedProgram {
  const child = new Deno.Command(EXECUTABLE.path, {
    args: [...args],
    cwd,
    env: { ...programEnv(cwd), ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said = "";
  let news = Promise.withResolvers<void>();
  const follow = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      said += text;
      news.resolve();
      news = Promise.withResolvers();
    }
  };
  const ended = Promise.all([follow(child.stdout), follow(child.stderr)]);
  const stop = async () => {
    try {
      child.kill("SIGTERM");
    } catch (error) {
      // It has ended.
      if (!(error instanceof TypeError)) throw error;
    }
    await ended;
    return (await child.status).code;
  };
  return {
    async until(pattern) {
      let isOver = false;
      ended.then(() => {
        isOver = true;
        news.resolve();
      });
      const timer = setTimeout(() => child.kill("SIGKILL"), WAIT_MS);
      try {
        for (;;) {
          const match = pattern.exec(said);
          if (match !== null) return match;
          assert.ok(
            !isOver,
            `the program ended, or ran for ${WAIT_MS / 1000} s, without ${pattern}:\n${said}`,
          );
          await news.promise;
        }
      } finally {
        clearTimeout(timer);
      }
    },
    stop,
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}
