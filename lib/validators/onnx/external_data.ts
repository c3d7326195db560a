import type { FileSystem } from "../../core/files.ts";
import { portablePathProblem } from "../../core/portable_path.ts";
import { quote } from "../../core/quote.ts";
import { InvalidModelError } from "../invalid_model.ts";
import type { ModelFile } from "../model_file.ts";
import type { OnnxModel } from "./read_onnx.ts";

/** A file with tensors of a model. */
export interface ExternalFile {
  /** As the model names it: relative to its own folder. */
  readonly name: string;
  readonly file: ModelFile;
}

/**
 * Finds the files that a model keeps tensors in. Each has to be a file of the same release, named without leaving the
 * model's folder, and large enough for what the model wants of it.
 *
 * @param release every file of the model's release
 */
export function findExternalData(
  fs: Pick<FileSystem, "lstatSync">,
  model: ModelFile,
  { external }: Pick<OnnxModel, "external">,
  release: readonly ModelFile[],
): readonly ExternalFile[] {
  if (external.size === 0) return [];
  const files = new Map(release.map((file) => [file.path, file]));
  const folder = model.path.slice(0, model.path.lastIndexOf("/") + 1);
  return Array.from(external, ([name, bytes]) => {
    const invalid = (problem: string) =>
      new InvalidModelError(model.path, `its external data ${quote(name)} ${problem}`);
    const below = name.startsWith("./") ? name.slice(2) : name;
    const pathProblem = portablePathProblem(below);
    if (pathProblem !== undefined) throw invalid(`${pathProblem}, expected a path within the model's folder`);
    const file = files.get(folder + below);
    if (file === undefined) throw invalid(`is not in the release, expected a file ${quote(folder + below)}`);
    if (!fs.lstatSync(file.location).isFile) throw invalid("is no regular file");
    if (file.size < bytes) throw invalid(`is ${file.size} bytes, expected at least ${bytes}`);
    return { name, file };
  });
}
