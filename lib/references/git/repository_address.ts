/** One of the repositories that hold reference files, as the settings name it. */
export interface RepositoryAddress {
  readonly owner: string;
  readonly name: string;
  /** The branch that pull requests are made against. */
  readonly branch: string;
}

/** `Haidra-Org/AI-Horde-image-model-reference` */
export function fullName({ owner, name }: RepositoryAddress): string {
  return `${owner}/${name}`;
}
