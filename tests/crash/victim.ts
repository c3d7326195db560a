import { dieAt } from "./die_at.ts";
import { isVictimCommand, VICTIM_COMMANDS } from "./victim_commands.ts";

/** Runs one command and kills itself before its n-th step. Arguments: command, n, root folder. */
const [command = "", killAt, root = ""] = Deno.args;
if (!isVictimCommand(command)) throw new TypeError(`unknown command ${command}`);
await VICTIM_COMMANDS[command](dieAt(Number(killAt)), root);
