import { SHELLS } from "./_shells/shells.ts";
import { choiceOperand } from "./_arguments.ts";
import { main, plainCommand, type Program } from "./_command.ts";
import { narrowToReading, type PlainSession } from "./_session.ts";
import { SUMMARIES } from "./_help.ts";

type Shell = keyof typeof SHELLS;

export const program: Program = {
  name: "completions",
  command: plainCommand({
    summary: SUMMARIES.completions,
    options: {},
    operands: choiceOperand(
      "SHELL",
      "One of bash, zsh, fish, powershell",
      ["bash", "zsh", "fish", "powershell"] satisfies readonly Shell[],
    ),
    examples: [
      ["Print the script for bash; its first lines say where to install it", "model-sync completions bash"],
      [
        "Install the script for zsh, in a folder of fpath",
        "model-sync completions zsh > ~/.zfunc/_model-sync",
      ],
      ["Complete in this fish", "model-sync completions fish | source"],
      [
        "Complete in this PowerShell",
        "model-sync completions powershell | Out-String | Invoke-Expression",
      ],
    ],
    run,
  }),
};

function run(session: PlainSession, _flags: unknown, shell: Shell): Promise<void> {
  narrowToReading(session);
  const script = SHELLS[shell]();
  session.output.document({ shell, script }, () => [script.trimEnd()]);
  return Promise.resolve();
}

if (import.meta.main) await main(program);
