import { isGitPath } from "../core/local_path.ts";
import { parseJson } from "../core/json.ts";
import { parseWebAddress } from "../http/web_address.ts";
import { reasonOf } from "./complaints.ts";
import type { Role } from "./roles.ts";
import { ModelSync } from "./schema.ts";

/** What `init` sets a machine up for. */
export const LIFE_NAMES = [
  "git-client",
  "git-trainer",
  "runpod",
  "runpod-worker",
  "github-actions",
  "huggingface",
  "references",
] as const;
export type LifeName = (typeof LIFE_NAMES)[number];

/** Settings as a tree, as below `model_sync` in the file. */
export interface SettingTree {
  readonly [name: string]: SettingTree | string | boolean | readonly string[];
}

/** Answers by the names of their questions. A question without an answer has its default, or leaves its setting out. */
export type Answers = Readonly<Partial<Record<QuestionName, string>>>;

/** The names of all questions, which are also those of the options that answer them. */
export type QuestionName =
  | "repoUrl"
  | "tokenEnv"
  | "trainCommand"
  | "endpoint"
  | "repository"
  | "workflow"
  | "repoId"
  | "primaryUrl"
  | "referenceOwner";

/** A question about a setting. */
export interface Question {
  readonly name: QuestionName;
  readonly text: string;
  readonly example?: string;
  /** Returns the answer that an empty line stands for; `undefined` if there has to be one. */
  readonly standard: (answers: Answers) => string | undefined;
  /** Returns whether the earlier answers leave the question open. */
  readonly isOpen?: (answers: Answers) => boolean;
  /** Returns the settings of an answer. @throws {RangeError} whose message says what the answer must be */
  readonly settings: (answer: string) => SettingTree;
}

export interface Life {
  readonly title: string;
  /** The role of its daemon; `undefined` for a machine that waits for jobs. */
  readonly role: Role | undefined;
  readonly questions: readonly Question[];
  /** Returns the variable for the token, and what the token must allow; `undefined` if none is needed. */
  readonly token: (answers: Answers) => TokenNeed | undefined;
  /** The next command on a machine that is set up. */
  readonly next: string;
  /**
   * Returns what else belongs to the set-up, in one line.
   *
   * @param options the options with which the commands of this machine find the file; each begins with a space
   */
  readonly note?: (options: string) => string;
}

export interface TokenNeed {
  readonly variable: string;
  /** What it is for: `a token that may read the repository`. */
  readonly what: string;
  /** When it is needed, if the next command may not need it: `if the repository is private`. */
  readonly when?: string;
}

/** The answer that leaves a setting out. */
const NONE = "none";

const required = () => undefined;

const REPO_URL: Question = {
  name: "repoUrl",
  text: "Address of the git repository for the models",
  example: "https://github.com/you/your-models.git",
  standard: required,
  settings: (repo_url) => {
    const url = parseWebAddress(repo_url);
    // The file is no place for a secret.
    if (url !== undefined && url.username + url.password !== "") {
      throw new RangeError("must not contain a user or password: the token goes into a variable");
    }
    // A path may contain spaces; words without a slash are a slip.
    if (/\s/.test(repo_url) && !/[\\/:]/.test(repo_url)) {
      throw new RangeError("must be an address or a path: write a path with spaces as ./PATH");
    }
    return { repo_url };
  },
};

const TOKEN_ENV: Question = {
  name: "tokenEnv",
  text: `Variable for the repository's token (${NONE}: use the credentials of this machine)`,
  standard: ({ repoUrl = "" }) => isOnGitHub(repoUrl) ? "GITHUB_TOKEN" : "REGISTRY_TOKEN",
  // SSH and paths need no token.
  isOpen: ({ repoUrl = "" }) => parseWebAddress(repoUrl) !== undefined,
  settings: (token_env) => token_env === NONE ? {} : { token_env },
};

