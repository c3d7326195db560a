import { join } from "node:path";
import type { Secret } from "../core/secret.ts";

/**
 * The program that git and git-lfs ask for a user name and a password. It answers for one origin alone, so a redirect
 * or a storage server on another host gets nothing. The token comes in its environment, never on a command line.
 */
const SCRIPT = `#!/bin/sh
url=\${1#*[\\'\\"]}
rest=\${url#*://}
host=\${rest%%[/\\'\\"]*}
[ "\${url%%://*}://\${host##*@}" = "$MODEL_SYNC_ASKPASS_ORIGIN" ] || exit 1
case "$1" in
  [Uu]sername*) printf '%s\\n' "$MODEL_SYNC_ASKPASS_USER" ;;
  *) printf '%s\\n' "$MODEL_SYNC_ASKPASS_TOKEN" ;;
esac
`;

/** GitHub takes any user name with a token, and wants this one with the tokens of Apps. */
const USER_NAME = "x-access-token";

/** A program for `GIT_ASKPASS`, and the variables that it needs. Dispose of it to remove the program. */
export interface Askpass extends Disposable {
  readonly env: Readonly<Record<string, string>>;
}

/** Writes the askpass program into a private temporary folder. Needs write permission. */
export function createAskpass(token: Secret, origin: string): Askpass {
  const folder = Deno.makeTempDirSync({ prefix: "model-sync-askpass-" });
  const program = join(folder, "askpass.sh");
  Deno.writeTextFileSync(program, SCRIPT, { mode: 0o700, createNew: true });
  return {
    env: {
      GIT_ASKPASS: program,
      MODEL_SYNC_ASKPASS_ORIGIN: origin,
      MODEL_SYNC_ASKPASS_USER: USER_NAME,
      MODEL_SYNC_ASKPASS_TOKEN: token.reveal(),
    },
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}
