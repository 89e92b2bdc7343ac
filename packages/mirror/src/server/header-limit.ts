/** How long the head of a request or an answer may be: longer than what servers accept by default, so that the mirror refuses nothing that the primary would take. */
export const maximumHeaderBytes = 256 * 1024;