const TRAIN_COMMAND: Question = {
  name: "trainCommand",
  text: `Command that trains into the folder models (${NONE}: another program trains)`,
  example: "python3 -m scripts.run_trainer",
  standard: () => NONE,
  settings: (line) => ({
    publisher: line === NONE ? { train_before_push: false } : { train_command: splitWords(line) },
  }),
};

const WORKER_COMMAND: Question = {
  ...TRAIN_COMMAND,
  text: "Command that trains into the folder models",
  standard: required,
  settings: (line) => ({ publisher: { train_command: splitWords(line) } }),
};

const ENDPOINT: Question = {
  name: "endpoint",
  text: "Id of the RunPod endpoint, or the address that starts a job",
  example: "https://api.runpod.ai/v2/ENDPOINT_ID/run",
  standard: required,
  settings: (endpoint) => {
    const address = /^[\w-]+$/.test(endpoint) ? `https://api.runpod.ai/v2/${endpoint}/run` : endpoint;
    if (!/^https?:\/\/.+\/run$/.test(address)) {
      throw new RangeError("must be the id of an endpoint, or an address that ends with /run");
    }
    const status_url_template = address.replace(/run$/, "status/{job_id}");
    return { runpod: { trigger_url: address, status_url_template } };
  },
};

const REPOSITORY: Question = {
  name: "repository",
  text: "GitHub repository whose workflow trains, as OWNER/NAME",
  example: "you/your-bot",
  standard: required,
  settings: (text) => {
    const [, owner, repository] = /^(?:https:\/\/github\.com\/)?([^/]+)\/([^/]+?)(?:\.git)?\/?$/.exec(text) ??
      [];
    if (owner === undefined || repository === undefined) throw new RangeError("must be OWNER/NAME");
    return { artifacts: { owner, repository } };
  },
};

const ANY = "any";

const WORKFLOW: Question = {
  name: "workflow",
  text: `File name of the workflow (${ANY}: the newest run with a matching artifact)`,
  example: "train_models.yml",
  standard: () => ANY,
  settings: (workflow) => workflow === ANY ? {} : { artifacts: { workflow } },
};

const REPO_ID: Question = {
  name: "repoId",
  text: "Hugging Face repository with the models, as OWNER/NAME",
  example: "you/your-models",
  standard: required,
  settings: (text) => ({ huggingface: { repo_id: text.replace(/^https:\/\/huggingface\.co\/|\/$/g, "") } }),
};

const ARCHIVE_REPO: Question = {
  ...REPO_ID,
  text: `Public Hugging Face repository for the archives, as OWNER/NAME (${NONE}: each job names its target)`,
  standard: () => NONE,
  settings: (text) => text === NONE ? {} : REPO_ID.settings(text),
};

const PRIMARY_URL: Question = {
  name: "primaryUrl",
  text: "Address of the PRIMARY server",
  example: "https://models.example.org/api",
  standard: required,
  settings: (primary_url) => ({ references: { primary_url } }),
};

const REFERENCE_OWNER: Question = {
  name: "referenceOwner",
  text: "GitHub user or organisation that owns the reference repositories, such as your forks",
  standard: () => ModelSync.parse({}).references.image_repository.owner,
  settings: (owner) => ({ references: { image_repository: { owner }, text_repository: { owner } } }),
};

