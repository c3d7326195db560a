import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { rootedFs } from "./fake_fs.ts";
import { type CliResult, runCli } from "./run_cli.ts";
import { writeFiles } from "./temp_dir.ts";
import { makeProgram } from "./make_program.ts";

/** The folders of the machine that services are written to, or that name the service manager. */
const REDIRECTED = ["/etc/systemd", "/run/systemd", "/Library"];

/**
 * A machine with a project, and with programs that play `systemctl`, `launchctl`, `crontab` and `id`: they keep what
 * they are told in files, record their command lines, and fail where there is a file `NAME.fails`.
 */
export class ServiceWorld {
  readonly root: string;
  readonly project: string;

  constructor(root: string, { hasSystemd = true }: { readonly hasSystemd?: boolean } = {}) {
    this.root = root;
    this.project = join(root, "bot");
    writeFiles(root, {
      "bot/configs/bot.yaml": `model_sync:
  repo_url: ${JSON.stringify(join(root, "registry.git"))}
  client: { schedule: ["06:00", "*/30 18-20 * * mon-fri"], splay: 10m }
  publisher: { train_before_push: false }
`,
      calls: "",
      uid: "0\n",
    });
    Deno.mkdirSync(join(root, "home"));
    if (hasSystemd) Deno.mkdirSync(join(root, "run/systemd/system"), { recursive: true });
    for (const [name, script] of Object.entries(PROGRAMS)) {
      writeFiles(root, { [`bin/${name}`]: `#!/bin/sh\nset -eu\nroot='${root}'\n${RECORD}\n${script}` });
      makeProgram(join(root, "bin", name));
    }
  }

  /** Runs `model-sync service` in the project. */
  async run(...args: string[]): Promise<CliResult> {
    const { root, project } = this;
    return await runCli("service", args, {
      cwd: project,
      env: {
        PATH: `${join(root, "bin")}:/usr/bin:/bin`,
        HOME: join(root, "home"),
        XDG_CONFIG_HOME: "",
        MODEL_SYNC_LAUNCHER: "/usr/local/bin/model-sync",
      },
      world: {
        clock: { ...systemClock, sleep: () => Promise.resolve() },
        fs: rootedFs(
          project,
          (path) =>
            REDIRECTED.some((folder) => path === folder || path.startsWith(`${folder}/`))
              ? join(root, path)
              : path,
        ),
      },
    });
  }

  /** Returns the command lines that changed something since the last call. */
  calls(): string[] {
    const path = join(this.root, "calls");
    const lines = Deno.readTextFileSync(path).trimEnd().split("\n");
    Deno.writeTextFileSync(path, "");
    return lines.filter((line) => line !== "" && !/^id | show | -l$|launchctl print/.test(line));
  }

  /** Returns the text of a file on the machine. */
  text(path: string): string {
    return Deno.readTextFileSync(join(this.root, path));
  }

  write(path: string, text: string): void {
    writeFiles(this.root, { [path]: text });
  }
}

const RECORD = `name=\${0##*/}
echo "$name $*" >> "$root/calls"
if [ -e "$root/$name.fails" ]; then cat "$root/$name.fails" >&2; exit 1; fi`;

const PROGRAMS = {
  id: `cat "$root/uid"\n`,
  systemctl: `[ "$1" = --user ] && shift
case $1 in
  enable) touch "$root/$2.enabled" ;;
  restart) touch "$root/$2.active" ;;
  disable) rm -f "$root/$3.enabled" "$root/$3.active" ;;
  show)
    if [ -e "$root/$2.enabled" ]; then echo UnitFileState=enabled; fi
    if [ -e "$root/$2.active" ]; then
      printf '%s\\n' ActiveState=active SubState=running Result=success 'StatusText=client: next run 06:00'
    else printf '%s\\n' ActiveState=inactive SubState=dead LoadState=loaded; fi ;;
esac
`,
  launchctl: `case $1 in
  bootstrap)
    # The job that was booted out has not ended at the first attempt.
    if [ -e "$root/ending" ]; then rm "$root/ending"; echo 'Bootstrap failed: 5: Input/output error' >&2; exit 5; fi
    touch "$root/loaded" ;;
  bootout) [ -e "$root/loaded" ] && rm "$root/loaded" ;;
  print) case $2 in system|gui/501) exit 0 ;; esac
    [ -e "$root/loaded" ] && printf 'gui/501/x = {\\n\\tstate = running\\n\\tlast exit code = 0\\n}\\n' ;;
esac
`,
  crontab: `[ "$1" = -u ] && shift 2
case $1 in
  -l) cat "$root/crontab" 2>/dev/null || { echo "no crontab for bot" >&2; exit 1; } ;;
  -) cat > "$root/crontab" ;;
esac
`,
};
