/**
 * The folder of the source as an address, with a slash at its end: of the clone, of what `deno compile` packed, or of a
 * package registry. Files that the program reads or starts at run time are named from here, because a bundle is in
 * another folder: its bundler puts the clone's address in the place of this module.
 */
export const SOURCE_ROOT: string = new URL("../../", import.meta.url).href;
