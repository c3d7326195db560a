import { shellWord } from "../../lib/core/quote.ts";
import { BUNDLE_ENTRY } from "./bundle_program.ts";
import { RUN_FILE } from "./merge_chunks.ts";
import { ANY_COMMAND, type CommandFlags } from "./command_flags.ts";

/** A line of every launcher: the installer replaces and removes only files that contain it. */
export const MARKER = "Written by the installer of model-sync";

/** What a launcher starts. All paths are absolute. */
export interface LauncherFacts {
  /** The launcher itself. */
  readonly launcher: string;
  /** The clone whose code it runs. */
  readonly clone: string;
  /** The copy of Deno that belongs to the installation. */
  readonly runtime: string;
  /** The folder of the packages: Deno's `DENO_DIR`. */
  readonly cache: string;
  /** The folder of the bundle; `undefined` where commands start from source. */
  readonly program: string | undefined;
  /** The npm registry that the packages came from: Deno files them by registry. */
  readonly registry: string;
  /** The command line that installs again. */
  readonly repair: string;
  /** The command line that uninstalls. */
  readonly removal: string;
  readonly flags: CommandFlags;
}

/**
 * Returns the launcher for POSIX shells. It only uses what the shell itself can do, so that it costs a millisecond:
 * it starts no other program before it becomes Deno.
 *
 * The program restores `DENO_DIR` and `NPM_CONFIG_REGISTRY` for the programs that it starts, from the variables that
 * the launcher saves.
 */
export function shellLauncher(facts: LauncherFacts): string {
  const { launcher, clone, runtime, cache, program, registry, repair, removal, flags } = facts;
  return `#!/bin/sh
# Starts model-sync. ${MARKER}: to remove it, run in the clone:
#    ${removal}
# Changes here are lost with the next install.
clone=${shellWord(clone)}
runtime=${shellWord(runtime)}
cache=${shellWord(cache)}
repair=${shellWord(repair)}

if [ ! -r "$clone/deno.json" ]; then
  echo "model-sync: cannot read its clone $clone as this user. If it moved, install again from its new folder: $repair" >&2
  exit 1
fi
if [ ! -x "$runtime" ]; then
  if ! command -v deno >/dev/null 2>&1; then
    echo "model-sync: cannot run its Deno, $runtime, as this user. To restore it, run in $clone: $repair" >&2
    exit 1
  fi
  echo "model-sync: cannot run its Deno, $runtime, as this user; using deno from the PATH. To restore it, run in $clone: $repair" >&2
  runtime=deno
fi

# For this program only. It restores the saved values for the programs that it starts.
${saved("DENO_DIR")}
${saved("NPM_CONFIG_REGISTRY")}
export MODEL_SYNC_LAUNCHER=${shellWord(launcher)}
export DENO_DIR="$cache" NPM_CONFIG_REGISTRY=${shellWord(registry)} DENO_NO_UPDATE_CHECK=1

start="$clone/cli/main.ts"
${program === undefined ? "" : bundled(program)}
# The permission sets are in deno.json.
case \${1-} in
${commandCases(flags, program !== undefined).join("\n")}
*) set -- -P=${ANY_COMMAND} "$clone/cli/main.ts" "$@" ;;
esac
exec "$runtime" run ${flags.common.map(shellWord).join(" ")} --config "$clone/deno.json" "$@"
`;
}

/**
 * Compiles all functions of a module at once, so that Deno's cache of compiled code holds all of them. Deno stores the
 * code of a module before it runs: without the flag, only that of functions outside of others.
 */
export const EAGER = "--v8-flags=--no-lazy";

/** Commands that run for long, and have memory to save. */
const SERVING = ["daemon", "dashboard"];

/** Returns the cases of the launcher: one for the commands with the same flags. */
function commandCases({ own }: CommandFlags, isBundled: boolean): string[] {
  const names = new Map<string, string[]>();
  for (const [name, flags] of own) {
    const eager = isBundled && !SERVING.includes(name) ? [EAGER] : [];
    const words = [...flags, ...eager].map((flag) => `${shellWord(flag)} `).join("");
    names.set(words, [...names.get(words) ?? [], name]);
  }
  return Array.from(
    names,
    ([words, commands]) => `${commands.join(" | ")})\n  set -- ${words}"-P=$1" "$start" "$@" ;;`,
  );
}

