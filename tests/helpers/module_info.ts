import { moduleInfo } from "../../configs/licences.ts";
import { PROJECT } from "./run_cli.ts";

/** What `deno info --json` says about the program. */
export const MODULE_INFO = await moduleInfo(PROJECT);

/** Whether it names the folders of packages: Deno 2.6 does not, and would download them for an installation. */
export const KNOWS_FOLDERS = MODULE_INFO.includes(`"localPath"`);
