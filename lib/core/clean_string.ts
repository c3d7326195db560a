import * as z from "zod";
import { cleanLine } from "./clean_text.ts";

/**
 * A string of a stored record, cleaned when it is parsed. Records are parsed before they are written and after they are
 * read, so those of earlier versions or other programs are clean, too.
 */
export const CleanString = z.string().overwrite((text) => cleanLine(text));