/** Returns the lines that start the bundle of the command, or else of all. A bundle compares itself with the source. */
function bundled(program: string): string {
  return `bundle=${shellWord(program)}
if [ -r "$bundle/\${1-}/${RUN_FILE}" ]; then start=$bundle/$1/${RUN_FILE}
elif [ -r "$bundle/${BUNDLE_ENTRY}" ]; then start=$bundle/${BUNDLE_ENTRY}; fi
`;
}

/** Returns the line that saves the user's value of a variable, if there is one. */
function saved(name: string): string {
  return `if [ -n "\${${name}+set}" ]; then export MODEL_SYNC_USER_${name}="$${name}"; else unset MODEL_SYNC_USER_${name}; fi`;
}

/** Returns the launcher for Windows' `cmd`. */
export function windowsLauncher(facts: LauncherFacts): string {
  const { launcher, clone, runtime, cache, registry, repair, removal, flags } = facts;
  const special = [...flags.own].filter(([, own]) => own.length > 0);
  const lines = [
    "@echo off",
    `rem Starts model-sync. ${MARKER}: to remove it, run in the clone:`,
    `rem    ${escaped(removal)}`,
    "rem Changes here are lost with the next install.",
    "setlocal DisableDelayedExpansion",
    assignment("clone", clone),
    assignment("runtime", runtime),
    `if not exist "%clone%\\deno.json" (`,
    `  echo model-sync: cannot read its clone "%clone%". If it moved, install again from its new folder: ${
      escaped(repair)
    } 1>&2`,
    "  exit /b 1",
    ")",
    // Only the folders of PATH: the shell itself would also start a program of the working directory.
    `set "other="`,
    `if not exist "%runtime%" for %%d in (deno.exe deno.cmd) do if not defined other set "other=%%~$PATH:d"`,
    `if not exist "%runtime%" if not defined other (`,
    `  echo model-sync: cannot find its Deno, "%runtime%". To restore it, run in "%clone%": ${
      escaped(repair)
    } 1>&2`,
    "  exit /b 1",
    ")",
    `if not exist "%runtime%" (`,
    `  echo model-sync: cannot find its Deno, "%runtime%"; using "%other%" from the PATH. To restore it, run in "%clone%": ${
      escaped(repair)
    } 1>&2`,
    ")",
    `if not exist "%runtime%" set "runtime=%other%"`,
    ...["DENO_DIR", "NPM_CONFIG_REGISTRY"].flatMap((name) => [
      `set "MODEL_SYNC_USER_${name}="`,
      `if defined ${name} set "MODEL_SYNC_USER_${name}=%${name}%"`,
    ]),
    assignment("MODEL_SYNC_LAUNCHER", launcher),
    assignment("DENO_DIR", cache),
    assignment("NPM_CONFIG_REGISTRY", registry),
    `set "DENO_NO_UPDATE_CHECK=1"`,
    `set "flags=-P=${ANY_COMMAND}"`,
    `for %%c in (${[...flags.own.keys()].join(" ")}) do if "%~1"=="%%c" set "flags=-P=%%c"`,
    ...special.map(([name, own]) => `if "%~1"=="${name}" set "flags=${own.join(" ")} -P=${name}"`),
    `"%runtime%" run ${
      flags.common.join(" ")
    } --config "%clone%\\deno.json" %flags% "%clone%\\cli\\main.ts" %*`,
    "exit /b %ERRORLEVEL%",
  ];
  // The shell looks for labels and blocks byte by byte and misreads files with Unix line ends.
  return lines.map((line) => `${line}\r\n`).join("");
}

function assignment(name: string, value: string): string {
  return `set "${name}=${escaped(value)}"`;
}

/** A percent sign in a batch file is doubled; a path of Windows holds no quotes. */
function escaped(value: string): string {
  return value.replaceAll("%", "%%");
}
