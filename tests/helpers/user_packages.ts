import { programPackages } from "../../configs/licences.ts";
import { PROJECT } from "./run_cli.ts";

/** The packages of users. */
export const USER_PACKAGES = await programPackages(PROJECT);

/** Whether Deno names the folders of packages: Deno 2.6 does not, and would download them for an installation. */
export const KNOWS_FOLDERS = USER_PACKAGES.some(({ localPath }) => localPath !== undefined);
