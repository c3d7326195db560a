/**
 * Options of Zod for what a start parses: it does not compile code for a schema. Zod would compile it for the first
 * value, half a millisecond for each object, which only thousands of values bring back.
 */
export const UNCOMPILED = { jitless: true };