export const LIVES: Readonly<Record<LifeName, Life>> = {
  "git-client": {
    title: "pull models from a git repository: a bot or server that uses them",
    role: "client",
    questions: [REPO_URL, TOKEN_ENV],
    token: registryToken("read"),
    next: "model-sync pull",
  },
  "git-trainer": {
    title: "train models and publish them to a git repository",
    role: "publisher",
    questions: [REPO_URL, TOKEN_ENV, TRAIN_COMMAND],
    token: registryToken("read and write"),
    next: "model-sync publish",
  },
  "runpod": {
    title: "train on RunPod, and pull the models of the job",
    role: "runpod_client",
    questions: [ENDPOINT],
    token: () => ({ variable: "RUNPOD_API_KEY", what: "the API key of RunPod" }),
    next: "model-sync runpod-pull",
    note: () => "the endpoint's worker is another machine; to set it up: model-sync init runpod-worker",
  },
  "runpod-worker": {
    title: "train in the worker of a RunPod endpoint, for its jobs",
    role: undefined,
    questions: [WORKER_COMMAND, ARCHIVE_REPO],
    token: ({ repoId = NONE }) =>
      repoId === NONE
        ? undefined
        : { variable: "HF_TOKEN", what: "a token that may write to the repository", when: "on RunPod" },
    next: "model-sync train",
    note: (options) => `on RunPod, the container runs: model-sync train --serve-runpod${options}`,
  },
  "github-actions": {
    title: "pull the models that a GitHub Actions workflow uploaded",
    role: "artifact_client",
    questions: [REPOSITORY, WORKFLOW],
    token: () => ({ variable: "GITHUB_TOKEN", what: "a token with the permission actions:read" }),
    next: "model-sync artifact-pull",
  },
  "huggingface": {
    title: "pull models from Hugging Face: a backend",
    role: "huggingface_client",
    questions: [REPO_ID],
    token: () => ({ variable: "HF_TOKEN", what: "a read token", when: "if the repository is private" }),
    next: "model-sync hf-pull",
  },
  "references": {
    title: "propose a PRIMARY server's model records to GitHub repositories",
    role: "references",
    questions: [PRIMARY_URL, REFERENCE_OWNER],
    token: () => ({
      variable: "GITHUB_TOKEN",
      what: "a token that may write contents and pull requests",
      when: "to open pull requests",
    }),
    next: "model-sync references-sync --dry-run",
  },
};

function registryToken(allowed: string): Life["token"] {
  return ({ repoUrl = "", tokenEnv = NONE }) =>
    tokenEnv === NONE || isGitPath(repoUrl)
      ? undefined
      : { variable: tokenEnv, what: `a token that may ${allowed} the repository` };
}

function isOnGitHub(address: string): boolean {
  return parseWebAddress(address)?.hostname === "github.com";
}

/**
 * Returns why an answer cannot be used, or `undefined`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { answerProblem, LIVES } from "./lives.ts";
 * const [question] = LIVES.huggingface.questions;
 * assert.ok(question !== undefined);
 * assert.equal(answerProblem(question, "models"), "must be owner/name");
 * assert.equal(answerProblem(question, "you/models"), undefined);
 * ```
 */
export function answerProblem(question: Question, answer: string): string | undefined {
  try {
    const issue = ModelSync.safeParse(question.settings(answer)).error?.issues[0];
    return issue === undefined ? undefined : reasonOf(issue);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** Returns the settings of the answers to the open questions of a life. Defaults of settings are left out. */
export function lifeSettings({ questions }: Life, answers: Answers): SettingTree {
  const trees = questions.flatMap((question) => {
    const answer = answers[question.name];
    return answer === undefined ? [] : [question.settings(answer)];
  });
  return trees.reduce(merge, {});
}

function merge(one: SettingTree, other: SettingTree): SettingTree {
  const merged = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const present = merged[name];
    merged[name] = isTree(present) && isTree(value) ? merge(present, value) : value;
  }
  return merged;
}

export function isTree(value: SettingTree[string] | undefined): value is SettingTree {
  return typeof value === "object" && !Array.isArray(value);
}

/** Returns the words of a command line, or those of a JSON list. @throws {RangeError} */
function splitWords(line: string): string[] {
  const list = parseJson(line);
  if (Array.isArray(list) && list.every((word) => typeof word === "string")) return list;
  const words = Array.from(
    line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g),
    ([, double, single, plain]) => double ?? single ?? plain ?? "",
  );
  // A shell would read these differently.
  if (words.some((word) => /["'`$|&;<>*\\]/.test(word))) {
    throw new RangeError('must be a program with its arguments, or a JSON list such as ["sh", "-c", "…"]');
  }
  return words;
}
