/** A repository of reference files, from the settings. */
export interface RepositoryAddress {
  readonly owner: string;
  readonly name: string;
  /** The base branch of pull requests. */
  readonly branch: string;
}

/** `Haidra-Org/AI-Horde-image-model-reference` */
export function fullName({ owner, name }: RepositoryAddress): string {
  return `${owner}/${name}`;
}
