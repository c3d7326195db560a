import { AuthenticationError, FailedError, ModelSyncError, UnreachableError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import { BRANCH_NAME_TAKEN, PUSH_DECLINED } from "../../git/declined_push.ts";
import { REPOSITORY_ARCHIVED } from "../../git/git_error.ts";
import { fullName, type RepositoryAddress } from "./repository_address.ts";

/** The work during which git failed. */
export interface FailedWork {
  readonly address: RepositoryAddress;
  readonly token: Secret | undefined;
  /** The pushed branch; `undefined` for a fetch. */
  readonly pushed?: string | undefined;
}

/**
 * Returns the error of a failed git with hints for a reference sync instead of `publish`: its token, the repository,
 * its rules and the branch for proposals. Other errors are returned unchanged.
 */
export function explainFailure(error: unknown, { address, token, pushed }: FailedWork): unknown {
  if (!(error instanceof ModelSyncError)) return error;
  const { message, code } = error;
  const name = fullName(address);
  if (error instanceof AuthenticationError) {
    return new AuthenticationError(message, { code, cause: error, hint: accessHint(name, token, pushed) });
  }
  const failed = (hint: string) => new FailedError(message, { code, cause: error, hint });
  switch (code) {
    case REPOSITORY_ARCHIVED:
      return failed(
        `unarchive ${name} on GitHub, or remove its categories from model_sync.references.categories`,
      );
    case BRANCH_NAME_TAKEN:
      return failed(
        `delete the branch of ${name} whose name collides with ${pushed}, or set model_sync.references.pr.branch`,
      );
    case PUSH_DECLINED:
      return failed(
        `allow the token's user to push ${pushed} in the rules of ${name}, or set model_sync.references.pr.branch; ` +
          "nothing was proposed",
      );
  }
  if (error instanceof FailedError && /couldn't find remote ref/i.test(message)) {
    return new UnreachableError(`Cannot clone ${name}: it has no branch ${address.branch}`, {
      code: "BRANCH_MISSING",
      cause: error,
      hint: "check the branch in model_sync.references",
    });
  }
  return error;
}

function accessHint(name: string, token: Secret | undefined, pushed: string | undefined): string {
  const verb = pushed === undefined ? "read" : "write to";
  if (token === undefined) {
    return `set GITHUB_TOKEN, or the GITHUB_APP_* variables, to credentials that can ${verb} ${name}`;
  }
  if (pushed === undefined) return `the token is invalid or expired, or cannot read ${name}`;
  return `the token cannot write to ${name}: a fine-grained token and an App need read and write access to ` +
    'Contents and Pull requests, a classic token needs the scope "repo"';
}
