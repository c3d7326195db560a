import { renderManual } from "./_shells/manual.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { main, plainCommand, type Program } from "./_command.ts";
import { narrowToReading, type PlainSession } from "./_session.ts";
import { SUMMARIES } from "./_help.ts";

export const program: Program = {
  name: "man",
  command: plainCommand({
    summary: SUMMARIES.man,
    options: {},
    operands: NO_OPERANDS,
    examples: [
      ["Read it", "model-sync man | man -l -"],
      ["Install it, for man model-sync", "model-sync man > ~/.local/share/man/man1/model-sync.1"],
    ],
    run,
  }),
};

function run(session: PlainSession): Promise<void> {
  narrowToReading(session);
  const page = renderManual();
  session.output.document({ page }, () => [page.trimEnd()]);
  return Promise.resolve();
}

if (import.meta.main) await main(program);
