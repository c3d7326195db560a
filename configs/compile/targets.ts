/** A platform that executables are built for. */
export interface Target {
  /** The end of the executable's name, and the value of `--target`. */
  readonly name: string;
  /** The name of the platform in `deno compile --target`. */
  readonly triple: string;
}

/** The platforms of a release, by the names that `Deno.build.os` and Node use for processors. */
export const TARGETS: readonly Target[] = [
  { name: "linux-x64", triple: "x86_64-unknown-linux-gnu" },
  { name: "linux-arm64", triple: "aarch64-unknown-linux-gnu" },
  { name: "macos-x64", triple: "x86_64-apple-darwin" },
  { name: "macos-arm64", triple: "aarch64-apple-darwin" },
  { name: "windows-x64", triple: "x86_64-pc-windows-msvc" },
];

/** Returns the target of this machine; `undefined` on a platform that is not released, which Deno itself may support. */
export function hostTarget(): Target | undefined {
  return TARGETS.find(({ triple }) => triple === Deno.build.target);
}

/** Returns the name with the ending that Windows requires of a program. */
export function programName(path: string, target: Target): string {
  return target.name.startsWith("windows") && !path.endsWith(".exe") ? `${path}.exe` : path;
}
