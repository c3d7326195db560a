import { FailedError } from "../../lib/core/errors.ts";
import { causesOf } from "./deno_causes.ts";

/** Returns the error for packages that Deno could not download. @param stderr what Deno printed, without colours */
export function packagesError(stderr: string): FailedError {
  const causes = causesOf(stderr);
  return new FailedError(
    `Cannot download the packages: ${[...new Set([causes.at(0), causes.at(-1)])].join(": ")}`,
    {
      code: "INSTALL_PACKAGES",
      hint: "check the connection to the npm registry, then run the command again",
    },
  );
}
