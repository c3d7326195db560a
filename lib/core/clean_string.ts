import { z } from "zod";
import { cleanLine } from "./clean_text.ts";

/**
 * Text from outside in what is kept on the disk: parsing cleans it. A record is parsed when it is made and when it is
 * read, so that those of earlier versions and of other hands are clean, too.
 */
export const CleanString = z.string().overwrite((text) => cleanLine(text));
