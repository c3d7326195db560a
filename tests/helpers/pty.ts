import { PROJECT } from "./run_cli.ts";
import { GIT_ENV } from "./test_git.ts";

/** Runs a program on a terminal of a given width, without input, and passes on what it writes there. */
const SCRIPT = `
import fcntl, os, pty, struct, sys, termios
columns, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(columns), 0, 0))
    os.execvp(command[0], command)
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    os.write(1, piece)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/** Whether programs can be run on a terminal here. */
export const HAS_PTY = Deno.build.os !== "windows" && (() => {
  try {
    return new Deno.Command("python3", { args: ["-c", "import pty"], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** Runs a command of the program on a terminal. @returns its exit code and every byte that the terminal got */
export async function runOnTerminal(
  columns: number,
  args: readonly string[],
  { cwd }: { readonly cwd: string },
): Promise<{ readonly code: number; readonly written: string }> {
  const deno = [
    "run",
    "--quiet",
    "--no-prompt",
    "--config",
    `${PROJECT}deno.json`,
    "-A",
    `${PROJECT}cli/main.ts`,
  ];
  const result = await new Deno.Command("python3", {
    args: ["-c", SCRIPT, String(columns), Deno.execPath(), ...deno, ...args],
    cwd,
    env: { ...GIT_ENV, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code: result.code, written: new TextDecoder().decode(result.stdout) };
}
