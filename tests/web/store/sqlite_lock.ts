/** Another process that holds a lock on a database file. */
interface SqliteLock extends AsyncDisposable {
  release(): Promise<void>;
}

const PROGRAM = `
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
connection.close()
`;

/** Locks a database as a backup would, until the lock is released. */
export async function lockDatabase(path: string): Promise<SqliteLock> {
  const child = new Deno.Command("python3", {
    args: ["-c", PROGRAM, path],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.getReader();
  const { value } = await output.read();
  if (value === undefined) throw new Error(`cannot lock ${path}`);
  const input = child.stdin.getWriter();
  let released: Promise<void> | undefined;
  const release = async () => {
    await input.close();
    await output.cancel();
    await child.status;
  };
  return {
    release: () => released ??= release(),
    [Symbol.asyncDispose]: () => released ??= release(),
  };
}
