import { join } from "node:path";
import { type FileSystem, findEntry } from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";
import { isOutputTooLarge } from "../core/subprocess.ts";
import type { CallOptions, Git, GitExit } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import type { SignInAtOnce } from "./remote_access.ts";

/** What the query for a branch of the remote needs. */
export interface BranchQuery {
  readonly git: Git;
  readonly gitDir: string;
  readonly remote: string;
  readonly branch: string;
  readonly isHttp: boolean;
  readonly signInAtOnce: SignInAtOnce | undefined;
  /** Whether the query may note something in the git folder. */
  readonly mayWrite: boolean;
  readonly call: CallOptions;
}

/** The remote's answer. */
export interface BranchAnswer {
  readonly exit: GitExit;
  /** `undefined` if the remote does not have the branch. */
  readonly tip: ObjectId | undefined;
  /** Whether the remote took the credentials with the first request, without a redirect. */
  readonly isSignedIn: boolean;
}

/**
 * Git's first protocol answers the first request with all references, in 60 bytes each. Up to this number, the answer
 * fits into the first ten segments of a connection, so it arrives without another round trip.
 */
const REFERENCES_MAX = 200;

/** Notes in the git folder that the remote has more references. The note is never removed: without it, an answer is only larger. */
const MANY_REFERENCES = "model-sync.many-references";
const NOTE = "The remote has many references: they are queried with git's protocol 2.\n";

/**
 * Git's messages about a redirect or a rejected request, except a rate limit. The query is then repeated in git's own
 * way, which follows redirects and requests the server's way to sign in.
 */
const NOT_THIS_WAY =
  /returned error: (?:3\d\d|4(?!29)\d\d)|Authentication failed|could not read (?:Username|Password)|redirect/i;

/**
 * Queries the newest commit of a branch. Over HTTP, that is one request: git's protocol 2 needs two, and another one
 * before them to be asked for credentials. Protocol 2 is used for remotes with many references, and for other
 * transports, where each query is one connection.
 */
export async function listBranch(fs: FileSystem, query: BranchQuery): Promise<BranchAnswer> {
  const { signInAtOnce } = query;
  if (signInAtOnce !== undefined) {
    const answer = await ask(fs, query, query.git.with(signInAtOnce));
    if (answer.exit.code === 0) return { ...answer, isSignedIn: true };
    if (!NOT_THIS_WAY.test(answer.exit.stderr)) return answer;
  }
  return await ask(fs, query, query.git);
}

async function ask(fs: FileSystem, query: BranchQuery, git: Git): Promise<BranchAnswer> {
  const { gitDir, remote, branch, isHttp, mayWrite, call } = query;
  const name = `refs/heads/${branch}`;
  const note = join(gitDir, MANY_REFERENCES);
  if (isHttp && findEntry(fs, note) === undefined) {
    const answer = await listAll(git.with({ config: ["protocol.version=0"] }), remote, call);
    if (answer !== undefined) {
      if (answer.lines.length > REFERENCES_MAX && mayWrite) replaceFile(fs, note, NOTE);
      return answerOf(answer, name);
    }
    if (mayWrite) replaceFile(fs, note, NOTE);
  }
  const result = await git.attempt(["ls-remote", remote, name], call);
  return answerOf({ exit: result, lines: linesOf(result.stdout) }, name);
}

interface Listed {
  readonly exit: GitExit;
  readonly lines: readonly string[];
}

/** Returns all references; `undefined` if the list is too long to be kept. */
async function listAll(git: Git, remote: string, call: CallOptions): Promise<Listed | undefined> {
  try {
    const result = await git.attempt(["ls-remote", remote], call);
    return { exit: result, lines: linesOf(result.stdout) };
  } catch (error) {
    if (isOutputTooLarge(error)) return undefined;
    throw error;
  }
}

function answerOf({ exit, lines }: Listed, name: string): BranchAnswer {
  return { exit, tip: tipIn(lines, name), isSignedIn: false };
}

/** Returns the commit of a reference in the output of `git ls-remote`. */
export function findTip(output: Uint8Array, name: string): ObjectId | undefined {
  return tipIn(linesOf(output), name);
}

/** Patterns of ls-remote also match the ends of other names. */
function tipIn(lines: readonly string[], name: string): ObjectId | undefined {
  return lines.map((line) => line.split("\t")).find(([, listed]) => listed === name)?.[0];
}

function linesOf(output: Uint8Array): string[] {
  return new TextDecoder().decode(output).split("\n").filter((line) => line !== "");
}
